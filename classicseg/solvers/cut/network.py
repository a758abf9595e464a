"""The flow network of a grid: memory, threads, and the minimum cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from classicseg.energies.grid import Offset
from classicseg.energies.grid_crf import as_volume
from classicseg.errors import BudgetError
from classicseg.kernels.cut.doubled import fill_twice, sink_side
from classicseg.kernels.cut.paths import EXTRA, search_strips
from classicseg.kernels.cut.records import Layout, change_excess, fill, read_cut, read_sides
from classicseg.machine.memory import aligned_zeros, check_memory
from classicseg.machine.parallel import new_sync, run
from classicseg.solvers.cut.integers import IntegerGrid
from classicseg.solvers.cut.waves import WaveCut

_STRIP_PIXELS = 60_000  # what a thread saves in a smaller strip, the second search takes again
_KNOWN = (6, 26)  # neighbours that are worth a search compiled for their number: a tenth faster; of 4 or 8 it is not
_MOST_STRIPS = 4  # with more, their borders hold too much flow back


class Arc(NamedTuple):
    """A word of the records of a network: where its capacity leads."""

    copy: int  # the copy of the grid that it leads out of
    word: int  # where it is in the record
    direction: int  # number of the forward direction that it belongs to
    offset: tuple[int, ...]  # slices, rows and columns to the other pixel
    to: int  # the copy that it leads to


class Network:
    """Records of :mod:`classicseg.kernels.cut.paths` for a grid of one to three axes.

    Parameters
    ----------
    shape : tuple of int
    directions : mapping of str to offset

    Attributes
    ----------
    g : ndarray, int32
        All records, flat.
    layout : Layout
        Where they lie.
    offsets : ndarray, (K/2, 3), int64
        Slices, rows and columns from a pixel to its neighbour in each forward direction.
    steps : ndarray, (K,), int64
        Distances to the records of the neighbours, in each direction and its opposite.
    copies : tuple of Layout
        Where the records lie of each copy of the grid that the network holds; here there is one.
    arcs : list of Arc
    sides : ndarray, (1, n), uint8
        After :meth:`solve`, 1 for pixels on the side of the sink, 0 on that of the source.
    """

    def __init__(self, shape: tuple[int, ...], directions: Mapping[str, Offset]) -> None:
        self.shape = shape
        self.layout, self.offsets, self.steps = _geometry(shape, directions, 2)
        self._directions = (0,) * len(self.steps)
        self.g = _records((self.layout.depth + 2) * self.layout.sheet)
        self.sides = aligned_zeros(int(np.prod(shape)), np.uint8)[np.newaxis]
        self.copies = (self.layout,)
        self.arcs = [
            Arc(0, 2 * j + back, j, _turned(offset, back), 0)
            for j, offset in enumerate(self.offsets)
            for back in (0, 1)
        ]
        self._axis = 0 if self.layout.depth > 1 else 1
        self._waves: WaveCut | None = None

    def solve(self, n_threads: int) -> None:
        """Push a maximum flow: on images in waves; elsewhere, and where waves take too long, along augmenting paths.

        Either way each thread first pushes a maximum flow in a strip of its own (see
        :mod:`classicseg.kernels.cut.strips`).
        """
        if len(self.shape) == 2:
            if self._waves is None:
                self._waves = WaveCut(self.g, self.layout, self.offsets, self.steps, n_threads)
            if self._waves.solve(self.sides[0]):
                return
        first, strips = self.layout.first, self._strips(n_threads)
        pitch = self.layout.row if self.layout.depth == 1 else self.layout.sheet
        if len(strips) > 2:
            hidden = self._hide_edges(strips[1:-1])
            _search(self.g, first, pitch, strips, self.steps, n_threads)
            self._show_edges(strips[1:-1], hidden)
        _search(self.g, first, pitch, strips[[0, -1]], self.steps, 1)
        read_sides(self.g, self.layout, self.sides[0], self._directions)

    def fill(self, grid: IntegerGrid, zero: np.ndarray, one: np.ndarray) -> None:
        """Write the choice between the labels `zero` (source side) and `one` (sink side), (n,) or (1,) int32."""
        unary, weights = grid.unary.reshape(-1), tuple(grid.weights)
        where, terms = (self.g, self.layout, self.offsets, self.steps), (unary, weights, grid.cost)
        fill(*where, *terms, zero, one, grid.ceiling, grid.shift, self._directions)

    def change_unary(self, old: np.ndarray, new: np.ndarray) -> None:
        """Replace what label 1 costs more than label 0, (n,) int32; the flow that was pushed stays."""
        change_excess(self.g, self.layout, old, new, self._directions)

    @property
    def excess(self) -> np.ndarray:
        """The excess of each pixel, (depth, height, width), as it lies in the records."""
        inner: np.ndarray = self._layers()[1:-1, 1:-1, 1:-1, len(self.steps)]
        return inner

    def read(self, labels: np.ndarray, zero: np.ndarray, one: np.ndarray) -> int:
        """Write the labels, (n,) int32, that the cut chose; returns how many that changed."""
        return int(read_cut(self.sides[0], zero, one, labels))

    def _layers(self) -> np.ndarray:
        """The records with the border around them, (depth + 2, height + 2, width + 2, words)."""
        _, _, _, depth, height, width = self.layout
        return self.g.reshape(depth + 2, height + 2, width + 2, len(self.steps) + EXTRA)

    def _strips(self, n_threads: int) -> np.ndarray:
        """First layer of each strip along the axis that is cut, and the end of the last strip."""
        length = self.layout.depth if self._axis == 0 else self.layout.height
        n = min(n_threads, _MOST_STRIPS, length, int(np.prod(self.shape)) // _STRIP_PIXELS)
        return np.linspace(0, length, max(n, 1) + 1).astype(np.int64)

    def _border(self, start: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
        """Records before and behind the front of layer `start`, and the forward directions that cross it."""
        layers = np.moveaxis(self._layers(), self._axis, 0)
        across = [2 * j for j, offset in enumerate(self.offsets) if offset[self._axis] > 0]
        return layers[start], layers[start + 1], across

    def _hide_edges(self, starts: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Take the capacities of the edges over these fronts away; returns what they were, forward and backward."""
        hidden = []
        for start in starts:
            before, behind, across = self._border(int(start))
            backward = [k + 1 for k in across]
            hidden.append((before[..., across].copy(), behind[..., backward].copy()))
            before[..., across] = 0
            behind[..., backward] = 0
        return hidden

    def _show_edges(self, starts: np.ndarray, hidden: list[tuple[np.ndarray, np.ndarray]]) -> None:
        """Give the edges over these fronts their capacities back."""
        for start, (forward, backward) in zip(starts, hidden, strict=True):
            before, behind, across = self._border(int(start))
            before[..., across] = forward
            behind[..., [k + 1 for k in across]] = backward


