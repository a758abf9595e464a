"""Building lattices whose vertices lie in files: points pass by once, then vertices are linked where they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from classicseg.filters.bands.linking import Linking, check_rows
from classicseg.filters.bands.meeting import mass_name, meet_into
from classicseg.filters.bands.reach import Marks, Reach
from classicseg.filters.bands.vertices import BandVertices
from classicseg.filters.bands.wave import run_wave
from classicseg.filters.building import Space, stripe_borders
from classicseg.filters.streamed import Passing, point_borders
from classicseg.kernels.dense.bank import Bank
from classicseg.kernels.dense.normalization import blur_ones_step
from classicseg.machine.mapped import MappedArrays
from classicseg.machine.simd import PIXELS
from classicseg.machine.threads import map_tasks

_NEIGHBOURS, _LINKS, _BORDERS, ONES = "neighbours", "links", "borders", "ones"
_AT_ONCE = 2**20  # vertices whose masses are put into their rows at once


class Built(NamedTuple):
    """What is known of lattices that have been built, beside what lies in files."""

    counts: list[list[np.ndarray]]  # for each lattice and stripe: how many vertices it had met at its marks
    distances: list[int]  # for each lattice: how far apart the rows of neighbours are at most


def build(
    files: MappedArrays,
    spaces: Sequence[Space],
    reaches: Sequence[Reach],
    passing: Passing,
    n_points: int,
    n_threads: int,
    tick: Callable[[], None] = lambda: None,
) -> Built:
    """Build lattices in files; `tick` is called whenever a stripe has passed by."""
    marks = Marks.of(point_borders(n_points))

    def stripe(s: int) -> list[np.ndarray]:
        own = marks.of_stripe(s)
        windows = passing(int(own[0]), int(own[-1]))
        counts = meet_into(files.folder, s, spaces, reaches, windows, own)
        tick()
        return counts

    n_stripes = marks.first.size - 1
    met = map_tasks(stripe, n_stripes, n_threads)
    counts = [list(of_lattice) for of_lattice in zip(*met, strict=True)]
    vertices = vertices_of(files, counts, reaches, marks)
    distances = _link(files, spaces, reaches, vertices, marks, n_threads)
    bank = bank_of(files, spaces, vertices, n_points)
    _sum_ones(files, bank, vertices, distances, n_threads)
    files.forget(*(mass_name(k, s) for k in range(len(spaces)) for s in range(n_stripes)))
    return Built(counts, distances)


def vertices_of(
    files: MappedArrays, counts: Sequence[Sequence[np.ndarray]], reaches: Sequence[Reach], marks: Marks
) -> list[BandVertices]:
    """Those of each lattice."""
    return [
        BandVertices(files, k, marks, of_stripes, reach.touch)
        for k, (of_stripes, reach) in enumerate(zip(counts, reaches, strict=True))
    ]


def bank_of(files: MappedArrays, spaces: Sequence[Space], vertices: Sequence[BandVertices], n_points: int) -> Bank:
    """The bank of lattices whose neighbours are known; which rows stripes own is not told."""
    first = _first_rows(vertices)
    both = list(zip(first[:-1].tolist(), vertices, strict=True))
    n_shells = np.array([len(space.blur.shells) for space in spaces], np.int64)
    shell_weight = np.zeros((len(spaces), max(1, n_shells.max())), np.float32)
    for weights, space in zip(shell_weight, spaces, strict=True):
        weights[: len(space.blur.weights)] = space.blur.weights
    stripe = stripe_borders(n_points)
    nowhere = np.zeros((len(spaces), stripe.size), np.int64)
    return Bank(
        index=np.empty(0, np.uint32),
        weight_in=np.empty(0, np.float32),
        weight_out=np.empty(0, np.float32),
        corner_start=np.cumsum([0, *(space.n_corners for space in spaces)]).astype(np.int64),
        stripe=stripe,
        vertex=np.array([(row, own.n_vertices) for row, own in both], np.int64),
        duplicate=np.array([(row + own.n_vertices, own.target.size) for row, own in both], np.int64),
        own=nowhere,
        own_duplicate=nowhere,
        target_start=_starts([own.target.size for own in vertices]),
        target=np.concatenate([own.target + np.uint32(row) for row, own in both]),
        neighbour_start=_starts(_n_neighbours(spaces, vertices)),
        neighbour=files.opened(_NEIGHBOURS, np.uint32),
        n_shells=n_shells,
        shell_weight=shell_weight,
        link_start=_starts([int(n) * own.n_vertices for n, own in zip(n_shells, vertices, strict=True)]),
        link_border=files.opened(_BORDERS, np.uint32),
        link=files.opened(_LINKS, np.uint32),
        n_rows=-(-int(first[-1]) // PIXELS) * PIXELS,
    )


def _link(
    files: MappedArrays, spaces: Sequence[Space], reaches: Sequence[Reach], vertices: Sequence[BandVertices],
    marks: Marks, n_threads: int,
) -> list[int]:  # fmt: skip
    """Write the neighbours of all vertices; returned is how far apart their rows are, for each lattice."""
    first, sizes = _first_rows(vertices), _n_neighbours(spaces, vertices)
    check_rows(int(first[-1]))
    neighbour, distances, n_links = files.zeros(_NEIGHBOURS, sum(sizes), np.uint32), [], 0
    with (files.folder / _LINKS).open("wb") as links, (files.folder / _BORDERS).open("wb") as borders:
        for space, reach, own, row, start in zip(spaces, reaches, vertices, first[:-1], _starts(sizes), strict=True):
            linking = Linking(space, own, marks, reach, int(row))
            if not space.blur.shells:
                distances.append(linking.along_axes(files, neighbour, int(start), n_threads))
                continue
            distances.append(0)
            for some, border, far in linking.within_stencil(n_threads):
                check_rows(n_links + some.size)
                some.tofile(links)
                (border + np.uint32(n_links)).tofile(borders)
                n_links, distances[-1] = n_links + some.size, max(distances[-1], far)
    return distances


def _sum_ones(
    files: MappedArrays, bank: Bank, vertices: Sequence[BandVertices], distances: Sequence[int], n_threads: int
) -> None:
    """Write what splatting ones and blurring it gives, in duplicates as well."""
    rows, other = (files.zeros(name, bank.n_rows, np.float32) for name in (ONES, "blurred"))
    for k, own in enumerate(vertices):
        (row, _), (first, n) = bank.vertex[k].tolist(), bank.duplicate[k].tolist()
        for s in range(own.n_stripes):
            mass = files.opened(mass_name(k, s), np.float32)
            for start in range(0, mass.size, _AT_ONCE):
                some = mass[start : start + _AT_ONCE]
                to = own.rows(s, start, start + some.size)
                rows[row:][to] = some
                files.let_go(mass, start, start + some.size)
                files.let_go(rows, row + int(to[0]), row + int(to[-1]))
        add_duplicates(own, rows[:, np.newaxis], row)
        n_axes = int(bank.corner_start[k + 1] - bank.corner_start[k])
        n_blurred = 1 if bank.n_shells[k] > 0 else n_axes

        def work(step: int, low: int, high: int, k: int = k, row: int = row, n_blurred: int = n_blurred) -> None:
            if step == n_blurred:  # the result is to be in `rows`
                rows[row + low : row + high] = other[row + low : row + high]
                return
            blur_ones_step(bank, k, step, low, high, *((rows, other) if step % 2 == 0 else (other, rows)))

        def done(low: int, high: int, k: int = k, row: int = row) -> None:
            for array in (rows, other):
                files.let_go(array, row + low, row + high)
            let_neighbours_go(files, bank, k, low, high)

        run_wave(own.n_vertices, n_blurred + n_blurred % 2, distances[k], work, done, n_threads)
        rows[first : first + n] = rows[bank.target[bank.target_start[k] :][:n]]
    files.forget("blurred")


def add_duplicates(vertices: BandVertices, rows: np.ndarray, row: int) -> None:
    """Add all duplicate `rows`, (n_rows, channels), of a lattice that begins with a `row` to those of their vertices.

    No two of a stripe stand for the same vertex, so all at once have the same sums as one after the other.
    """
    first = row + vertices.n_vertices
    for begin, end in pairwise(vertices.duplicates.tolist()):
        for low in range(begin, end, _AT_ONCE):
            high = min(low + _AT_ONCE, end)
            rows[row + vertices.target[low:high].astype(np.int64)] += rows[first + low : first + high]


def let_neighbours_go(files: MappedArrays, bank: Bank, k: int, first: int, last: int) -> None:
    """The neighbours of some vertices of a lattice need not stay in memory."""
    n, n_axes, n_shells = int(bank.vertex[k, 1]), int(bank.corner_start[k + 1] - bank.corner_start[k]), bank.n_shells[k]
    if n_shells == 0:
        for axis in range(n_axes):
            at = int(bank.neighbour_start[k]) + 2 * axis * n
            files.let_go(bank.neighbour, at + 2 * first, at + 2 * last)
    elif first < last:
        start, stop = (int(bank.link_start[k] + n_shells * v) for v in (first, last))
        low = int(bank.link_border[start - 1]) if start > 0 else 0
        files.let_go(bank.link, low, int(bank.link_border[stop - 1]))
        files.let_go(bank.link_border, start, stop)


def _first_rows(vertices: Sequence[BandVertices]) -> np.ndarray:
    """The first row of each lattice, and where the last one ends."""
    return 1 + np.cumsum([0, *(own.n_rows for own in vertices)])


def _n_neighbours(spaces: Sequence[Space], vertices: Sequence[BandVertices]) -> list[int]:
    """How many neighbours are kept for each lattice: two of a vertex for each axis, none for a stencil."""
    both = zip(spaces, vertices, strict=True)
    return [0 if space.blur.shells else 2 * space.n_corners * own.n_vertices for space, own in both]


def _starts(sizes: Sequence[int]) -> np.ndarray:
    """Where each of some parts begins if they lie one after the other, (len(sizes),) int64."""
    return np.cumsum([0, *sizes])[:-1].astype(np.int64)
