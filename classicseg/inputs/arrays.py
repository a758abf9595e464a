"""Arrays: costs, logits, probabilities, labels, images, features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from classicseg.errors import InputError, InputTypeError
from classicseg.inputs.axes import channel_hint, labels_first, signed_axis
from classicseg.inputs.numbers import as_int32
from classicseg.inputs.reading import (
    finite,
    index_of,
    not_empty,
    of_shape,
    read,
    refuse_all_forbidden,
    summable,
    summable_or_infinite,
    text,
)

_FAR_OFF = 1024.0  # ranges from 0: float32 still has 16,000 steps for a range there
_INT32 = np.iinfo(np.int32)
DEAREST = 1e100
"""Largest size of a finite cost or weight of a grid: sums of their products stay finite."""


def as_unary(unary: ArrayLike, label_axis: int = 0, *, name: str = "unary") -> np.ndarray:
    """Costs as (L, *spatial) float32 in C order, L >= 2, of at most 1e30 in size; +inf forbids a label.

    Some label of each pixel must be allowed.
    """
    return as_unary_and_forbidden(unary, label_axis, name=name)[0]


def as_unary_and_forbidden(unary: ArrayLike, label_axis: int = 0, *, name: str = "unary") -> tuple[np.ndarray, bool]:
    """The same, and whether any label is forbidden."""
    array = labels_first(read(unary, name, booleans=False), label_axis, name)
    return summable_or_infinite(array, name, np.inf)


def as_costs(costs: ArrayLike, label_axis: int = 0, *, name: str = "unary") -> np.ndarray:
    """Costs as (L, *spatial) in C order, L >= 2, of at most 1e100; +inf forbids a label, but not all of a pixel.

    Integers become int32 (float64 where they do not fit), float64 stays, narrower floats become float32.
    """
    array = _own_precision(labels_first(read(costs, name, booleans=False), label_axis, name), name)
    least, most = float(array.min()), float(array.max())
    forbids = most == np.inf
    if forbids:
        most = float(array.max(where=array < np.inf, initial=-np.inf))
    if not (least >= -DEAREST and most <= DEAREST):
        wrong = np.isnan(array) | (np.abs(array) > np.float64(DEAREST)) & (array != np.inf)
        where = index_of(int(wrong.argmax()), array.shape)
        raise InputError(
            f"{name} must be numbers of at most {DEAREST:g} in size, or +inf, got {array[where]} at index {text(where)}"
        )
    if forbids:
        refuse_all_forbidden(array, name)
    return array


def as_edge_weights(weights: ArrayLike, shape: tuple[int, ...], name: str, hint: str = "") -> np.ndarray:
    """Numbers of at least 0, infinity among them, of the given shape, in C order and in their own precision.

    A `hint` is given to those who have others.
    """
    array = _own_precision(of_shape(read(weights, name, booleans=False), shape, name), name)
    if array.size:
        if np.isnan(array.min()):
            where = index_of(int(np.isnan(array).argmax()), array.shape)
            raise InputError(f"{name} must be numbers of at least 0, got nan at index {text(where)}")
        if array.min() < 0:
            where = index_of(int(array.argmin()), array.shape)
            raise InputError(f"{name} must be at least 0, got {array[where]:g} at index {text(where)}{hint}")
        if float(array.max()) > DEAREST:
            wrong = (array > np.float64(DEAREST)) & (array < np.inf)
            if wrong.any():
                where = index_of(int(wrong.argmax()), array.shape)
                most = f"at most {DEAREST:g}, or infinite"
                raise InputError(f"{name} must be {most}, got {array[where]:g} at index {text(where)}")
    return array


def as_logits(logits: ArrayLike, label_axis: int = 0, *, name: str = "logits") -> np.ndarray:
    """Scores as (L, *spatial) float32 in C order, L >= 2, of at most 1e30 in size; -inf forbids a label.

    Some label of each pixel must be allowed.
    """
    array = labels_first(read(logits, name, booleans=False), label_axis, name)
    return summable_or_infinite(array, name, -np.inf)[0]


def as_values(
    values: ArrayLike, shape: tuple[int, ...], name: str = "values", *, n_channels: int | None = None
) -> np.ndarray:
    """Channels of numbers of at most 1e30 on points of the given shape: (C, *shape) float32 in C order, C >= 1."""
    array = read(values, name)
    if array.shape[1:] != shape or array.ndim == 0 or n_channels not in (None, array.shape[0]):
        wanted = ("C" if n_channels is None else n_channels, *shape)
        raise InputError(f"{name} must have shape {text(wanted)}, got {text(array.shape)}")
    return summable(not_empty(array, name), name)


def as_numbers(
    values: ArrayLike, name: str, axes: Sequence[int] | None = None, dtype: DTypeLike = np.float32
) -> np.ndarray:
    """Any finite numbers as `dtype` in C order, with one of the given counts of axes (any if None)."""
    array = read(values, name)
    if axes is not None and array.ndim not in axes:
        raise InputError(f"{name} must have {' or '.join(map(str, axes))} axes, got shape {text(array.shape)}")
    return finite(not_empty(array, name), dtype, name)


def as_features(features: ArrayLike, shape: tuple[int, ...] | None = None, *, name: str = "features") -> np.ndarray:
    """Features as finite (F, *spatial) in C order, with F >= 1; float32 stays, wider dtypes become float64."""
    array = read(features, name)
    if array.ndim < 2:
        raise InputError(f"{name} must have shape (F, *spatial) with at least 2 axes, got {text(array.shape)}")
    if shape is not None and array.shape[1:] != shape:
        raise InputError(f"{name} must have shape {text(('F', *shape))}, got {text(array.shape)}")
    narrow = np.can_cast(array.dtype, np.float32, "safe")
    return finite(not_empty(array, name), np.float32 if narrow else np.float64, name)


def as_image(
    image: ArrayLike,
    shape: tuple[int, ...] | None,
    channel_axis: int | None,
    *,
    name: str = "image",
    keep_bytes: bool = False,
) -> np.ndarray:
    """An image as finite (C, *spatial) float32 in C order; values are not rescaled. `shape`, if given, must fit.

    Where float32 would round what tells the values of a channel apart, far from 0, it is float64. With `keep_bytes` an
    image of 8 bits stays one.
    """
    array = not_empty(read(image, name), name)
    if channel_axis is None:
        moved = array[np.newaxis]
    else:
        moved = np.moveaxis(array, signed_axis(channel_axis, array.ndim, "channel_axis", name), 0)
    if moved.ndim < 2:
        raise InputError(
            f"{name} has shape {text(array.shape)}, which leaves no spatial axis beside "
            f"channel_axis={channel_axis}; pass channel_axis=None for an image without channels"
        )
    if shape is not None and moved.shape[1:] != shape:
        raise InputError(
            f"{name} of shape {text(array.shape)} covers {text(moved.shape[1:])} pixels with "
            f"channel_axis={channel_axis}, but {text(shape)} are expected{channel_hint(array, shape, channel_axis)}"
        )
    if keep_bytes and array.dtype == np.uint8:
        return finite(moved, np.uint8, name)
    single = finite(moved, np.float32, name, "a mask leaves out pixels that hold nothing")
    return finite(moved, np.float64, name) if _loses_contrast(moved) else single


def as_labels(
    labels: ArrayLike,
    shape: tuple[int, ...] | None,
    n_labels: int,
    ignore_label: int | None = None,
    *,
    name: str = "labels",
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Labels 0 to L - 1 as int32 in C order, of the given shape (any if None); `ignore_label` passes unchanged.

    Outside of a mask, which goes with a shape, any label is legal and becomes 0.
    """
    ignored = None if ignore_label is None else as_int32(ignore_label, "ignore_label")
    array = read(labels, name)
    if array.dtype.kind == "f":
        raise InputTypeError(f"{name} must hold integers, got dtype {array.dtype}; convert with .astype(int)")
    if shape is not None:
        of_shape(array, shape, name)
    elif array.ndim == 0:
        raise InputError(f"{name} must have at least 1 axis, got a single number")
    not_empty(array, name)
    if mask is not None:
        array = np.where(mask, array, array.dtype.type(0))
    n_labels = min(n_labels, _INT32.max + 1)
    if array.min() < 0 or array.max() >= n_labels:
        wrong = (array < 0) | (array >= n_labels)
        if ignored is not None:
            wrong &= array != ignored
        if wrong.any():
            where = index_of(int(wrong.argmax()), array.shape)
            also = "" if ignored is None else f" or ignore_label={ignored}"
            raise InputError(
                f"{name} must be 0 to {n_labels - 1}{also}, got {array[where]} at pixel {text(where)} "
                f"({int(wrong.sum())} pixels out of range)"
            )
    return np.require(array, np.int32, ["C", "A"])


def _loses_contrast(channels: np.ndarray) -> bool:
    """Whether values of a channel of (C, *spatial) lie so close, far from 0, that float32 has few steps for them."""
    if np.can_cast(channels.dtype, np.float32, "safe"):
        return False
    spatial = tuple(range(1, channels.ndim))
    low, high = (limit.astype(np.float64) for limit in (channels.min(axis=spatial), channels.max(axis=spatial)))
    return bool(np.any((high > low) & (np.maximum(np.abs(low), np.abs(high)) > _FAR_OFF * (high - low))))


def _own_precision(array: np.ndarray, name: str) -> np.ndarray:
    """`array` in C order as int32, float32 or float64, whichever keeps its values."""
    if array.dtype.kind == "f":
        return np.require(array, np.float32 if array.dtype.itemsize <= 4 else np.float64, ["C", "A"])
    if array.size and (array.min() < _INT32.min or array.max() > _INT32.max):
        if array.min() < -(2**53) or array.max() > 2**53:
            raise InputError(f"{name} must be integers of at most 2**53 in size, got {array.min()} to {array.max()}")
        return np.require(array, np.float64, ["C", "A"])
    return np.require(array, np.int32, ["C", "A"])