class DoubledNetwork:
    """Two records for each pixel (see :mod:`classicseg.kernels.cut.doubled`), a fixed distance apart.

    Before the first copy and behind the second lies as much memory again: a search looks there, too, from copy 0 a copy
    back and from copy 1 a copy on, and finds edges without capacity.

    Attributes
    ----------
    g, offsets, copies, arcs, sides
        As of :class:`Network`, with two copies.
    """

    def __init__(self, shape: tuple[int, ...], directions: Mapping[str, Offset]) -> None:
        layout, self.offsets, within = _geometry(shape, directions, 6)
        far = self._far = (layout.depth + 2) * layout.sheet
        self._layout = layout._replace(first=far + layout.first)
        self.copies = self._layout, layout._replace(first=2 * far + layout.first)
        forward = within[::2]
        across = np.stack([far + forward, -far - forward, far - forward, forward - far], axis=1)
        self._steps = np.concatenate([within, across.reshape(-1)])
        self._directions = (0,) * len(self._steps)
        self.g = _records(4 * far)
        self.sides = np.empty((2, int(np.prod(shape))), np.uint8)
        self.arcs = []
        for j, offset in enumerate(self.offsets):
            forth, back, k = _turned(offset, 0), _turned(offset, 1), 2 * len(self.offsets) + 4 * j
            for copy in (0, 1):
                self.arcs += [Arc(copy, 2 * j, j, forth, copy), Arc(copy, 2 * j + 1, j, back, copy)]
            self.arcs += [Arc(0, k, j, forth, 1), Arc(1, k + 1, j, back, 0)]
            self.arcs += [Arc(0, k + 2, j, back, 1), Arc(1, k + 3, j, forth, 0)]

    def fill(self, grid: IntegerGrid) -> None:
        """Write an energy of 2 labels, in exact whole numbers."""
        unary, weights = grid.unary.reshape(-1), tuple(grid.weights)
        where, limits = (self._layout, self._far, self.offsets, self._steps), (grid.ceiling, self._directions)
        fill_twice(self.g, *where, unary, weights, grid.cost, *limits)

    def solve(self, n_threads: int) -> None:
        """Push a maximum flow, on one thread whatever `n_threads` is."""
        first, row = self._layout.first, self._layout.row
        _search(self.g, first, row, np.array([0, 2 * self._far // row]), self._steps, 1)
        sink_side(self.g, self._layout, self._far, self.sides.reshape(-1), self._directions)


def _turned(offset: np.ndarray, back: int) -> tuple[int, ...]:
    """The offset, or its opposite if `back` is 1."""
    return tuple(int(-step if back else step) for step in offset)


def _search(g: np.ndarray, first: int, pitch: int, strips: np.ndarray, steps: np.ndarray, n_threads: int) -> None:
    """Push a maximum flow inside each strip along augmenting paths (see the kernel for the arguments)."""
    n = strips[-1] * (pitch // (steps.size + EXTRA))
    work = aligned_zeros(n, np.int32), aligned_zeros(2 * n, np.int32)
    directions = (0,) * (steps.size if steps.size in _KNOWN else 0)
    run(search_strips, n_threads, new_sync(1), g, first, pitch, strips, steps, *work, directions)


def _geometry(
    shape: tuple[int, ...], directions: Mapping[str, Offset], words_per_direction: int
) -> tuple[Layout, np.ndarray, np.ndarray]:
    """Layout of the records of a grid, offsets of the forward directions, and distances forward and backward.

    Records have `words_per_direction` capacities for each forward direction.
    """
    depth, height, width = as_volume(shape, 1)
    offsets = np.array([as_volume(offset, 0) for offset in directions.values()], np.int64)
    words = words_per_direction * len(offsets) + EXTRA
    row = (width + 2) * words
    sheet = (height + 2) * row
    layout = Layout(sheet + row + words, row, sheet, depth, height, width)
    distances = offsets @ np.array([sheet, row, words])
    return layout, offsets, np.stack([distances, -distances], axis=1).reshape(-1)


def _records(words: int) -> np.ndarray:
    """Memory for records of that many words in all."""
    if words >= 2**31:
        raise BudgetError(
            f"the flow network would need {words} words, more than the 2**31 - 1 that its 32-bit links can address; "
            "cut the image into tiles"
        )
    check_memory(6.0 * words, "the flow network")
    return aligned_zeros(words, np.int32)
