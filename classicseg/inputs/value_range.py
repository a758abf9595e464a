"""The range of an image's values, for units that follow the image where the user gives none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from classicseg.errors import InputError

_MOST_PIXELS = 1 << 14  # that are looked at: more would take longer and say the same
_TRIMMED = 1000  # one value in so many is left out at either end: a few hot or dead pixels say nothing of the rest
_LEAST = 1e-3  # of the distance from the smallest to the largest value: the range is 0 for constant images only
_NO_DATA = (-999.0, -9999.0, -99999.0, -32767.0, -32768.0, -2147483647.0, -2147483648.0)  # as rasters mark it
_FAR = 1000.0  # ranges of an image: a colour so far from all others is like none of them, wherever it lies
_STEPS = 255  # from the smallest to the largest value of 8 bits
_FEW_STEPS = 16  # fractions that span less are rather of 0 to 1, or a little above
_FILL = 1e20, 1e15  # values from the first on mark it too (1e20, 9.97e36, -3.4e38), if all others are below the second


def value_range(image: np.ndarray, channel_axis: int | None) -> tuple[float, float]:
    """Smallest and largest value of an image but for a few in a thousand.

    It depends on the values alone, not on their dtype nor on where the channels are, and changes as little as they do:
    it moves with order statistics of the pixels. Values that are not finite or by custom mean "no data" do not count.

    Parameters
    ----------
    image : ndarray, (*spatial, C) or spatial
        Any real dtype; not empty.
    channel_axis : int or None
        Where the channels are; all of them share one range.

    Returns
    -------
    low, high : float
        Equal for a constant image, and 0 and 0 where no value counts.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.inputs.value_range import value_range
    >>> image = np.arange(12.0).reshape(3, 4)
    >>> image[0, 0] = -9999
    >>> value_range(image, None)
    (2.0, 10.0)
    """
    channels = image[np.newaxis] if channel_axis is None else np.moveaxis(image, channel_axis, 0)
    return range_of_sample(_sample(channels), len(channels), channels.dtype)


def range_of_sample(values: np.ndarray, n_channels: int, dtype: np.dtype[Any]) -> tuple[float, float]:
    """The range of an image of a `dtype` by all `values`, float64, of one in :func:`sample_step` pixels."""
    if dtype.kind not in "ub":  # which hold none of them
        values = values[np.isfinite(values)]
        values = values[~(_is_fill(values) | np.isin(values, _NO_DATA))]
    return _trimmed(values, n_channels) if values.size > 0 else (0.0, 0.0)


def sample_step(n: int) -> int:
    """One in how many of `n` pixels is looked at."""
    step = -(-n // _MOST_PIXELS)
    while step > 1 and math.gcd(step, n) > 1:  # or it would see some columns and no others
        step += 1
    return step


def as_bytes(image: np.ndarray, channel_axis: int | None, *, name: str = "image") -> np.ndarray:
    """An image in the steps of 8 bits that networks have learned to see, uint8.

    Values that are such steps already stay: those of uint8, and any from 0 to 255 that are whole or span more than a
    few of them. The range of all others, as :func:`value_range` has it, becomes 0 to 255.
    """
    if image.dtype == np.uint8:
        return image
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(image))[0])
        raise InputError(f"{name} must be finite, got {image[where]} at index {where}; a network needs a number there")
    low, high = float(image.min()), float(image.max())
    if low >= 0 and high <= _STEPS and (high - low >= _FEW_STEPS or bool((np.floor(image) == image).all())):
        return np.rint(image).astype(np.uint8)
    low, high = value_range(image, channel_axis)
    scaled = (image.astype(np.float64) - low) * (_STEPS / (high - low) if high > low else 0.0)
    return np.rint(scaled.clip(0, _STEPS)).astype(np.uint8)


def without_far_values(channels: np.ndarray, low: float, high: float) -> np.ndarray:
    """An image of this range with values that are out of all proportion, such as -3.4e38 for no data, drawn in.

    They still are like no other colour, and arithmetic in float32 and a lattice can hold them.
    """
    return channels if is_near(channels, low, high) else drawn_in(channels, low, high)


def drawn_in(channels: np.ndarray, low: float, high: float) -> np.ndarray:
    """The same of a part of an image that has such values, here or elsewhere."""
    reach = _FAR * (high - low)
    return channels.clip(low - reach, high + reach)


def is_near(values: np.ndarray, low: float, high: float) -> bool:
    """Whether no value is out of all proportion to a range."""
    reach = _FAR * (high - low)
    return bool(high == low or (low - reach <= values.min() and values.max() <= high + reach))


def _sample(channels: np.ndarray) -> np.ndarray:
    """Values of pixels all over the image, each with all its channels, as float64; of (C, *spatial)."""
    n = math.prod(channels.shape[1:])
    step = sample_step(n)
    if step == 1:
        return channels.reshape(-1).astype(np.float64)
    if channels.flags.c_contiguous:
        return channels.reshape(len(channels), n)[:, ::step].reshape(-1).astype(np.float64)
    where: tuple[Any, ...] = np.unravel_index(np.arange(0, n, step), channels.shape[1:])
    sample: np.ndarray = channels[(slice(None), *where)]
    return sample.reshape(-1).astype(np.float64)


def _is_fill(values: np.ndarray) -> np.ndarray:
    """Which values are too large to be any, beside the others."""
    size = np.abs(values)
    large: np.ndarray = size >= _FILL[0]
    return large if size.max(where=~large, initial=-1.0) < _FILL[1] and not large.all() else np.zeros_like(large)


def _trimmed(values: np.ndarray, n_channels: int) -> tuple[float, float]:
    """The range without the outermost values; not less than a share of the whole."""
    n = values.size
    left_out = min(n_channels * -(-n // (n_channels * _TRIMMED)), n // 8)
    ordered = np.partition(values, (left_out, n - 1 - left_out))
    low, high = float(ordered[left_out]), float(ordered[n - 1 - left_out])
    missing = _LEAST * (float(values.max()) - float(values.min())) - (high - low)
    return (low - missing / 2, high + missing / 2) if missing > 0 else (low, high)
