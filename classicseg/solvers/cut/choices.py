"""What moves are made of: the best choice between two labellings, of a grid or of a graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.kernels.cut.graph import NODE_WORDS, graph_flow
from classicseg.kernels.cut.graph_arcs import link_edges
from classicseg.kernels.cut.graph_moves import (
    Arcs,
    Chosen,
    GraphCosts,
    Room,
    settle,
    take_choice,
    write_choice_of_graph,
)
from classicseg.kernels.cut.records import read_cut
from classicseg.machine.memory import check_memory
from classicseg.machine.parallel import new_sync, run
from classicseg.solvers.cut.integers import as_integers, as_rounded, is_whole
from classicseg.solvers.cut.network import Network
from classicseg.solvers.cut.pairs import quadratic_between
from classicseg.solvers.cut.quadratic import Roof
from classicseg.solvers.cut.remainders import ENOUGH, RealCut, write_choice

_ROOM = 2.0**59
"""What a node and its edges can cost together, in the whole numbers of a graph's network."""
_MANY = 2**20  # edges and costs; for fewer nobody needs to ask whether there is memory
_BRIEF = 100_000  # edges: their cut takes some milliseconds, and Ctrl-C can wait


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
        n, n_edges = energy.shape[0], len(energy.edges)
        if n_edges + energy.unary.size > _MANY:
            check_memory(90.0 * n_edges + 8.0 * energy.unary.size, "the flow network")
        links, nodes, forth = np.empty(4 * n_edges, np.int32), np.zeros(NODE_WORDS * (n + 1), np.int32), _int32(n_edges)
        nothing = np.zeros(n_edges, np.int64)
        ends = np.ascontiguousarray(energy.edges, np.int32)
        link_edges(ends, nothing, nothing, links, np.empty(4 * n_edges, np.int64), nodes, forth)
        edges = _int32(2 * n_edges)
        edges[forth] = 2 * np.arange(n_edges)
        edges[links[2 * forth.astype(np.int64) + 1]] = 2 * np.arange(n_edges) + 1
        self._arcs = Arcs(nodes[::NODE_WORDS].copy(), links, edges)
        self._chosen = Chosen(
            _int32(n), nodes, np.empty_like(links), np.empty(4 * n_edges, np.int64), np.empty(n, np.int64)
        )
        self._space = Room(np.empty(n, np.int64), np.empty(n, np.uint8), _int32(n), _int32(n), _int32(2 * n_edges))
        self._work = _int32(4 * n + 4), np.empty(n, np.uint8), np.empty(5, np.int64)
        self._costs, step = _in_whole_numbers(energy, edges >> 1)
        # First those that most nodes like best: a cycle less, and energies as low as those of other orders or lower.
        liked = np.bincount(energy.unary.argmin(axis=0), minlength=energy.n_labels)
        self.order = np.argsort(-liked, kind="stable").tolist()
        self.accuracy = "in exact whole numbers" if step == 0 else f"costs rounded to multiples of {step:.3g}"
        self._journal = _Journal(n) if _is_metric(energy) else None

    def choose(self, labels: np.ndarray, zero: np.ndarray, one: np.ndarray, size: Callable[[], float]) -> int:
        """As of :class:`GridChoice`; the choice is found as well as whole numbers tell, whatever the `size`."""
        before = labels.copy()
        if self._roof:
            function, only = quadratic_between(self._crf, *(np.broadcast_to(x, labels.shape) for x in (zero, one)))
            if (function.pairs > 0).any():
                _, bits = Roof(function, only).solve()
                return int(read_cut((bits == 1).astype(np.uint8), zero, one, labels))
        labels[:] = zero
        journal, label = self._journal if one.size == 1 else None, int(one[0])
        changed = _UNKNOWN if journal is None else journal.changed(zero, label)
        if one.size == 1:
            one = np.full(labels.size, one[0])
        n = settle(self._costs, self._arcs, zero, one, changed, self._space)
        if n > 0:
            n_arcs = write_choice_of_graph(self._costs, self._arcs, zero, one, self._space, self._chosen)
            _, nodes, links, room, excess = self._chosen
            network = links[: 2 * n_arcs], room[: 2 * n_arcs], nodes[: NODE_WORDS * (n + 1)], excess[:n]
            if n_arcs <= _BRIEF:
                graph_flow(new_sync(0), 1, *network, *self._work)
            else:
                run(graph_flow, 1, new_sync(0), *network, *self._work)
            take_choice(self._chosen, n, one, labels)
        if journal is not None:
            journal.note(labels, label)
        return int(np.count_nonzero(labels != before))

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


