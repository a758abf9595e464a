"""Memory for :mod:`classicseg.kernels.grid.image_cut`, and where tiles of pixels lie in it."""

from __future__ import annotations

import numpy as np

from classicseg._jit import aligned_zeros, new_sync, run
from classicseg.kernels.grid.image_cut import LISTS, STATE, TILES, Space, cut_image
from classicseg.kernels.grid.maxflow import EXTRA
from classicseg.kernels.grid.tiles import SIDE
from classicseg.kernels.grid.waves import SETS

_STRIP_PIXELS = 60_000  # threads do not pay for smaller strips
_PATIENCE = 40  # steps for each pixel; hard images take about 8
_SMALL = 2**16  # there is room for a step for each pixel of an image so small, and for every fourth of others


def cut_in_waves(
    g: np.ndarray, frame: tuple[int, int, int, tuple[int, ...]], offsets: np.ndarray, steps: np.ndarray,
    n_threads: int, side: np.ndarray,
) -> bool:  # fmt: skip
    """Push a maximum flow on an image; returns whether it is one, or would take too long this way.

    Parameters
    ----------
    g, frame, offsets, steps
        Those of a :class:`classicseg.solvers._network.Network`.
    n_threads : int
    side : ndarray, (n,), uint8
        Set to 1 on the side of the sink, 0 on that of the source.
    """
    first, row, _, (_, height, width) = frame
    rows, tile_row = -(-height // SIDE), -(-width // SIDE) + 1
    n_strips = max(1, min(n_threads, rows, height * width // _STRIP_PIXELS))
    strips = np.linspace(0, rows, n_strips + 1).astype(np.int64)
    n = (rows + 2) * tile_row + 2
    y, x = np.divmod(np.arange(SIDE * SIDE), SIDE)
    capacity = SIDE * SIDE + max(height * width // 4, min(height * width, _SMALL))
    space = Space(
        steps=steps,
        inner=y * row + x * (steps.size + EXTRA),
        jumps=_jumps(offsets, tile_row),
        words=aligned_zeros((steps.size + SETS) * n, np.uint64),
        tiles=np.zeros(TILES * n, np.int32),
        lists=np.empty((n_strips, LISTS * n), np.int32),
        step_tiles=np.empty((n_strips, capacity), np.int32),
        step_bits=np.empty((n_strips, capacity), np.uint64),
        spilled=np.empty((n_strips, capacity), np.int64),
        states=np.zeros((n_strips, STATE), np.int64),
    )
    maximal = np.zeros(1, np.uint8)
    run(
        cut_image, n_strips, new_sync(4), g, first, row, height, width, strips, tile_row, space, _PATIENCE, side,
        maximal,
        (0,) * steps.size,
    )  # fmt: skip
    return bool(maximal[0])


def _jumps(offsets: np.ndarray, row: int) -> np.ndarray:
    """Distances between the places of neighbours, flat (K, 64); a place is a tile times 64 plus the bit of a pixel."""
    y, x = np.divmod(np.arange(SIDE * SIDE), SIDE)
    both = np.stack([offsets, -offsets], axis=1).reshape(-1, 3, 1)
    to_y, to_x = y + both[:, 1], x + both[:, 2]
    tile = to_y // SIDE * row + to_x // SIDE
    return (tile * SIDE * SIDE + to_y % SIDE * SIDE + to_x % SIDE - (y * SIDE + x)).reshape(-1)
