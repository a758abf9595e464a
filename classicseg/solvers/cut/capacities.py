"""Capacities that users give, as numbers that a flow network can begin with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.kernels.cut.capacities import (
    Survey,
    compare_whole,
    copy_edges,
    copy_whole,
    sum_by_sign,
    survey_of_reals,
)

_NO_OVERFLOW = 2.0**62  # whole numbers that sum up to less may be summed as such
_MOST_NODES = 2**31 - 1  # that 32 bits number


def survey(values: np.ndarray) -> Survey:
    """Look at numbers, (n,) int64 or float64."""
    if values.dtype != np.int64 or values.size == 0:
        found: Survey = survey_of_reals(values.astype(np.float64, copy=False))
        return found
    return _survey_of_whole(values, int(values.min()), int(values.max()))


def _survey_of_whole(values: np.ndarray, low: int, high: int, sums: Sequence[int] | None = None) -> Survey:
    """Look at numbers, (n,) int64, whose least and largest are known, and perhaps their sums by sign, if they fit."""
    if max(high, -low) * float(values.size) < _NO_OVERFLOW:
        positive, negative = sum_by_sign(values) if sums is None else sums
    else:
        positive, negative = (f(values, 0).sum(dtype=np.float64) for f in (np.maximum, np.minimum))
    return Survey(low, high, float(positive), -float(negative), 0, 0, True)


def difference(source: np.ndarray, sink: np.ndarray, *, whole: bool) -> tuple[np.ndarray, Survey, float]:
    """What the source offers nodes less what the sink asks of them, (n,); what that is like; the sum of the lesser.

    If `whole`, all are whole numbers of which 64 bits hold any sum.
    """
    if source.dtype == sink.dtype == np.int64:
        excess = np.empty(source.size, np.int64)
        low, high, positive, negative, lesser = compare_whole(source, sink, excess)
        if whole:
            return excess, _survey_of_whole(excess, low, high, (positive, negative)), lesser
    else:
        excess = np.subtract(source, sink, dtype=np.float64)
    return excess, survey(excess), np.minimum(source, sink).sum(dtype=np.int64 if whole else np.float64)


def as_capacities(values: ArrayLike, n: int, name: str, least: float) -> tuple[np.ndarray, Survey]:
    """A copy of `n` numbers of at least `least`, as int64 or float64; a single number stands for all."""
    array = inputs.read(values, name, booleans=False)
    if array.shape != (n,):
        if array.ndim > 0:
            raise InputError(f"{name} must have shape ({n},), got {array.shape}")
        array = np.full(n, array)
    if array.dtype == np.int64 and array.size and _is_plain(array):
        numbers = np.empty(n, np.int64)
        low, high, *sums = copy_whole(array, numbers)
        found = _survey_of_whole(numbers, low, high, sums)
    else:
        is_float = array.dtype.kind == "f" or (array.dtype.kind == "u" and int(array.max(initial=0)) > 2**62)
        numbers = np.array(array, np.float64 if is_float else np.int64, order="C")
        found = survey(numbers)
    least = max(least, -inputs.DEAREST)
    if found.n_wrong or found.low < least or found.high > inputs.DEAREST:
        wrong = ~(numbers >= least) | (numbers > inputs.DEAREST) & (numbers < np.inf)
        at = int(wrong.argmax())
        limits = f"at least 0 and at most {inputs.DEAREST:g}" if least == 0 else f"at most {inputs.DEAREST:g} in size"
        raise InputError(f"{name} must be numbers of {limits}, or +inf, got {array[at]} at index {at}")
    return numbers, found


def as_ends(edges: ArrayLike, n: int) -> np.ndarray:
    """Pairs of different nodes, 0 to n - 1, as (E, 2) int32."""
    array = inputs.read(edges, "edges", booleans=False)
    if array.dtype == np.int64 and array.ndim == 2 and array.shape[1] == 2 and _is_plain(array) and n <= _MOST_NODES:
        ends = np.empty(array.shape, np.int32)
        if copy_edges(array, n, ends):
            return ends
    return np.ascontiguousarray(inputs.as_edges(array, n), np.int32)


def _is_plain(array: np.ndarray) -> bool:
    """Whether kernels read `array` as it is; they are compiled for arrays that may be written to."""
    return bool(array.flags.carray and array.dtype.isnative)


def as_nodes(nodes: ArrayLike, n: int) -> np.ndarray:
    """Different nodes, 0 to n - 1, as (K,) int64."""
    array = inputs.read(nodes, "nodes", booleans=False)
    if array.dtype.kind == "f" and array.size:
        raise InputTypeError(f"nodes must hold integers, got dtype {array.dtype}; convert with .astype(int)")
    if array.ndim != 1:
        raise InputError(f"nodes must have shape (K,), got {array.shape}")
    if array.size and (array.min() < 0 or array.max() >= n):
        raise InputError(f"nodes must be 0 to {n - 1}, got {array.min()} to {array.max()}")
    if np.bincount(array.astype(np.int64), minlength=1).max() > 1:
        raise InputError("nodes must each be given once, got some several times")
    return array.astype(np.int64)


def refuse_tied(source: np.ndarray, sink: np.ndarray) -> None:
    """Raise an error if a node is tied to both."""
    if source.dtype == sink.dtype == np.float64:
        tied = np.isinf(source) & np.isinf(sink)
        if tied.any():
            raise InputError(f"source and sink must not both be infinite, as they are at node {int(tied.argmax())}")
