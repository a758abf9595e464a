"""When may pixels be one region? Predicates for :func:`classicseg.split_and_merge`, to be combined with & and |.

A predicate looks at the *parts* of a region to be: the quarters of a block that may not need a split, or the two
neighbours that may be merged. Some look only at the union of the parts, others compare the parts. With several channels
each channel has to pass.

Every predicate says what it means twice: :meth:`Homogeneity.holds` in NumPy, for people and tests, and a short program
of numbers for the compiled kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.splitmerge.statistics import RegionStatistics, histogram, histogram_edges, mean_gap, scatter

_AND, _OR, _RANGE, _STD, _MEAN, _RATIO, _HISTOGRAM, _OTSU, _CUSTOM = range(9)  # as in classicseg.kernels.regions
_MOST_TERMS = 30
"""The kernels keep the answers of all terms in one number of 64 bits."""

Instruction: TypeAlias = "tuple[int, float, float, Callable[..., Any] | None]"
"""Code, threshold, second number, and the function of a user."""
HomogeneityLike: TypeAlias = "Homogeneity | float | Callable[[RegionStatistics], bool]"
"""What may stand for a predicate, see :func:`as_homogeneity`."""


class Homogeneity:
    """Base of the predicates; what they share.

    Attributes
    ----------
    monotone : bool
        Whether regions that may not be one stay so however they grow. Then one pass over the neighbours is enough.
    bins : int
        Bins of the histogram that it needs, 0 for none.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> flat = cs.Range(24) & cs.StdDev(6) | cs.Range(3)
    >>> flat
    Range(threshold=24.0) & StdDev(threshold=6.0) | Range(threshold=3.0)
    >>> flat.holds([np.array([[10], [12]]), np.array([[11]])])
    True
    """

    monotone: bool = False
    bins: int = 0

    def holds(self, parts: Sequence[np.ndarray], image: np.ndarray | None = None) -> bool:
        """Whether pixels (n, C) of several parts may be one region.

        Parameters
        ----------
        parts : sequence of ndarray, (n, C)
        image : ndarray, (m, C), optional
            All pixels of the image, which the bins of histograms depend on. By default those of the parts.
        """
        arrays = [np.asarray(part, np.float64) for part in parts]
        edges = histogram_edges(np.concatenate(arrays) if image is None else np.asarray(image, np.float64), self.bins)
        return self._holds(arrays, edges)

    def _holds(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        """`holds` with the edges of the bins of histograms."""
        return all(self._holds_in([part[:, c] for part in parts], edges) for c in range(parts[0].shape[1]))

    def _holds_in(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        """`holds` for one channel."""
        raise NotImplementedError

    def program(self) -> list[Instruction]:
        """Instructions in postfix order."""
        return [(*self._instruction(), None)]

    def _instruction(self) -> tuple[int, float, float]:
        """Code, threshold and second number of a predicate that is one instruction."""
        raise NotImplementedError

    def reach(self, spread: float) -> float:
        """Up to about which difference of means two regions may be one; `spread` is the range of the image."""
        return self._reach(spread)

    def _reach(self, spread: float) -> float:
        return spread / 4

    def always_holds(self, spread: float) -> bool:
        """Whether it holds for whatever pixels whose values span no more than `spread`."""
        return False

    def with_bins(self, bins: int) -> Homogeneity:
        """The same with another number of bins, if it has any: the parts of a combination share theirs."""
        return self if self.bins in (0, bins) else replace(self, bins=bins)  # type: ignore[type-var]

    def __and__(self, other: HomogeneityLike) -> Homogeneity:
        return _Both(self, as_homogeneity(other))

    def __or__(self, other: HomogeneityLike) -> Homogeneity:
        return _Either(self, as_homogeneity(other))


@dataclass(frozen=True)
class Range(Homogeneity):
    """The largest value is at most `threshold` above the smallest: the classic choice, and the fastest.

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
    >>> cs.split_and_merge([[1, 2, 9], [2, 2, 9]], cs.Range(3))
    array([[1, 1, 2],
           [1, 1, 2]], dtype=int32)
    """

    threshold: float
    monotone = True

    def __post_init__(self) -> None:
        _not_negative(self, "threshold")

    def _holds_in(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        whole = np.concatenate(parts)
        return bool(whole.max() - whole.min() <= self.threshold)

    def _instruction(self) -> tuple[int, float, float]:
        return _RANGE, self.threshold, 0.0

    def _reach(self, spread: float) -> float:
        return self.threshold

    def always_holds(self, spread: float) -> bool:
        """Whether the threshold is above the range."""
        return spread < self.threshold


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
        _not_negative(self, "threshold")

    def _holds_in(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        whole = np.concatenate(parts)
        return scatter(whole) <= (self.threshold * len(whole)) ** 2

    def _instruction(self) -> tuple[int, float, float]:
        return _STD, self.threshold, 0.0

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
        _not_negative(self, "threshold")

    def _holds_in(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        pairs = [(a, b) for i, a in enumerate(parts) for b in parts[:i]]
        return all(abs(mean_gap(a, b)) <= self.threshold * len(a) * len(b) for a, b in pairs)

    def _instruction(self) -> tuple[int, float, float]:
        return _MEAN, self.threshold, 0.0

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
        _positive(self, "threshold")
        _positive(self, "noise")

    def _holds_in(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        n, k = sum(len(part) for part in parts), len(parts)
        if k < 2:
            return True
        whole = np.concatenate(parts)
        between = sum(mean_gap(part, whole) ** 2 / len(part) for part in parts)
        within = sum(scatter(part) / len(part) for part in parts)
        within = max(within / (n - k) if n > k else 0.0, self.noise**2)
        return between / (k - 1) <= self.threshold * within * n**2

    def _instruction(self) -> tuple[int, float, float]:
        return _RATIO, self.threshold, self.noise


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
        _not_negative(self, "threshold")
        object.__setattr__(self, "bins", inputs.as_count(self.bins, "bins", 2))

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
        return _HISTOGRAM, self.threshold, 0.0

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
        _positive(self, "threshold")
        _not_negative(self, "contrast")
        if self.threshold > 1:
            raise InputError(f"threshold is a share of the variance, at most 1, got {self.threshold:g}")
        object.__setattr__(self, "bins", inputs.as_count(self.bins, "bins", 2))

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
        return _OTSU, self.threshold, self.contrast

    def always_holds(self, spread: float) -> bool:
        """Whether the threshold is above the range."""
        return spread < self.contrast


@dataclass(frozen=True)
class Custom(Homogeneity):
    """A predicate of your own: a plain function of the statistics of a region. It is compiled.

    Parameters
    ----------
    function : callable
        ``function(region)`` gets a :class:`RegionStatistics` and returns True if the region is homogeneous. It may use
        what Numba can compile (arithmetic, comparisons, loops, ``math``, NumPy functions) and must not raise. It is
        tried on some pixels of the image in Python before it is compiled.
    bins : int
        Bins of the histogram that it wants to see, 0 for none.
    monotone : bool
        True only if a region that is not homogeneous never becomes so by growing; saves time.

    Raises
    ------
    TypeError
        If `function` is not callable, or, when it is first used, if it cannot be compiled.
    ValueError
        If `bins` is negative, or, when it is used, if `function` raises an error for a region.

    Examples
    --------
    >>> import classicseg as cs
    >>> def flat_and_bright(region):
    ...     return region.max[0] - region.min[0] <= 3 and region.sum[0] / region.count > 5
    >>> cs.split_and_merge([[1, 2, 9], [2, 2, 9]], cs.Custom(flat_and_bright))
    array([[1, 2, 5],
           [3, 4, 5]], dtype=int32)
    """

    function: Callable[[RegionStatistics], bool]
    bins: int = 0
    monotone: bool = False

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise InputTypeError(f"function must be callable with RegionStatistics, got {self.function!r}")
        object.__setattr__(self, "bins", inputs.as_count(self.bins, "bins", 0))

    def _holds(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        return bool(self.function(RegionStatistics.of(np.concatenate(parts), edges if self.bins else None)))

    def program(self) -> list[Instruction]:
        """One instruction, with the function."""
        return [(_CUSTOM, 0.0, 0.0, self.function)]


class _Pair(Homogeneity):
    """Two predicates in one."""

    code: int

    def __init__(self, first: Homogeneity, second: Homogeneity) -> None:
        self.monotone = first.monotone and second.monotone
        self.bins = max(first.bins, second.bins)
        self.first, self.second = first.with_bins(self.bins), second.with_bins(self.bins)
        if len(self.program()) > 2 * _MOST_TERMS:
            raise InputError(f"a predicate can have at most {_MOST_TERMS} terms")

    def with_bins(self, bins: int) -> Homogeneity:
        """Both with that number."""
        if self.bins in (0, bins):
            return self
        return type(self)(self.first.with_bins(bins), self.second.with_bins(bins))

    def program(self) -> list[Instruction]:
        """First, second, and what to do with both answers."""
        return [*self.first.program(), *self.second.program(), (self.code, 0.0, 0.0, None)]


class _Both(_Pair):
    code = _AND

    def _holds(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        return self.first._holds(parts, edges) and self.second._holds(parts, edges)

    def always_holds(self, spread: float) -> bool:
        """Whether both do."""
        return self.first.always_holds(spread) and self.second.always_holds(spread)

    def _reach(self, spread: float) -> float:
        return min(self.first.reach(spread), self.second.reach(spread))

    def __repr__(self) -> str:
        return " & ".join(f"({p!r})" if isinstance(p, _Either) else repr(p) for p in (self.first, self.second))


class _Either(_Pair):
    code = _OR

    def _holds(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        return self.first._holds(parts, edges) or self.second._holds(parts, edges)

    def always_holds(self, spread: float) -> bool:
        """Whether one of them does."""
        return self.first.always_holds(spread) or self.second.always_holds(spread)

    def _reach(self, spread: float) -> float:
        return max(self.first.reach(spread), self.second.reach(spread))

    def __repr__(self) -> str:
        return f"{self.first!r} | {self.second!r}"


def as_homogeneity(value: Any) -> Homogeneity:
    """A predicate as it is, a number as :class:`Range`, a function as :class:`Custom`."""
    if isinstance(value, Homogeneity):
        return value
    if isinstance(value, type):
        raise InputTypeError(f"homogeneity must be a predicate such as Range(24), got the class {value.__name__}")
    if callable(value):
        return Custom(value)
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return Range(float(value))
    raise InputTypeError(f"homogeneity must be a predicate such as Range(24), a number or a function, got {value!r}")


def _positive(predicate: Homogeneity, field: str) -> None:
    (number,) = inputs.as_positive(getattr(predicate, field), field, 1)
    object.__setattr__(predicate, field, number)


def _not_negative(predicate: Homogeneity, field: str) -> None:
    object.__setattr__(predicate, field, inputs.as_weight(getattr(predicate, field), field, at_least=0.0))
