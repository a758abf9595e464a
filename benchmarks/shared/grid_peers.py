"""The same grid energies in PyMaxflow, gco-wrapper, SciPy and classicseg.

Each function takes a GridCRF with integer costs and weights and returns a call without arguments: what the call does
is timed, from arrays in the layout that the library wants (made beforehand, so it costs a peer nothing) to labels.
Building the graph is part of it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import classicseg as cs

Call = Callable[[], np.ndarray]

_STEPS = {"deeper": (0, 1), "down": (1, 1), "up": (1, -1), "right": (2, 1), "left": (2, -1)}


def offset_of(name: str, n_axes: int) -> tuple[int, ...]:
    """``"down_left"`` as (1, -1)."""
    offset = [0, 0, 0]
    for word in name.split("_"):
        axis, step = _STEPS[word]
        offset[axis] = step
    return tuple(offset[3 - n_axes :])


def classicseg(crf: cs.GridCRF, method: str, n_threads: int = 1, **options: object) -> Call:
    return lambda: cs.minimize(crf, method, n_threads=n_threads, **options).labels


def pymaxflow(crf: cs.GridCRF) -> Call:
    """Minimum cut of PyMaxflow with integer capacities; Potts only."""
    import maxflow

    grids = _full_weights(crf)
    low = crf.unary.min(axis=0)
    to_zero, to_one = (np.ascontiguousarray(u - low) for u in crf.unary)

    def call() -> np.ndarray:
        graph = maxflow.GraphInt(crf.n_points, len(grids) * crf.n_points)
        nodes = graph.add_grid_nodes(crf.shape)
        for structure, weights in grids:
            graph.add_grid_edges(nodes, weights=weights, structure=structure, symmetric=True)
        graph.add_grid_tedges(nodes, to_one, to_zero)
        graph.maxflow()
        return graph.get_grid_segments(nodes).astype(np.int32)

    return call


def scipy(crf: cs.GridCRF) -> Call:
    """Maximum flow of SciPy (Dinic), and the cut by a search in what is left."""
    import scipy.sparse
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    n = crf.n_points
    nodes = np.arange(n).reshape(crf.shape)
    more = (crf.unary[1].astype(np.int64) - crf.unary[0]).reshape(-1)  # what label 1 costs more

    def call() -> np.ndarray:
        rows, columns, capacities = [], [], []
        for name, weights in crf.weights.items():
            first, second = _ends(offset_of(name, len(crf.shape)))
            a, b, w = nodes[first].ravel(), nodes[second].ravel(), weights.ravel()
            rows += [a, b]
            columns += [b, a]
            capacities += [w, w]
        for here, costs in ((np.flatnonzero(more < 0), -more), (np.flatnonzero(more > 0), more)):
            source = costs is not more
            rows.append(np.full(len(here), n) if source else here)
            columns.append(here if source else np.full(len(here), n + 1))
            capacities.append(costs[here])
        triple = (np.concatenate(capacities).astype(np.int32), (np.concatenate(rows), np.concatenate(columns)))
        graph = scipy.sparse.csr_matrix(triple, shape=(n + 2, n + 2))
        left = graph - maximum_flow(graph, n, n + 1).flow
        left.data[left.data < 0] = 0
        left.eliminate_zeros()
        labels = np.zeros(n + 2, np.int32)
        labels[breadth_first_order(left, n, return_predecessors=False)] = 1
        return labels[:n].reshape(crf.shape)

    return call


def gco(crf: cs.GridCRF, algorithm: str = "expansion") -> Call:
    """gco-wrapper on a 4-connected grid; "expansion" or "swap", to convergence."""
    import gco as library

    unary = np.ascontiguousarray(np.moveaxis(crf.unary, 0, -1))
    cost = crf.cost.astype(np.int32)
    down, right = (np.ascontiguousarray(crf.weights[name], np.int32) for name in ("down", "right"))

    def call() -> np.ndarray:
        return library.cut_grid_graph(unary, cost, down, right, n_iter=-1, algorithm=algorithm).reshape(crf.shape)

    return call


def pymaxflow_expansion(crf: cs.GridCRF) -> Call:
    """``aexpansion_grid`` of PyMaxflow, which knows one matrix for all edges of a 4-connected grid."""
    from maxflow.fastmin import aexpansion_grid

    (weight,) = {int(w) for weights in crf.weights.values() for w in np.unique(weights)}
    unary = np.ascontiguousarray(np.moveaxis(crf.unary, 0, -1)).astype(np.float64)
    cost = crf.cost * weight
    return lambda: aexpansion_grid(unary, cost)


def has_equal_weights(crf: cs.GridCRF) -> bool:
    return len({int(w) for weights in crf.weights.values() for w in np.unique(weights)}) == 1


def _full_weights(crf: cs.GridCRF) -> list[tuple[np.ndarray, np.ndarray]]:
    """Structure and weights of each direction; weights over the whole grid, at the first pixel of each edge."""
    scale = int(crf.cost[0, 1])
    grids = []
    for name, weights in crf.weights.items():
        offset = offset_of(name, len(crf.shape))
        structure = np.zeros((3,) * len(offset), np.int64)
        structure[tuple(1 + step for step in offset)] = 1
        full = np.zeros(crf.shape, np.int64)
        full[_ends(offset)[0]] = weights * scale
        grids.append((structure, full))
    return grids


def _ends(offset: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    first = tuple(slice(max(0, -step), -step if step > 0 else None) for step in offset)
    return first, tuple(slice(max(0, step), step if step < 0 else None) for step in offset)
