"""Capacities that users give, as numbers that a flow network can begin with."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.kernels.cut.capacities import Survey, survey_of_reals

_NO_OVERFLOW = 2.0**62  # whole numbers that sum up to less may be summed as such


def survey(values: np.ndarray) -> Survey:
    """Look at numbers, (n,) int64 or float64."""
    if values.dtype != np.int64 or values.size == 0:
        found: Survey = survey_of_reals(values.astype(np.float64, copy=False))
        return found
    low, high = int(values.min()), int(values.max())
    kind = np.int64 if max(high, -low) * float(values.size) < _NO_OVERFLOW else np.float64
    total = float(values.sum(dtype=kind))
    positive = total if low >= 0 else float(np.maximum(values, 0).sum(dtype=kind))
    return Survey(low, high, positive, positive - total, 0, 0, True)


def as_capacities(values: ArrayLike, n: int, name: str, least: float) -> tuple[np.ndarray, Survey]:
    """A copy of `n` numbers of at least `least`, as int64 or float64; a single number stands for all."""
    array = inputs.read(values, name, booleans=False)
    if array.shape != (n,):
        if array.ndim > 0:
            raise InputError(f"{name} must have shape ({n},), got {array.shape}")
        array = np.full(n, array)
    is_float = array.dtype.kind == "f" or (array.dtype.kind == "u" and int(array.max(initial=0)) > 2**62)
    numbers = np.array(array, np.float64 if is_float else np.int64, order="C")
    least, found = max(least, -inputs.DEAREST), survey(numbers)
    if found.n_wrong or found.low < least or found.high > inputs.DEAREST:
        wrong = ~(numbers >= least) | (numbers > inputs.DEAREST) & (numbers < np.inf)
        at = int(wrong.argmax())
        limits = f"at least 0 and at most {inputs.DEAREST:g}" if least == 0 else f"at most {inputs.DEAREST:g} in size"
        raise InputError(f"{name} must be numbers of {limits}, or +inf, got {array[at]} at index {at}")
    return numbers, found


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
