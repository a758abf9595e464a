"""Statistics of regions, in NumPy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

SMALLEST_RANGE = 1e-300
"""Of a histogram: bins have a width in constant images, too."""


class RegionStatistics(NamedTuple):
    """What a predicate of your own gets to see of a region.

    Attributes
    ----------
    count : float
        Pixels.
    sum, sum_squares, min, max : ndarray, (C,), float64
        Of the values of each channel.
    histogram : ndarray, (C, bins), float64
        Pixels in equal bins from the smallest to the largest value of the image; (C, 0) unless bins are asked for.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> region = cs.RegionStatistics.of(np.array([[1.0], [3.0]]))
    >>> region.count, region.sum, region.max
    (2.0, array([4.]), array([3.]))
    """

    count: float  # type: ignore[assignment]  # hides a method of tuples that nobody needs
    sum: Any
    sum_squares: Any
    min: Any
    max: Any
    histogram: Any

    @classmethod
    def of(cls, values: np.ndarray, bins: int = 0, value_range: tuple[float, float] | None = None) -> RegionStatistics:
        """The statistics of pixels (n, C); `value_range` is that of the histogram."""
        v = np.asarray(values, np.float64)
        counts = np.stack([histogram(channel, bins, value_range) for channel in v.T])
        return cls(float(len(v)), v.sum(axis=0), (v * v).sum(axis=0), v.min(axis=0), v.max(axis=0), counts)


def mean(values: np.ndarray) -> float:
    """Mean of values (n,)."""
    return float(values.sum()) / len(values)


def variance(values: np.ndarray) -> float:
    """Variance of values (n,), from their sum and sum of squares as the kernels have it."""
    return max(float((values * values).sum()) / len(values) - mean(values) ** 2, 0.0)


def bin_width(bins: int, value_range: tuple[float, float]) -> float:
    """Width of one of so many bins."""
    return max(value_range[1] - value_range[0], SMALLEST_RANGE) / bins


def histogram(values: np.ndarray, bins: int, value_range: tuple[float, float] | None) -> np.ndarray:
    """Values (n,) counted in equal bins; by default over their own range."""
    if bins == 0:
        return np.zeros(0)
    low, high = (float(values.min()), float(values.max())) if value_range is None else value_range
    inverse = 1 / bin_width(bins, (low, high))
    number = ((values - low) * inverse).astype(int).clip(0, bins - 1)
    return np.bincount(number, minlength=bins).astype(np.float64)
