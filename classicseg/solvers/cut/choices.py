"""What moves are made of: the best choice between two labellings, of a grid or of a graph."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.kernels.cut.records import read_cut
from classicseg.machine.memory import check_memory
from classicseg.solvers.cut.any_choices import AnyChoices
from classicseg.solvers.cut.integers import as_integers, as_rounded
from classicseg.solvers.cut.network import Network
from classicseg.solvers.cut.pairs import quadratic_between
from classicseg.solvers.cut.potts import PottsExpansions, is_potts
from classicseg.solvers.cut.quadratic import Roof
from classicseg.solvers.cut.remainders import ENOUGH, RealCut, write_choice

_MANY = 2**20  # edges and costs; for fewer nobody needs to ask whether there is memory


class GridChoice:
    """Choices between labellings of a grid.

    Attributes
    ----------
    accuracy : str
        What the rounding of costs to whole numbers can do.
    order : list of int
        In which labels are expanded.
    """

    def __init__(self, energy: GridCRF) -> None:
        self._crf = energy
        self._grid = as_integers(energy) or as_rounded(energy)
        self._network = Network(energy.shape, energy.directions)
        self._real = RealCut(self._network) if self._grid.coarse else None
        self._relaxed: GridCRF | None = None
        self.order = list(range(energy.n_labels))
        self.accuracy = self._grid.accuracy if self._real is None else f"each found to {ENOUGH:.3g} of the energy"

    def choose(self, labels: np.ndarray, zero: np.ndarray, one: np.ndarray, size: Callable[[], float]) -> int:
        """Write the best choice between `zero` and `one`, (n,) or (1,), to `labels`; returns how many that changed.

        ``size()`` is that of the energy.
        """
        if self._real is None:
            self._network.fill(self._grid, zero, one)
            self._network.solve(1)
        else:
            write_choice(self._real, self._crf, zero, one)
            self._real.solve(1, lambda: ENOUGH * size())
        return self._network.read(labels, zero, one)

    def cost_of_forbidden(self, labels: np.ndarray) -> tuple[int, float]:
        """How often labels of an infinite energy do what is forbidden, and what they cost besides."""
        if self._relaxed is None:
            self._relaxed = _without_forbidden(self._crf)
        unary = np.take_along_axis(self._crf.unary, labels[None], 0)
        return int(np.isinf(unary).sum()) + self._crf.n_broken(labels), self._relaxed.energy(labels)


class GraphChoice:
    """Choices between labellings of a graph; attributes as of :class:`GridChoice`.

    If `roof`, pairs that no cut can express are kept as they are, and where roof duality leaves the choice open it is
    that of `zero`; else they are made dearer.
    """

    def __init__(self, energy: GraphCRF, *, roof: bool) -> None:
        self._crf, self._roof = energy, roof
        n_edges, size = len(energy.edges), energy.unary.size
        if n_edges + size > _MANY:
            check_memory(150.0 * n_edges + 8.0 * size, "the flow network")
        self._potts = PottsExpansions(energy) if is_potts(energy) else None
        # First those that most nodes like best: a cycle less, and energies as low as those of other orders or lower.
        liked = np.bincount(energy.unary.argmin(axis=0), minlength=energy.n_labels)
        self.order = np.argsort(-liked, kind="stable").tolist()

    def guess(self) -> np.ndarray | None:
        """Labels that expansions do well to start from, (n,) int32, where there are better ones than the cheapest."""
        return None if self._potts is None or self._crf.label_costs is not None else self._potts.guess()

    @property
    def accuracy(self) -> str:
        """What the rounding of costs to whole numbers can do."""
        is_any_made = "_any" in self.__dict__
        step = self._any.step if self._potts is None or is_any_made else self._potts.step
        return "in exact whole numbers" if step == 0 else f"costs rounded to multiples of {step:.3g}"

    @cached_property
    def _any(self) -> AnyChoices:
        return AnyChoices(self._crf)

    def choose(self, labels: np.ndarray, zero: np.ndarray, one: np.ndarray, size: Callable[[], float]) -> int:
        """As of :class:`GridChoice`; the choice is found as well as whole numbers tell, whatever the `size`."""
        if self._roof:
            function, only = quadratic_between(self._crf, *(np.broadcast_to(x, labels.shape) for x in (zero, one)))
            if (function.pairs > 0).any():
                _, bits = Roof(function, only).solve()
                return int(read_cut((bits == 1).astype(np.uint8), zero, one, labels))
        if self._potts is not None and one.size == 1:
            return self._potts.expand(labels, zero, int(one[0]))
        return self._any.choose(labels, zero, one)

    def cost_of_forbidden(self, labels: np.ndarray) -> tuple[int, float]:
        """As of :class:`GridChoice`."""
        crf = self._crf
        own = np.take_along_axis(crf.unary, labels[None], 0)[0].astype(np.float64)
        first, second = labels[crf.edges].T
        if crf.edge_tables is not None:
            pairs = crf.edge_tables[np.arange(len(first)), first, second]
        else:
            assert crf.cost is not None
            with np.errstate(invalid="ignore"):
                pairs = np.nan_to_num(crf.weights * crf.cost[first, second], nan=0.0, posinf=np.inf)
        terms = np.concatenate([own, pairs])
        prices = 0.0 if crf.label_costs is None else float(crf.label_costs[np.unique(labels)].sum())
        return int(np.isinf(terms).sum()), float(terms.sum(where=np.isfinite(terms))) + prices


def _without_forbidden(crf: GridCRF) -> GridCRF:
    """The energy with costs of 0 where they are infinite."""
    weights = {name: np.where(np.isinf(w), 0, w) for name, w in crf.weights.items()}
    unary = np.where(np.isinf(crf.unary), 0, crf.unary)
    return GridCRF(
        unary, crf.compatibility, weights, connectivity=crf.connectivity, label_costs=crf.label_costs, mask=crf.mask
    )
