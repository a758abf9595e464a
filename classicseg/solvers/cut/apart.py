"""Exact minimum cuts of grids in bands that are cut apart from each other, such as by several processes.

A band is cut as if all pixels on both sides had label 0, and as if they had label 1: whoever has the same label both
times has it whatever lies around, see :mod:`classicseg.solvers.cut.bands`. What is open lies along the borders of
bands, in runs of rows between rows that are settled. These runs, the joints, do not depend on each other, and each is
one more cut, of which nothing is left open. As zones, joints come after the bands that they touch, and the proof is the
same as that of bands that are cut one after the other.

Liu, Sun, "Parallel graph-cuts by adaptive bottom-up merging", CVPR 2010, doi:10.1109/CVPR.2010.5539898 (regions are
merged where they depend on each other).
"""

from __future__ import annotations

import bisect

import numpy as np

from classicseg.solvers.cut.zones import (
    ACTIVE,
    AWAY,
    Band,
    Costs,
    alone,
    codes_of,
    cut_twice,
    known_of,
    late_of,
    rows_of,
)


def cut_alone(costs: Costs, band: Band, n_threads: int) -> np.ndarray:
    """Codes of the new rows of a band of which nothing else is known."""
    rows, known, ends = alone(costs, band.start, band.stop)
    labels, settled = cut_twice(rows, costs.directions, known, ends, n_threads)
    mine = slice(1 if 0 in ends else 0, -1 if -1 in ends else None)
    return codes_of(labels[mine], settled[mine], known[mine], np.zeros((1,) * known.ndim, np.int64))


def with_joints(bands: list[Band], is_open: np.ndarray) -> list[Band]:
    """The bands and, behind the last one that each touches, the joints: no row of these is new.

    `is_open` says of each row whether a pixel is open.
    """
    length, ends = len(is_open), np.maximum.accumulate([band.stop for band in bands]).tolist()
    borders = np.flatnonzero(np.diff(np.concatenate([[False], is_open, [False]]))).reshape(-1, 2)
    after: list[list[Band]] = [[] for _ in bands]
    for begin, stop in borders.tolist():
        last = min(stop, length - 1)  # the row behind it is settled, by a zone before
        after[bisect.bisect_right(ends, last)].append(Band(begin, stop, stop))
    return [one for band, joints in zip(bands, after, strict=True) for one in (band, *joints)]


def cut_joint(costs: Costs, codes: np.ndarray, bands: list[Band], number: int, n_threads: int) -> np.ndarray:
    """Codes of the rows of a joint, of which none is open; `codes` are those of :func:`rows_of`."""
    band = bands[number]
    top, low = rows_of(band, costs.shape[0])
    rows, known = costs.rows(top, low), known_of(codes, bands, top, number, ACTIVE)
    if rows.inside is not None:
        known[~rows.inside] = AWAY
    labels, settled = cut_twice(rows, costs.directions, known, [], n_threads)
    mine = slice(band.begin - top, band.stop - top)
    late = late_of(bands, band.begin, band.stop, number, known.ndim)
    found = codes_of(labels[mine], settled[mine], known[mine], late)
    return np.where((known[mine] == ACTIVE) | (known[mine] == AWAY), found, codes[mine])
