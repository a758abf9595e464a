"""A grid energy as the kernels that go pixel by pixel read it, and how they are run."""

from __future__ import annotations

from typing import Any

import numpy as np

from classicseg.energies.grid import edge_ends, edge_shape
from classicseg.energies.grid_crf import GridCRF, as_volume
from classicseg.energies.points import only_inside
from classicseg.kernels.sites.neighbours import N_COLOURS, Field
from classicseg.machine.memory import check_memory
from classicseg.machine.parallel import new_sync, run


def as_field(crf: GridCRF) -> Field:
    """Lay out a grid energy pixel by pixel, in float64: whole numbers stay exact."""
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


def taking_part(crf: GridCRF) -> np.ndarray:
    """1 for each pixel that takes part and 0 for the others, (n,) uint8."""
    return np.ones(crf.unary[0].size, np.uint8) if crf.mask is None else crf.mask.reshape(-1).astype(np.uint8)


def n_rows(field: Field) -> int:
    """Rows of the grid, which are the tasks that threads share."""
    return field.shape[0] * field.shape[1]


def sweep(kernel: Any, field: Field, n_threads: int, *args: Any) -> None:
    """Run a kernel over the grid once. A colour is in every second row at most: more threads would find no task."""
    run(kernel, min(n_threads, max(1, n_rows(field) // 2)), new_sync(N_COLOURS), field, *args)


def costs_of_use(crf: GridCRF, labels: np.ndarray, n_threads: int) -> tuple[np.ndarray, np.ndarray, int]:
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


def label_major(q: np.ndarray, crf: GridCRF) -> np.ndarray:
    """(n, L) as (L, *spatial) float32."""
    return np.ascontiguousarray(q.T, np.float32).reshape(crf.unary.shape)


def gibbs(costs: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """``softmax(-costs / temperature)`` over the last axis; infinite costs get probability 0."""
    q = np.exp((costs.min(axis=-1, keepdims=True) - costs) / temperature)
    return q / q.sum(axis=-1, keepdims=True)
