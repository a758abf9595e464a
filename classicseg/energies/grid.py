"""The edges of a grid: which neighbours a pixel has, and what their directions are called.

Every edge is named by the direction from the pixel that comes first in raster order, so each direction stands for
itself and its opposite. The weights of a direction are an array with one entry for each edge, in raster order of the
first pixel: ``right`` of an (H, W) grid has the shape (H, W - 1), ``down_left`` the shape (H - 1, W - 1).
"""

from __future__ import annotations

import itertools
from numbers import Integral
from typing import Any

from classicseg.errors import InputError

Offset = tuple[int, ...]

_WORDS = ({1: "deeper"}, {1: "down", -1: "up"}, {1: "right", -1: "left"})
"""What a step along each axis of a volume is called: slices, rows, columns."""

NEIGHBOURHOODS: dict[int, tuple[int, ...]] = {1: (2,), 2: (4, 8), 3: (6, 18, 26)}
"""Sizes of neighbourhoods by the number of axes. The n-th holds the neighbours that differ in up to n coordinates."""


def _name(offset: Offset) -> str:
    steps = (0,) * (3 - len(offset)) + offset
    return "_".join(words[step] for step, words in zip(steps, _WORDS, strict=True) if step)


def directions(n_axes: int, connectivity: Any = None) -> dict[str, Offset]:
    """Name and offset of each direction of a neighbourhood, straight ones first.

    Raises
    ------
    ValueError
        If grids of that many axes have no such neighbourhood.
    """
    if n_axes not in NEIGHBOURHOODS:
        raise InputError(f"a grid must have 1, 2 or 3 spatial axes, got {n_axes}")
    sizes = NEIGHBOURHOODS[n_axes]
    if connectivity is None:
        connectivity = sizes[0]
    if isinstance(connectivity, bool) or not isinstance(connectivity, Integral) or connectivity not in sizes:
        raise InputError(
            f"connectivity must be {' or '.join(map(str, sizes))} for {n_axes} spatial axes, got {connectivity!r}"
        )
    reach = sizes.index(connectivity) + 1
    steps = [s for s in itertools.product((0, 1, -1), repeat=n_axes) if 0 < sum(map(abs, s)) <= reach]
    forward = [s for s in steps if next(step for step in s if step) > 0]
    forward.sort(key=lambda s: (sum(map(abs, s)), [abs(step) for step in s], [-step for step in s]))
    return {_name(offset): offset for offset in forward}


def edge_shape(shape: tuple[int, ...], offset: Offset) -> tuple[int, ...]:
    """Shape of the weights of a direction; an axis of length 1 leaves no edges along it."""
    return tuple(n - abs(step) for n, step in zip(shape, offset, strict=True))


def edge_ends(offset: Offset) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices of an array over the grid that hold the first and the second pixel of each edge of a direction."""
    first = tuple(slice(max(0, -step), -step if step > 0 else None) for step in offset)
    second = tuple(slice(max(0, step), step if step < 0 else None) for step in offset)
    return first, second


def edge_length(offset: Offset, spacing: tuple[float, ...]) -> float:
    """Distance between the ends of an edge."""
    return float(sum((step * distance) ** 2 for step, distance in zip(offset, spacing, strict=True)) ** 0.5)
