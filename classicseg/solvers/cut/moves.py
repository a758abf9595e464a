"""Move-making for many labels: each step solves a choice between two labels at every pixel by a minimum cut.

All moves are fusions of two labellings. An expansion of the label a fuses the current labelling with "a everywhere", a
swap of a and b fuses "a where it is a or b" with "b where it is a or b", and `fusion` takes any proposals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError
from classicseg.solvers.cut.choices import GraphChoice, GridChoice
from classicseg.solvers.run import Run
from classicseg.types import Result


def expansion(energy: GridCRF | GraphCRF, run: Run) -> Result:
    """Alpha-expansion: for one label after the other, every pixel may switch to it [1]_.

    Parameters
    ----------
    energy : GridCRF or GraphCRF
        Any compatibility. If it is a metric, each move is the best one there is; otherwise pairs that no cut can
        express are made dearer, so that moves are weaker but still never raise the energy. Label costs are heeded
        [2]_: moves that would empty one label, and one that would empty all others, are tried as well.
    run : Run
        ``init``: labels to start from; by default the one label that is cheapest everywhere, which leads to lower
        energies than the noisy labels of least unary cost, and on graphs with Potts costs the labels that one iteration
        of TRW-S finds, which leads to still lower ones. ``max_iter``: largest number of cycles over all labels, 100
        by default. ``tol``: stop when a cycle lowers the energy by less; 0 by default. A move is too short to share
        between threads.

    Returns
    -------
    Result
        ``history`` has one row for each cycle; energies never rise. ``converged`` if no single expansion, of those
        tried where there are label costs, lowers the energy any more.

    References
    ----------
    .. [1] Y. Boykov, O. Veksler, R. Zabih, "Fast approximate energy minimization via graph cuts", IEEE TPAMI 23(11),
       2001. doi:10.1109/34.969114
    .. [2] A. Delong, A. Osokin, H. Isack, Y. Boykov, "Fast approximate energy minimization with label costs", IJCV
       96(1), 2012. doi:10.1007/s11263-011-0437-z

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.array([[[0, 4, 0, 9, 9]], [[9, 5, 5, 5, 0]], [[5, 0, 5, 1, 1]]])
    >>> result = cs.minimize(cs.GridCRF(unary, cs.Potts(3)), "expansion")
    >>> result.labels.tolist(), result.energy
    ([[0, 0, 0, 2, 2]], 9.0)
    """
    moves = Moves(energy, run.init)
    return _repeat(moves, run, moves.expand_each, "no expansion lowers the energy")


def swap(energy: GridCRF | GraphCRF, run: Run) -> Result:
    """Alpha-beta swap: for one pair of labels after the other, pixels of the two may exchange them [1]_.

    Parameters
    ----------
    energy : GridCRF or GraphCRF
        Any compatibility; each move is the best one there is if equal labels cost no more than different ones.
    run : Run
        As in :func:`expansion`; a cycle goes over all pairs of labels, those that are dearest together first.

    Returns
    -------
    Result
        As of :func:`expansion`.

    References
    ----------
    .. [1] Y. Boykov, O. Veksler, R. Zabih, "Fast approximate energy minimization via graph cuts", IEEE TPAMI 23(11),
       2001. doi:10.1109/34.969114

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.array([[[0, 4, 0, 9, 9]], [[9, 5, 5, 5, 0]], [[5, 0, 5, 1, 1]]])
    >>> cs.minimize(cs.GridCRF(unary, cs.TruncatedQuadratic(3, truncation=2)), "swap").energy
    12.0
    """
    moves = Moves(energy, cheapest_label(energy) if run.init is None else run.init)
    label_pairs = _farthest_first(_typical_cost(energy))
    return _repeat(moves, run, lambda: moves.swap_each(label_pairs), "no swap lowers the energy")


def fusion(energy: GridCRF | GraphCRF, run: Run, *, proposals: Iterable[ArrayLike]) -> Result:
    """Fusion moves: each pixel chooses between its label and that of a proposed labelling [1]_.

    Parameters
    ----------
    energy : GridCRF or GraphCRF
        Any compatibility. Pairs of a grid that no cut can express are made dearer, as in :func:`expansion`; on a graph
        roof duality [2]_ finds what nodes are known to choose, and the others stay as they are.
    run : Run
        As in :func:`expansion`; a cycle goes over all proposals, and the start is by default the best of them.
    proposals : iterable of array_like of int, spatial shape
        Labellings from elsewhere: other solvers, other parameters, shifted or smoothed versions.

    Returns
    -------
    Result
        As of :func:`expansion`; the energy is at most that of `init`.

    Raises
    ------
    ValueError
        If a proposal does not fit.

    References
    ----------
    .. [1] V. Lempitsky, C. Rother, S. Roth, A. Blake, "Fusion moves for Markov random field optimization", IEEE TPAMI
       32(8), 2010. doi:10.1109/TPAMI.2009.143
    .. [2] C. Rother, V. Kolmogorov, V. Lempitsky, M. Szummer, "Optimizing binary MRFs via extended roof duality", CVPR
       2007. doi:10.1109/CVPR.2007.383203

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> crf = cs.GridCRF(np.random.default_rng(2).integers(0, 9, (3, 6, 6)), cs.Potts(4))
    >>> solutions = [cs.minimize(crf, method) for method in ("swap", "expansion")]
    >>> fused = cs.minimize(crf, "fusion", proposals=[solution.labels for solution in solutions])
    >>> fused.energy <= min(solution.energy for solution in solutions)
    True
    """
    given = inputs.as_sequence(proposals, "proposals", "labellings")
    checked = [inputs.as_labels(p, energy.shape, energy.n_labels, name="proposals", mask=energy.mask) for p in given]
    if not checked:
        raise InputError("proposals must hold at least one labelling, got none")
    moves = Moves(energy, min(checked, key=energy.energy) if run.init is None else run.init, roof=True)
    return _repeat(moves, run, lambda: moves.fuse_each(checked), "no fusion lowers the energy")


def _farthest_first(cost: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of labels, those of the dearest neighbours first.

    The order decides which minimum swaps end in. Coarse changes first: on stereo problems the energy ends 1 % (linear
    costs) and 50 % (quadratic costs) lower than with pairs in the order of the labels, in fewer cycles.
    """
    pairs = [(a, b) for a in range(len(cost)) for b in range(a + 1, len(cost))]
    return sorted(pairs, key=lambda pair: (-cost[pair] - cost[pair[::-1]], pair[0] - pair[1]))


