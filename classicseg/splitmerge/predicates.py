"""Predicates that look at means, deviations and histograms; what they share is in :mod:`.homogeneity`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.splitmerge.homogeneity import (
    HISTOGRAM,
    MEAN,
    OTSU,
    RATIO,
    STD,
    Homogeneity,
    as_bins,
    check_not_negative,
)
from classicseg.splitmerge.statistics import histogram, mean_gap, scatter


@dataclass(frozen=True)
class StdDev(Homogeneity):
    """The standard deviation is at most `threshold`.

    Parameters
    ----------
    threshold : float
        At least 0, in the units of the image.

    Raises
    ------
    ValueError
        If the threshold is negative or not finite.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.split_and_merge([[1, 2, 9], [2, 2, 9]], cs.StdDev(1)).max()
    np.int32(2)
    """

    threshold: float

    def __post_init__(self) -> None:
        check_not_negative(self, "threshold")

    def _holds_in(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        whole = np.concatenate(parts)
        limit = self.threshold * len(whole)
        return scatter(whole) <= limit * limit  # as a power it could be too large for Python

    def _instruction(self) -> tuple[int, float, float]:
        return STD, self.threshold, 0.0

    def _reach(self, spread: float) -> float:
        return 2 * self.threshold

    def always_holds(self, spread: float) -> bool:
        """Whether the threshold is above the range."""
        return spread < self.threshold


@dataclass(frozen=True)
class MeanDifference(Homogeneity):
    """The means of the parts differ by at most `threshold`: noise averages out, texture counts as flat.

    Parameters
    ----------
    threshold : float
        At least 0, in the units of the image.

    Raises
    ------
    ValueError
        If the threshold is negative or not finite.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.split_and_merge([[1, 2, 9], [2, 2, 9]], cs.MeanDifference(2)).max()
    np.int32(2)
    """

    threshold: float

    def __post_init__(self) -> None:
        check_not_negative(self, "threshold")

    def _holds_in(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        pairs = [(a, b) for i, a in enumerate(parts) for b in parts[:i]]
        return all(abs(mean_gap(a, b)) <= self.threshold * len(a) * len(b) for a, b in pairs)

    def _instruction(self) -> tuple[int, float, float]:
        return MEAN, self.threshold, 0.0

    def _reach(self, spread: float) -> float:
        return self.threshold

    def always_holds(self, spread: float) -> bool:
        """Whether the threshold is above the range."""
        return spread < self.threshold


@dataclass(frozen=True)
class VarianceRatio(Homogeneity):
    """The F-test of Fisher's analysis of variance: variance between the parts against that within.

    Homogeneous if ``(B / (k - 1)) / max(W / (n - k), noise ** 2) <= threshold`` with k parts, n pixels, B the sum of
    squares of the part means about the common mean, each pixel counting, and W that of the pixels about the part means.

    Parameters
    ----------
    threshold : float
        Positive. ``scipy.stats.f.ppf(1 - alpha, k - 1, n - k)`` would test at the level alpha; neighbouring pixels
        of a photo are correlated, so that larger values are right for them.
    noise : float
        Positive: standard deviation that is expected within a flat region. It keeps digital plateaus, whose W is 0,
        and parts of one pixel from deciding.

    Raises
    ------
    ValueError
        If a number is not positive and finite.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.split_and_merge([[1, 2, 9], [2, 2, 9]], cs.VarianceRatio(4.0, noise=1.0)).max()
    np.int32(2)
    """

    threshold: float
    noise: float = 1.0

    def __post_init__(self) -> None:
        _check_positive(self, "threshold")
        _check_positive(self, "noise")

    def _holds_in(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        n, k = sum(len(part) for part in parts), len(parts)
        if k < 2:
            return True
        whole = np.concatenate(parts)
        gaps = [mean_gap(part, whole) for part in parts]
        between = sum(gap * gap / len(part) for gap, part in zip(gaps, parts, strict=True))
        within = sum(scatter(part) / len(part) for part in parts)
        within = max(within / (n - k) if n > k else 0.0, self.noise * self.noise)  # infinite, where ** would raise
        return between / (k - 1) <= self.threshold * within * n**2

    def _instruction(self) -> tuple[int, float, float]:
        return RATIO, self.threshold, self.noise


@dataclass(frozen=True)
class HistogramDistance(Homogeneity):
    """The histograms of any two parts are at most `threshold` apart, in the earth mover's sense.

    The distance is the area between the cumulative histograms: by how many gray levels values have to be moved, on
    average, to turn one histogram into the other. For two pixels it is their difference, for two textures of the same
    mean it tells whether they are alike.

    Parameters
    ----------
    threshold : float
        At least 0, in the units of the image.
    bins : int
        At least 2, over the values of the image; a few outliers share the first and the last ones.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.split_and_merge([[1, 2, 9], [2, 2, 9]], cs.HistogramDistance(2)).max()
    np.int32(2)
    """

    threshold: float
    bins: int = 32

    def __post_init__(self) -> None:
        check_not_negative(self, "threshold")
        object.__setattr__(self, "bins", as_bins(self.bins, 2))

    def _holds_in(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        middles = np.convolve(edges, [0.5, 0.5], "valid")
        for i, a in enumerate(parts):
            for b in parts[:i]:
                difference = np.cumsum(histogram(a, edges) * len(b) - histogram(b, edges) * len(a))
                area = float((np.abs(difference[:-1]) * np.diff(middles)).sum())
                if area > self.threshold * len(a) * len(b):
                    return False
        return True

    def _instruction(self) -> tuple[int, float, float]:
        return HISTOGRAM, self.threshold, 0.0

    def _reach(self, spread: float) -> float:
        return self.threshold

    def always_holds(self, spread: float) -> bool:
        """Whether the threshold is above the range."""
        return spread < self.threshold


@dataclass(frozen=True)
class OtsuSeparability(Homogeneity):
    """Otsu's threshold does not cut the histogram into two classes that stand apart.

    A region is *not* homogeneous if the two classes explain more than `threshold` of its variance, and their means
    differ by more than `contrast`. Of pure noise Otsu's classes explain 64 % (normal) to 75 % (uniform).

    Parameters
    ----------
    threshold : float
        Positive, at most 1.
    contrast : float
        At least 0, in the units of the image.
    bins : int
        At least 2, over the values of the image; a few outliers share the first and the last ones.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.split_and_merge([[1, 2, 9], [2, 2, 9]], cs.OtsuSeparability(contrast=2)).max()
    np.int32(2)
    """

    threshold: float = 0.8
    contrast: float = 16.0
    bins: int = 64

    def __post_init__(self) -> None:
        _check_positive(self, "threshold")
        check_not_negative(self, "contrast")
        if self.threshold > 1:
            raise InputError(f"threshold is a share of the variance, at most 1, got {self.threshold:g}")
        object.__setattr__(self, "bins", as_bins(self.bins, 2))

    def _holds_in(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        counts = histogram(np.concatenate(parts), edges)
        n, first = counts.sum(), int(np.flatnonzero(counts)[0])
        place = np.convolve(edges - edges[first], [0.5, 0.5], "valid") - (edges[first + 1] - edges[first]) / 2
        total = float((place * counts)[first:].sum())
        variance = float((place**2 * counts)[first:].sum()) / n - (total / n) ** 2
        best, gap, below, sum_below = 0.0, 0.0, 0.0, 0.0
        for i in range(first, self.bins - 1):
            below, sum_below = below + counts[i], sum_below + place[i] * counts[i]
            if below < n:
                distance = (total - sum_below) / (n - below) - sum_below / below
                between = below * (n - below) * distance**2 / n**2
                if between > best:
                    best, gap = between, distance
        return bool(gap <= self.contrast or best <= self.threshold * variance)

    def _instruction(self) -> tuple[int, float, float]:
        return OTSU, self.threshold, self.contrast

    def always_holds(self, spread: float) -> bool:
        """Whether the threshold is above the range."""
        return spread < self.contrast


def _check_positive(predicate: Homogeneity, field: str) -> None:
    """Make a `field` of a new predicate a positive number."""
    object.__setattr__(predicate, field, inputs.as_positive_number(getattr(predicate, field), field))
