"""gco-wrapper: expansion and swap moves of grids and graphs with integer costs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from classicseg.bench.contender import Contender, Limits
from classicseg.bench.peers.common import are_whole, as_graph, reason_against_pairs
from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF

Call = Callable[[], np.ndarray]
_LARGEST = 10_000_000  # a cost that the library takes


def on_grid(crf: GridCRF, algorithm: str = "expansion") -> Call:
    """A grid of 4 neighbours, to convergence."""
    import gco as library

    unary = np.ascontiguousarray(np.moveaxis(crf.unary, 0, -1))
    cost = crf.cost.astype(np.int32)
    down, right = (np.ascontiguousarray(crf.weights[name], np.int32) for name in ("down", "right"))

    def call() -> np.ndarray:
        found = library.cut_grid_graph(unary, cost, down, right, n_iter=-1, algorithm=algorithm)
        labels: np.ndarray = found.reshape(crf.shape)
        return labels

    return call


def on_graph(crf: GraphCRF, algorithm: str = "expansion") -> Call:
    """Any graph, to convergence."""
    import gco as library

    assert crf.weights is not None
    assert crf.cost is not None
    unary = np.ascontiguousarray(crf.unary.T, np.int32)
    first, second = (np.ascontiguousarray(end) for end in crf.edges.T)
    weights, cost = crf.weights.astype(np.int32), crf.cost.astype(np.int32)

    def call() -> np.ndarray:
        graph = library.GCO()
        graph.create_general_graph(*unary.shape, energy_is_float=False)
        graph.set_data_cost(unary)
        graph.set_all_neighbors(first, second, weights)
        graph.set_smooth_cost(cost)
        getattr(graph, algorithm)(-1)
        labels: np.ndarray = graph.get_labels()
        graph.destroy_graph()
        return labels

    return call


def _refuses(algorithm: str, instance: Any) -> str | None:
    reason = reason_against_pairs(instance)
    if reason is not None:
        return reason
    if instance.cost is None or getattr(instance, "label_counts", None) is not None:
        return "it knows weights and one matrix of costs, no tables"
    weights = instance.weights
    given = (instance.unary, instance.cost, *(weights.values() if isinstance(instance, GridCRF) else (weights,)))
    if not are_whole(*given):
        return "it is given integer costs"
    if max(np.abs(array).max(initial=0) for array in given) > _LARGEST:
        return f"it takes costs up to {_LARGEST}"
    cost = instance.cost
    if (cost != cost.T).any() or min(array.min(initial=0) for array in given[1:]) < 0:
        return "it needs symmetric costs, and no weights below 0"
    return _not_a_metric(cost) if algorithm == "expansion" else None


def _not_a_metric(cost: np.ndarray) -> str | None:
    """The library ends with an error where costs break the triangle inequality."""
    shortest = functools.reduce(np.minimum, (cost[:, [k]] + cost[[k]] for k in range(len(cost))))
    return "its expansion needs a metric" if (cost > shortest).any() else None


def _prepare(algorithm: str, crf: GridCRF | GraphCRF, limits: Limits) -> Call:
    if isinstance(crf, GridCRF) and set(crf.weights) == {"down", "right"}:
        return on_grid(crf, algorithm)
    call = on_graph(as_graph(crf), algorithm)
    return lambda: call().reshape(crf.shape)


CONTENDERS = tuple(
    Contender(
        f"gco {name}", partial(_refuses, name), partial(_prepare, name), package="gco", install="gco-wrapper"
    )
    for name in ("expansion", "swap")
)  # fmt: skip
