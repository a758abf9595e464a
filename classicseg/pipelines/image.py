"""What pipelines find out about an image by themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError

_MOST_VALUES = 1_000_000  # of an image, to estimate its range from: more would take longer and say the same
_STEPS = 255  # from the smallest to the largest value of 8 bits


def find_channel_axis(image: ArrayLike, spatial: tuple[int, ...], other: str) -> int | None:
    """Where the channels of an image are, if `other` covers the given spatial shape."""
    shape = np.shape(image)
    for axis, rest in ((None, shape), (-1, shape[:-1]), (0, shape[1:])):
        if rest == spatial:
            return axis
    raise InputError(
        f"image of shape {shape} does not fit {other} of {' x '.join(map(str, spatial))} pixels; "
        f"expected {spatial} or {(*spatial, 'C')}"
    )


def eight_bit_unit(image: ArrayLike) -> float:
    """What a step of an 8-bit image would be in the units of this one."""
    array = np.asarray(image)
    if array.dtype == np.uint8:
        return 1.0
    if array.dtype == np.bool_:
        return 1 / _STEPS
    values = inputs.as_numbers(array, "image").reshape(-1)
    if array.dtype.kind == "f" and values.min() >= 0 and values.max() <= 1:
        return 1 / _STEPS
    low, high = np.percentile(values[:: max(1, values.size // _MOST_VALUES)], (0.5, 99.5))
    if high <= low:
        low, high = values.min(), values.max()
    return float(high - low) / _STEPS if high > low else 1.0