def _typical_cost(energy: GridCRF | GraphCRF) -> np.ndarray:
    """The compatibility, or the mean of the tables of all edges."""
    if energy.cost is None:
        assert isinstance(energy, GraphCRF)
        tables = energy.tables()
        mean: np.ndarray = tables.mean(axis=0) if len(tables) else np.zeros((energy.n_labels,) * 2)
        return mean
    return energy.cost


def _repeat(moves: Moves, run: Run, cycle: Callable[[], bool], settled: str) -> Result:
    """Repeat cycles until none of their moves lowers the energy."""
    enough = 0.0 if run.tol is None else run.tol
    while not run.ended:
        lowered, change = moves.make(cycle)
        run.record(energy=moves.energy(), change=change, labels=lambda: moves.labels)
        if not lowered:
            run.stop(f"{settled}, {moves.accuracy}", converged=True)
        elif change < enough:
            run.stop(f"the last cycle lowered the energy by {change:.3g}", converged=True)
    return run.result(moves.labels, energy=moves.energy())


def cheapest_label(energy: GridCRF | GraphCRF) -> np.ndarray:
    """The one label that is cheapest everywhere; where no label may be used everywhere, the cheapest of each pixel."""
    totals = energy.unary.reshape(energy.n_labels, -1).sum(axis=1, dtype=np.float64)
    if np.isinf(totals).all():
        return energy.unary.argmin(axis=0).astype(np.int32)
    return np.full(energy.shape, totals.argmin(), np.int32)


