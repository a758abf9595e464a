"""The vertices of one lattice, stripe after stripe, and which rows they have.

These are the rows that :func:`classicseg.kernels.dense.linking.merge_stripes` gives them. What a stripe meets again
was met first as near to its border as a vertex reaches: only there the vertices of those before are looked through.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from classicseg.filters.bands.meeting import keys_name
from classicseg.filters.bands.reach import Marks
from classicseg.kernels.dense.linking import merge_stripes
from classicseg.machine.mapped import MappedArrays


class BandVertices:
    """The vertices of a lattice.

    Parameters
    ----------
    files : MappedArrays
        With the keys of each stripe.
    k : int
        The lattice.
    marks : Marks
    counts : sequence of ndarray, (n + 1,), int64
        For each stripe, how many vertices it had met at its marks.
    touch : int
        See :class:`classicseg.filters.bands.reach.Reach`.

    Attributes
    ----------
    n_stripes, n_vertices : int
    at_mark : ndarray, (n_marks + 1,), int64
        How many vertices were met before each mark by any stripe.
    twice_at_mark : ndarray, (n_marks + 1,), int64
        How many had been met by a stripe before already: they have duplicate rows.
    target : ndarray, (n_duplicates,), uint32
        The vertex that each duplicate stands for.
    duplicates : ndarray, (n_stripes + 1,), int64
        Which of these are of each stripe.
    """

    def __init__(self, files: MappedArrays, k: int, marks: Marks, counts: Sequence[np.ndarray], touch: int) -> None:
        self._files, self._marks, self.counts = files, marks, counts
        self.n_stripes = n_stripes = marks.first.size - 1
        self._keys = [files.opened(keys_name(k, s), np.int64) for s in range(n_stripes)]
        self.at_mark, self.twice_at_mark = (np.zeros(marks.point.size, np.int64) for _ in range(2))
        self._twice: list[np.ndarray] = []
        targets = []
        for s in range(n_stripes):
            again, vertices = self._met_again(s, touch)
            self._twice.append(again)
            targets.append(vertices.astype(np.uint32))
            here, twice_at = slice(marks.first[s], marks.first[s + 1] + 1), np.searchsorted(again, counts[s])
            self.at_mark[here] = self.at_mark[here.start] + counts[s] - twice_at
            self.twice_at_mark[here] = self.twice_at_mark[here.start] + twice_at
        self.duplicates, self.n_vertices = self.twice_at_mark[marks.first], int(self.at_mark[-1])
        self.target = np.concatenate(targets)

    @property
    def n_rows(self) -> int:
        """Vertices and duplicates."""
        return self.n_vertices + int(self.target.size)

    def of_stripe(self, s: int, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Keys and rows, counted from 0, of what stripe `s` met between two of the marks."""
        a, b = (int(self.counts[s][mark - self._marks.first[s]]) for mark in (first, last))
        return self._keys[s][a:b], self.rows(s, a, b)

    def rows(self, s: int, start: int, stop: int) -> np.ndarray:
        """Rows, counted from 0, of the vertices `start` to `stop` - 1 of stripe `s`, (stop - start,) uint32."""
        twice = self._twice[s]
        i, j = np.searchsorted(twice, (start, stop))
        own = int(self.at_mark[self._marks.first[s]])
        rows = np.arange(own + start - i, own + stop - i)
        if j > i:
            again = twice[i:j] - start
            marked = np.zeros(rows.size, bool)
            marked[again] = True
            rows -= np.cumsum(marked)
            rows[again] = self.n_vertices + self.duplicates[s] + np.arange(i, j)
        return rows.astype(np.uint32)

    def between(self, first: int, last: int) -> np.ndarray:
        """Keys of the vertices that were met between two marks, of any stripes, each once."""
        parts = [np.empty(0, np.int64)]
        for s, (begin, end) in enumerate(pairwise(self._marks.first.tolist())):
            if first < end and begin < last:
                a, b = (int(self.counts[s][mark - begin]) for mark in (max(first, begin), min(last, end)))
                twice = self._twice[s]
                i, j = np.searchsorted(twice, (a, b))
                keys = self._keys[s][a:b]
                parts.append(np.delete(keys, twice[i:j] - a) if j > i else keys)
        return np.concatenate(parts)

    def let_go(self, s: int, first: int, last: int) -> None:
        """What stripe `s` met between two marks need not stay in memory."""
        self._files.let_go(self._keys[s], *(int(self.counts[s][mark - self._marks.first[s]]) for mark in (first, last)))

    def _met_again(self, s: int, touch: int) -> tuple[np.ndarray, np.ndarray]:
        """Which vertices of stripe `s` others before it had met, in order, and which rows these have."""
        marks, first = self._marks, int(self._marks.first[s])
        border = int(marks.point[first])
        low, stop = marks.before(border - touch), min(marks.behind(border + touch), int(marks.first[s + 1])) - first
        before, behind = self.between(low, first), self._keys[s][: int(self.counts[s][stop])]
        row_of = np.empty(before.size + behind.size, np.uint32)
        start_of = np.array([0, before.size, row_of.size], np.int64)
        _, keys, target, _, _ = merge_stripes(np.concatenate([before, behind]), start_of, row_of)
        row_of = row_of[before.size :]
        again = np.flatnonzero(row_of >= keys.size)
        return again, self.at_mark[low] + target[row_of[again] - np.uint32(keys.size)].astype(np.int64)
