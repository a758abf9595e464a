"""Lattices whose vertices do not fit: a bank whose rows and neighbours lie in files, and stripes that pass by.

Vertices are numbered in the order in which points meet them, so those that a window needs have numbers near to each
other. A stripe keeps a table of those alone, made anew every few windows; rows are cleared as it comes to them, and
leave memory as it goes on. The sums are those of lattices in memory, to the bit.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from classicseg.filters.bands.building import (
    ONES,
    Built,
    add_duplicates,
    bank_of,
    let_neighbours_go,
    vertices_of,
)
from classicseg.filters.bands.reach import Marks, Reach
from classicseg.filters.bands.wave import run_wave
from classicseg.filters.bank import chunks
from classicseg.filters.base import Normalization
from classicseg.filters.building import Space
from classicseg.filters.streamed import Norms, PassingLattices, StripePassage, gains_of, point_borders
from classicseg.kernels.dense.bank import Pairwise, RowLayout
from classicseg.kernels.dense.blur import blur_step
from classicseg.kernels.dense.hashing import Table
from classicseg.kernels.dense.streamed import begin_stripe, table_of_rows
from classicseg.machine.mapped import MappedArrays

_AT_ONCE = 2**22  # values that are copied at once
AHEAD = 2**18
"""Points whose vertices a table has beyond those of a window, at least."""


class _Rows(NamedTuple):
    """The row arrays that a stripe reads and writes."""

    source: np.ndarray
    base: np.ndarray
    target: np.ndarray
    layout: RowLayout


class BandedBank(PassingLattices):
    """Lattices of several kernels, normalised, whose points pass by and whose vertices lie in files.

    Parameters
    ----------
    files : MappedArrays
        Of :func:`classicseg.filters.bands.building.build`.
    spaces : sequence of Space
    reaches : sequence of Reach
    built : Built
    normalizations : sequence of str
    n_points : int

    Attributes
    ----------
    bank, gains, borders
        As those of :class:`classicseg.filters.streamed.StreamedBank`.
    marks : Marks
    """

    def __init__(
        self,
        files: MappedArrays,
        spaces: Sequence[Space],
        reaches: Sequence[Reach],
        built: Built,
        normalizations: Sequence[Normalization],
        n_points: int,
    ) -> None:
        borders = point_borders(n_points)
        self._files, self.reaches, self.marks = files, reaches, Marks.of(borders)
        self._distances, self._numbers = built.distances, itertools.count()
        files.forget(*(path.name for path in files.folder.glob("rows-*")))  # of a run that was ended
        self.vertices = vertices_of(files, built.counts, reaches, self.marks)
        bank = bank_of(files, spaces, self.vertices, n_points)
        at_marks = ([v.at_mark for v in self.vertices], [v.twice_at_mark for v in self.vertices])
        self._own, self._own_duplicate = (
            np.array([row + at for row, at in zip(first[:, 0], marked, strict=True)])
            for first, marked in zip((bank.vertex, bank.duplicate), at_marks, strict=True)
        )
        norms = Norms.of(spaces, normalizations)
        super().__init__(spaces, bank, files.opened(ONES, np.float32), norms, borders)
        self.gains = gains_of(spaces)

    def stripe(
        self, s: int, source: np.ndarray, base: np.ndarray, target: np.ndarray, layout: RowLayout
    ) -> StripePassage:
        """See :class:`PassingLattices`."""
        return _BandPassage(self, s, _Rows(source, base, target, layout))

    def new_rows(self, layout: RowLayout) -> np.ndarray:
        """A row array, zero, in a file that goes when nobody holds the array."""
        return self._temporary(layout.size(self.bank))

    def copied(self, rows: np.ndarray) -> np.ndarray:
        """A new row array with what is in another one."""
        copy = self._temporary(rows.size)
        for start in range(0, rows.size, _AT_ONCE):
            copy[start : start + _AT_ONCE] = rows[start : start + _AT_ONCE]
            self._files.let_go(copy, start, start + _AT_ONCE)
        return copy

    def pieces(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """The values of a row array, piece by piece."""
        for start in range(0, rows.size, _AT_ONCE):
            yield rows[start : start + _AT_ONCE]
            self._files.let_go(rows, start, start + _AT_ONCE)

    def blur(self, pairwise: Pairwise, rows: np.ndarray, other: np.ndarray, n_threads: int) -> None:
        """See :class:`classicseg.filters.streamed.StreamedBank`; labels are not mixed."""
        assert pairwise.matrix is None
        bank, layout = self.bank, pairwise.layout._replace(corners=())  # one kernel for any number of them
        for k, own in enumerate(self.vertices):
            self._gather_duplicates(k, rows, layout)
            n_axes = int(bank.corner_start[k + 1] - bank.corner_start[k])

            def work(step: int, first: int, last: int, k: int = k) -> None:
                blur_step(bank, k, step, first, last, rows, other, pairwise.scale, layout)

            def done(first: int, last: int, k: int = k) -> None:
                row = int(bank.vertex[k, 0])
                self.let_rows_go((rows, other), layout, row + first, row + last)
                let_neighbours_go(self._files, bank, k, first, last)

            n_steps = 2 if bank.n_shells[k] > 0 else n_axes + n_axes % 2
            run_wave(own.n_vertices, n_steps, self._distances[k], work, done, n_threads)

    def begin(self, first: int, last: int, rows: _Rows) -> None:
        """Make rows ready that were met between two marks of a stripe."""
        own, own_duplicate = (np.ascontiguousarray(of[:, [first, last]]) for of in (self._own, self._own_duplicate))
        bank = self.bank._replace(own=own, own_duplicate=own_duplicate)
        begin_stripe(bank, 0, rows.source, rows.base, rows.target, rows.layout)

    def let_go(self, k: int, s: int, first: int, last: int, rows: _Rows) -> None:
        """What stripe `s` met in lattice `k` between two marks need not stay in memory."""
        for of in (self._own, self._own_duplicate):
            low, high = int(of[k, first]), int(of[k, last])
            self.let_rows_go((rows.source, rows.base, rows.target), rows.layout, low, high)
            self._files.let_go(self._ones, low, high)
        self.vertices[k].let_go(s, first, last)

    def let_rows_go(self, arrays: Sequence[np.ndarray], layout: RowLayout, first: int, last: int) -> None:
        """The rows `first` to `last` - 1 of row arrays need not stay in memory."""
        for start, size in chunks(layout):
            at = start * self.bank.n_rows
            for rows in arrays:
                self._files.let_go(rows, at + first * size, at + last * size)

    def _temporary(self, size: int) -> np.ndarray:
        name = f"rows-{next(self._numbers)}"
        rows = self._files.zeros(name, size, np.float32)
        weakref.finalize(rows, self._files.forget, name)
        return rows

    def _gather_duplicates(self, k: int, rows: np.ndarray, layout: RowLayout) -> None:
        """Add every duplicate to its vertex, in the order of the stripes."""
        bank = self.bank
        first, n = bank.duplicate[k].tolist()
        for start, size in chunks(layout):
            chunk = rows[start * bank.n_rows : (start + size) * bank.n_rows].reshape(-1, size)
            add_duplicates(self.vertices[k], chunk, int(bank.vertex[k, 0]))
        self.let_rows_go((rows,), layout, first, first + n)


class _BandPassage(StripePassage):
    """A stripe whose windows pass by, with the vertices that are near."""

    def __init__(self, lattices: BandedBank, s: int, rows: _Rows) -> None:
        marks, n = lattices.marks, len(lattices.vertices)
        self._banded, self._s, self._rows = lattices, s, rows
        self._first, self._last = int(marks.first[s]), int(marks.first[s + 1])
        self._begun = self._first  # the mark up to which rows are ready
        self._near = [(self._first, self._first)] * n  # the marks between which the tables know what was met
        super().__init__(lattices, [Table(np.empty(0, np.int64), 0)] * n)

    def reach(self, start: int, stop: int) -> None:
        """See :class:`StripePassage`."""
        marks = self._banded.marks
        needed = min(marks.behind(stop), self._last)
        if needed > self._begun:
            self._banded.begin(self._begun, needed, self._rows)
            self._begun = needed
        for k, reach in enumerate(self._banded.reaches):
            low, high = self._near[k]
            if needed > high:
                first = max(marks.before(start - reach.touch), self._first)
                high = min(marks.behind(stop + max(AHEAD, reach.touch)), self._last)
                self._banded.let_go(k, self._s, low, first, self._rows)
                self._near[k] = first, high
                keys, rows = self._banded.vertices[k].of_stripe(self._s, first, high)
                self._tables[k] = Table(*table_of_rows(keys, rows, int(self._banded.bank.vertex[k, 0])))
        if stop == int(marks.point[self._last]):
            for k, (low, high) in enumerate(self._near):
                self._banded.let_go(k, self._s, low, high, self._rows)
