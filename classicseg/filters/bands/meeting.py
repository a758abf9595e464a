"""The vertices that a stripe meets, written to files as soon as no further point can touch them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from classicseg.filters.bands.reach import Reach
from classicseg.filters.building import Space
from classicseg.filters.streamed import Meeting, split
from classicseg.machine.simd import PIXELS

_FORGETTABLE = 0.5  # share of the vertices that are known; below, a new table takes longer than it saves


def keys_name(k: int, s: int) -> str:
    """The file with the keys of the vertices that stripe `s` meets in lattice `k`."""
    return f"keys-{k}-{s}"


def mass_name(k: int, s: int) -> str:
    """The file with their masses."""
    return f"mass-{k}-{s}"


class _Leaving:
    """The vertices of one lattice."""

    def __init__(self, space: Space, reach: Reach, keys: Path, mass: Path) -> None:
        self._meeting, self._reach, self._gone = Meeting(space), reach, 0
        self._files = keys.open("wb"), mass.open("wb")
        self._points, self.counts = [0], [0]

    def add(self, features: np.ndarray, start: int, stop: int) -> None:
        """See :class:`Meeting`."""
        self._meeting.add(features, start, stop)

    def mark(self, point: int) -> None:
        """All points up to `point`, counted from the first one of the stripe, have been added."""
        self._points.append(point)
        self.counts.append(self._gone + self._meeting.n)
        last = int(np.searchsorted(self._points, point - self._reach.touch, "right")) - 1
        n = self.counts[max(0, last)] - self._gone
        if n > _FORGETTABLE * self._meeting.n:
            self._forget(n)

    def end(self) -> None:
        """No more points come."""
        self._forget(self._meeting.n)
        self.close()

    def close(self) -> None:
        """Nothing is written any more."""
        for file in self._files:
            file.close()

    def _forget(self, n: int) -> None:
        for file, values in zip(self._files, self._meeting.forget(n), strict=True):
            values.tofile(file)
        self._gone += n


def meet_into(
    folder: Path, s: int, spaces: Sequence[Space], reaches: Sequence[Reach], windows: Iterator[np.ndarray],
    marks: np.ndarray,
) -> list[np.ndarray]:  # fmt: skip
    """Write keys and masses of the vertices that stripe `s` meets; returned is how many it had met at its marks.

    Parameters
    ----------
    folder : Path
    s : int
    spaces : sequence of Space
    reaches : sequence of Reach
        Of each lattice.
    windows : iterator of ndarray
        Features of the points of the stripe, as by :data:`classicseg.filters.streamed.Passing`.
    marks : ndarray, (n + 1,), int64
        Points of the stripe, and where it ends.
    """
    leaving = [
        _Leaving(space, reach, folder / keys_name(k, s), folder / mass_name(k, s))
        for k, (space, reach) in enumerate(zip(spaces, reaches, strict=True))
    ]
    try:
        marks, at, g = marks - marks[0], 0, 1
        for features in windows:
            n, done = features.shape[1] - PIXELS, 0
            while done < n:
                until = min(n, int(marks[g]) - at)
                for one, own in zip(leaving, split(features, spaces), strict=True):
                    one.add(own, done, until)
                done = until
                if at + done == marks[g]:
                    for one in leaving:
                        one.mark(int(marks[g]))
                    g += 1
            at += n
        for one in leaving:
            one.end()
    finally:
        for one in leaving:
            one.close()
    return [np.array(one.counts, np.int64) for one in leaving]
