"""The gate of this room: images of any real dtype, with or without channels and mask, as (D, H, W, C) arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.machine.memory import writable_alias

_SOME = 4096
"""Pixels that tell where all lie; more would say the same."""
_FAR = 1024
"""Spreads from 0 where float32 still tells a 16,000th of the spread apart. Those of 8 bits always lie nearer."""


@dataclass(frozen=True, eq=False)
class Picture:
    """An image as the kernels of regions take it."""

    values: np.ndarray
    """(D, H, W, C) in C order, uint8, float32 or float64, finite, not to be written to; D is 1 without a third axis."""
    mask: np.ndarray | None
    """(D, H, W) bool: where there is something to segment. None: everywhere."""
    shape: tuple[int, ...]
    """(H, W) or (D, H, W)."""
    sample: np.ndarray | None = None
    """`some_pixels` of the image that this is a window of, if it is one."""

    @property
    def volume(self) -> bool:
        """Whether there are three spatial axes."""
        return len(self.shape) == 3

    @cached_property
    def pixels(self) -> np.ndarray:
        """Values (n, C) of the pixels of the mask."""
        return self.values.reshape(-1, self.values.shape[3]) if self.mask is None else self.values[self.mask]

    @cached_property
    def some_pixels(self) -> np.ndarray:
        """Values (n, C) of a few thousand pixels from all over the mask, to find out where they lie."""
        return self.pixels[places_of_some(len(self.pixels))] if self.sample is None else self.sample

    @property
    def origin(self) -> np.ndarray:
        """(C,) float64: 0, or about where the values of a channel lie if they are far from 0 for their spread.

        Differences of means that are rounded to float32 keep their digits if it is subtracted first.
        """
        some = self.some_pixels.astype(np.float64)
        center, spread = np.median(some, axis=0), np.ptp(some, axis=0)
        return np.where((spread > 0) & (np.abs(center) > _FAR * spread), np.floor(center), 0.0)

    @property
    def full_mask(self) -> np.ndarray:
        """The mask, all True if there is none."""
        return np.ones(self.values.shape[:3], bool) if self.mask is None else self.mask


def places_of_some(n: int) -> np.ndarray:
    """Which of `n` pixels tell where all lie, in order."""
    return np.linspace(0, n - 1, min(n, _SOME)).astype(np.intp)


def as_picture(image: ArrayLike, mask: ArrayLike | None, channel_axis: Any) -> Picture:
    """Check an image and its mask. `channel_axis`: see :func:`classicseg.inputs.channel_axis_of`."""
    refuse_masked(image)
    array = inputs.read(image, "image")
    axis, shape = axes_of(array.shape, channel_axis)
    array = array[..., np.newaxis] if axis is None else np.moveaxis(array, axis, -1)
    if math.prod(shape) >= 2**31:
        raise InputError(f"image must have less than 2^31 pixels, got {shape}; segment it in parts")
    inside = None if mask is None else inputs.as_mask(mask, shape)
    if inside is not None and array.dtype != np.uint8:
        array = np.where(inside[..., np.newaxis], array, array.dtype.type(0))
    values = _as_working_type(array)
    if values.dtype.kind == "f":
        values = _finite(values)
    planes = (1, *shape) if len(shape) == 2 else shape
    return Picture(
        writable_alias(np.require(values, None, ["C", "A"])).reshape(*planes, array.shape[-1]),
        None if inside is None else inside.reshape(planes),
        shape,
    )


def refuse_masked(image: Any) -> None:
    """Raise an error if an image has a mask of its own."""
    if isinstance(image, np.ma.MaskedArray):
        raise InputTypeError(
            "image is a masked array; pass image.filled(0), and leave pixels out by mask=~image.mask or by the label 0"
        )


def axes_of(shape: tuple[int, ...], channel_axis: Any) -> tuple[int | None, tuple[int, ...]]:
    """Which axis of an image of this shape is that of its channels, if there is one, and its spatial shape."""
    if math.prod(shape) == 0:
        raise InputError(f"image must not be empty, got shape {shape}")
    axis = inputs.channel_axis_of(shape, channel_axis)
    spatial = shape if axis is None else (*shape[:axis], *shape[axis + 1 :])
    if len(spatial) not in (2, 3):
        raise InputError(f"image must have 2 or 3 spatial axes, got {spatial} with channel_axis={channel_axis}")
    return axis, spatial


def as_connectivity(connectivity: Any, picture: Picture) -> int:
    """Which pixels are neighbours: 1 if they share a side, up to the number of spatial axes."""
    reach = inputs.as_count(connectivity, "connectivity", 1)
    if reach > len(picture.shape):
        raise InputError(f"connectivity must be at most {len(picture.shape)} for this image, got {reach}")
    return reach


def _as_working_type(array: np.ndarray) -> np.ndarray:
    """Values unchanged in the narrowest of uint8, float32 and float64 that holds all of the dtype."""
    for dtype in (np.uint8, np.float32):
        if np.can_cast(array.dtype, dtype, "safe"):
            return array.astype(dtype, copy=False)
    if array.dtype.kind in "iu" and (array.min() < -_EXACT or array.max() > _EXACT):
        raise InputError(f"image must hold whole numbers of at most 2**53, got {array.min()} to {array.max()}")
    return array.astype(np.float64, copy=False)


_EXACT = 2**53
"""Larger whole numbers are rounded in float64."""
_LARGEST = 1e100
"""Of larger values the sum of squares may overflow."""


def _finite(values: np.ndarray) -> np.ndarray:
    """`values`, if all are finite, and none is so large that sums of squares would overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):
            return _moderate(values)
    wrong = ~np.isfinite(values).all(axis=-1)
    if wrong.any():  # or the sum only overflowed
        where = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), wrong.shape))
        every = "; there is no finite value at all" if wrong.all() else ""
        raise InputError(
            f"image must be finite, got {values[where].tolist()} at pixel {where} ({int(wrong.sum())} such pixels"
            f"{every}); leave them out with mask=np.isfinite(image)"
        )
    return _moderate(values)


def _moderate(values: np.ndarray) -> np.ndarray:
    """`values`, if none is so large that sums of squares would overflow."""
    if values.dtype == np.float64:
        largest = max(float(values.max()), -float(values.min()))
        if largest > _LARGEST:
            raise InputError(f"image must hold values of at most {_LARGEST:g} in size, got {largest:g}")
    return values
