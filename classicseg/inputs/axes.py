"""Which axis of an array holds what."""

from __future__ import annotations

from typing import Any

import numpy as np

from classicseg.errors import InputError, InputTypeError
from classicseg.inputs.numbers import as_integer
from classicseg.inputs.reading import not_empty, text

_MOST_CHANNELS = 4
"""Up to so many entries along the last of three axes are taken for channels; a volume is hardly as thin."""


def as_axis(axis: Any, ndim: int, axis_name: str, name: str) -> int:
    """A valid axis of an array of `ndim` axes, counted from the front."""
    return signed_axis(axis, ndim, axis_name, name) % ndim


def channel_axis_of(shape: tuple[int, ...], channel_axis: Any) -> int | None:
    """The channel axis of an image of this shape.

    "auto" takes the last axis of an image of four axes, or of three if it has length 1 to 4; otherwise there is none.
    """
    if channel_axis is None:
        return None
    if isinstance(channel_axis, str):
        if channel_axis != "auto":
            raise InputError(f'channel_axis must be an axis, None or "auto", got {channel_axis!r}')
        return len(shape) - 1 if len(shape) == 4 or (len(shape) == 3 and shape[-1] <= _MOST_CHANNELS) else None
    return as_axis(channel_axis, len(shape), "channel_axis", "image")


def signed_axis(axis: Any, ndim: int, axis_name: str, name: str) -> int:
    """A valid axis of an array of `ndim` axes, as it was given."""
    number = as_integer(axis, axis_name)
    if not -ndim <= number < ndim:
        raise InputError(f"{axis_name} must be {-ndim} to {ndim - 1} for {name} with {ndim} axes, got {number}")
    return number


def as_region(region: Any, shape: tuple[int, ...], *, name: str = "region") -> tuple[slice, ...]:
    """Slices of a part of a grid, one for each axis, with starts and stops within it; not empty, and of step 1."""
    sides = region if isinstance(region, tuple) else (region,)
    if not all(isinstance(side, slice) for side in sides):
        raise InputTypeError(f"{name} must be slices such as np.s_[10:18, 20:60], got {region!r}")
    if len(sides) != len(shape):
        raise InputError(f"{name} must have {len(shape)} slices, one for each axis of {text(shape)}, got {len(sides)}")
    found = []
    for side, length in zip(sides, shape, strict=True):
        step = 1 if side.step is None else as_integer(side.step, name)
        ends = [None if end is None else as_integer(end, name) for end in (side.start, side.stop)]
        start, stop, _ = slice(*ends).indices(length)
        outside = any(end is not None and not -length <= end <= length for end in ends)
        if outside or step != 1 or stop <= start:
            raise InputError(f"{name} must be a part of {text(shape)} in steps of 1 that is not empty, got {region!r}")
        found.append(slice(start, stop))
    return tuple(found)


def labels_first(array: np.ndarray, label_axis: int, name: str) -> np.ndarray:
    """`array` with its label axis in front; at least 2 labels and 1 spatial axis."""
    if array.ndim < 2:
        raise InputError(f"{name} must have a label axis and at least 1 spatial axis, got shape {text(array.shape)}")
    moved = np.moveaxis(array, signed_axis(label_axis, array.ndim, "label_axis", name), 0)
    if moved.shape[0] < 2:
        raise InputError(
            f"{name} must have at least 2 labels along label_axis={label_axis}, got shape {text(array.shape)}; "
            "for one foreground channel see unary_from_sigmoid"
        )
    return not_empty(moved, name)


def channel_hint(array: np.ndarray, shape: tuple[int, ...], channel_axis: int | None) -> str:
    """What to pass instead, if another channel axis would make the shapes fit."""
    if channel_axis is not None and array.shape == shape:
        return "; pass channel_axis=None for an image without channels"
    for axis in (-1, 0):
        if array.ndim == len(shape) + 1 and tuple(np.delete(array.shape, axis)) == shape:
            return f"; pass channel_axis={axis}"
    return ""
