"""Mean field on a grid in a few lines: one pixel after the other.

Wainwright, Jordan, "Graphical models, exponential families, and variational inference", Foundations and Trends in
Machine Learning 1, 2008, section 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from classicseg.reference.grid import Edge


def softmax(costs: np.ndarray) -> np.ndarray:
    """Probabilities that fall with costs; infinite costs get none."""
    e = np.exp(costs.min(axis=0) - costs)
    return e / e.sum(axis=0)


def mean_field(
    unary: np.ndarray, edges: Sequence[Edge], cost: np.ndarray, n_sweeps: int, order: Iterable[int] | None = None
) -> np.ndarray:
    """Update the marginals of one pixel after the other, while those of its neighbours stay.

    Parameters
    ----------
    unary : ndarray, (L, n)
        Costs.
    edges : sequence of (i, j, weight)
    cost : ndarray, (L, L)
    n_sweeps : int
        How often to visit every pixel.
    order : iterable of int, optional
        Order of the pixels.

    Returns
    -------
    ndarray, (L, n), float64

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference.grid_mean_field import mean_field
    >>> q = mean_field(np.array([[0, 2, 0], [3, 0, 3]]), [(0, 1, 2.0), (1, 2, 2.0)], 1 - np.eye(2), n_sweeps=10)
    >>> q.argmax(axis=0).tolist()
    [0, 0, 0]
    """
    q = softmax(np.asarray(unary, float))
    pixels = list(range(q.shape[1]) if order is None else order)
    for _ in range(n_sweeps):
        for pixel in pixels:
            costs = np.array(unary[:, pixel], float)
            for i, j, weight in edges:
                if i == pixel:
                    costs += weight * cost @ q[:, j]
                elif j == pixel:
                    costs += weight * cost.T @ q[:, i]
            q[:, pixel] = softmax(costs)
    return q


def free_energy(q: np.ndarray, unary: np.ndarray, edges: Iterable[Edge], cost: np.ndarray) -> float:
    """Expected energy of independent pixels with marginals (L, n), minus their entropy."""
    possible = q > 0
    total = float((q[possible] * (unary[possible] + np.log(q[possible]))).sum())
    for i, j, weight in edges:
        total += float(weight * q[:, i] @ cost @ q[:, j])
    return total
