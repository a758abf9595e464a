"""Predicates as the numbers and machine code that kernels run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba import carray, types
from numba.core.errors import NumbaError

from classicseg.errors import InputTypeError
from classicseg.kernels.regions.predicates import Predicate
from classicseg.machine.jit import callback, inline
from classicseg.splitmerge.homogeneity import Homogeneity
from classicseg.splitmerge.statistics import RegionStatistics


@dataclass(frozen=True, eq=False)
class Program:
    """A predicate as numbers and machine code."""

    instructions: np.ndarray
    """(n, 3) float64: code, threshold, second number."""
    addresses: np.ndarray
    """(m,) int64: of compiled functions."""
    functions: tuple[Any, ...]
    """What lies at the addresses: it must live while they are used."""

    def with_bins(self, bins: np.ndarray) -> Predicate:
        """The predicate as the kernels take it, with the histograms of an image."""
        return Predicate(self.instructions, self.addresses, bins)


def compiled(predicate: Homogeneity) -> Program:
    """Turn a predicate into its program; functions of users are compiled now."""
    rows: list[tuple[float, float, float]] = []
    functions: list[Any] = []
    for code, threshold, second, function in predicate.program():
        if function is not None:
            second = float(len(functions))
            functions.append(_compile(function))
        rows.append((float(code), threshold, second))
    addresses = np.array([function.address for function in functions] or [0], np.int64)
    return Program(np.array(rows), addresses, tuple(functions))


@lru_cache(maxsize=64)
def _compile(function: Callable[[RegionStatistics], bool]) -> Any:
    inner = inline(function)

    def entry(row, n_channels, n_bins):  # type: ignore[no-untyped-def]
        c = n_channels
        values = carray(row, (1 + c * (4 + n_bins),))
        histogram = values[1 + 4 * c :].reshape((c, n_bins))
        parts = (
            values[1 : 1 + c],
            values[1 + c : 1 + 2 * c],
            values[1 + 2 * c : 1 + 3 * c],
            values[1 + 3 * c : 1 + 4 * c],
        )
        region = RegionStatistics(values[0], parts[0], parts[1], parts[2], parts[3], histogram)
        return 1 if inner(region) else 0

    try:
        return callback(entry, types.int8(types.CPointer(types.float64), types.int64, types.int64))
    except NumbaError as failure:
        raise InputTypeError(f"the function {function!r} cannot be compiled: {failure}") from failure