class _Journal:
    """When `n` nodes last changed their labels, and when each label was last expanded."""

    def __init__(self, n: int) -> None:
        self._now, self._times, self._labels = 0, np.zeros(n, np.int64), np.zeros(n, np.int32)
        self._expanded: dict[int, int] = {}

    def changed(self, labels: np.ndarray, label: int) -> np.ndarray:
        """Which nodes have changed since `label` was last expanded, (n,) bool, now that they have these `labels`.

        Empty if it never was.
        """
        self._see(labels)
        return self._times > self._expanded[label] if label in self._expanded else _UNKNOWN

    def note(self, labels: np.ndarray, label: int) -> None:
        """The best expansion of `label` led to these `labels`: until nodes change again, none will gain."""
        self._see(labels)
        self._expanded[label] = self._now

    def _see(self, labels: np.ndarray) -> None:
        self._now += 1
        self._times[labels != self._labels] = self._now
        self._labels = labels


_UNKNOWN = np.empty(0, bool)
"""Instead of the nodes that have changed, where that is not known."""


def _is_metric(energy: GraphCRF) -> bool:
    """Whether an expansion of a label after its best one cannot gain: both together are one expansion."""
    if energy.cost is None or energy.finite_weights is None or energy.finite_weights.min(initial=0) < 0:
        return False
    cost = energy.cost
    return all((cost[a, a] + cost <= cost[:, a, None] + cost[a]).all() for a in range(energy.n_labels))


def _int32(n: int) -> np.ndarray:
    return np.empty(n, np.int32)


def _in_whole_numbers(crf: GraphCRF, edges: np.ndarray) -> tuple[GraphCosts, float]:
    """Costs times a power of two, rounded, and what that makes them multiples of: 0 if none was rounded.

    `edges` are those of all arcs.
    """
    unary, (n_labels, n) = crf.unary, crf.unary.shape
    if crf.finite_tables is not None:
        tables, weights = crf.finite_tables, np.ones(1)
    else:
        assert crf.cost is not None
        assert crf.finite_weights is not None
        tables, weights = crf.cost[None], crf.finite_weights
    spans = tables.max(axis=(1, 2), initial=-np.inf) - tables.min(axis=(1, 2), initial=np.inf)
    spans = np.broadcast_to(spans * np.abs(weights), len(crf.edges))
    forbidden = np.isinf(unary) if unary.dtype.kind == "f" else np.zeros(1, bool)
    if forbidden.any():  # nothing that nodes and edges can save together outweighs a forbidden label
        sizes = np.abs(np.where(forbidden, 0, unary)).max(axis=0).astype(np.float64)
        dear = 4 * 2.0 ** np.ceil(np.log2(2 * (sizes.sum() + spans.sum()) or 1.0))
        unary = np.where(forbidden, dear, unary.astype(np.float64))
    sizes = np.maximum(-unary.min(axis=0).astype(np.float64), unary.max(axis=0))
    reach = sum(np.bincount(end, spans, n) for end in crf.edges.T)
    n_neighbours = np.bincount(crf.edges.reshape(-1), minlength=n)  # as many costs are rounded
    sizes = 2 * sizes + 4 * reach
    scale = 2.0 ** np.floor(np.log2(_ROOM / (float(sizes.max()) or 1.0)))
    exact = scale >= 1 and all(map(is_whole, (unary, tables, weights)))
    if exact:
        scale = 1.0
    costs = GraphCosts(
        (unary if exact else np.rint(unary * np.float64(scale))).astype(np.int64).reshape(-1),
        np.array(tables, np.float64).reshape(-1),
        np.array(weights * scale, np.float64)[edges if len(weights) == len(crf.edges) else [0]],
        n_labels,
        np.ceil(reach * scale).astype(np.int64) + n_neighbours,
    )
    return costs, 0.0 if exact else 1 / scale


def _without_forbidden(crf: GridCRF) -> GridCRF:
    """The energy with costs of 0 where they are infinite."""
    weights = {name: np.where(np.isinf(w), 0, w) for name, w in crf.weights.items()}
    unary = np.where(np.isinf(crf.unary), 0, crf.unary)
    return GridCRF(
        unary, crf.compatibility, weights, connectivity=crf.connectivity, label_costs=crf.label_costs, mask=crf.mask
    )
