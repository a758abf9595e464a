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


@st.composite
def hard_images(draw: st.DrawFn, shape: tuple[int, ...] = (9, 12)) -> tuple[np.ndarray, np.ndarray]:
    """An image that is awkward to compute with, and its plain twin of the same shape: whole numbers 0 to 100, float64.

    The first is the second times a power of two, plus an offset, in a dtype that holds that exactly, laid out in
    memory in some way; sometimes its last pixel is an outlier (in both, by the same rule).
    """
    plain = draw(arrays(np.int64, shape, elements=st.integers(0, 100))).astype(np.float64)
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    scale, offset = draw(st.sampled_from(scales_and_offsets(dtype)))
    if draw(st.booleans()):
        plain.flat[-1] = 100.0 if dtype.itemsize == 1 or dtype == np.float16 else 1000.0
    hard = (plain * scale + offset).astype(dtype)
    np.testing.assert_array_equal(hard.astype(np.float64), plain * scale + offset)
    return draw(st.sampled_from(LAYOUTS))(hard), plain


def scales_and_offsets(dtype: np.dtype) -> list[tuple[float, float]]:
    """By what whole numbers up to 1000 (100 in a byte and in half precision) may be multiplied and moved in a dtype."""
    if dtype.kind == "f":
        digits = np.finfo(dtype).nmant
        small = [(2.0**-6, 0.0), (2.0**4, 0.0)]
        wide = [] if digits < 20 else [(2.0**-60, 0.0), (2.0**60, 0.0)]
        return [(1.0, 0.0), *small, *wide, (1.0, 2.0 ** (digits - (7 if digits < 20 else 10)))]
    info = np.iinfo(dtype)
    far = min(info.max - 1000, 2**42)
    return [(1.0, 0.0)] if info.max < 1000 else [(1.0, 0.0), (2.0, 0.0), (1.0, float(far))]


LAYOUTS = (
    lambda image: image,
    np.asfortranarray,
    lambda image: np.repeat(image, 2, axis=1)[:, ::2],
    lambda image: image[::-1].copy()[::-1],
)
"""Ways to lay an image out in memory."""
