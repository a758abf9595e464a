"""An energy as the kernels that go pixel by pixel, or node by node, read it, and how they are run."""

from __future__ import annotations

from typing import Any

import numpy as np

from classicseg.energies.compatibility import TruncatedLinear, TruncatedQuadratic
from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid import edge_ends, edge_shape
from classicseg.energies.grid_crf import GridCRF, as_volume
from classicseg.energies.points import only_inside
from classicseg.kernels.messages import belief, graph_belief, graph_trws
from classicseg.kernels.sites import graph, mean_field, sites
from classicseg.kernels.sites.graph import Graph
from classicseg.kernels.sites.neighbours import N_COLOURS, Field
from classicseg.machine.memory import check_memory, writable_alias
from classicseg.machine.parallel import new_sync, run

_ON_GRAPHS = {
    sites.descend: graph.descend,
    sites.sample: graph.sample,
    mean_field.update: graph.update,
    mean_field.free_energy: graph.free_energy,
    belief.send_in_raster_order: graph_belief.send_in_order,
    belief.beliefs: graph_belief.beliefs,
    belief.decode: graph_trws.decode,
}
"""What stands in on graphs for the kernels of grids."""


def as_field(crf: GridCRF | GraphCRF) -> Field | Graph:
    """Lay out an energy pixel by pixel, or node by node, in float64: whole numbers stay exact."""
    return as_graph(crf) if isinstance(crf, GraphCRF) else _as_field(crf)


def _as_field(crf: GridCRF) -> Field:
    kept = {n: o for n, o in crf.directions.items() if min(edge_shape(crf.shape, o)) > 0}
    check_memory(8 * crf.unary[0].size * (crf.n_labels + len(kept)), "the energy, laid out pixel by pixel,")
    weights = np.zeros((len(kept), *crf.shape))
    for k, (name, offset) in enumerate(kept.items()):
        flat = crf.finite_weights[name]
        weights[k][edge_ends(offset)[0]] = flat.reshape(edge_shape(crf.shape, offset)) if flat.size > 1 else flat[0]
    depth, height, width = as_volume(crf.shape, 1)
    offsets = np.array([as_volume(offset, 0) for offset in kept.values()], np.int64).reshape(-1, 3)
    cost = crf.cost
    different = cost[~np.eye(crf.n_labels, dtype=bool)]
    return Field(
        unary=np.ascontiguousarray(crf.unary.reshape(crf.n_labels, -1).T, np.float64),
        weights=weights.reshape(len(kept), crf.unary[0].size),
        steps=offsets @ np.array([height * width, width, 1]),
        by_first=cost,
        by_second=np.ascontiguousarray(cost.T),
        uniform=bool((different == different[0]).all() and np.diag(cost).max() <= different[0]),
        shape=(depth, height, width),
    )


def as_graph(crf: GraphCRF) -> Graph:
    """Lay out a graph energy node by node, with lists of the edges to earlier and to later nodes."""
    n_nodes, n_labels, n_edges = crf.shape[0], crf.n_labels, len(crf.edges)
    check_memory(8.0 * n_labels * (n_nodes + n_labels), "the energy, laid out node by node,")
    turned = crf.edges[:, 0] > crf.edges[:, 1]  # only where the cost is not symmetric
    low, high = crf.edges.min(axis=1), crf.edges.max(axis=1)
    kind, reach = _kind_of(crf)
    if crf.cost is None:
        assert crf.finite_tables is not None
        tables, weights, table_at = crf.finite_tables, np.ones(n_edges), np.arange(n_edges) * n_labels**2
    else:
        assert crf.finite_weights is not None
        tables, weights, table_at = np.stack([crf.cost, crf.cost.T]), crf.finite_weights, turned * n_labels**2
    return Graph(
        unary=np.ascontiguousarray(crf.unary.T, np.float64).reshape(-1),
        **_lists(low, high, n_nodes),
        weights=writable_alias(weights),
        table_at=table_at.astype(np.int64),
        tables=writable_alias(tables).reshape(-1),
        in_both=crf.cost is not None,
        kind=kind,
        reach=reach,
        n_nodes=n_nodes,
        n_labels=n_labels,
    )


