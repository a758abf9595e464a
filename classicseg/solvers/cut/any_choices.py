"""Choices between any two labellings of a graph, whatever edges cost, without the nodes that have none."""

from __future__ import annotations

import numpy as np

from classicseg.energies.graph_crf import GraphCRF
from classicseg.kernels.cut.graph import ARC_WORDS, HEAD, NODE_WORDS, OPPOSITE, graph_flow
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
from classicseg.machine.parallel import new_sync, run
from classicseg.solvers.cut.integers import is_whole
from classicseg.solvers.cut.potts import BRIEF

_ROOM = 2.0**59
"""What a node and its edges can cost together, in the whole numbers of the network."""

_MOST_DOUBLED = 1000.0
"""How often costs are doubled for that at most; float64 holds no more than 1023 times."""


class AnyChoices:
    """The best choices between labellings of an energy.

    Attributes
    ----------
    step : float
        What costs were rounded to multiples of; 0 if none was.
    """

    def __init__(self, energy: GraphCRF) -> None:
        n, n_edges = energy.shape[0], len(energy.edges)
        nodes, forth = np.zeros(NODE_WORDS * (n + 1), np.int32), _int32(n_edges)
        arcs, nothing = np.empty(2 * ARC_WORDS * n_edges, np.int32), np.zeros(n_edges, np.int32)
        self._work = _int32(4 * n + 4), np.empty(n, np.uint8), np.empty(5, np.int64)
        link_edges(np.ascontiguousarray(energy.edges, np.int32), nothing, nothing, arcs, nodes, forth, self._work[0])
        links = arcs.reshape(-1, ARC_WORDS)[:, [HEAD, OPPOSITE]].reshape(-1)
        edges = _int32(2 * n_edges)
        edges[forth] = 2 * np.arange(n_edges)
        edges[links[2 * forth.astype(np.int64) + 1]] = 2 * np.arange(n_edges) + 1
        self._arcs = Arcs(nodes[::NODE_WORDS].copy(), links, edges)
        self._chosen = Chosen(_int32(n), nodes, np.empty(2 * ARC_WORDS * n_edges, np.int64), np.empty(n, np.int64))
        self._space = Room(np.empty(n, np.int64), np.empty(n, np.uint8), _int32(n), _int32(n), _int32(2 * n_edges))
        self._costs, self.step = _in_whole_numbers(energy, edges >> 1)
        self._journal = _Journal(n) if _is_metric(energy) else None

    def choose(self, labels: np.ndarray, zero: np.ndarray, one: np.ndarray) -> int:
        """Write the best choice between `zero`, (n,), and `one`, (n,) or (1,), to `labels`.

        Returns how many nodes that changed.
        """
        before = labels.copy()
        labels[:] = zero
        journal, label = self._journal if one.size == 1 else None, int(one[0])
        changed = _UNKNOWN if journal is None else journal.changed(zero, label)
        if one.size == 1:
            one = np.full(labels.size, one[0])
        n = settle(self._costs, self._arcs, zero, one, changed, self._space)
        if n > 0:
            n_arcs = write_choice_of_graph(self._costs, self._arcs, zero, one, self._space, self._chosen)
            _, nodes, arcs, excess = self._chosen
            network = arcs[: ARC_WORDS * n_arcs], nodes[: NODE_WORDS * (n + 1)], excess[:n]
            run(graph_flow, 1, new_sync(0), *network, *self._work, brief=n_arcs <= BRIEF)
            take_choice(self._chosen, n, one, labels)
        if journal is not None:
            journal.note(labels, label)
        return int(np.count_nonzero(labels != before))


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
    scale = 2.0 ** min(np.floor(np.log2(_ROOM) - np.log2(float(sizes.max()) or 1.0)), _MOST_DOUBLED)
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