class Moves:
    """A labelling, and the moves that change it if they lower its energy.

    Parameters
    ----------
    energy : GridCRF or GraphCRF
    labels : ndarray, spatial shape, int32, or None
        Where to start; not written to. By default where expansions do well to.
    roof : bool
        Whether pairs of a graph that no cut can express are left to roof duality, and not made dearer.

    Attributes
    ----------
    labels : ndarray, spatial shape, int32
    """

    def __init__(self, energy: GridCRF | GraphCRF, labels: np.ndarray | None, *, roof: bool = False) -> None:
        self._crf = energy
        self._choice: GraphChoice | GridChoice
        self._choice = GraphChoice(energy, roof=roof) if isinstance(energy, GraphCRF) else GridChoice(energy)
        self._version = 0
        self._tried: dict[Any, int] = {}
        if labels is None and isinstance(self._choice, GraphChoice):
            labels = self._choice.guess()
        self.restart(cheapest_label(energy) if labels is None else labels)

    @property
    def accuracy(self) -> str:
        """What the rounding of costs to whole numbers can do."""
        return self._choice.accuracy

    def restart(self, labels: np.ndarray) -> None:
        """Go on from another labelling, which is not written to."""
        self._take(labels.reshape(-1), None)

    def _take(self, flat: np.ndarray, cost: tuple[int, float] | None) -> None:
        """Let this be the labelling; its cost, if it is known already."""
        self.labels, self._labels, self._known_cost = flat.reshape(self._crf.shape), flat, cost
        self._version += 1

    def energy(self) -> float:
        """Energy of the labelling."""
        forbidden, value = self._cost()
        return np.inf if forbidden else value

    def _cost(self) -> tuple[int, float]:
        if self._known_cost is None:
            self._known_cost = self._cost_of(self.labels)
        return self._known_cost

    def _cost_of(self, labels: np.ndarray) -> tuple[int, float]:
        """How often labels do what is forbidden, and what they cost besides; the first counts first."""
        value = self._crf.energy(labels)
        return (0, value) if np.isfinite(value) else self._choice.cost_of_forbidden(labels)

    def make(self, cycle: Callable[[], bool]) -> tuple[bool, float]:
        """Make a cycle of moves; returns whether one of them lowered the energy, and by how much all did.

        That is infinite if they do less of what is forbidden.
        """
        before, cost = self._labels, self._cost()
        lowered = cycle()
        now = self._cost()
        if lowered and now >= cost:  # by rounding: the energy in whole numbers fell
            self._take(before, cost)
            return False, 0.0
        return lowered, np.inf if now[0] < cost[0] else cost[1] - now[1]

    def expand_each(self) -> bool:
        """Expand one label after the other."""
        return sum(self._try_once(label, self.expand, label) for label in self._choice.order) > 0

    def swap_each(self, label_pairs: list[tuple[int, int]]) -> bool:
        """Swap one pair of labels after the other."""
        return sum(self._try_once(pair, self.swap, *pair) for pair in label_pairs) > 0

    def fuse_each(self, proposals: list[np.ndarray]) -> bool:
        """Fuse one proposal after the other."""
        return sum(self._try_once(i, self.fuse, proposal.reshape(-1)) for i, proposal in enumerate(proposals)) > 0

    def _try_once(self, name: Any, move: Callable[..., bool], *args: Any) -> bool:
        """Make a move, unless nothing has changed since it was last tried; returns whether it lowered the energy."""
        if self._tried.get(name) == self._version:
            return False
        lowered = move(*args)
        self._tried[name] = self._version
        return lowered

    def expand(self, label: int) -> bool:
        """Let every pixel switch to `label`."""
        lowered = self.fuse(np.full(1, label, np.int32))
        costs = self._crf.label_costs
        if costs is not None:
            for other in np.flatnonzero(np.bincount(self._labels, minlength=costs.size)).tolist():
                if other != label and costs[other] > 0:
                    lowered |= self._replace(other, label)
            lowered |= self._keep_if_lower(np.full_like(self._labels, label))
        return lowered

    def swap(self, a: int, b: int) -> bool:
        """Let pixels of the labels a and b exchange them."""
        either = (self._labels == a) | (self._labels == b)
        if not either.any():
            return False
        zero, one = (np.where(either, np.int32(label), self._labels) for label in (a, b))
        return self._choose(zero, one, test=True)

    def fuse(self, one: np.ndarray) -> bool:
        """Let every pixel switch to its label of `one`, (n,) or (1,).

        A cut chooses 1 only where that lowers the energy: if it chooses any, no test is needed.
        """
        return self._choose(self._labels, one, test=self._crf.label_costs is not None)

    def _replace(self, gone: int, label: int) -> bool:
        """Let every pixel switch to `label`, and make those of the label `gone` do so."""
        zero = np.where(self._labels == gone, np.int32(label), self._labels)
        return self._choose(zero, np.full(1, label, np.int32), test=True)

    def _choose(self, zero: np.ndarray, one: np.ndarray, *, test: bool) -> bool:
        """Make the best choice between two labellings; if `test`, keep it only if it lowers the energy."""
        chosen = self._labels.copy()
        if self._choice.choose(chosen, zero, one, lambda: abs(self._cost()[1])) == 0:
            return False
        if test:
            return self._keep_if_lower(chosen)
        self._take(chosen, None)
        return True

    def _keep_if_lower(self, chosen: np.ndarray) -> bool:
        """Go on from the labels `chosen`, (n,), if their energy is lower; returns whether it is."""
        cost = self._cost_of(chosen.reshape(self._crf.shape))
        if cost >= self._cost():
            return False
        self._take(chosen, cost)
        return True
