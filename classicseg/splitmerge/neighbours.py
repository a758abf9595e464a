"""Which pixels and regions are neighbours, and in which order pairs of them are tried."""

from __future__ import annotations

from itertools import product

import numpy as np

from classicseg.kernels.regions.describe import list_neighbours
from classicseg.kernels.regions.range_tile import BUCKETS

_STEEPEST = 1e30
"""Largest factor from a difference to its step: float32 holds it, and no difference stays none."""


def offsets_to_neighbours(n_axes: int, connectivity: int) -> np.ndarray:
    """Steps (z, y, x) to half of the neighbours of a pixel, so that every pair comes once; along x, y, z first."""
    steps = [step for step in product((-1, 0, 1), repeat=3) if n_axes == 3 or step[0] == 0]
    half = [step for step in steps if step > (0, 0, 0) and sum(map(abs, step)) <= connectivity]
    return np.array(sorted(half, key=lambda step: (sum(map(abs, step)), step)), np.int64)


def touching_regions(labels: np.ndarray, n_axes: int, connectivity: int) -> np.ndarray:
    """Pairs (smaller, larger) of touching regions of (D, H, W) labels, each once, (m, 2)."""
    offsets = offsets_to_neighbours(n_axes, connectivity)
    found = np.empty((list_neighbours(labels, offsets, np.empty((0, 2), np.int32)), 2), np.int32)
    list_neighbours(labels, offsets, found)
    codes = np.unique(found[:, 0].astype(np.int64) << 32 | found[:, 1])
    return np.stack([codes >> 32, codes & 0xFFFFFFFF], axis=1)


def step_scale(reach: float) -> np.float32:
    """Factor from a difference of means to its step in the order of pairs; those beyond `reach` share the last step."""
    return np.float32(min(BUCKETS / reach, _STEEPEST) if reach > 0 else _STEEPEST)