def in_order(given: Graph, order: np.ndarray) -> Graph:
    """The same energy with its nodes numbered anew, as they come in `order`; smaller ends of edges stay smaller."""
    rank = np.empty(given.n_nodes, np.int32)
    rank[order] = np.arange(given.n_nodes, dtype=np.int32)
    low, high = rank[given.low], rank[given.high]
    by_ends = np.lexsort([high, low])
    return given._replace(
        unary=given.unary.reshape(given.n_nodes, -1)[order].reshape(-1),
        **_lists(low[by_ends], high[by_ends], given.n_nodes),
        weights=given.weights[by_ends],
        table_at=given.table_at[by_ends],
    )


def _lists(low: np.ndarray, high: np.ndarray, n_nodes: int) -> dict[str, Any]:
    """The edges as lists of each node, from their ends, (E,), sorted by the smaller one."""
    counts = (np.bincount(ends, minlength=n_nodes) for ends in (low, high))
    later, earlier = (np.concatenate([[0], np.cumsum(count)]).astype(np.int64) for count in counts)
    arriving = np.argsort(high, kind="stable").astype(np.int32)
    return {"low": low, "high": high, "later": later, "earlier": earlier, "arriving": arriving}


def _kind_of(crf: GraphCRF) -> tuple[int, int]:
    """What messages can make use of: the kind of the tables, and up to which distance of labels costs grow."""
    if crf.cost is None:
        return graph.MATRIX, 0
    different = crf.cost[~np.eye(crf.n_labels, dtype=bool)]
    if (different == different[0]).all():
        return graph.UNIFORM if np.diag(crf.cost).any() else graph.POTTS, 0
    reach = int(np.count_nonzero(np.diff(crf.cost[0])))
    if isinstance(crf.compatibility, TruncatedLinear):
        return graph.LINEAR, reach
    return (graph.QUADRATIC, reach) if isinstance(crf.compatibility, TruncatedQuadratic) else (graph.MATRIX, 0)


def taking_part(crf: GridCRF | GraphCRF) -> np.ndarray:
    """1 for each pixel that takes part and 0 for the others, (n,) uint8."""
    return np.ones(crf.unary[0].size, np.uint8) if crf.mask is None else crf.mask.reshape(-1).astype(np.uint8)


def n_rows(field: Field | Graph) -> int:
    """Rows of the grid, which are the tasks that threads share; 1 of a graph, which one thread visits."""
    return 1 if isinstance(field, Graph) else field.shape[0] * field.shape[1]


def sweep(kernel: Any, field: Field | Graph, n_threads: int, *args: Any) -> None:
    """Run a kernel over the grid once, or what stands in for it over the graph.

    A colour is in every second row at most: more threads would find no task.
    """
    if isinstance(field, Graph):
        kernel = _ON_GRAPHS.get(kernel, kernel)
    run(kernel, min(n_threads, max(1, n_rows(field) // 2)), new_sync(N_COLOURS), field, *args)


def costs_of_use(crf: GridCRF | GraphCRF, labels: np.ndarray, n_threads: int) -> tuple[np.ndarray, np.ndarray, int]:
    """How many pixels that take part have each label, what it costs to use each, and how many threads may run.

    Both arrays are empty if labels cost nothing to use. If they do, pixels depend on all others, and one thread runs.
    """
    if crf.label_costs is None:
        return np.empty(0, np.int64), np.empty(0), n_threads
    used = np.bincount(only_inside(labels, crf.mask), minlength=crf.n_labels)
    return used.astype(np.int64), crf.label_costs.copy(), 1


def pixel_major(marginals: np.ndarray) -> np.ndarray:
    """(L, *spatial) as (n, L) float64."""
    return np.ascontiguousarray(marginals.reshape(marginals.shape[0], -1).T, np.float64)


def label_major(q: np.ndarray, crf: GridCRF | GraphCRF) -> np.ndarray:
    """(n, L) as (L, *spatial) float32."""
    return np.ascontiguousarray(q.T, np.float32).reshape(crf.unary.shape)


def gibbs(costs: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """``softmax(-costs / temperature)`` over the last axis; infinite costs get probability 0."""
    q = np.exp((costs.min(axis=-1, keepdims=True) - costs) / temperature)
    return q / q.sum(axis=-1, keepdims=True)
