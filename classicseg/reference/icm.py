"""Iterated conditional modes: one pixel after the other takes the label that is cheapest next to its neighbours.

The energy never rises, and sweeps end where no single pixel can lower it; such a labelling may be far from the best.

Besag, "On the statistical analysis of dirty pictures", J. R. Stat. Soc. B 48(3), 1986,
doi:10.1111/j.2517-6161.1986.tb01412.x.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classicseg.reference.grid import Edge


def icm(labels: np.ndarray, unary: np.ndarray, edges: Sequence[Edge], cost: np.ndarray, n_sweeps: int) -> np.ndarray:
    """Sweep over the pixels in their order; a pixel keeps its label unless another is cheaper.

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
