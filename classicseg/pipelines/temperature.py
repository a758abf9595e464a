"""How sure may a network be? The temperature at which its scores explain the truth best."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

LOWEST, HIGHEST = 0.01, 100.0
"""What a temperature may be: at the lowest, a network that is right everywhere would be as sure as numbers allow."""

_STEPS = 100  # Newton takes some 8; halving the bracket alone would take 50
_CLOSE = 1e-7  # relative


def slope_and_curvature(costs: np.ndarray, truth: np.ndarray, sharpness: float) -> np.ndarray:
    """First and second derivative of the negative log-likelihood of ``softmax(-sharpness * costs)``, summed.

    Parameters
    ----------
    costs : ndarray, (L, n), float32
        Infinite ones are of forbidden labels; pixels whose true label is forbidden tell nothing.
    truth : ndarray of int, (n,)
        True labels.
    sharpness : float
        One over the temperature. The likelihood is convex in it: the second derivative is a variance.

    Returns
    -------
    ndarray, (2,), float64
    """
    true = np.take_along_axis(costs, truth[np.newaxis], 0)[0]
    told = np.isfinite(true)
    costs, true = costs[:, told].astype(np.float64), true[told]
    costs -= costs.min(axis=0)
    p = np.exp(-sharpness * costs)
    p /= p.sum(axis=0)
    costs[~np.isfinite(costs)] = 0  # has no probability
    least = np.take_along_axis(costs, truth[told][np.newaxis], 0)[0]
    mean = (p * costs).sum(axis=0)
    return np.array([(least - mean).sum(), (p * (costs - mean) ** 2).sum()])


def best_temperature(derivatives: Callable[[float], np.ndarray]) -> float:
    """The temperature of greatest likelihood, from :func:`slope_and_curvature` of all data at a sharpness.

    Newton's method on the sharpness, within a bracket that shrinks from both sides.
    """
    low, high, sharpness = 1 / HIGHEST, 1 / LOWEST, 1.0
    for _ in range(_STEPS):
        slope, curvature = derivatives(sharpness)
        if slope > 0:
            high = sharpness
        else:
            low = sharpness
        step = sharpness - slope / curvature if curvature > 0 else np.inf
        following = step if low < step < high else np.sqrt(low * high)
        if abs(following - sharpness) <= _CLOSE * sharpness:
            break
        sharpness = following
    return float(1 / sharpness)
