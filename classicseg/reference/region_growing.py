"""Seeded region growing with a heap, as in the paper.

R. Adams and L. Bischof, "Seeded region growing", IEEE PAMI 16(6), 1994.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np


def grow(image: np.ndarray, seeds: np.ndarray, tolerance: float = np.inf) -> np.ndarray:
    """Labels of an image (H, W, C) grown from seeds (H, W), which are 1, 2, … and 0 elsewhere.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference.region_growing import grow
    >>> grow(np.array([[[1.0], [2.0], [8.0], [9.0]]]), np.array([[1, 0, 0, 2]]))
    array([[1, 1, 2, 2]])
    """
    labels = seeds.copy()
    pixels = {k: list(image[seeds == k].astype(np.float64)) for k in np.unique(seeds[seeds > 0])}
    sums = {k: np.sum(values, axis=0) for k, values in pixels.items()}
    counts = {k: len(values) for k, values in pixels.items()}

    def distance(at: tuple[int, int], region: int) -> float:
        return float(np.sqrt(((image[at] * counts[region] - sums[region]) ** 2).sum())) / counts[region]  # exact ties

    heap: list[tuple[float, int, tuple[int, int]]] = []
    turn, waiting = 0, set()
    for y, x in np.argwhere(seeds > 0).tolist():
        heap.append((-1.0, turn, (y, x)))
        waiting.add((y, x))
        turn += 1
    while heap:
        _, _, at = heapq.heappop(heap)
        if labels[at] == 0:
            nearest = min((distance(at, labels[n]), labels[n]) for n in _neighbours(at, labels.shape) if labels[n] > 0)
            if nearest[0] > tolerance:
                waiting.discard(at)  # another region may reach it later
                continue
            region = nearest[1]
            labels[at] = region
            sums[region], counts[region] = sums[region] + image[at], counts[region] + 1
        for other in _neighbours(at, labels.shape):
            if other not in waiting:
                heapq.heappush(heap, (distance(other, labels[at]), turn, other))
                waiting.add(other)
                turn += 1
    return labels


def _neighbours(at: tuple[int, int], shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    y, x = at
    for v, u in ((y, x - 1), (y, x + 1), (y - 1, x), (y + 1, x)):
        if 0 <= v < shape[0] and 0 <= u < shape[1]:
            yield v, u
