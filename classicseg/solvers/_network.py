"""The flow network of a grid: memory, threads, and the minimum cut."""

from __future__ import annotations

import math

import numpy as np

from classicseg import _validate
from classicseg._jit import aligned_zeros, new_sync, run, writable_alias
from classicseg.energies.grid import directions
from classicseg.energies.grid_crf import as_volume
from classicseg.kernels.grid.cut import prepush_strips, search_strips
from classicseg.kernels.grid.maxflow import EXTRA, max_flow
from classicseg.kernels.grid.network import fill, read_cut
from classicseg.kernels.grid.prepush import ROWS, SKEW
from classicseg.kernels.simd import PIXELS
from classicseg.solvers._integers import IntegerGrid

_STRIP_PIXELS = 60_000  # smaller strips do not pay for the second search
_MOST_STRIPS = 4  # nor do many: their borders hold flow back

_SAMPLE_ROWS = 16
_EASY, _HARD = 0.5, 2.5  # orphans for each pixel: below, strips do not pay; above, pushing before the search does
_UNKNOWN = math.inf
_DISAGREEMENT = 0.02  # share of neighbours, one with excess, the other with a deficit
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
        self.frame, self.offsets, self.steps = _geometry(shape, connectivity, 2)
        self.pairs = (0,) * len(self.steps)
        _, row, sheet, volume = self.frame
        self.g = _records((volume[0] + 2) * sheet)
        self._work: tuple[np.ndarray, np.ndarray] | None = None
        self._axis = 0 if volume[0] > 1 else 1
        self._pitch = sheet if volume[0] > 1 else row

    def solve(self, n_threads: int, *, resumed: bool = False) -> None:
        """Push a maximum flow. `resumed` says that most of it was pushed before."""
        difficulty = _UNKNOWN if resumed else self._difficulty()
        rounds = 0 if resumed else self._rounds(difficulty)
        strips = self._strips(n_threads if difficulty > _EASY else 1)
        if len(strips) > 2:
            hidden = self._hide_edges(strips[1:-1])
            self._push(strips, n_threads, rounds)
            self._show_edges(strips[1:-1], hidden)
            rounds = 0
        self._push(np.array([0, strips[-1]]), 1, rounds)

    def fill(self, grid: IntegerGrid, zero: np.ndarray, one: np.ndarray) -> None:
        """Write the choice between the labels `zero` (source side) and `one` (sink side), (n,) or (1,) int32."""
        unary, weights = writable_alias(grid.unary.reshape(-1)), tuple(map(writable_alias, grid.weights))
        fill(self.g, *self.frame, self.offsets, self.steps, unary, weights, grid.cost, zero, one, self.pairs)

    def read(self, labels: np.ndarray, zero: np.ndarray, one: np.ndarray) -> int:
        """Write the labels, (n,) int32, that the cut chose; returns how many that changed."""
        return int(read_cut(self.g, *self.frame, zero, one, labels, self.pairs))

    def _push(self, strips: np.ndarray, n_threads: int, rounds: int) -> None:
        first, row, sheet, volume = self.frame
        words = len(self.pairs) + EXTRA
        if rounds > 0:
            pairs = self.pairs if volume[0] == 1 else self.pairs[:4]
            for_band = (3 * len(pairs) // 2 + 1) * (volume[2] + SKEW * (ROWS - 1)) * PIXELS
            n_bands = volume[1] // ROWS + len(strips)
            if volume[0] > 1:
                n_bands = (volume[1] // ROWS + 1) * len(strips)
            run(
                prepush_strips, n_threads, new_sync(1), self.g, first, row, sheet, volume, strips, self.steps,
                np.empty(n_bands * for_band, np.float32), rounds, words, pairs,
            )  # fmt: skip
        if self._work is None:
            n = volume[self._axis] * (self._pitch // words)
            self._work = aligned_zeros(n, np.int32), aligned_zeros(2 * n, np.int32)
        arguments = (self.g, first, self._pitch, strips, self.steps, *self._work, self.pairs)
        if len(strips) == 2 and self.g.size < _SHORT:
            search_strips(new_sync(1), 1, *arguments)
        else:
            run(search_strips, n_threads, new_sync(1), *arguments)

    def _difficulty(self) -> float:
        """Orphans for each pixel that a search will make, as far as two samples tell: thin strips, for themselves."""
        _, height, width = self.frame[3]
        if self.frame[3][0] > 1 or height < 4 * _SAMPLE_ROWS or len(self.pairs) == 2:
            return _UNKNOWN
        records = self._layers()[1]
        starts = (1 + height * k // 3 - _SAMPLE_ROWS // 2 for k in (1, 2))
        orphans = sum(self._orphans(records[start : start + _SAMPLE_ROWS]) for start in starts)
        return orphans / (2 * _SAMPLE_ROWS * width)

    def _rounds(self, difficulty: float) -> int:
        """How many rounds of pushing before the search are worth their time.

        It pays where the search would be long. In volumes, where it stays within slices, one round pays if neighbours
        disagree.
        """
        if self.frame[3][0] > 1:
            excess = np.sign(self._layers()[1:-1:4, 1:-1, 1:-1, len(self.pairs)])
            opposite = excess[..., 1:] * excess[..., :-1] < 0
            return int(opposite.sum() > _DISAGREEMENT * opposite.size)
        return round(2 * math.log2(difficulty)) if _HARD < difficulty < _UNKNOWN else 0

    def _layers(self) -> np.ndarray:
        """The records, (depth + 2, height + 2, width + 2, words)."""
        depth, height, width = self.frame[3]
        return self.g.reshape(depth + 2, height + 2, width + 2, len(self.pairs) + EXTRA)

    def _orphans(self, rows: np.ndarray) -> int:
        """Orphans of a search in some rows of an image alone."""
        sample = np.zeros((len(rows) + 2, *rows.shape[1:]), np.int32)
        sample[1:-1] = rows
        down = [2 * j for j, offset in enumerate(self.offsets) if offset[1] > 0]
        sample[-2][..., down] = 0
        sample[1][..., [k + 1 for k in down]] = 0
        row, words = sample[0].size, sample.shape[-1]
        n = sample.size // words
        work = np.zeros(n, np.int32), np.empty(2 * n, np.int32)
        first, last = row + words, sample.size - row - words
        return int(max_flow(new_sync(0), sample.reshape(-1), first, last, self.steps, *work, self.pairs))

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
    """Two records for each pixel (see :mod:`classicseg.kernels.grid.qpbo`), `far` words apart.

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
        n = 2 * self.far // (len(self.pairs) + EXTRA)
        strips = np.array([0, 2 * self.far // self.frame[1]])
        run(
            search_strips, 1, new_sync(1), self.g, self.frame[0], self.frame[1], strips, self.steps,
            np.zeros(n, np.int32), np.empty(2 * n, np.int32), self.pairs,
        )  # fmt: skip


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
        raise _validate.BudgetError(
            f"the flow network would need {words} words, more than the 2**31 - 1 that its 32-bit links can address; "
            "cut the image into tiles"
        )
    _validate.check_memory(6.0 * words, "the flow network")
    return aligned_zeros(words, np.int32)
