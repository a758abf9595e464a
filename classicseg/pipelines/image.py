"""What pipelines find out about an image by themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError

_MOST_CHANNELS = 4  # a last axis of so many entries is rather that of channels than of pixels
_STEPS = 255  # from the smallest to the largest value of 8 bits


def find_channel_axis(image: ArrayLike, spatial: tuple[int, ...], other: str) -> int | None:
    """Where the channels of an image are, if `other` covers the given spatial shape."""
    shape = inputs.read(image, "image").shape
    for axis, rest in ((None, shape), (-1, shape[:-1]), (0, shape[1:])):
        if rest == spatial:
            if axis == 0 and shape[-1] <= _MOST_CHANNELS < shape[0]:
                raise InputError(
                    f"image of shape {shape} fits {other} of {' x '.join(map(str, spatial))} pixels only with "
                    f"{shape[0]} channels in front; pass channel_axis=0 if it has them, else give {other} of "
                    f"{' x '.join(map(str, shape[:-1]))} pixels"
                )
            return axis
    reverse = spatial[::-1]
    hint = ""
    if reverse in (shape, shape[:-1]):
        hint = "; the axes of one are those of the other in reverse, see np.transpose"
    raise InputError(
        f"image of shape {shape} does not fit {other} of {' x '.join(map(str, spatial))} pixels; "
        f"expected {spatial} or {(*spatial, 'C')}{hint}"
    )


def box_around(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds all pixels of a mask."""
    axes = range(mask.ndim)
    ends = [np.flatnonzero(mask.any(axis=tuple(other for other in axes if other != axis))) for axis in axes]
    return tuple(slice(int(where[0]), int(where[-1]) + 1) for where in ends)


def filled_from_nearest(image: np.ndarray, mask: np.ndarray, channel_axis: int | None) -> np.ndarray:
    """An image with the values of the nearest pixel inside of a mask at all pixels outside."""
    from scipy.ndimage import distance_transform_edt

    nearest = tuple(distance_transform_edt(~mask, return_distances=False, return_indices=True))
    if channel_axis is None:
        return image[nearest]
    return np.moveaxis(np.moveaxis(image, channel_axis, -1)[nearest], -1, channel_axis)


def eight_bit_unit(low: float, high: float) -> float:
    """What a step of an 8-bit image would be in an image of this range: a 255th of it; 1 if it is constant."""
    return (high - low) / _STEPS if high > low else 1.0
