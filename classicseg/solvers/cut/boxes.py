"""Boxes of slices, rows and columns."""

from __future__ import annotations

import numpy as np

Box = tuple[slice, ...]


def bounds(where: np.ndarray, box: Box) -> Box | None:
    """The bounding box of where an array over a box is not 0; None if that is nowhere."""
    if not where.any():
        return None
    sides = []
    for axis, side in enumerate(box):
        found = np.flatnonzero(where.any(axis=tuple(other for other in range(len(box)) if other != axis)))
        sides.append(slice(side.start + int(found[0]), side.start + int(found[-1]) + 1))
    return tuple(sides)


def hull(a: Box | None, b: Box | None) -> Box | None:
    """The bounding box of two boxes, either of which may be missing."""
    if a is None or b is None:
        return a or b
    return tuple(slice(min(x.start, y.start), max(x.stop, y.stop)) for x, y in zip(a, b, strict=True))
