"""The state of tree-reweighted message passing on a graph: messages, bound, labels."""

from __future__ import annotations

import numpy as np

from classicseg.energies.graph_crf import GraphCRF
from classicseg.kernels.messages.graph_trws import Passing, decode, find_layers, iterate
from classicseg.kernels.sites.graph import LINEAR
from classicseg.machine.memory import check_memory
from classicseg.machine.parallel import new_sync, run
from classicseg.solvers.messages.costs import power_of_two
from classicseg.solvers.sites.layout import as_graph, in_order

_SMALL = 2**20  # entries of messages; to visit fewer takes a moment, and float64 costs nothing


class GraphMessages:
    """Messages of a graph energy without label costs.

    Attributes
    ----------
    labels : ndarray, (N,), int32
        Decoded by the last :meth:`iterate` that was asked to.
    bound : float
        The best lower bound that was found. No energy is below it, whatever was rounded.
    """

    def __init__(self, crf: GraphCRF) -> None:
        lanes = next((width for width in (2, 4, 8) if width >= crf.n_labels), 16)
        n_padded = -(-crf.n_labels // lanes) * lanes
        n_entries = len(crf.edges) * n_padded
        n_costs = 0 if crf.finite_tables is None else crf.finite_tables.size
        check_memory(4.0 * n_entries + 24.0 * crf.shape[0] * n_padded + 8.0 * n_costs, "the messages of the graph")
        graph = as_graph(crf)
        layers = np.zeros(crf.shape, np.int32)
        find_layers(graph, layers)
        self._order = np.argsort(layers, kind="stable")
        graph = in_order(graph, self._order)
        self._scale = power_of_two(float(_dearest(crf).max(initial=0)))
        self._graph = graph._replace(
            weights=graph.weights * self._scale,
            unary=graph.unary * self._scale,
            tables=np.append(graph.tables, np.zeros(lanes)),
        )
        unary = np.full((crf.shape[0], n_padded), np.inf)
        unary[:, : crf.n_labels] = self._graph.unary.reshape(crf.shape[0], -1)
        slopes = self._graph.weights * self._graph.tables[1]
        self._brief = n_entries <= _SMALL
        self._exact = Passing(
            unary=unary.reshape(-1),
            messages=np.zeros(n_entries, np.float64 if self._brief else np.float32),
            work=np.full(3 * n_padded + 4 * graph.reach, np.inf),
            n_padded=n_padded,
            margin=graph.reach,
            in_registers=bool(n_padded == lanes and graph.kind <= LINEAR and (slopes >= 0).all()),
        )
        self._quick = self._exact if self._brief else _in_single_precision(self._exact)
        self._lanes = (0,) * lanes
        self._slack, self._whole = _rounding(crf), _is_whole(crf)
        self.labels = np.zeros(crf.shape, np.int32)
        self.bound = -np.inf

    def iterate(self, *, check: bool) -> None:
        """Run an iteration. If `check`, decode labels and find the bound."""
        sums = np.zeros(2)
        memory = self._exact if check else self._quick
        self._run(iterate, memory, 1, sums, self._lanes)
        if check:
            labels = np.zeros_like(self.labels)
            self._run(decode, memory.unary, memory.messages, memory.n_padded, labels, self._lanes)
            self.labels[self._order] = labels
            total, size = sums.tolist()
            n_terms = self.labels.size + self._graph.low.size
            bound = (total - 2.0**-52 * n_terms * size) / self._scale - self._slack
            self.bound = max(self.bound, float(np.ceil(bound)) if self._whole else bound)

    def _run(self, kernel: object, *arguments: object) -> None:
        run(kernel, 1, new_sync(1), self._graph, *arguments, brief=self._brief)


def _in_single_precision(exact: Passing) -> Passing:
    """The same messages, with costs in float32 that are 0 for the best label of each node."""
    unary = exact.unary.reshape(-1, exact.n_padded)
    with np.errstate(over="ignore"):
        costs = (unary - unary.min(axis=1, keepdims=True)).astype(np.float32)
    return exact._replace(unary=costs.reshape(-1), work=exact.work.astype(np.float32))


def _rounding(crf: GraphCRF) -> float:
    """By how much rounding of messages can change the bound.

    A message differs over its entries by no more than the table of its edge does, so the costs of a node with all
    messages to it are of a known size; each is the sum of a few more numbers than the node has neighbours.
    """
    unary = crf.unary.astype(np.float64)
    sizes = np.abs(unary).max(axis=0, where=np.isfinite(unary), initial=0)
    n_neighbours = np.bincount(crf.edges.reshape(-1), minlength=crf.shape[0])
    for end in crf.edges.T:
        sizes += 3 * np.bincount(end, _dearest(crf), crf.shape[0])
    return float(2.0**-52 * ((n_neighbours + 8.0) ** 2 * sizes).sum())


def _dearest(crf: GraphCRF) -> np.ndarray:
    """The largest size of a cost of each edge."""
    if crf.finite_tables is not None:
        dearest: np.ndarray = np.abs(crf.finite_tables).max(axis=(1, 2), initial=0)
        return dearest
    assert crf.finite_weights is not None
    assert crf.cost is not None
    return np.abs(crf.finite_weights) * np.abs(crf.cost).max()


def _is_whole(crf: GraphCRF) -> bool:
    """Whether all costs are whole numbers, small enough for float64 to hold energies exactly."""
    given = [crf.unary, crf.finite_tables, crf.finite_weights, crf.cost]
    for array in given:
        if array is not None and array.dtype != np.int32:
            finite = array[np.isfinite(array)]
            if not np.array_equal(finite, np.rint(finite)) or (finite.size and np.abs(finite).max() > 2**31):
                return False
    return True
