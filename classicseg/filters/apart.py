"""Stripes whose points pass by apart from each other, such as in several processes: each knows its own vertices only.

What all stripes share, such as neighbours and the blur between them, stays where they are merged; see
:mod:`classicseg.filters.streamed`. A stripe is given what is read at its vertices and gives back what it splatted to
them, and both are the same numbers as if its rows lay among those of all stripes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from classicseg.filters.bank import chunks, new_rows
from classicseg.filters.building import Space
from classicseg.filters.streamed import Merged, Norms, PassingLattices, Vertices
from classicseg.kernels.dense.bank import Bank, RowLayout
from classicseg.kernels.dense.hashing import Table
from classicseg.kernels.dense.streamed import table_of_rows
from classicseg.machine.memory import writable_alias
from classicseg.machine.simd import PIXELS


class Part(NamedTuple):
    """The vertices that a stripe touches, lattice after lattice."""

    keys: list[np.ndarray]  # (m_k,) int64 for each lattice, in the order in which the stripe met them
    ones: np.ndarray  # (m,) float32: of all of them, what splatting ones and blurring it gives
    start: int  # the first point of the stripe
    stop: int  # where it ends


class Parts:
    """The stripes of merged vertices, and their share of row arrays: see :func:`read_rows`.

    Parameters
    ----------
    merged : Merged
    vertices : sequence of Vertices
        That were merged, of each lattice.
    borders : ndarray, (n_stripes + 1,), int64
        The first point of each stripe, and the number of points.
    layout : RowLayout
        Of row arrays.
    """

    def __init__(self, merged: Merged, vertices: Sequence[Vertices], borders: np.ndarray, layout: RowLayout) -> None:
        self._merged, self._vertices, self._borders, self._layout = merged, vertices, borders, layout
        bank = merged.bank
        self._vertex_of = np.arange(bank.n_rows, dtype=np.uint32)  # where blurred values stand: not in duplicates
        for (first, n), start in zip(bank.duplicate, bank.target_start, strict=True):
            self._vertex_of[first : first + n] = bank.target[start : start + n]

    def __len__(self) -> int:
        """Number of stripes."""
        return self._borders.size - 1

    def part(self, s: int) -> Part:
        """What stripe `s` has to know."""
        keys = [met.keys[met.start[s] : met.start[s + 1]] for met in self._vertices]
        return Part(keys, self._merged.ones[self._rows(s)], int(self._borders[s]), int(self._borders[s + 1]))

    def read(self, rows: np.ndarray, s: int) -> np.ndarray:
        """What stands in blurred `rows` at the vertices of stripe `s`."""
        return read_rows(rows, self._vertex_of[self._rows(s)], self._layout)

    def write(self, rows: np.ndarray, s: int, share: np.ndarray) -> None:
        """Put what stripe `s` has splatted where it is to be blurred."""
        write_rows(rows, self._rows(s), self._layout, share)

    def _rows(self, s: int) -> np.ndarray:
        """The rows of a stripe, which no other has."""
        both = zip(self._vertices, self._merged.rows, self._merged.bank.vertex[:, 0], strict=True)
        return np.concatenate([rows[met.start[s] : met.start[s + 1]] + np.uint32(first) for met, rows, first in both])


class PartLattices(PassingLattices):
    """Lattices of which only the vertices of one stripe are known: it is stripe 0, and its rows are counted from 1.

    Parameters
    ----------
    spaces : sequence of Space
    part : Part
    norms : Norms
    """

    def __init__(self, spaces: Sequence[Space], part: Part, norms: Norms) -> None:
        first = 1 + np.cumsum([0, *(keys.size for keys in part.keys)])
        self._tables = [
            Table(*table_of_rows(writable_alias(keys), np.arange(keys.size, dtype=np.uint32), int(row)))
            for keys, row in zip(part.keys, first[:-1], strict=True)
        ]
        bank = _bank_of_part(spaces, -(-int(first[-1]) // PIXELS) * PIXELS)
        ones = np.zeros(bank.n_rows, np.float32)
        ones[1 : first[-1]] = part.ones
        norms = Norms(*map(writable_alias, norms))  # what came from another process is read-only
        super().__init__(spaces, bank, ones, norms, np.array([part.start, part.stop]))
        self._n_vertices = int(first[-1]) - 1

    def tables(self, s: int) -> list[Table]:
        """See :class:`classicseg.filters.streamed.PassingLattices`."""
        return self._tables

    def new_rows(self, layout: RowLayout) -> np.ndarray:
        """A row array, zero."""
        return new_rows(self.bank, layout)

    def read(self, rows: np.ndarray, layout: RowLayout) -> np.ndarray:
        """What stands in a row array at the vertices: see :func:`read_rows`."""
        return read_rows(rows, slice(1, 1 + self._n_vertices), layout)

    def write(self, rows: np.ndarray, layout: RowLayout, share: np.ndarray) -> None:
        """Put there what was read elsewhere."""
        write_rows(rows, slice(1, 1 + self._n_vertices), layout, share)


def read_rows(rows: np.ndarray, which: np.ndarray | slice, layout: RowLayout) -> np.ndarray:
    """The values of some rows of a row array, (m, channels) float32, with those channels that only fill up lanes."""
    return np.concatenate([rows_of_chunk[which] for rows_of_chunk, _ in _chunks(rows, layout)], axis=1)


def write_rows(rows: np.ndarray, which: np.ndarray | slice, layout: RowLayout, values: np.ndarray) -> None:
    """Put the values of :func:`read_rows` into rows of a row array, perhaps another one."""
    for rows_of_chunk, channels in _chunks(rows, layout):
        rows_of_chunk[which] = values[:, channels]


def _chunks(rows: np.ndarray, layout: RowLayout) -> Iterator[tuple[np.ndarray, slice]]:
    """Views of a row array, (n_rows, channels) each, and which channels they are."""
    n_rows = rows.size // (layout.n_panels * len(layout.lanes))
    for first, n in chunks(layout):
        yield rows[first * n_rows : (first + n) * n_rows].reshape(n_rows, n), slice(first, first + n)


def _bank_of_part(spaces: Sequence[Space], n_rows: int) -> Bank:
    """A bank for those who only splat and slice: nobody asks it for neighbours, nor for rows of stripes."""
    n, none, numbers = len(spaces), np.empty(0, np.uint32), np.zeros(len(spaces), np.int64)
    weight, pairs = np.empty(0, np.float32), np.zeros((n, 2), np.int64)
    return Bank(
        index=none,
        weight_in=weight,
        weight_out=weight,
        corner_start=np.cumsum([0, *(space.n_corners for space in spaces)]).astype(np.int64),
        stripe=np.zeros(2, np.int64),
        vertex=pairs,
        duplicate=pairs,
        own=pairs,
        own_duplicate=pairs,
        target_start=numbers,
        target=none,
        neighbour_start=numbers,
        neighbour=none,
        n_shells=numbers,
        shell_weight=np.zeros((n, 1), np.float32),
        link_start=numbers,
        link_border=none,
        link=none,
        n_rows=n_rows,
    )
