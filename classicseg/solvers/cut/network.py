"""The flow network of a grid: memory, threads, and the minimum cut."""

from __future__ import annotations

import numpy as np

from classicseg.energies.grid import directions
from classicseg.energies.grid_crf import as_volume
from classicseg.errors import BudgetError
from classicseg.kernels.cut.paths import EXTRA, search_strips
from classicseg.kernels.cut.records import fill, read_cut, read_sides
from classicseg.machine.memory import aligned_zeros, check_memory, writable_alias
from classicseg.machine.parallel import new_sync, run
from classicseg.solvers.cut.integers import IntegerGrid
from classicseg.solvers.cut.waves import WaveCut

_STRIP_PIXELS = 60_000  # smaller strips do not pay for the second search
_MOST_STRIPS = 4  # nor do many: their borders hold flow back


class Network:
    """Records of :mod:`classicseg.kernels.cut.paths` for a grid of one to three axes.

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
        self.frame, self.offsets, self.steps = _geometry(shape, connectivity, 2)
        self.pairs = (0,) * len(self.steps)
        _, _, sheet, volume = self.frame
        self.g = _records((volume[0] + 2) * sheet)
        self._side = np.empty(volume[0] * volume[1] * volume[2], np.uint8)
        self._axis = 0 if volume[0] > 1 else 1
        self._waves: WaveCut | None = None

    def solve(self, n_threads: int) -> None:
        """Push a maximum flow: on images in waves, elsewhere, and should that take too many, by augmenting paths.

        For those, too, each thread pushes a maximum flow in a strip of its own first (see
        :mod:`classicseg.kernels.cut.strips`).
        """
        if len(self.shape) == 2:
            if self._waves is None:
                self._waves = WaveCut(self.g, self.frame, self.offsets, self.steps, n_threads)
            if self._waves.solve(self._side):
                return
        first, row, sheet, volume = self.frame
        strips, pitch = self._strips(n_threads), row if volume[0] == 1 else sheet
        if len(strips) > 2:
            hidden = self._hide_edges(strips[1:-1])
            _search(self.g, first, pitch, strips, self.steps, n_threads)
            self._show_edges(strips[1:-1], hidden)
        _search(self.g, first, pitch, strips[[0, -1]], self.steps, 1)
        read_sides(self.g, *self.frame, self._side, self.pairs)

    def fill(self, grid: IntegerGrid, zero: np.ndarray, one: np.ndarray) -> None:
        """Write the choice between the labels `zero` (source side) and `one` (sink side), (n,) or (1,) int32."""
        unary, weights = writable_alias(grid.unary.reshape(-1)), tuple(map(writable_alias, grid.weights))
        fill(self.g, *self.frame, self.offsets, self.steps, unary, weights, grid.cost, zero, one, self.pairs)

    def read(self, labels: np.ndarray, zero: np.ndarray, one: np.ndarray) -> int:
        """Write the labels, (n,) int32, that the cut chose; returns how many that changed."""
        return int(read_cut(self._side, zero, one, labels))

    def _layers(self) -> np.ndarray:
        """The records, (depth + 2, height + 2, width + 2, words)."""
        depth, height, width = self.frame[3]
        return self.g.reshape(depth + 2, height + 2, width + 2, len(self.pairs) + EXTRA)

    def _strips(self, n_threads: int) -> np.ndarray:
        length = self.frame[3][self._axis]
        n = min(n_threads, _MOST_STRIPS, length, int(np.prod(self.shape)) // _STRIP_PIXELS)
        return np.linspace(0, length, max(n, 1) + 1).astype(np.int64)

    def _border(self, start: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
        """Records before and behind the border in front of layer `start`, and the directions that cross it."""
        layers = np.moveaxis(self._layers(), self._axis, 0)
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


class DoubledNetwork:
    """Two records for each pixel (see :mod:`classicseg.kernels.cut.doubled`), `far` words apart.

    Before and behind them lies as much memory again, which is read, as neighbours that never are any, but not used.
    """

    def __init__(self, shape: tuple[int, ...], connectivity: int) -> None:
        (first, row, sheet, volume), self.offsets, within = _geometry(shape, connectivity, 6)
        self.far = (volume[0] + 2) * sheet
        self.frame = (self.far + first, row, sheet, volume)
        forward = within[::2]
        across = np.stack([self.far + forward, -self.far - forward, self.far - forward, forward - self.far], axis=1)
        self.steps = np.concatenate([within, across.reshape(-1)])
        self.pairs = (0,) * len(self.steps)
        self.g = _records(4 * self.far)

    def solve(self) -> None:
        """Push a maximum flow."""
        strips = np.array([0, 2 * self.far // self.frame[1]])
        _search(self.g, self.frame[0], self.frame[1], strips, self.steps, 1)


def _search(g: np.ndarray, first: int, pitch: int, strips: np.ndarray, steps: np.ndarray, n_threads: int) -> None:
    """Push a maximum flow inside each strip by augmenting paths."""
    n = strips[-1] * (pitch // (steps.size + EXTRA))
    work = aligned_zeros(n, np.int32), aligned_zeros(2 * n, np.int32)
    run(search_strips, n_threads, new_sync(1), g, first, pitch, strips, steps, *work, (0,) * steps.size)


def _geometry(
    shape: tuple[int, ...], connectivity: int, words_per_direction: int
) -> tuple[tuple[int, int, int, tuple[int, ...]], np.ndarray, np.ndarray]:
    """Frame, offsets of the forward directions, and distances forward and backward, of records of a grid."""
    volume = as_volume(shape, 1)
    offsets = np.array([as_volume(o, 0) for o in directions(len(shape), connectivity).values()], np.int64)
    words = words_per_direction * len(offsets) + EXTRA
    row = (volume[2] + 2) * words
    sheet = (volume[1] + 2) * row
    distances = offsets @ np.array([sheet, row, words])
    return (sheet + row + words, row, sheet, volume), offsets, np.stack([distances, -distances], axis=1).reshape(-1)


def _records(words: int) -> np.ndarray:
    if words >= 2**31:
        raise BudgetError(
            f"the flow network would need {words} words, more than the 2**31 - 1 that its 32-bit links can address; "
            "cut the image into tiles"
        )
    check_memory(6.0 * words, "the flow network")
    return aligned_zeros(words, np.int32)
