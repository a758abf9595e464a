"""Otsu's thresholds for any number of classes."""

from __future__ import annotations

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError

_BINS = 256
"""Of the histogram that is cut where there are more different values than that."""


def otsu_cuts(values: np.ndarray, classes: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Upper ends of all classes but the last, (classes - 1,) float64, so that classes differ most from each other.

    Values (n,) that are at most an end, and above the one before, are one class. Up to 256 different values are told
    apart exactly, of more a histogram over their ordinary range is cut: one hot pixel does not decide. There have to be
    as many different values as classes, else InputError is raised; each class has some.

    The best cuts are found by dynamic programming over the bins, in a time that hardly depends on how many classes
    there are.

    References
    ----------
    .. [1] N. Otsu, "A threshold selection method from gray-level histograms", IEEE SMC 9(1), 1979.
    .. [2] P.-S. Liao, T.-S. Chen, P.-C. Chung, "A fast algorithm for multilevel thresholding", J. Inf. Sci. Eng. 17,
       2001.
    """
    flat = np.asarray(values).ravel()
    ends, centers, amounts = _histogram(flat, classes, weights)
    if len(ends) < classes:
        raise InputError(f"classes must be at most the number of different values, {len(ends)}, got {classes}")
    return ends[_last_of_classes(centers, amounts, classes)]


def _histogram(
    values: np.ndarray, classes: int, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Upper end, center and weight of each bin that is not empty: of different values, if they are few."""
    levels = _few_levels(values)
    low, high = inputs.value_range(values, None)
    if levels is None:
        amounts, edges = np.histogram(values.clip(low, high), _BINS, (low, high), weights=weights)
        used = amounts > 0
        if used.sum() >= classes:
            return edges[1:][used], (edges[1:] + edges[:-1])[used] / 2, amounts[used]
        every = np.unique(values)  # too close together for bins of equal width
        levels = every[np.linspace(0, len(every) - 1, min(len(every), _BINS)).astype(np.intp)]
    ends, margin = levels.astype(np.float64), (high - low) / 2
    return (
        ends,
        ends.clip(low - margin, high + margin),
        np.bincount(np.searchsorted(levels, values), weights, len(levels)),
    )


def _few_levels(values: np.ndarray) -> np.ndarray | None:
    """The different values in ascending order, or None if there are more than bins."""
    if values.dtype.kind in "biu" and values.dtype.itemsize <= 2:
        low = int(values.min())
        levels = np.flatnonzero(np.bincount(values.astype(np.int32) - low)) + low
    else:
        levels = np.unique(values[:: -(-values.size // _BINS**2)])
        if len(levels) <= _BINS and not np.isin(values, levels).all():
            levels = np.unique(values)
    return levels if len(levels) <= _BINS else None


def _last_of_classes(centers: np.ndarray, amounts: np.ndarray, classes: int) -> np.ndarray:
    """The last bin of each class but the last, so that the variance between the classes is largest."""
    n = len(centers)
    place = centers - centers[0]
    mass = np.concatenate([[0.0], np.cumsum(amounts)])
    moment = np.concatenate([[0.0], np.cumsum(amounts * (place - place.mean()))])
    first, after = np.indices((n + 1, n + 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = (moment[after] - moment[first]) ** 2 / (
            mass[after] - mass[first]
        )  # of a class of bins first … after - 1
    gain[first >= after] = -np.inf
    best, came_from = gain[0], []
    for _ in range(classes - 1):
        total = best[:, np.newaxis] + gain
        came_from.append(total.argmax(axis=0))
        best = total.max(axis=0)
    ends, at = [], n
    for starts in reversed(came_from):
        at = int(starts[at])
        ends.append(at - 1)
    return np.array(ends[::-1], np.intp)
