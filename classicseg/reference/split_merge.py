"""Split and merge, as in a textbook: recursion over blocks, then greedy merging of neighbours.

S. L. Horowitz and T. Pavlidis, "Picture segmentation by a tree traversal algorithm", Journal of the ACM 23(2), 1976.
A predicate is a function ``homogeneous(parts)`` of a list of (n, C) arrays: may these parts be one region?
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

Homogeneous = Callable[[Sequence[np.ndarray]], bool]
Block = tuple[tuple[int, ...], int]
"""Corner and side of a square (cube); what lies beyond the image does not count."""


def split(
    values: np.ndarray, mask: np.ndarray, homogeneous: Homogeneous, min_size: int = 1, max_depth: float = np.inf
) -> list[Block]:
    """Leaves of the quadtree (octree) of an image (*spatial, C) within a mask (*spatial).

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference.split_merge import split
    >>> image = np.array([[7, 7, 0], [7, 7, 0]])[..., None]
    >>> split(image, np.ones((2, 3), bool), lambda parts: np.ptp(np.concatenate(parts)) <= 3)
    [((0, 0), 2), ((0, 2), 2)]
    """

    def visit(corner: tuple[int, ...], side: int, depth: int) -> list[Block]:
        inside = mask[_area(corner, side)]
        if not inside.any():
            return []
        half = side // 2
        quarters = [c for c in product(*((i, i + half) for i in corner)) if mask[_area(c, half)].size]
        if inside.all():  # a block that the mask cuts is always split
            parts = [values[_area(c, half)].reshape(-1, values.shape[-1]) for c in quarters]
            last = side == 1 or half < min_size or depth >= max_depth
            if last or (len(parts) > 1 and homogeneous(parts)):  # a single quarter will be judged itself
                return [(corner, side)]
        return [leaf for c in quarters for leaf in visit(c, half, depth + 1)]

    side = 1
    while side < max(mask.shape):
        side *= 2
    return visit((0,) * mask.ndim, side, 0)


def merge(values: np.ndarray, labels: np.ndarray, homogeneous: Homogeneous) -> np.ndarray:
    """Join the two neighbours of the nearest means, as long as there are two that may be one region.

    Labels (*spatial) are 0 outside. Needs time: for images of a few hundred pixels.
    """
    labels = labels.copy()
    while True:
        found = []
        for a, b in _neighbours(labels):
            parts = [values[labels == a], values[labels == b]]
            if homogeneous(parts):
                found.append((float(np.linalg.norm(parts[0].mean(axis=0) - parts[1].mean(axis=0))), a, b))
        if not found:
            return labels
        _, a, b = min(found)
        labels[labels == b] = a


def _area(corner: Sequence[int], side: int) -> tuple[slice, ...]:
    return tuple(slice(i, i + side) for i in corner)


def _neighbours(labels: np.ndarray) -> set[tuple[int, int]]:
    touching = set()
    for axis in range(labels.ndim):
        along = np.moveaxis(labels, axis, 0)
        touching |= set(zip(along[:-1].ravel().tolist(), along[1:].ravel().tolist(), strict=True))
    return {(min(p), max(p)) for p in touching if p[0] != p[1] and 0 not in p}
