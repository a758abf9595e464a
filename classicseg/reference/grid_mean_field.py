"""Mean field on a grid: the best approximation of all labels' joint distribution by independent pixels.

Each pixel in turn takes the distribution that lowers the free energy most while its neighbours keep theirs; that never
raises it, so the updates settle.

Wainwright, Jordan, "Graphical models, exponential families, and variational inference", Foundations and Trends in
Machine Learning 1, 2008, section 5, doi:10.1561/2200000001.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from classicseg.reference.grid import Edge
from classicseg.reference.mean_field import gibbs


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
    q = gibbs(np.asarray(unary, float))
    pixels = list(range(q.shape[1]) if order is None else order)
    for _ in range(n_sweeps):
        for pixel in pixels:
            costs = np.array(unary[:, pixel], float)
            for i, j, weight in edges:
                if i == pixel:
                    costs += weight * cost @ q[:, j]
                elif j == pixel:
                    costs += weight * cost.T @ q[:, i]
            q[:, pixel] = gibbs(costs)
    return q


def free_energy(q: np.ndarray, unary: np.ndarray, edges: Iterable[Edge], cost: np.ndarray) -> float:
    """Expected energy of independent pixels with marginals (L, n), minus their entropy."""
    possible = q > 0
    total = float((q[possible] * (unary[possible] + np.log(q[possible]))).sum())
    for i, j, weight in edges:
        total += float(weight * q[:, i] @ cost @ q[:, j])
    return total
