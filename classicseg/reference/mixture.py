"""Costs of colours under a mixture of Gaussians: how badly a colour model explains each pixel.

A colour belongs to the one component that explains it best, and costs minus the logarithm of its density there.

Rother, Kolmogorov, Blake, "GrabCut: interactive foreground extraction using iterated graph cuts", SIGGRAPH 2004,
doi:10.1145/1015706.1015720, equation 9.
"""

from __future__ import annotations

import numpy as np


def mixture_costs(
    colors: np.ndarray, shares: np.ndarray, means: np.ndarray, covariances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Smallest ``-log(share * density)`` over the components, and which component that is.

    Parameters
    ----------
    colors : ndarray, (C, N)
    shares : ndarray, (K,)
        Components of share 0 are left out.
    means : ndarray, (K, C)
    covariances : ndarray, (K, C, C)

    Returns
    -------
    cost : ndarray, (N,), float64
    component : ndarray, (N,), int64

    Examples
    --------
    >>> from classicseg.reference.mixture import mixture_costs
    >>> import numpy as np
    >>> cost, component = mixture_costs(
    ...     np.array([[0.0, 9.0]]), np.array([0.5, 0.5]), np.array([[0.0], [10.0]]), np.ones((2, 1, 1))
    ... )
    >>> cost.round(2).tolist(), component.tolist()
    ([1.61, 2.11], [0, 1])
    """
    costs = np.full((len(shares), colors.shape[1]), np.inf)
    for k, (share, mean, covariance) in enumerate(zip(shares, means, covariances, strict=True)):
        if share > 0:
            off = colors - mean[:, None]  # shape: (C, N)
            square = np.einsum("in,ij,jn->n", off, np.linalg.inv(covariance), off)
            costs[k] = square / 2 + np.log(np.linalg.det(2 * np.pi * covariance)) / 2 - np.log(share)
    return costs.min(axis=0), costs.argmin(axis=0)
