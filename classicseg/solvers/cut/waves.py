"""Memory for :mod:`classicseg.kernels.cut.strips`, and where tiles of pixels lie in it."""

from __future__ import annotations

import numpy as np

from classicseg.kernels.cut.paths import EXTRA
from classicseg.kernels.cut.records import Layout
from classicseg.kernels.cut.strips import LISTS, STATE, TILES, Space, cut_image
from classicseg.kernels.cut.tiles import SIDE
from classicseg.kernels.cut.waves import SETS
from classicseg.machine.memory import aligned_zeros
from classicseg.machine.parallel import new_sync, run

_STRIP_PIXELS = 60_000  # a smaller strip is not worth a thread
_PATIENCE = 40  # steps for each pixel; hard images take about 8
_BRIEF = 2**20  # pixels; smaller images are cut in a moment
_SMALL = 2**16  # pixels; images up to this size get room for a step for each pixel, larger ones for every fourth


class WaveCut:
    """Minimum cuts of images of one size; its memory serves one cut after the other.

    Parameters
    ----------
    g, layout, offsets, steps
        Those of a :class:`classicseg.solvers.cut.network.Network`.
    n_threads : int
    """

    def __init__(self, g: np.ndarray, layout: Layout, offsets: np.ndarray, steps: np.ndarray, n_threads: int) -> None:
        height, width = layout.height, layout.width
        rows, tile_row = -(-height // SIDE), -(-width // SIDE) + 1
        n_strips = max(1, min(n_threads, rows, height * width // _STRIP_PIXELS))
        self._strips = np.linspace(0, rows, n_strips + 1).astype(np.int64)
        self._g, self._layout, self._directions = g, layout, (0,) * steps.size
        n = (rows + 2) * tile_row + 2
        y, x = np.divmod(np.arange(SIDE * SIDE), SIDE)
        capacity = SIDE * SIDE + max(height * width // 4, min(height * width, _SMALL))
        self._space = Space(
            steps=steps,
            inner=y * layout.row + x * (steps.size + EXTRA),
            jumps=_jumps(offsets, tile_row),
            words=aligned_zeros((steps.size + SETS) * n, np.uint64),
            tiles=np.zeros(TILES * n, np.int32),
            lists=np.empty((n_strips, LISTS * n), np.int32),
            step_tiles=np.empty((n_strips, capacity), np.int32),
            step_bits=np.empty((n_strips, capacity), np.uint64),
            spilled=np.empty((n_strips, capacity), np.int64),
            states=np.zeros((n_strips, STATE), np.int64),
            tile_row=tile_row,
        )

    def solve(self, side: np.ndarray) -> bool:
        """Push a maximum flow; returns whether it is one: it is not if that would take too many steps.

        If it is, `side`, (n,) uint8, is set to 1 on the side of the sink, 0 on that of the source.
        """
        n_strips, space, maximal = len(self._strips) - 1, self._space, np.zeros(1, np.uint8)
        space.tiles.fill(0)
        space.states.fill(0)
        arguments = (self._g, self._layout, self._strips, space, _PATIENCE, side, maximal, self._directions)
        run(cut_image, n_strips, new_sync(4), *arguments, brief=side.size < _BRIEF)
        return bool(maximal[0])


def _jumps(offsets: np.ndarray, tile_row: int) -> np.ndarray:
    """Distances between the places of neighbours, flat (K, 64); a place is a tile times 64 plus the bit of a pixel."""
    y, x = np.divmod(np.arange(SIDE * SIDE), SIDE)
    both = np.stack([offsets, -offsets], axis=1).reshape(-1, 3, 1)
    to_y, to_x = y + both[:, 1], x + both[:, 2]
    tile = to_y // SIDE * tile_row + to_x // SIDE
    return (tile * SIDE * SIDE + to_y % SIDE * SIDE + to_x % SIDE - (y * SIDE + x)).reshape(-1)
