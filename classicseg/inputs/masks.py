"""Masks: which pixels take part, and what stands in the place of the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg.errors import InputError
from classicseg.inputs.axes import as_axis
from classicseg.inputs.reading import index_of, not_empty, of_shape, read, text

OUTSIDE = -1
"""Label of pixels that take no part, where nobody says otherwise."""

_WHITE = 255  # what pictures write for True


def as_mask(mask: ArrayLike, shape: tuple[int, ...], *, name: str = "mask") -> np.ndarray | None:
    """Where pixels take part, as booleans in C order; None if all do. 0 and 1, or 0 and 255, are booleans as well."""
    array = not_empty(of_shape(read(mask, name), shape, name), name)
    inside = np.ascontiguousarray(array != 0)
    if array.dtype != np.bool_:
        wrong = inside & (array != (_WHITE if array.max() == _WHITE else 1))
        if wrong.any():
            where = index_of(int(wrong.argmax()), shape)
            raise InputError(
                f"{name} must hold booleans, or 0 and 1, or 0 and {_WHITE}, got {array[where]} at pixel {text(where)}"
            )
    if not inside.any():
        raise InputError(f"{name} is False everywhere: no pixel takes part")
    return None if inside.all() else inside


def without_outside(
    values: ArrayLike, mask: ArrayLike | None, label_axis: int, *, name: str
) -> tuple[ArrayLike, np.ndarray | None]:
    """Values of each label, 0 outside of a mask, and the mask as :func:`as_mask` reads it.

    Values on a smaller grid than the mask are left as they are: those around a pixel inside may lie outside. Whether
    the mask has the shape of the image is for those to tell who know that.
    """
    if mask is None:
        return values, None
    array = read(values, name)
    if array.ndim < 2:
        return array, None  # whoever reads them next says what is wrong
    axis = as_axis(label_axis, array.ndim, "label_axis", name)
    grid, spatial = (*array.shape[:axis], *array.shape[axis + 1 :]), read(mask, "mask").shape
    if len(grid) == len(spatial) and grid != spatial and all(m <= n for m, n in zip(grid, spatial, strict=True)):
        checked = as_mask(mask, spatial)
        return array, np.ones(spatial, bool) if checked is None else checked
    inside = as_mask(mask, grid)
    if inside is None:
        return array, None
    return np.where(np.expand_dims(inside, axis), array, array.dtype.type(0)), inside


def probabilities_inside(
    probabilities: ArrayLike, mask: ArrayLike | None, label_axis: int = 0, *, name: str = "probabilities"
) -> tuple[ArrayLike, np.ndarray | None]:
    """As :func:`without_outside`; outside, the first label has all the probability."""
    filled, inside = without_outside(probabilities, mask, label_axis, name=name)
    if inside is not None:
        first = np.moveaxis(np.asarray(filled), label_axis, 0)[0]
        if first.shape == inside.shape:
            first[~inside] = 1
    return filled, inside


def image_inside(image: ArrayLike, mask: ArrayLike | None, channel_axis: Any, *, name: str = "image") -> ArrayLike:
    """An image with the colour of the first pixel inside at all pixels outside, so that these do not matter."""
    if mask is None:
        return image
    array = read(image, name)
    axis = None if channel_axis is None else as_axis(channel_axis, array.ndim, "channel_axis", name)
    inside = as_mask(mask, array.shape if axis is None else (*array.shape[:axis], *array.shape[axis + 1 :]))
    if inside is None:
        return array
    channels = array[np.newaxis] if axis is None else np.moveaxis(array, axis, 0)
    where: tuple[Any, ...] = (slice(None), *index_of(int(inside.argmax()), inside.shape))
    color = channels[where].reshape(-1, *[1] * inside.ndim)
    filled = np.where(inside, channels, color)
    return filled[0] if axis is None else np.moveaxis(filled, 0, axis)


def values_inside(values: ArrayLike, mask: np.ndarray, name: str) -> np.ndarray:
    """The part (C, n) of values (C, *spatial) that lies inside of a mask."""
    array = read(values, name)
    if array.shape[1:] != mask.shape:
        raise InputError(f"{name} must have shape {text(('C', *mask.shape))}, got {text(array.shape)}")
    return array[:, mask]
