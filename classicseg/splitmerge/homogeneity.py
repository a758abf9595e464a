"""When may pixels be one region? Predicates for :func:`classicseg.split_and_merge`, to be combined with & and |.

A predicate looks at the *parts* of a region to be: the quarters of a block that may not need a split, or the two
neighbours that may be merged. Some look only at the union of the parts, others compare the parts. With several channels
each channel has to pass.

Every predicate says what it means twice: :meth:`Homogeneity.holds` in NumPy, for people and tests, and a short program
of numbers for the compiled kernels. Those that look at statistics are in :mod:`.predicates`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.splitmerge.statistics import RegionStatistics, histogram_edges

AND, OR, RANGE, STD, MEAN, RATIO, HISTOGRAM, OTSU, CUSTOM = range(9)
"""Instructions, as in :mod:`classicseg.kernels.regions.predicates`."""
_MOST_BINS = 2**16  # as many as a picture of 16 bits has values
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

        Raises
        ------
        ValueError
            If there is no part, parts have different channels, or a number is not finite.
        """
        listed = inputs.as_sequence(parts, "parts", "arrays (n, C)")
        arrays = [inputs.as_numbers(part, "parts", (2,), np.float64) for part in listed]
        if len({array.shape[1] for array in arrays}) != 1:
            raise InputError(
                f"parts must be at least one array, all of the same channels, got shapes {[a.shape for a in arrays]}"
            )
        pixels = np.concatenate(arrays) if image is None else inputs.as_numbers(image, "image", (2,), np.float64)
        return self._holds(arrays, histogram_edges(pixels, self.bins))

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
        check_not_negative(self, "threshold")

    def _holds_in(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        whole = np.concatenate(parts)
        return bool(whole.max() - whole.min() <= self.threshold)

    def _instruction(self) -> tuple[int, float, float]:
        return RANGE, self.threshold, 0.0

    def _reach(self, spread: float) -> float:
        return self.threshold

    def always_holds(self, spread: float) -> bool:
        """Whether the threshold is above the range."""
        return spread < self.threshold


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
        If `function` is not callable, `monotone` is not a boolean, or, when it is first used, if it cannot be compiled.
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
        object.__setattr__(self, "bins", as_bins(self.bins, 0))
        object.__setattr__(self, "monotone", inputs.as_flag(self.monotone, "monotone"))

    def _holds(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        return bool(self.function(RegionStatistics.of(np.concatenate(parts), edges if self.bins else None)))

    def program(self) -> list[Instruction]:
        """One instruction, with the function."""
        return [(CUSTOM, 0.0, 0.0, self.function)]


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
    code = AND

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
    code = OR

    def _holds(self, parts: list[np.ndarray], edges: np.ndarray) -> bool:
        return self.first._holds(parts, edges) or self.second._holds(parts, edges)

    def always_holds(self, spread: float) -> bool:
        """Whether one of them does."""
        return self.first.always_holds(spread) or self.second.always_holds(spread)

    def _reach(self, spread: float) -> float:
        return max(self.first.reach(spread), self.second.reach(spread))

    def __repr__(self) -> str:
        return f"{self.first!r} | {self.second!r}"


def as_homogeneity(value: Any, name: str = "homogeneity") -> Homogeneity:
    """A predicate as it is, a number as :class:`Range`, a function as :class:`Custom`; an error calls it `name`."""
    if isinstance(value, Homogeneity):
        return value
    if isinstance(value, type):
        raise InputTypeError(f"{name} must be a predicate such as Range(24), got the class {value.__name__}")
    if callable(value):
        return Custom(value)
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return Range(inputs.as_weight(value, name, at_least=0.0))
    raise InputTypeError(f"{name} must be a predicate such as Range(24), a number or a function, got {value!r}")


def as_bins(bins: Any, at_least: int) -> int:
    """A number of bins of which each region can have a histogram."""
    return inputs.as_count(bins, "bins", at_least, _MOST_BINS)


def check_not_negative(predicate: Homogeneity, field: str) -> None:
    """Make a `field` of a new predicate a number of at least 0."""
    object.__setattr__(predicate, field, inputs.as_weight(getattr(predicate, field), field, at_least=0.0))
