"""Grid CRFs: the energy edge by edge, and its minimum by trying all labellings.

A labelling costs what its labels cost at their pixels, and what pairs of labels cost at neighbouring pixels. Tiny grids
have few enough labellings to evaluate all of them, which no clever method can argue with.

Geman, Geman, "Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of images", IEEE TPAMI 6(6),
1984, doi:10.1109/TPAMI.1984.4767596.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

Edge = tuple[int, int, float]


def edges(shape: Sequence[int], weights: Mapping[tuple[int, ...], np.ndarray]) -> list[Edge]:
    """All edges of a grid, from the weights of each offset (one for each edge in raster order of its first pixel)."""
    found = []
    for offset, values in weights.items():
        remaining = iter(np.asarray(values).reshape(-1).tolist())
        for pixel in itertools.product(*map(range, shape)):
            other = tuple(p + step for p, step in zip(pixel, offset, strict=True))
            if all(0 <= p < n for p, n in zip(other, shape, strict=True)):
                i, j = (int(np.ravel_multi_index(p, tuple(shape))) for p in (pixel, other))
                found.append((i, j, next(remaining)))
    return found


def energy(
    labels: np.ndarray,
    unary: np.ndarray,
    edges: Iterable[Edge],
    cost: np.ndarray,
    label_costs: np.ndarray | None = None,
) -> float:
    """Energy of labels (n,); each label that is used costs its `label_costs`, if there are any.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference import grid
    >>> grid.energy(np.array([0, 1]), np.array([[1, 9], [9, 2]]), [(0, 1, 3.0)], 1 - np.eye(2))
    6.0
    """
    total = 0.0
    for pixel, label in enumerate(labels):
        total += float(unary[label, pixel])
    for i, j, weight in edges:
        total += float(weight * cost[labels[i], labels[j]])
    if label_costs is not None:
        total += sum(float(label_costs[label]) for label in set(np.asarray(labels).tolist()))
    return total


def minimum(
    unary: np.ndarray, edges: Sequence[Edge], cost: np.ndarray, label_costs: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """Least energy and a labelling that has it, by trying all L**n."""
    n_labels, n = unary.shape
    best, best_labels = np.inf, np.zeros(n, int)
    for candidate in itertools.product(range(n_labels), repeat=n):
        labels = np.array(candidate)
        value = energy(labels, unary, edges, cost, label_costs)
        if value < best:
            best, best_labels = value, labels
    return best, best_labels
