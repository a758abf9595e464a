"""Predicates as the numbers and machine code that kernels run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import Any

import numpy as np
from numba import carray, types
from numba.core.errors import NumbaError

from classicseg.errors import InputError, InputTypeError
from classicseg.kernels.regions.predicates import Predicate
from classicseg.machine.jit import callback, guarded
from classicseg.splitmerge.homogeneity import Homogeneity
from classicseg.splitmerge.statistics import RegionStatistics


@dataclass(frozen=True, eq=False)
class Program:
    """A predicate as numbers and machine code."""

    predicate: Predicate
    """What the kernels take."""
    functions: tuple[Any, ...]
    """What lies at its addresses: it must live while they are used."""

    def check(self) -> None:
        """Raise InputError if a function of a user has failed in a kernel."""
        if self.predicate.failed[0]:
            raise InputError(
                "the function of a predicate raised an error for some region; it must give an answer for all of them"
            )


def compiled(predicate: Homogeneity, pixels: np.ndarray, edges: np.ndarray) -> Program:
    """Turn a predicate into its program; functions of users are tried on pixels (n, C) in Python, then compiled.

    `edges` (bins + 1,) are those of the bins of histograms.
    """
    rows: list[tuple[float, float, float]] = []
    functions: list[Any] = []
    for code, threshold, second, function in predicate.program():
        if function is not None:
            second = float(len(functions))
            _rehearse(function, RegionStatistics.of(pixels, edges))
            functions.append(_compile(_Source(_meaning(function), function)))
        rows.append((float(code), threshold, second))
    addresses = np.array([function.address for function in functions] or [0], np.int64)
    return Program(Predicate(np.array(rows), addresses, np.zeros(1, np.int64), edges), tuple(functions))


def _rehearse(function: Callable[[RegionStatistics], bool], region: RegionStatistics) -> None:
    """Call a function of a user once where its errors can be told: kernels can only say that there was one."""
    try:
        with np.errstate(all="ignore"):
            bool(function(region))
    except Exception as failure:
        channels, bins = region.histogram.shape
        raise InputError(
            f"the function of a predicate, {function!r}, raised {type(failure).__name__}: {failure}; regions of "
            f"this image have {channels} channel{'s' * (channels > 1)} and histograms of {bins} bins"
        ) from failure


@dataclass(frozen=True)
class _Source:
    """A function of a user, equal to another that means the same: a lambda is made anew by each call."""

    meaning: Any
    function: Callable[[RegionStatistics], bool] = field(compare=False)


def _meaning(function: Any) -> Any:
    """All that its machine code depends on; the function itself if that cannot be told."""
    try:
        code = function.__code__
        around = [function.__globals__.get(name) for name in _names(code)]
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        meaning = code, _exactly((function.__defaults__, *around, *cells))
        hash(meaning)
    except (AttributeError, TypeError, ValueError):
        return function
    return meaning


def _names(code: CodeType) -> list[str]:
    """The names of others that code looks up, inner functions included."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return [*code.co_names, *(name for part in inner for name in _names(part))]


def _exactly(value: Any) -> Any:
    """A value of which only equals of the same types are equal: 1 is not 1.0, nor is 0.0 minus 0.0."""
    if isinstance(value, tuple):
        return tuple(map(_exactly, value))
    return type(value), repr(value) if isinstance(value, (int, float, complex, np.number)) else value


@lru_cache(maxsize=64)
def _compile(source: _Source) -> Any:
    function = source.function
    inner = guarded(function)

    def entry(row, n_channels, n_bins):  # type: ignore[no-untyped-def]
        c = n_channels
        values = carray(row, (1 + c * (5 + n_bins),))
        n, measures = values[0], np.empty((4, c))
        for i in range(c):
            reference, total, squares = values[1 + i], values[1 + c + i], values[1 + 2 * c + i]
            measures[0, i] = reference + total / n
            measures[1, i] = np.sqrt(max(n * squares - total * total, 0.0)) / n
            measures[2, i] = reference * n + total
            measures[3, i] = squares + reference * (2 * total + n * reference)
        low, high = values[1 + 3 * c : 1 + 4 * c], values[1 + 4 * c : 1 + 5 * c]
        histogram = values[1 + 5 * c :].reshape((c, n_bins))
        region = RegionStatistics(n, measures[0], measures[1], measures[2], measures[3], low, high, histogram)
        answer = 2
        try:
            answer = 1 if inner(region) else 0
        except Exception:
            answer = 2
        return answer

    try:
        return callback(entry, types.int8(types.CPointer(types.float64), types.int64, types.int64))
    except NumbaError as failure:
        raise InputTypeError(f"the function {function!r} cannot be compiled: {failure}") from failure
