"""What several peers need to know of an energy."""

from __future__ import annotations

from typing import Any

import numpy as np

from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF


def reason_against_pairs(instance: Any) -> str | None:
    """Why a library of pairwise energies without label costs, masks and forbidden labels cannot take it, or None."""
    if not isinstance(instance, GridCRF | GraphCRF):
        return f"it needs a GridCRF or a GraphCRF, got {type(instance).__name__}"
    if instance.label_costs is not None:
        return "it is given no label costs"
    if instance.mask is not None:
        return "it is given no masks"
    if not np.isfinite(instance.unary).all() and getattr(instance, "label_counts", None) is None:
        return "it is given no forbidden labels"
    return None


def as_graph(crf: GridCRF | GraphCRF) -> GraphCRF:
    """The same as a graph."""
    return crf if isinstance(crf, GraphCRF) else GraphCRF.from_grid(crf)


def are_whole(*arrays: np.ndarray | None) -> bool:
    """Whether all their numbers are integers that 32 bits hold."""
    return all(
        array is None or (np.abs(array).max(initial=0) < 2**31 and np.array_equal(array, np.rint(array)))
        for array in arrays
    )


def offset_of(name: str, n_axes: int) -> tuple[int, ...]:
    """``"down_left"`` as (1, -1)."""
    steps = {"deeper": (0, 1), "down": (1, 1), "up": (1, -1), "right": (2, 1), "left": (2, -1)}
    offset = [0, 0, 0]
    for word in name.split("_"):
        axis, step = steps[word]
        offset[axis] = step
    return tuple(offset[3 - n_axes :])


def ends_of(offset: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where in a grid the first and the second pixels of the edges of a direction are."""
    first = tuple(slice(max(0, -step), -step if step > 0 else None) for step in offset)
    return first, tuple(slice(max(0, step), step if step < 0 else None) for step in offset)
