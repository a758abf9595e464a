"""A choice between two labels at each node of a graph, written into a flow network whose arcs stay where they are.

The costs of a pair become capacities and excess as in :mod:`classicseg.kernels.cut.records`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.cut.graph import short_cut
from classicseg.machine.jit import inline, kernel
from classicseg.machine.simd import pointer


class GraphCosts(NamedTuple):
    """An energy of a graph, multiplied by a power of two that leaves little to round."""

    unary: np.ndarray  # (L n,) int64
    ends: np.ndarray  # (2 E,) int32
    tables: np.ndarray  # float64: (L L) that all edges share, or (E L L)
    weights: np.ndarray  # float64, (E,): what tables are multiplied by, or (1,)
    n_labels: int


@inline
def _cost(table, at, weight):
    """What a pair of labels costs in whole numbers: entry `at` of a `table` times `weight`."""
    return np.int64(np.rint(table[at] * weight))


@kernel
def write_graph_choice(costs, zero, one, arcs, links, room, excess):
    """Write the network of a choice, with what flows from excess to deficit over a single edge already pushed.

    Parameters
    ----------
    costs : GraphCosts
    zero, one : int32, (n,) or (1,)
        Labels that 0 and 1 stand for, of each node or of all. Where pairs are not submodular, a cut costs at least as
        much as the labelling that it stands for, and exactly as much if that is `zero` everywhere.
    arcs : int32, (E,)
        The arc of each edge from its first end to its second.
    links, room, excess
        As in :func:`classicseg.kernels.cut.graph.graph_flow`; `room` and `excess`, int64, are written.
    """
    n, n_labels, unary = excess.size, costs.n_labels, pointer(costs.unary)
    zeros, ones, offer, left = pointer(zero), pointer(one), pointer(excess), pointer(room)
    each_zero, each_one = min(zero.size - 1, 1), min(one.size - 1, 1)
    for node in range(n):
        offer[node] = unary[ones[each_one * node] * n + node] - unary[zeros[each_zero * node] * n + node]
    at, table, weights, where, link = (
        pointer(costs.ends), pointer(costs.tables), pointer(costs.weights), pointer(arcs), pointer(links)
    )  # fmt: skip
    n_edges, size = arcs.size, n_labels * n_labels
    each_table, each_weight = 0 if costs.tables.size == size else size, min(costs.weights.size - 1, 1)
    for edge in range(n_edges):
        a, b, out = np.int64(at[2 * edge]), np.int64(at[2 * edge + 1]), np.int64(where[edge])
        first, weight = edge * each_table, weights[each_weight * edge]
        row0, row1 = first + zeros[each_zero * a] * n_labels, first + ones[each_one * a] * n_labels
        column0, column1 = zeros[each_zero * b], ones[each_one * b]
        forward, backward = np.int64(0), np.int64(0)
        if row0 != row1 or column0 != column1:
            c00, c01 = _cost(table, row0 + column0, weight), _cost(table, row0 + column1, weight)
            c10, c11 = _cost(table, row1 + column0, weight), _cost(table, row1 + column1, weight)
            forward, backward = c01 - c00, c10 - c11
            if forward + backward < 0:
                forward = -backward
            flow = (forward - backward) >> 1
            forward, backward = forward - flow, backward + flow
            offer[a] += c11 - c00 - flow
            offer[b] += flow
        home = np.int64(link[2 * out + 1])
        left[2 * out], left[2 * out + 1] = forward, backward
        left[2 * home], left[2 * home + 1] = backward, forward
    for edge in range(n_edges):
        a, b = np.int64(at[2 * edge]), np.int64(at[2 * edge + 1])
        if (offer[a] > 0 and offer[b] < 0) or (offer[a] < 0 and offer[b] > 0):
            out = np.int64(where[edge])
            home = np.int64(link[2 * out + 1])
            flow = short_cut(offer[a], offer[b], left[2 * out], left[2 * out + 1])
            offer[a] -= flow
            offer[b] += flow
            left[2 * out] -= flow
            left[2 * out + 1] += flow
            left[2 * home], left[2 * home + 1] = left[2 * out + 1], left[2 * out]
