"""What all readers of arrays do: real numbers only, finite ones, of the right shape; and how shapes are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from classicseg.errors import InputError, InputTypeError
from classicseg.machine.memory import check_memory

LARGEST = float(np.float32(1e30))
"""Costs, scores and values are at most this in size where sums of them are to be finite in float32."""
_LARGE = 2**24  # numbers; fewer are copied without asking how much memory is free


def read(value: Any, name: str, *, booleans: bool = True) -> np.ndarray:
    """`value` as an array of real numbers; an array is not copied."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise InputError(f"{name} has masked entries; fill them first, for example with .filled(value)")
    array = as_array(value, name)
    if array.dtype.kind not in ("biuf" if booleans else "iuf"):
        raise InputTypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    return array


def as_array(value: Any, name: str) -> np.ndarray:
    """`value` as an array of whatever it holds; an array, or a tensor of PyTorch on the CPU, is not copied."""
    try:
        return np.asarray(_without_gradient(value))
    except ValueError as failure:
        raise InputError(f"{name} cannot be read as an array: {failure}") from failure
    except MemoryError:
        raise
    except Exception as failure:  # objects convert themselves, and may raise whatever they like
        reason = f"{type(failure).__name__}: {failure}"
        raise InputTypeError(
            f"{name}, of type {type(value).__name__}, cannot be read as an array: {reason}"
        ) from failure


def _without_gradient(value: Any) -> Any:
    """A tensor as NumPy can read it: out of its graph, and bfloat16, which NumPy has not, as float32."""
    if not hasattr(value, "detach"):
        return value
    tensor = value.detach()
    return tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor


def as_sequence(value: Any, name: str, of: str) -> Sequence[Any]:
    """`value` as a list of things that no array holds."""
    try:
        return value if isinstance(value, Sequence) else list(value)
    except TypeError as failure:
        raise InputTypeError(f"{name} must be a sequence of {of}, got {value!r}") from failure


def summable(array: np.ndarray, name: str, hint: str = "") -> np.ndarray:
    """`array` as aligned, native, C-contiguous float32; every number finite and not so large that sums are not."""
    converted = _converted(array, np.float32, name)
    low, high = float(converted.min()), float(converted.max())
    if not max(-low, high) <= LARGEST:
        _refuse_infinite(converted, array, name, hint)
        raise InputError(
            f"{name} must be at most {LARGEST:g} in size, or sums of them are infinite in float32; got {low:g} to "
            f"{high:g}"
        )
    return converted


def summable_or_infinite(array: np.ndarray, name: str, infinity: float) -> tuple[np.ndarray, bool]:
    """The same of (L, *spatial) numbers that may be `infinity`, one of the two, but not at all labels of a pixel.

    The second result says whether any is.
    """
    converted = _converted(array, np.float32, name)
    if max(-float(converted.min()), float(converted.max())) <= LARGEST:
        return converted, False
    forbidden = array == infinity
    allowed = np.where(forbidden, array.dtype.type(0), array)
    summable(allowed, name, f"only {infinity:+} may be infinite, which forbids a label")
    refuse_all_forbidden(converted, name)
    return converted, True


def refuse_all_forbidden(numbers: np.ndarray, name: str) -> None:
    """Say at which pixel of (L, *spatial) numbers all are infinite, if there is one."""
    forbidden = np.isinf(numbers).all(axis=0)
    if forbidden.any():
        where = index_of(int(forbidden.argmax()), forbidden.shape)
        raise InputError(
            f"{name} must leave a finite number at each pixel, got {numbers[(0, *where)]} for all labels at pixel "
            f"{text(where)}: all of them are forbidden"
        )


def finite(array: np.ndarray, dtype: DTypeLike, name: str, hint: str = "") -> np.ndarray:
    """`array` as aligned, native, C-contiguous `dtype`; every number finite."""
    converted = _converted(array, dtype, name)
    if converted.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            total = converted.sum()  # one pass without a temporary; finite only if all numbers are
        if not np.isfinite(total):
            _refuse_infinite(converted, array, name, hint)
    return converted


def _converted(array: np.ndarray, dtype: DTypeLike, name: str) -> np.ndarray:
    if array.size > _LARGE and not (array.dtype == dtype and array.flags.c_contiguous):
        check_memory(array.size * np.dtype(dtype).itemsize, f"{name} of shape {text(array.shape)} in {np.dtype(dtype)}")
    with np.errstate(over="ignore", invalid="ignore"):
        return np.require(array, dtype, ["C", "A"])


def _refuse_infinite(converted: np.ndarray, array: np.ndarray, name: str, hint: str) -> None:
    """Say which numbers of `array` are not finite as they were `converted`, if any."""
    wrong = ~np.isfinite(converted)
    if wrong.any():
        where = index_of(int(wrong.argmax()), array.shape)
        more = f"; {hint}" if hint else ""
        raise InputError(
            f"{name} must be finite in {converted.dtype}, got {array[where]} at index {text(where)} "
            f"({int(wrong.sum())} such values){more}"
        )


def not_empty(array: np.ndarray, name: str) -> np.ndarray:
    """`array`, if it holds anything."""
    if array.size == 0:
        raise InputError(f"{name} must not be empty, got shape {text(array.shape)}")
    return array


def of_shape(array: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    """`array`, if it has this shape."""
    if array.shape != shape:
        raise InputError(f"{name} must have shape {text(shape)}, got {text(array.shape)}")
    return array


def index_of(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Where a flat index is in an array of this shape."""
    return tuple(int(i) for i in np.unravel_index(flat, shape))


def text(shape: Sequence[Any]) -> str:
    """A shape or an index as Python writes a tuple, whatever its entries are."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
