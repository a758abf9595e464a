"""The gate: turns what users pass into the exact arrays and numbers of the library, or raises an error that helps.

Every function takes the name of the argument, so that messages speak the caller's language. None changes its input;
arrays that are already right are passed on without a copy.
"""

from __future__ import annotations

import contextlib
import operator
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from classicseg.errors import BudgetError, InputError, InputTypeError

__all__ = [
    "BudgetError",
    "InputError",
    "InputTypeError",
    "as_axis",
    "as_costs",
    "as_count",
    "as_edge_weights",
    "as_features",
    "as_image",
    "as_labels",
    "as_logits",
    "as_marginals",
    "as_numbers",
    "as_positive",
    "as_scale",
    "as_unary",
    "as_values",
    "as_weight",
    "check_memory",
    "choice",
]

_SUM_TOLERANCE = 0.01  # marginals stored as bfloat16 or as 8-bit numbers still pass
_SMALLEST, _LARGEST = 1e-30, 1e30  # of sigmas and spacings: quotients in float32 neither overflow nor vanish
_LARGE = 2**24  # numbers; fewer are copied without asking how much memory is free
_INT32 = np.iinfo(np.int32)

T = TypeVar("T")


# --- arrays -------------------------------------------------------------------------------------------------------


def as_unary(unary: ArrayLike, label_axis: int = 0, *, name: str = "unary") -> np.ndarray:
    """Costs as finite (L, *spatial) float32 in C order, with L >= 2."""
    array = _labels_first(_read(unary, name, booleans=False), label_axis, name)
    hint = "-log(0) is infinite: clip the probabilities first, as unary_from_probabilities does"
    return _finite(array, np.float32, name, hint)


def as_costs(costs: ArrayLike, label_axis: int = 0, *, name: str = "unary") -> np.ndarray:
    """Costs as (L, *spatial) in C order, L >= 2; +inf forbids a label, but not all labels of a pixel.

    Integers become int32 (float64 where they do not fit), float64 stays, narrower floats become float32.
    """
    array = _own_precision(_labels_first(_read(costs, name, booleans=False), label_axis, name), name)
    if array.dtype != np.int32 and not np.isfinite(array.sum()):
        wrong = np.isnan(array) | (array == -np.inf)
        if wrong.any():
            where = _index(int(wrong.argmax()), array.shape)
            raise InputError(f"{name} must be numbers or +inf, got {array[where]} at index {_text(where)}")
        forbidden = np.isinf(array).all(axis=0)
        if forbidden.any():
            where = _index(int(forbidden.argmax()), forbidden.shape)
            raise InputError(
                f"{name} must leave a finite cost at each pixel, got +inf for all labels at {_text(where)}"
            )
    return array


