"""Memory for :mod:`classicseg.kernels.grid.waves`, and where tiles of pixels lie in it."""

from __future__ import annotations

import numpy as np

from classicseg._jit import new_sync, run
from classicseg.kernels.grid.tiles import SIDE
from classicseg.kernels.grid.waves import LISTS, N_LEVELS, SETS, wave_strips

_PIXELS = SIDE * SIDE


def push_in_waves(
    g: np.ndarray,
    frame: tuple[int, int, int, tuple[int, int, int]],
    offsets: np.ndarray,
    steps: np.ndarray,
    strips: np.ndarray,
    n_threads: int,
) -> bool:
    """Push a maximum flow inside each strip of a network; returns whether it is maximal there.

    Parameters
    ----------
    g, frame, offsets, steps
        Those of :class:`classicseg.solvers._network.Network`.
    strips : ndarray, (S + 1,), int64
        First slice (or row, of an image) of each strip, and their number.
    n_threads : int
    """
    first, row, sheet, (depth, height, width) = frame
    n_strips, longest = len(strips) - 1, int(np.diff(strips).max())
    depth, height = (longest, height) if depth > 1 else (depth, longest)
    tile_row = -(-width // SIDE) + 1
    tile_sheet = (-(-height // SIDE) + 1) * tile_row
    deep = bool(offsets[:, 0].any())
    origin = tile_row + 1 + tile_sheet * deep
    n = 2 * origin + depth * tile_sheet
    y, x = np.divmod(np.arange(_PIXELS), SIDE)
    inner = y * row + x * (steps.size + 4)
    capacity = 2 * n + depth * height * width // 4
    maximal = np.zeros(n_strips, np.uint8)
    run(
        wave_strips, n_threads, new_sync(1), g, *frame, strips, steps, inner, _jumps(offsets, tile_row, tile_sheet),
        (origin, tile_row, tile_sheet, n),
        np.zeros((n_strips, (steps.size + SETS) * n), np.uint64),
        np.zeros((n_strips, LISTS * (n + 1)), np.int32),
        np.empty((n_strips, capacity + N_LEVELS + 3), np.int32),
        np.empty((n_strips, capacity + 1), np.uint64),
        np.empty((n_strips, capacity), np.int64),
        maximal, (0,) * steps.size,
    )  # fmt: skip
    return bool(maximal.all())


def _jumps(offsets: np.ndarray, row: int, sheet: int) -> np.ndarray:
    """Distances between the places of neighbours, flat (K, 64); a place is a tile times 64 plus the bit of a pixel."""
    y, x = np.divmod(np.arange(_PIXELS), SIDE)
    both = np.stack([offsets, -offsets], axis=1).reshape(-1, 3, 1)
    to_y, to_x = y + both[:, 1], x + both[:, 2]
    tile = both[:, 0] * sheet + to_y // SIDE * row + to_x // SIDE
    return (tile * _PIXELS + to_y % SIDE * SIDE + to_x % SIDE - (y * SIDE + x)).reshape(-1)
