"""Statistics of regions, in NumPy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from classicseg.inputs import value_range
from classicseg.types import brief


class RegionStatistics(NamedTuple):
    """What a predicate of your own gets to see of a region.

    Attributes
    ----------
    count : float
        Pixels.
    mean, std : ndarray, (C,), float64
        Of the values of each channel, to nearly all digits, however far from 0 the values lie.
    sum, sum_squares, min, max : ndarray, (C,), float64
        Of the values of each channel.
    histogram : ndarray, (C, bins), float64
        Pixels in bins over the values of the image, see :func:`histogram_edges`; (C, 0) unless bins are asked for.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> region = cs.RegionStatistics.of(np.array([[1.0], [3.0]]))
    >>> region.count, region.sum, region.std
    (2.0, array([4.]), array([1.]))
    """

    count: float  # type: ignore[assignment]  # hides a method of tuples that nobody needs
    mean: Any
    std: Any
    sum: Any
    sum_squares: Any
    min: Any
    max: Any
    histogram: Any

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={brief(value)}" for name, value in self._asdict().items())
        return f"RegionStatistics({fields})"

    @classmethod
    def of(cls, values: np.ndarray, edges: np.ndarray | None = None) -> RegionStatistics:
        """The statistics of pixels (n, C), with the histograms of bins between `edges`."""
        v = np.ascontiguousarray(values, np.float64)  # sums depend on the order in memory
        return cls(
            float(len(v)),
            v[0] + (v - v[0]).mean(axis=0),
            np.sqrt([scatter(channel) for channel in v.T]) / len(v),
            v.sum(axis=0),
            (v * v).sum(axis=0),
            v.min(axis=0),
            v.max(axis=0),
            np.stack([np.zeros(0) if edges is None else histogram(channel, edges) for channel in v.T]),
        )


def scatter(values: np.ndarray) -> float:
    """Variance of values (n,), times n squared; exact for whole numbers as long as it is below 2^53."""
    apart = values - values[0]
    return max(len(values) * float((apart * apart).sum()) - float(apart.sum()) ** 2, 0.0)


def mean_gap(a: np.ndarray, b: np.ndarray) -> float:
    """By how much the mean of values (n,) exceeds that of values (m,), times n times m; exact like :func:`scatter`."""
    return float((a - a[0]).sum()) * len(b) - float((b - a[0]).sum()) * len(a)


def histogram(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Values (n,) counted in the bins between edges (bins + 1,); values beyond are in the first and the last one."""
    n_bins = len(edges) - 1
    if n_bins == 0:
        return np.zeros(0)
    number = (np.searchsorted(edges, values, side="right") - 1).clip(0, n_bins - 1)
    return np.bincount(number, minlength=n_bins).astype(np.float64)


_TAIL = 8
"""One bin out of so many is for the values beyond either end of the ordinary ones."""


def histogram_edges(pixels: np.ndarray, bins: int) -> np.ndarray:
    """Edges of the bins of an image's histograms, (bins + 1,) float64 in ascending order; (1,) for no bins.

    Bins are equal from the smallest to the largest value of all pixels (n, C), unless rare values would take most of
    them: then bins are equal over the ordinary values (:func:`~classicseg.inputs.value_range`, with half of
    it on either side), and a few ever wider ones hold what lies beyond. So a hot pixel does not blur all others.
    """
    if bins == 0:
        return np.zeros(1)
    low, high = float(pixels.min()), float(pixels.max())
    ordinary = value_range(pixels, -1)
    margin = (ordinary[1] - ordinary[0]) / 2
    first, last = max(low, ordinary[0] - margin), min(high, ordinary[1] + margin)
    if first >= last:
        first, last = low, high
    few = max(1, bins // _TAIL) if bins > 3 else 0
    below, above = few if low < first else 0, few if high > last else 0
    core = np.linspace(first, last, bins - below - above + 1)
    width = core[1] - core[0]
    edges = np.concatenate(
        [first - _growing(first - low, width, below)[::-1], core, last + _growing(high - last, width, above)]
    )
    edges[0], edges[-1] = low, high
    return edges


def _growing(length: float, width: float, n: int) -> np.ndarray:
    """Where `n` bins end that grow from about a `width` until they fill a `length`."""
    return width * (np.geomspace(1, 1 + min(length / width, 1e200), n + 1)[1:] - 1) if n else np.zeros(0)
