"""The neighbours of vertices that lie in files, found for some of them at a time among those that are near."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from classicseg.errors import BudgetError
from classicseg.filters.bands.reach import Marks, Reach
from classicseg.filters.bands.vertices import BandVertices
from classicseg.filters.building import Space
from classicseg.kernels.dense.linking import find_links, find_neighbours_of_some
from classicseg.kernels.dense.streamed import numbered
from classicseg.machine.limits import available_memory
from classicseg.machine.mapped import MappedArrays
from classicseg.machine.memory import check_memory
from classicseg.machine.threads import map_tasks

BYTES_OF_KEY = 80  # of a vertex among which neighbours are looked for: its key, two to four places of 16 in a table
MOST_ROWS = 2**32
"""Rows and links are numbered with 32 bits."""


class _Part(NamedTuple):
    """Vertices that are linked at a time, and those among which their neighbours are, from `begin` on."""

    first: int
    last: int
    begin: int
    keys: np.ndarray


class Linking:
    """The search for the neighbours of a lattice's vertices.

    Parameters
    ----------
    space : Space
    vertices : BandVertices
    marks : Marks
    reach : Reach
    first_row : int
        The lattice's first row in the bank.
    """

    def __init__(self, space: Space, vertices: BandVertices, marks: Marks, reach: Reach, first_row: int) -> None:
        self._space, self._vertices, self._marks, self._reach = space, vertices, marks, reach
        self._first_row = first_row

    def along_axes(self, files: MappedArrays, neighbour: np.ndarray, start: int, n_threads: int) -> int:
        """Fill the part of `neighbour` that begins at `start`; returned is how far apart neighbours' rows are."""
        n_axes, n_all = self._space.n_corners, self._vertices.n_vertices
        borders, steps = self._borders(), self._space.steps()
        n_threads = self._threads(borders, 8 * n_axes, n_threads)

        def link(i: int) -> int:
            part = self._part(int(borders[i]), int(borders[i + 1]))
            low, high = part.first - part.begin, part.last - part.begin
            own = np.empty(n_axes * (high - low) * 2, np.uint32)
            table = _table(part.keys)
            find_neighbours_of_some(part.keys, table, steps, self._first_row + part.begin, low, high, own)
            here = np.arange(self._first_row + part.first, self._first_row + part.last)[:, np.newaxis]
            far = 0
            for axis, found in enumerate(own.reshape(n_axes, high - low, 2)):
                at = start + 2 * (axis * n_all + part.first)
                neighbour[at : at + 2 * (part.last - part.first)] = found.reshape(-1)
                files.let_go(neighbour, at, at + found.size)
                if found.size > 0:
                    far = max(far, int((np.abs(found - here) * (found > 0)).max()))
            return far

        return max(map_tasks(link, borders.size - 1, n_threads), default=0)

    def within_stencil(self, n_threads: int) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        """Part by part, the rows of neighbours, where the shells of each vertex end among them, how far they are."""
        borders, steps, ends = self._borders(), self._space.steps(), self._space.shell_ends()
        n_threads = self._threads(borders, 4 * (steps.size + 3 * ends.size), n_threads)

        def link(i: int) -> tuple[np.ndarray, np.ndarray, int]:
            part = self._part(int(borders[i]), int(borders[i + 1]))
            border = np.zeros(part.keys.size * ends.size, np.uint32)
            low, high = part.first - part.begin, part.last - part.begin
            links = find_links(
                part.keys, _table(part.keys), steps, ends, self._first_row + part.begin, low, high, border
            )
            border = border[low * ends.size : high * ends.size]
            of_each = np.diff(border[ends.size - 1 :: ends.size], prepend=0)
            here = np.repeat(np.arange(self._first_row + part.first, self._first_row + part.last), of_each)
            return links, border, int(np.abs(links - here).max(initial=0))

        for first in range(0, borders.size - 1, n_threads):
            n = min(n_threads, borders.size - 1 - first)
            yield from map_tasks(lambda i, first=first: link(first + i), n, n_threads)  # type: ignore[misc]

    def _borders(self) -> np.ndarray:
        """Marks between which vertices are linked at a time: about as many as are near on either side of them."""
        marks, at, borders = self._marks, 0, [0]
        while at < marks.point.size - 1:
            at = max(at + 1, marks.behind(int(marks.point[at]) + self._reach.near))
            borders.append(at)
        return np.array(borders)

    def _near(self, first: int, last: int) -> tuple[int, int]:
        """The marks between which the neighbours are of what was met between two marks."""
        marks, near = self._marks, self._reach.near
        return marks.before(int(marks.point[first]) - near), marks.behind(int(marks.point[last]) + near)

    def _threads(self, borders: np.ndarray, of_own: int, n_threads: int) -> int:
        """How many parts there is memory for at a time, at most `n_threads`; `of_own` bytes are found of a vertex."""
        at = self._vertices.at_mark
        most = max(
            BYTES_OF_KEY * int(at[high] - at[low]) + of_own * int(at[last] - at[first])
            for first, last in pairwise(borders.tolist())
            for low, high in [self._near(first, last)]
        )
        check_memory(most, "the vertices of a lattice that are near to each other")
        free = available_memory()
        return n_threads if free is None else max(1, min(n_threads, free // max(most, 1)))

    def _part(self, first: int, last: int) -> _Part:
        """The vertices that were met between two marks."""
        low, high = self._near(first, last)
        at = self._vertices.at_mark
        return _Part(int(at[first]), int(at[last]), int(at[low]), self._vertices.between(low, high))


def check_rows(n: int) -> None:
    """Raise BudgetError if so many rows or links are too many."""
    if n >= MOST_ROWS:
        raise BudgetError(f"{n} lattice vertices, or links between them, are more than 32 bits number")


def _table(keys: np.ndarray):  # type: ignore[no-untyped-def]
    """From key to place."""
    log2_size = 4
    while 1 << log2_size < 2 * keys.size:
        log2_size += 1
    return numbered(keys, keys.size, log2_size)
