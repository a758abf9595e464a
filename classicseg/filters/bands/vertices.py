"""The vertices of one lattice, stripe after stripe, and which rows they have.

These are the rows that :func:`classicseg.kernels.dense.linking.merge_stripes` gives them. As no vertex reaches farther
than a stripe, only the stripe before can have met one as well, near where the two part.
"""

from __future__ import annotations

from collections.abc import Sequence

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
        How many had been met by the stripe before already: they have duplicate rows.
    target : ndarray, (n_duplicates,), uint32
        The vertex that each duplicate stands for.
    """

    def __init__(self, files: MappedArrays, k: int, marks: Marks, counts: Sequence[np.ndarray], touch: int) -> None:
        self._files, self._marks, self.counts = files, marks, counts
        self.n_stripes = n_stripes = marks.first.size - 1
        self._keys = [files.opened(keys_name(k, s), np.int64) for s in range(n_stripes)]
        self._twice, which = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for s in range(1, n_stripes):
            again, before = self._met_again(s, touch)
            self._twice.append(again)
            which.append(before)
        new = [keys.size - twice.size for keys, twice in zip(self._keys, self._twice, strict=True)]
        self._own = np.cumsum([0, *new])
        self._own_twice = np.cumsum([0, *(twice.size for twice in self._twice)])
        self.n_vertices = int(self._own[-1])
        twice_at = [np.searchsorted(twice, count) for twice, count in zip(self._twice, counts, strict=True)]
        self.at_mark = self._at_marks([c - t for c, t in zip(counts, twice_at, strict=True)], self._own)
        self.twice_at_mark = self._at_marks(twice_at, self._own_twice)
        self.target = np.concatenate(
            [which[0], *(self._rows(s - 1, which[s]) for s in range(1, n_stripes))]
        ).astype(np.uint32)  # fmt: skip

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
        rows = np.arange(self._own[s] + start - i, self._own[s] + stop - i)
        if j > i:
            again = twice[i:j] - start
            marked = np.zeros(rows.size, bool)
            marked[again] = True
            rows -= np.cumsum(marked)
            rows[again] = self.n_vertices + self._own_twice[s] + np.arange(i, j)
        return rows.astype(np.uint32)

    def between(self, first: int, last: int) -> np.ndarray:
        """Keys of the vertices that were met between two marks, of any stripes, each once."""
        parts = []
        for s, (keys, twice, count) in enumerate(zip(self._keys, self._twice, self.counts, strict=True)):
            low, high = np.clip((first, last), self._marks.first[s], self._marks.first[s + 1]) - self._marks.first[s]
            a, b = int(count[low]), int(count[high])
            i, j = np.searchsorted(twice, (a, b))
            parts.append(np.delete(keys[a:b], twice[i:j] - a) if j > i else keys[a:b])
        return np.concatenate(parts)

    def let_go(self, s: int, first: int, last: int) -> None:
        """What stripe `s` met between two marks need not stay in memory."""
        self._files.let_go(self._keys[s], *(int(self.counts[s][mark - self._marks.first[s]]) for mark in (first, last)))

    def _met_again(self, s: int, touch: int) -> tuple[np.ndarray, np.ndarray]:
        """Which vertices of stripe `s` the stripe before had met, in order, and which of its vertices they were."""
        border, marks = int(self._marks.point[self._marks.first[s]]), self._marks
        start = max(marks.before(border - touch), int(marks.first[s - 1])) - marks.first[s - 1]
        stop = min(marks.behind(border + touch), int(marks.first[s + 1])) - marks.first[s]
        a, b = int(self.counts[s - 1][start]), int(self.counts[s][stop])
        before, behind = self._keys[s - 1][a:], self._keys[s][:b]
        row_of = np.empty(before.size + behind.size, np.uint32)
        start_of = np.array([0, before.size, row_of.size], np.int64)
        _, keys, target, _, _ = merge_stripes(np.concatenate([before, behind]), start_of, row_of)
        row_of = row_of[before.size :]
        again = np.flatnonzero(row_of >= keys.size)
        return again, a + target[row_of[again] - np.uint32(keys.size)].astype(np.int64)

    def _rows(self, s: int, which: np.ndarray) -> np.ndarray:
        """Rows of some vertices of stripe `s`, none of which the stripe before had met."""
        return self._own[s] + which - np.searchsorted(self._twice[s], which)

    def _at_marks(self, of_stripes: list[np.ndarray], before: np.ndarray) -> np.ndarray:
        """Numbers at the marks of each stripe, counted from those `before` it, as numbers at all marks."""
        parts = [part[:-1] + first for part, first in zip(of_stripes, before[:-1], strict=True)]
        return np.append(np.concatenate(parts), before[-1]).astype(np.int64)
