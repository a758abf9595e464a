"""Whether numbers that belong together seem to be in the same unit."""

from __future__ import annotations

import warnings
from collections.abc import Sequence


def warn_of_color_unit(spans: Sequence[float], sigmas: Sequence[float], stacklevel: int) -> None:
    """Say that a colour sigma seems to be in another unit than the image, whose channels span less than half of it.

    Nothing is said of images of one colour, whose unit nobody can see.
    """
    pairs = list(zip(spans, sigmas, strict=True))
    if not any(span > 0 for span in spans) or any(2 * span >= sigma for span, sigma in pairs):
        return
    span, sigma = max(pairs)
    warnings.warn(
        f"the colours of image span {span:.3g}, less than half of color_sigma={sigma:.3g}: all count as alike, and "
        "labels of few pixels vanish. color_sigma is in the units of the image: 13 for values from 0 to 255 is 0.051 "
        "for values from 0 to 1",
        stacklevel=stacklevel + 1,
    )
