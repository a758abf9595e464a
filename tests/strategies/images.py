"""Images for tests that hold at every scale, dtype and layout."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

DTYPES = ("u1", "i2", "u2", "i4", "i8", "f2", "f4", "f8", ">i2", ">f4")
"""All hold the whole numbers 0 to 255."""

NO_DATA = (-9999, -32768, -3.4e38, np.finfo(np.float32).min, 1e20, 9.96921e36, np.nan, np.inf, -np.inf)
"""What rasters put where they know nothing."""


def bytes_of(shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    """uint8 images of a shape; any pixel may be any number."""
    return arrays(np.uint8, shape)


def equal_values(image: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """An (H, W, C) image of whole numbers 0 to 255 in every dtype and layout, and where the channels are."""
    for dtype in DTYPES:
        yield image.astype(dtype), -1
    first = np.ascontiguousarray(np.moveaxis(image, -1, 0))
    yield first, 0
    yield np.asfortranarray(image), -1
    yield np.repeat(image, 2, axis=1)[:, ::2], -1
    yield image[::-1].copy()[::-1], -1
