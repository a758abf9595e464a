"""Iterated conditional modes in a few lines.

Besag, "On the statistical analysis of dirty pictures", J. R. Stat. Soc. B 48(3), 1986.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classicseg.reference.grid import Edge


def icm(labels: np.ndarray, unary: np.ndarray, edges: Sequence[Edge], cost: np.ndarray, n_sweeps: int) -> np.ndarray:
    """Give one pixel after the other, in their order, the label that is cheapest next to its neighbours.

    Parameters
    ----------
    labels : ndarray of int, (n,)
        Where to start.
    unary : ndarray, (L, n)
        Costs.
    edges : sequence of (i, j, weight)
    cost : ndarray, (L, L)
    n_sweeps : int
        How often to visit every pixel.

    Returns
    -------
    ndarray of int, (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference.icm import icm
    >>> unary = np.array([[0, 2, 0], [3, 0, 3]])
    >>> icm(np.array([0, 1, 0]), unary, [(0, 1, 2.0), (1, 2, 2.0)], 1 - np.eye(2), n_sweeps=1).tolist()
    [0, 0, 0]
    """
    labels = np.array(labels)
    for _ in range(n_sweeps):
        for pixel in range(labels.size):
            costs = np.array(unary[:, pixel], float)
            for i, j, weight in edges:
                if i == pixel:
                    costs += weight * cost[:, labels[j]]
                elif j == pixel:
                    costs += weight * cost[labels[i], :]
            if costs.min() < costs[labels[pixel]]:
                labels[pixel] = costs.argmin()
    return labels
