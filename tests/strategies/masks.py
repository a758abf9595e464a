"""Masks, and what may stand outside of them without mattering."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

NOISE = (0.0, 1.0, 0.5, -9999.0, 255.0, 1e30, np.nan, np.inf, -np.inf)
"""Numbers that nobody looks at."""


def masks(shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    """Masks with something inside: scattered pixels, or a box."""
    scattered = arrays(bool, shape, elements=st.booleans())
    boxes = st.tuples(*(st.tuples(st.integers(0, n), st.integers(0, n)) for n in shape)).map(lambda b: box(shape, b))
    return st.one_of(scattered, boxes).filter(np.any)


def box(shape: tuple[int, ...], ends: tuple[tuple[int, int], ...]) -> np.ndarray:
    """True between the ends along each axis."""
    mask = np.zeros(shape, bool)
    mask[tuple(slice(min(two), max(two)) for two in ends)] = True
    return mask


def with_noise(values: np.ndarray, mask: np.ndarray, seed: int, *, last: bool = False) -> np.ndarray:
    """Values (C, *spatial), or (*spatial, C) if their channels come last, with anything outside of the mask."""
    rng = np.random.default_rng(seed)
    numbers = NOISE if values.dtype.kind == "f" else (0, 1, 127, 255)
    noise = rng.choice(np.array(numbers, values.dtype), values.shape)
    return np.where(mask[..., np.newaxis] if last else mask, values, noise)


def padded(
    values: np.ndarray, mask: np.ndarray, by: tuple[int, ...], seed: int, *, last: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Values as of :func:`with_noise` and their mask, with `by` more pixels behind each axis that are noise."""
    widths = [(0, n) for n in by]
    larger = np.pad(mask, widths)
    return with_noise(np.pad(values, [*widths, (0, 0)] if last else [(0, 0), *widths]), larger, seed, last=last), larger
