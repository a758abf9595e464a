"""PyMaxflow: minimum cuts of grids and graphs, and its expansion moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from classicseg.bench.contender import Contender
from classicseg.bench.peers.common import are_whole, as_graph, ends_of, offset_of, reason_against_pairs
from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF

Call = Callable[[], np.ndarray]


def cut_of_grid(crf: GridCRF) -> Call:
    """Minimum cut with integer capacities where costs are integers; Potts only."""
    import maxflow

    grids = _full_weights(crf)
    low = crf.unary.min(axis=0)
    to_zero, to_one = (np.ascontiguousarray(u - low) for u in crf.unary)
    kind = maxflow.GraphInt if are_whole(to_zero, to_one, *(weights for _, weights in grids)) else maxflow.GraphFloat

    def call() -> np.ndarray:
        graph = kind(crf.n_points, len(grids) * crf.n_points)
        nodes = graph.add_grid_nodes(crf.shape)
        for structure, weights in grids:
            graph.add_grid_edges(nodes, weights=weights, structure=structure, symmetric=True)
        graph.add_grid_tedges(nodes, to_one, to_zero)
        graph.maxflow()
        labels: np.ndarray = graph.get_grid_segments(nodes).astype(np.int32)
        return labels

    return call


def cut_of_graph(crf: GraphCRF) -> Call:
    """Minimum cut of a graph; a table becomes two capacities and a share of the costs of its nodes."""
    import maxflow

    tables = crf.tables()
    first, second = crf.edges.T.astype(np.int64)
    more = (crf.unary[1] - crf.unary[0]).astype(np.float64)  # what label 1 costs more
    np.add.at(more, first, tables[:, 1, 0] - tables[:, 0, 0])
    np.add.at(more, second, tables[:, 1, 1] - tables[:, 1, 0])
    capacity = np.maximum(tables[:, 0, 1] + tables[:, 1, 0] - tables[:, 0, 0] - tables[:, 1, 1], 0)
    to_one, to_zero = np.maximum(more, 0), np.maximum(-more, 0)
    whole = are_whole(capacity, more)
    kind = maxflow.GraphInt if whole else maxflow.GraphFloat
    if whole:
        capacity, to_one, to_zero = (array.astype(np.int64) for array in (capacity, to_one, to_zero))
    none = np.zeros_like(capacity)

    def call() -> np.ndarray:
        graph = kind(len(more), len(first))
        nodes = graph.add_nodes(len(more))
        graph.add_edges(first, second, capacity, none)
        graph.add_grid_tedges(nodes, to_one, to_zero)
        graph.maxflow()
        labels: np.ndarray = graph.get_grid_segments(nodes).astype(np.int32)
        return labels

    return call


def expansion(crf: GridCRF) -> Call:
    """``aexpansion_grid``, which knows one matrix for all edges of a 4-connected grid."""
    from maxflow.fastmin import aexpansion_grid

    (weight,) = {float(w) for weights in crf.weights.values() for w in np.unique(weights)}
    unary = np.ascontiguousarray(np.moveaxis(crf.unary, 0, -1)).astype(np.float64)
    cost = crf.cost * weight
    return lambda: aexpansion_grid(unary, cost)


def has_equal_weights(crf: GridCRF) -> bool:
    """Whether all edges weigh the same."""
    return len({float(w) for weights in crf.weights.values() for w in np.unique(weights)}) == 1


def _full_weights(crf: GridCRF) -> list[tuple[np.ndarray, np.ndarray]]:
    """Structure and weights of each direction; weights over the whole grid, at the first pixel of each edge."""
    scale = crf.cost[0, 1]
    grids = []
    for name, weights in crf.weights.items():
        offset = offset_of(name, len(crf.shape))
        structure = np.zeros((3,) * len(offset), np.int64)
        structure[tuple(1 + step for step in offset)] = 1
        whole = are_whole(weights * scale)
        full = np.zeros(crf.shape, np.int64 if whole else np.float64)
        full[ends_of(offset)[0]] = weights * scale
        grids.append((structure, full))
    return grids


def _refuses_cut(instance: Any) -> str | None:
    reason = reason_against_pairs(instance)
    return instance.reason_against_cut() if reason is None else reason


def _refuses_expansion(instance: Any) -> str | None:
    reason = reason_against_pairs(instance)
    if reason is not None:
        return reason
    if not isinstance(instance, GridCRF) or len(instance.weights) != len(instance.shape):
        return "its expansion needs a grid whose neighbours share sides"
    return None if has_equal_weights(instance) else "its expansion knows one weight for all edges"


def _cut(instance: GridCRF | GraphCRF) -> Call:
    if isinstance(instance, GridCRF) and np.array_equal(instance.cost, instance.cost[0, 1] * (1 - np.eye(2))):
        return cut_of_grid(instance)
    return cut_of_graph(as_graph(instance))


CONTENDERS = (
    Contender(
        "pymaxflow", _refuses_cut, lambda crf, limits: _cut(crf), package="maxflow", install="PyMaxflow"
    ),
    Contender(
        "pymaxflow expansion", _refuses_expansion, lambda crf, limits: expansion(crf), package="maxflow",
        install="PyMaxflow",
    ),
)  # fmt: skip