def as_edge_weights(weights: ArrayLike, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Finite numbers of at least 0 of the given shape, in C order and in their own precision (see `as_costs`)."""
    array = _own_precision(_of_shape(_read(weights, name, booleans=False), shape, name), name)
    if array.size:
        _finite(array, array.dtype, name)
        if array.min() < 0:
            where = _index(int(array.argmin()), array.shape)
            raise InputError(f"{name} must be at least 0, got {array[where]:g} at index {_text(where)}")
    return array


def as_logits(logits: ArrayLike, label_axis: int = 0, *, name: str = "logits") -> np.ndarray:
    """Scores as finite (L, *spatial) float32 in C order, with L >= 2."""
    return _finite(_labels_first(_read(logits, name, booleans=False), label_axis, name), np.float32, name)


def as_marginals(marginals: ArrayLike, shape: tuple[int, ...], *, name: str = "marginals") -> np.ndarray:
    """Probabilities of the given (L, *spatial) shape, float32 in C order, that sum to 1 at each pixel within 0.01."""
    array = _of_shape(_read(marginals, name), shape, name)
    array = _finite(array, np.float32, name)
    if array.min() < 0:
        raise InputError(f"{name} must be probabilities, got the negative value {array.min():g}")
    sums = array.sum(axis=0)
    off = np.abs(sums - 1)
    if off.max() > _SUM_TOLERANCE:
        where = _index(int(off.argmax()), sums.shape)
        raise InputError(f"{name} must sum to 1 over the labels, got a sum of {sums[where]:g} at pixel {_text(where)}")
    return array


def as_values(
    values: ArrayLike, shape: tuple[int, ...], name: str = "values", *, n_channels: int | None = None
) -> np.ndarray:
    """Channels of numbers on points of the given shape: finite (C, *shape) float32 in C order, with C >= 1."""
    array = _read(values, name)
    if array.shape[1:] != shape or array.ndim == 0 or n_channels not in (None, array.shape[0]):
        wanted = ("C" if n_channels is None else n_channels, *shape)
        raise InputError(f"{name} must have shape {_text(wanted)}, got {_text(array.shape)}")
    return _finite(_not_empty(array, name), np.float32, name)


def as_numbers(
    values: ArrayLike, name: str, axes: Sequence[int] | None = None, dtype: DTypeLike = np.float32
) -> np.ndarray:
    """Any finite numbers as `dtype` in C order, with one of the given counts of axes (any if None)."""
    array = _read(values, name)
    if axes is not None and array.ndim not in axes:
        raise InputError(f"{name} must have {' or '.join(map(str, axes))} axes, got shape {_text(array.shape)}")
    return _finite(_not_empty(array, name), dtype, name)


def as_features(features: ArrayLike, shape: tuple[int, ...] | None = None, *, name: str = "features") -> np.ndarray:
    """Features as finite (F, *spatial) in C order, with F >= 1; float32 stays, wider dtypes become float64."""
    array = _read(features, name)
    if array.ndim < 2:
        raise InputError(f"{name} must have shape (F, *spatial) with at least 2 axes, got {_text(array.shape)}")
    if shape is not None and array.shape[1:] != shape:
        raise InputError(f"{name} must have shape {_text(('F', *shape))}, got {_text(array.shape)}")
    narrow = np.can_cast(array.dtype, np.float32, "safe")
    return _finite(_not_empty(array, name), np.float32 if narrow else np.float64, name)


def as_image(
    image: ArrayLike,
    shape: tuple[int, ...] | None,
    channel_axis: int | None,
    *,
    name: str = "image",
    keep_bytes: bool = False,
) -> np.ndarray:
    """An image as finite (C, *spatial) float32 in C order; values are not rescaled. `shape`, if given, must fit.

    With `keep_bytes` an image of 8 bits stays one.
    """
    array = _not_empty(_read(image, name), name)
    if channel_axis is None:
        moved = array[np.newaxis]
    else:
        moved = np.moveaxis(array, _axis(channel_axis, array.ndim, "channel_axis", name), 0)
    if moved.ndim < 2:
        raise InputError(
            f"{name} has shape {_text(array.shape)}, which leaves no spatial axis beside "
            f"channel_axis={channel_axis}; pass channel_axis=None for an image without channels"
        )
    if shape is not None and moved.shape[1:] != shape:
        raise InputError(
            f"{name} of shape {_text(array.shape)} covers {_text(moved.shape[1:])} pixels with "
            f"channel_axis={channel_axis}, but {_text(shape)} are expected{_channel_hint(array, shape, channel_axis)}"
        )
    return _finite(moved, np.uint8 if keep_bytes and array.dtype == np.uint8 else np.float32, name)


def as_labels(
    labels: ArrayLike,
    shape: tuple[int, ...] | None,
    n_labels: int,
    ignore_label: int | None = None,
    *,
    name: str = "labels",
) -> np.ndarray:
    """Labels 0 to L - 1 as int32 in C order, of the given shape (any if None); `ignore_label` passes unchanged."""
    array = _read(labels, name)
    if array.dtype.kind == "f":
        raise InputTypeError(f"{name} must hold integers, got dtype {array.dtype}; convert with .astype(int)")
    if shape is not None:
        _of_shape(array, shape, name)
    elif array.ndim == 0:
        raise InputError(f"{name} must have at least 1 axis, got a single number")
    _not_empty(array, name)
    if array.min() < 0 or array.max() >= n_labels:
        wrong = (array < 0) | (array >= n_labels)
        if ignore_label is not None:
            wrong &= array != _int32(ignore_label, "ignore_label")
        if wrong.any():
            where = _index(int(wrong.argmax()), array.shape)
            also = "" if ignore_label is None else f" or ignore_label={ignore_label}"
            raise InputError(
                f"{name} must be 0 to {n_labels - 1}{also}, got {array[where]} at pixel {_text(where)} "
                f"({int(wrong.sum())} pixels out of range)"
            )
    return np.require(array, np.int32, ["C", "A"])


# --- numbers ------------------------------------------------------------------------------------------------------


def as_positive(value: Any, name: str, n: int | None) -> tuple[float, ...]:
    """`n` positive finite numbers; a single one stands for all. Any count of at least 1 if `n` is None."""
    array = np.atleast_1d(_read(value, name, booleans=False)).astype(np.float64)
    if array.ndim > 1 or array.size == 0:
        raise InputError(f"{name} must be a number or a sequence of numbers, got shape {_text(array.shape)}")
    if not (np.isfinite(array).all() and (array > 0).all()):
        raise InputError(f"{name} must be positive and finite, got {value!r}")
    if n is not None and array.size not in (1, n):
        raise InputError(f"{name} must be 1 or {n} numbers, got {array.size}: {value!r}")
    numbers = tuple(array.tolist())
    return numbers * n if n is not None and len(numbers) == 1 else numbers


def as_scale(value: Any, name: str, n: int | None) -> tuple[float, ...]:
    """Sigmas or spacings: as :func:`as_positive`, and of a size that float32 can divide by."""
    numbers = as_positive(value, name, n)
    if min(numbers) < _SMALLEST or max(numbers) > _LARGEST:
        raise InputError(f"{name} must be between {_SMALLEST:g} and {_LARGEST:g}, got {value!r}")
    return numbers


def as_weight(value: Any, name: str) -> float:
    """A finite number of either sign."""
    array = _read(value, name, booleans=False)
    if array.ndim > 0:
        raise InputTypeError(f"{name} must be a single number, got shape {_text(array.shape)}")
    number = float(array)
    if not np.isfinite(number):
        raise InputError(f"{name} must be finite, got {value!r}")
    return number


def as_axis(axis: Any, ndim: int, axis_name: str, name: str) -> int:
    """A valid axis of an array of `ndim` axes, counted from the front."""
    return _axis(axis, ndim, axis_name, name) % ndim


def as_count(value: Any, name: str, minimum: int) -> int:
    """A whole number of at least `minimum`."""
    count = _integer(value, name)
    if count < minimum:
        raise InputError(f"{name} must be at least {minimum}, got {count}")
    return count


def as_generator(rng: Any) -> np.random.Generator:
    """What a user gives for random numbers."""
    try:
        return np.random.default_rng(rng)
    except TypeError as failure:
        raise InputTypeError(f"rng must be None, a seed or a NumPy generator, got {rng!r}") from failure
    except ValueError as failure:
        raise InputError(f"rng must be None, a seed of at least 0 or a NumPy generator, got {rng!r}") from failure


def choice(value: T, name: str, options: Sequence[str]) -> T:
    """One of a few words."""
    if not isinstance(value, str) or value not in options:
        raise InputError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")
    return value


def check_memory(nbytes: float, what: str) -> None:
    """Raise BudgetError if `what` would need more than the memory that is free."""
    available = _available_memory()
    if available is not None and nbytes > available:
        raise BudgetError(
            f"{what} would need {nbytes / 2**30:.1f} GiB, but {available / 2**30:.1f} GiB are free on this machine"
        )


# --- pieces -------------------------------------------------------------------------------------------------------


def _read(value: Any, name: str, *, booleans: bool = True) -> np.ndarray:
    """`value` as an array of real numbers; an array is not copied."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise InputError(f"{name} has masked entries; fill them first, for example with .filled(value)")
    try:
        array = np.asarray(value)
    except ValueError as failure:
        raise InputError(f"{name} cannot be read as an array: {failure}") from failure
    except (TypeError, RuntimeError) as failure:
        raise InputTypeError(f"{name} cannot be read as an array: {failure}") from failure
    if array.dtype.kind not in ("biuf" if booleans else "iuf"):
        raise InputTypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    return array


def _finite(array: np.ndarray, dtype: DTypeLike, name: str, hint: str = "") -> np.ndarray:
    """`array` as aligned, native, C-contiguous `dtype`; every number finite."""
    if array.size > _LARGE and not (array.dtype == dtype and array.flags.c_contiguous):
        check_memory(
            array.size * np.dtype(dtype).itemsize, f"{name} of shape {_text(array.shape)} in {np.dtype(dtype)}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        converted = np.require(array, dtype, ["C", "A"])
        total = converted.sum()  # one pass without a temporary; finite only if all numbers are
    if not np.isfinite(total):
        wrong = ~np.isfinite(converted)
        if wrong.any():
            where = _index(int(wrong.argmax()), array.shape)
            more = f"; {hint}" if hint else ""
            raise InputError(
                f"{name} must be finite in {np.dtype(dtype)}, got {array[where]} at index {_text(where)} "
                f"({int(wrong.sum())} such values){more}"
            )
    return converted


def _own_precision(array: np.ndarray, name: str) -> np.ndarray:
    """`array` in C order as int32, float32 or float64, whichever keeps its values."""
    if array.dtype.kind == "f":
        return np.require(array, np.float32 if array.dtype.itemsize <= 4 else np.float64, ["C", "A"])
    if array.size and (array.min() < _INT32.min or array.max() > _INT32.max):
        if array.min() < -(2**53) or array.max() > 2**53:
            raise InputError(f"{name} must be integers of at most 2**53 in size, got {array.min()} to {array.max()}")
        return np.require(array, np.float64, ["C", "A"])
    return np.require(array, np.int32, ["C", "A"])


def _labels_first(array: np.ndarray, label_axis: int, name: str) -> np.ndarray:
    if array.ndim < 2:
        raise InputError(f"{name} must have a label axis and at least 1 spatial axis, got shape {_text(array.shape)}")
    moved = np.moveaxis(array, _axis(label_axis, array.ndim, "label_axis", name), 0)
    if moved.shape[0] < 2:
        raise InputError(
            f"{name} must have at least 2 labels along label_axis={label_axis}, got shape {_text(array.shape)}; "
            "for one foreground channel see unary_from_sigmoid"
        )
    return _not_empty(moved, name)


def _not_empty(array: np.ndarray, name: str) -> np.ndarray:
    if array.size == 0:
        raise InputError(f"{name} must not be empty, got shape {_text(array.shape)}")
    return array


def _of_shape(array: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    if array.shape != shape:
        raise InputError(f"{name} must have shape {_text(shape)}, got {_text(array.shape)}")
    return array


def _axis(axis: Any, ndim: int, axis_name: str, name: str) -> int:
    number = _integer(axis, axis_name)
    if not -ndim <= number < ndim:
        raise InputError(f"{axis_name} must be {-ndim} to {ndim - 1} for {name} with {ndim} axes, got {number}")
    return number


def _channel_hint(array: np.ndarray, shape: tuple[int, ...], channel_axis: int | None) -> str:
    """What to pass instead, if another channel axis would make the shapes fit."""
    if channel_axis is not None and array.shape == shape:
        return "; pass channel_axis=None for an image without channels"
    for axis in (-1, 0):
        if array.ndim == len(shape) + 1 and tuple(np.delete(array.shape, axis)) == shape:
            return f"; pass channel_axis={axis}"
    return ""


def _integer(value: Any, name: str) -> int:
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise InputTypeError(f"{name} must be a whole number, got {value!r}") from None


def _int32(value: Any, name: str) -> int:
    number = _integer(value, name)
    if not _INT32.min <= number <= _INT32.max:
        raise InputError(f"{name} must fit into 32 bits, got {number}")
    return number


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(flat, shape))


def _text(shape: Sequence[Any]) -> str:
    """A shape or an index as Python writes a tuple, whatever its entries are."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _available_memory() -> int | None:
    """Bytes that this process may still take, as far as the system tells."""
    limits = []
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                limits.append(int(line.split()[1]) * 1024)
    except OSError:
        if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError, ValueError):  # a container's own limit, which may be "max"
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return min(limits, default=None)
