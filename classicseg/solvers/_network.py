"""The flow network of a grid: memory, threads, and the minimum cut."""

from __future__ import annotations

import numpy as np

from classicseg import _validate
from classicseg._jit import new_sync, run, writable_alias
from classicseg.energies.grid import directions
from classicseg.energies.grid_crf import as_volume
from classicseg.kernels.grid.cut import prepush_strips, search_strips
from classicseg.kernels.grid.maxflow import EXTRA
from classicseg.kernels.grid.network import fill, hardness, read_cut
from classicseg.kernels.grid.prepush import ROWS, SKEW
from classicseg.kernels.simd import PIXELS
from classicseg.solvers._integers import IntegerGrid

_STRIP_PIXELS = 60_000  # smaller strips do not pay for the second search
_MOST_STRIPS = 4  # nor do many: their borders hold flow back

_SHORT = 2**23  # words of a network that is searched so fast that Ctrl-C can wait


class Network:
    """Records of :mod:`classicseg.kernels.grid.maxflow` for a grid of one to three axes.

    Attributes
    ----------
    g : ndarray, int32
        All records, flat.
    frame : tuple
        ``(first, row, sheet, shape)``: offset of the first record, distances of rows and slices, shape as a volume.
    offsets : ndarray, (K/2, 3), int64
    steps : ndarray, (K,), int64
    pairs : tuple
        K zeros.
    """

    def __init__(self, shape: tuple[int, ...], connectivity: int) -> None:
        self.shape = shape
        volume = as_volume(shape, 1)
        forward = [as_volume(offset, 0) for offset in directions(len(shape), connectivity).values()]
        self.pairs = (0,) * (2 * len(forward))
        words = len(self.pairs) + EXTRA
        row = (volume[2] + 2) * words
        sheet = (volume[1] + 2) * row
        _check_size((volume[0] + 2) * sheet)
        self.g = np.zeros((volume[0] + 2) * sheet, np.int32)
        self.frame = (sheet + row + words, row, sheet, volume)
        self.offsets = np.array(forward, np.int64)
        distances = self.offsets @ np.array([sheet, row, words])
        self.steps = np.stack([distances, -distances], axis=1).reshape(-1)
        self._work: tuple[np.ndarray, np.ndarray] | None = None
        self._axis = 0 if volume[0] > 1 else 1
        self._pitch = sheet if volume[0] > 1 else row

    def solve(self, n_threads: int, *, resumed: bool = False) -> None:
        """Push a maximum flow. `resumed` says that most of it was pushed before."""
        strips = self._strips(n_threads)
        if len(strips) > 2:
            hidden = self._hide_edges(strips[1:-1])
            self._push(strips, n_threads, resumed)
            self._show_edges(strips[1:-1], hidden)
            resumed = True
        self._push(np.array([0, strips[-1]]), 1, resumed)

    def fill(self, grid: IntegerGrid, zero: np.ndarray, one: np.ndarray) -> None:
        """Write the choice between the labels `zero` (source side) and `one` (sink side), (n,) or (1,) int32."""
        unary, weights = writable_alias(grid.unary.reshape(-1)), tuple(map(writable_alias, grid.weights))
        fill(self.g, *self.frame, self.offsets, self.steps, unary, weights, grid.cost, zero, one, self.pairs)

    def read(self, labels: np.ndarray, zero: np.ndarray, one: np.ndarray) -> int:
        """Write the labels, (n,) int32, that the cut chose; returns how many that changed."""
        return int(read_cut(self.g, *self.frame, zero, one, labels, self.pairs))

    def _push(self, strips: np.ndarray, n_threads: int, resumed: bool) -> None:
        first, row, _, volume = self.frame
        if not resumed and volume[0] == 1 and len(self.pairs) in (4, 8):
            rounds = int(hardness(self.g, first, row, volume, self.steps, self.pairs))
            if rounds > 0:
                vectors = volume[2] + SKEW * (ROWS - 1)
                for_band = (3 * len(self.pairs) // 2 + 1) * vectors * PIXELS
                bands = volume[1] // ROWS + len(strips)
                planes = np.empty(bands * for_band, np.float32)
                run(
                    prepush_strips, n_threads, new_sync(1), self.g, first, row, volume, strips, self.steps, planes,
                    rounds, self.pairs,
                )  # fmt: skip
                del planes
        if self._work is None:
            n = volume[self._axis] * (self._pitch // (len(self.pairs) + EXTRA))
            self._work = np.zeros(n, np.int32), np.empty(2 * n, np.int32)
        arguments = (self.g, first, self._pitch, strips, self.steps, *self._work, self.pairs)
        if len(strips) == 2 and self.g.size < _SHORT:
            search_strips(new_sync(1), 1, *arguments)
        else:
            run(search_strips, n_threads, new_sync(1), *arguments)

    def _strips(self, n_threads: int) -> np.ndarray:
        length = self.frame[3][self._axis]
        n = min(n_threads, _MOST_STRIPS, length, int(np.prod(self.shape)) // _STRIP_PIXELS)
        return np.linspace(0, length, max(n, 1) + 1).astype(np.int64)

    def _border(self, start: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
        """Records before and behind the border in front of layer `start`, and the directions that cross it."""
        volume = self.frame[3]
        shape = (volume[0] + 2, volume[1] + 2, volume[2] + 2, len(self.pairs) + EXTRA)
        layers = np.moveaxis(self.g.reshape(shape), self._axis, 0)
        across = [2 * j for j, offset in enumerate(self.offsets) if offset[self._axis] > 0]
        return layers[start], layers[start + 1], across

    def _hide_edges(self, starts: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        hidden = []
        for start in starts:
            before, behind, across = self._border(int(start))
            backward = [k + 1 for k in across]
            hidden.append((before[..., across].copy(), behind[..., backward].copy()))
            before[..., across] = 0
            behind[..., backward] = 0
        return hidden

    def _show_edges(self, starts: np.ndarray, hidden: list[tuple[np.ndarray, np.ndarray]]) -> None:
        for start, (forward, backward) in zip(starts, hidden, strict=True):
            before, behind, across = self._border(int(start))
            before[..., across] = forward
            behind[..., [k + 1 for k in across]] = backward


def _check_size(words: int) -> None:
    if words >= 2**31:
        raise _validate.BudgetError(
            f"the flow network would need {words} words, more than the 2**31 - 1 that its 32-bit links can address; "
            "cut the image into tiles"
        )
    _validate.check_memory(6.0 * words, "the flow network")
