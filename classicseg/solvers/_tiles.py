"""Memory for :mod:`classicseg.kernels.grid.waves`, and where tiles of pixels lie in it."""

from __future__ import annotations

import numpy as np

from classicseg._jit import new_sync, run
from classicseg.kernels.grid.maxflow import EXTRA
from classicseg.kernels.grid.tiles import SIDE
from classicseg.kernels.grid.waves import LISTS, SETS, wave_strips


def push_in_waves(
    g: np.ndarray, first: int, row: int, width: int, offsets: np.ndarray, steps: np.ndarray, strips: np.ndarray,
    n_threads: int, side: np.ndarray,
) -> bool:  # fmt: skip
    """Push a maximum flow inside each strip of some rows of an image; returns whether it is maximal in all.

    Parameters
    ----------
    g, first, row, offsets, steps
        Records of a :class:`classicseg.solvers._network.Network`.
    width : int
    strips : ndarray, (S + 1,), int64
        First row of each strip, and their number.
    n_threads : int
    side : ndarray, (n,), uint8
        Set to 1 on the side of the sink, 0 on that of the source, if it is.
    """
    n_strips, height = len(strips) - 1, int(np.diff(strips).max())
    tile_row = -(-width // SIDE) + 1
    n = (-(-height // SIDE) + 2) * tile_row + 2
    y, x = np.divmod(np.arange(SIDE * SIDE), SIDE)
    inner = y * row + x * (steps.size + EXTRA)
    capacity = n + height * width // 2
    maximal = np.zeros(n_strips, np.uint8)
    run(
        wave_strips, n_threads, new_sync(1), g, first, row, width, strips, steps, inner, _jumps(offsets, tile_row),
        tile_row,
        np.zeros((n_strips, (steps.size + SETS) * n), np.uint64),
        np.zeros((n_strips, LISTS * n), np.int32),
        np.empty((n_strips, capacity), np.int32),
        np.empty((n_strips, capacity), np.uint64),
        np.empty((n_strips, capacity), np.int64),
        side, maximal, (0,) * steps.size,
    )  # fmt: skip
    return bool(maximal.all())


def _jumps(offsets: np.ndarray, row: int) -> np.ndarray:
    """Distances between the places of neighbours, flat (K, 64); a place is a tile times 64 plus the bit of a pixel."""
    y, x = np.divmod(np.arange(SIDE * SIDE), SIDE)
    both = np.stack([offsets, -offsets], axis=1).reshape(-1, 3, 1)
    to_y, to_x = y + both[:, 1], x + both[:, 2]
    tile = to_y // SIDE * row + to_x // SIDE
    return (tile * SIDE * SIDE + to_y % SIDE * SIDE + to_x % SIDE - (y * SIDE + x)).reshape(-1)
