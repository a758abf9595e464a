"""Choices between two labels at each node of a graph, in the numbers of the energy."""

from __future__ import annotations

import numpy as np

from classicseg.energies.graph_crf import GraphCRF
from classicseg.solvers.cut.flow_network import FlowNetwork, MinimumCut
from classicseg.solvers.cut.integers import is_whole
from classicseg.solvers.cut.quadratic import UNKNOWN, Quadratic


def cut_between_labels(crf: GraphCRF) -> tuple[MinimumCut, float]:
    """The best labels of an energy of 2, and what it is at least, but for roundings of sums.

    Pairs that are not submodular lose the little by which rounding may have made them so.
    """
    zero, one = crf.unary.astype(np.float64)
    tables, (first, second) = crf.tables(), crf.edges.T
    c00, c01, c10, c11 = tables.reshape(-1, 4).T
    forward, backward = c01 - c00, c10 - c11
    flow = (forward - backward) / 2
    if is_whole(forward) and is_whole(backward):
        flow = np.floor(flow)
    one += np.bincount(first, c11 - c00 - flow, one.size) + np.bincount(second, flow, one.size)
    forward, backward = np.maximum(forward - flow, 0), np.maximum(backward + flow, 0)
    cut = FlowNetwork(crf.edges, forward, backward, source=one, sink=zero).solve()
    return cut, float(c00.sum()) + cut.flow


def quadratic_of_labels(crf: GraphCRF) -> tuple[Quadratic, np.ndarray]:
    """An energy of 2 labels, and the labels of nodes that have only one; `UNKNOWN` for the others."""
    return _quadratic(crf, crf.unary, crf.tables().reshape(-1, 4).T)


def quadratic_between(crf: GraphCRF, zero: np.ndarray, one: np.ndarray) -> tuple[Quadratic, np.ndarray]:
    """The same for the choice between the labels `zero` and `one`, (N,), of each node."""
    nodes, (first, second) = np.arange(len(zero)), crf.edges.T
    own = np.stack([crf.unary[zero, nodes], crf.unary[one, nodes]])
    return _quadratic(crf, own, np.stack([_pair(crf, a[first], b[second]) for a in (zero, one) for b in (zero, one)]))


def _quadratic(crf: GraphCRF, own: np.ndarray, pairs: np.ndarray) -> tuple[Quadratic, np.ndarray]:
    """From the costs of both bits, (2, N), and of pairs of them, (4, E)."""
    forbidden, (first, second) = np.isinf(own), crf.edges.T.astype(np.int64)
    only = np.where(forbidden[0] == forbidden[1], UNKNOWN, forbidden[0])
    zero, one = np.where(forbidden, 0, own).astype(np.float64)
    c00, c01, c10, c11 = pairs
    linear = one - zero
    linear += np.bincount(first, c10 - c00, zero.size) + np.bincount(second, c01 - c00, zero.size)
    both = (c00 - c01) + (c11 - c10)
    some = both != 0
    edges = np.stack([first, second], axis=1)[some]
    return Quadratic(float(zero.sum() + c00.sum()), linear, edges, both[some]), only


def _pair(crf: GraphCRF, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """What a pair of labels costs at each edge; finite."""
    costs: np.ndarray
    if crf.finite_tables is not None:
        costs = crf.finite_tables[np.arange(len(first)), first, second]
    else:
        assert crf.finite_weights is not None
        assert crf.cost is not None
        costs = crf.finite_weights * crf.cost[first, second]
    return costs
