"""Lattices of points that pass by in windows: what stays is what vertices have.

A stripe meets its vertices window by window, in the order of its points, as if it were embedded at once; so the bank is
the one that :mod:`classicseg.filters.building` makes of all points, but for their corners. These are found anew for
every window that passes by, by the keys of the vertices that the stripe knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from classicseg.errors import InputError
from classicseg.filters.bank import new_rows
from classicseg.filters.base import POWERS, Normalization
from classicseg.filters.building import Lattice, Space, bank_of_vertices, ones_of, stripe_borders
from classicseg.kernels.dense.bank import Bank, Pairwise, RowLayout
from classicseg.kernels.dense.hashing import Table
from classicseg.kernels.dense.lattice import Corners, Met
from classicseg.kernels.dense.normalization import normalize
from classicseg.kernels.dense.streamed import (
    COUNTERS,
    begin_stripe,
    blur_rows,
    locate,
    meet,
    normalize_window,
    numbered,
    table_of_rows,
)
from classicseg.machine.memory import aligned_zeros, check_memory
from classicseg.machine.parallel import new_sync, run
from classicseg.machine.simd import PIXELS, padded_pixels
from classicseg.machine.threads import map_tasks

_FIRST_SIZE = 12  # binary logarithm of how many vertices a stripe has room for at first
_MANY = 2**20  # vertices; fewer are not worth a look at how much memory is free
_GROWING = 100  # bytes for each vertex that there was room for: longer lists beside the old ones, and a table
BYTES_OF_VERTEX = 200
"""For each vertex of a stripe: keys, tables, rows, neighbours."""
_HINT = "larger sigmas, or fewer features, need less"

Passing = Callable[[int, int], Iterator[np.ndarray]]
"""``passing(start, stop)`` gives the features of the points `start` to `stop` - 1, window by window.

Each is (sum of d, m + 16) float32, lattice after lattice, for the m points of the window; m is a multiple of 16 but for
the last window.
"""


class Vertices(NamedTuple):
    """The vertices that the stripes of one lattice touch, stripe after stripe, each in the order in which it met them.

    All else about a lattice follows from it.
    """

    keys: np.ndarray  # (total,) int64
    mass: np.ndarray  # (total,) float32: the weights of the points of the stripe, summed up
    start: np.ndarray  # (n_stripes + 1,) int64: where each stripe begins


StripeVertices = list[tuple[np.ndarray, np.ndarray]]
"""For each lattice: the keys and masses of the vertices that one stripe touches, see :class:`Vertices`."""


def meet_all(
    spaces: Sequence[Space], passing: Passing, n_points: int, n_threads: int, tick: Callable[[], None] = lambda: None
) -> list[Vertices]:
    """The vertices of each lattice; all points pass by once, and `tick` is called whenever a stripe has."""
    borders = point_borders(n_points)

    def stripe(s: int) -> StripeVertices:
        met = meet_stripe(spaces, passing(int(borders[s]), int(borders[s + 1])))
        tick()
        return met

    return joined(map_tasks(stripe, borders.size - 1, n_threads))


def point_borders(n_points: int) -> np.ndarray:
    """The first point of each stripe, and the number of points, (n_stripes + 1,) int64."""
    return np.minimum(stripe_borders(n_points) * PIXELS, n_points)


def meet_stripe(spaces: Sequence[Space], windows: Iterator[np.ndarray]) -> StripeVertices:
    """The vertices of each lattice that the points of a stripe touch, whose features are given as by `Passing`."""
    meetings = [Meeting(space) for space in spaces]
    for features in windows:
        for meeting, own in zip(meetings, split(features, spaces), strict=True):
            meeting.add(own, 0, own.shape[1] - PIXELS)
    return [meeting.met() for meeting in meetings]


def joined(stripes: Sequence[StripeVertices]) -> list[Vertices]:
    """The vertices of each lattice, from those of all stripes in order."""
    found = []
    for k in range(len(stripes[0])):
        keys, mass = ([of_stripe[k][i] for of_stripe in stripes] for i in (0, 1))
        start = np.cumsum([0, *(part.size for part in keys)]).astype(np.int64)
        found.append(Vertices(np.concatenate(keys), np.concatenate(mass), start))
    return found


class Meeting:
    """The vertices that a stripe has met in one lattice so far.

    Parameters
    ----------
    space : Space
    """

    def __init__(self, space: Space) -> None:
        self._space, self.n, self._log2_size = space, 0, _FIRST_SIZE
        self._keys, self._mass = np.empty(1 << _FIRST_SIZE, np.int64), np.empty(1 << _FIRST_SIZE, np.float32)
        self._table = numbered(self._keys, 0, _FIRST_SIZE + 1)

    def add(self, features: np.ndarray, start: int, stop: int) -> None:
        """The points `start` to `stop` - 1 of a window, (d, m + 16), as well; both are multiples of 16, or m."""
        n = features.shape[1] - PIXELS
        size = padded_pixels(n) * self._space.n_corners
        corners = Corners(np.empty(size, np.uint32), np.empty(size, np.float32), 0, self._space.n_corners)
        block, last = start // PIXELS, padded_pixels(stop) // PIXELS
        while True:
            block, self.n = meet(
                features, n, self._space.scale, self._space.radix, block, last, corners, self._table,
                Met(self._keys, self._mass), self.n,
            )  # fmt: skip
            if block >= last:
                break
            self._grow()

    def met(self) -> tuple[np.ndarray, np.ndarray]:
        """Keys and masses."""
        return self._keys[: self.n].copy(), self._mass[: self.n].copy()

    def forget(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Keys and masses of the first `n`, which are not known any more: no further point may touch them."""
        gone = self._keys[:n].copy(), self._mass[:n].copy()
        self.n -= n
        for values in (self._keys, self._mass):
            values[: self.n] = values[n : n + self.n].copy()
        self._table = numbered(self._keys, self.n, self._log2_size + 1)
        return gone

    def _grow(self) -> None:
        more = 1 << self._log2_size
        if more >= _MANY:
            check_memory(_GROWING * more, f"{2 * more} lattice vertices of one stripe of the image", _HINT)
        self._log2_size += 1
        self._keys, self._mass = (np.concatenate([v, np.empty(more, v.dtype)]) for v in (self._keys, self._mass))
        self._table = numbered(self._keys, self.n, self._log2_size + 1)


@dataclass(frozen=True, eq=False)
class Merged:
    """The vertices of all stripes together.

    Attributes
    ----------
    bank : Bank
        Of all vertices, without corners of points.
    rows : list of ndarray, (total,), uint32
        For each lattice: the rows of the vertices of its stripes, as in :class:`Vertices`, counted from its first row.
    ones : ndarray, (bank.n_rows,), float32
        What splatting ones and blurring it gives, in duplicates as well.
    """

    bank: Bank
    rows: list[np.ndarray]
    ones: np.ndarray

    @classmethod
    def of(
        cls, spaces: Sequence[Space], vertices: Sequence[Vertices], norms: Norms, n_points: int, n_threads: int
    ) -> Merged:
        """Those of each lattice, as :func:`meet_all` finds them."""
        total = sum(met.keys.size for met in vertices)
        if total > _MANY:
            check_memory(BYTES_OF_VERTEX * total, f"{total} lattice vertices of all stripes of the image", _HINT)
        lattices = [
            Lattice.of(space, [met.keys[a:b] for a, b in pairwise(met.start)])
            for space, met in zip(spaces, vertices, strict=True)
        ]
        masses = [[met.mass[a:b] for a, b in pairwise(met.start)] for met in vertices]
        bank = bank_of_vertices(lattices, stripe_borders(n_points), n_threads)
        ones = ones_of(lattices, bank, masses)
        other = new_rows(bank, RowLayout.of(1))
        no_points = bank._replace(stripe=np.zeros(1, np.int64))
        run(
            normalize, n_threads, new_sync(2), no_points, 0, norms.gain, norms.before, norms.after, ones, other,
            np.empty(0, np.float32),
        )  # fmt: skip
        return cls(bank, [lattice.row_of for lattice in lattices], ones)


class Norms(NamedTuple):
    """How lattices are normalised: a factor, and powers of row sums before and after, (n_lattices,) float32 each."""

    gain: np.ndarray
    before: np.ndarray
    after: np.ndarray

    @classmethod
    def of(cls, spaces: Sequence[Space], normalizations: Sequence[Normalization]) -> Norms:
        """Those of these names."""
        powers = np.array([POWERS[norm] for norm in normalizations], np.float32)
        return cls(np.array(gains_of(spaces), np.float32), powers[:, 0].copy(), powers[:, 1].copy())


def gains_of(spaces: Sequence[Space]) -> list[float]:
    """The factor of each lattice."""
    return [space.blur.gain(space.features.d) for space in spaces]


class PassingLattices:
    """Lattices whose points pass by.

    Parameters
    ----------
    spaces : sequence of Space
    bank : Bank
        Of all vertices, without corners of points.
    ones : ndarray, (bank.n_rows,), float32
        As in :class:`Merged`.
    norms : Norms
    borders : ndarray, (n_stripes + 1,), int64
        The first point of each stripe, and where the last one ends.
    """

    def __init__(
        self,
        spaces: Sequence[Space],
        bank: Bank,
        ones: np.ndarray,
        norms: Norms,
        borders: np.ndarray,
    ) -> None:
        self.bank, self.borders = bank, borders
        self._spaces, self._ones, self._norms = spaces, ones, norms
        self._one_sided = bool((norms.before != norms.after).any())

    def tables(self, s: int) -> list[Table]:
        """For each lattice: from the keys of the vertices that stripe `s` touches to their rows."""
        raise NotImplementedError

    def stripe(
        self, s: int, source: np.ndarray, base: np.ndarray, target: np.ndarray, layout: RowLayout
    ) -> StripePassage:
        """Make rows ready for the windows of stripe `s`: see :func:`classicseg.kernels.dense.streamed.begin_stripe`."""
        begin_stripe(self.bank, s, source, base, target, layout)
        return StripePassage(self, self.tables(s))

    def located(self, tables: Sequence[Table], features: np.ndarray, needed: np.ndarray, room: Bank) -> Bank:
        """The bank with the corners of the points of a window: those of its `needed` blocks.

        Parameters
        ----------
        tables : sequence of Table
            For each lattice: from the key of a vertex to its row.
        features : ndarray, (sum of d, n + 16), float32
        needed : ndarray, (n_blocks,), uint8
            1 for blocks that are located, 0 for others.
        room : Bank
            What was returned for the window before, which may serve again; or `bank`.
        """
        n = features.shape[1] - PIXELS
        n_blocks, count, unknown = needed.size, int(room.corner_start[-1]), 0
        if n_blocks * PIXELS * count > room.index.size:
            room = self._with_room(n_blocks * PIXELS * count)
        for k, own in enumerate(split(features, self._spaces)):
            corners = Corners(room.index, room.weight_in, int(room.corner_start[k]), count)
            space = self._spaces[k]
            unknown += locate(own, n, space.scale, space.radix, n_blocks, needed, corners, tables[k])
        if unknown:
            raise InputError("the image has other colours than it had when the lattice was built: it was changed")
        if self._one_sided:
            room.weight_out[:] = room.weight_in
        normalize_window(room, n_blocks, needed, *self._norms, self._ones)
        return room

    def _with_room(self, size: int) -> Bank:
        """The bank with room for so many corners."""
        weight = np.empty(size, np.float32)
        weight_out = np.empty(size, np.float32) if self._one_sided else weight
        return self.bank._replace(index=np.empty(size, np.uint32), weight_in=weight, weight_out=weight_out)


class StreamedBank(PassingLattices):
    """Lattices of several kernels, normalised, whose points pass by.

    Parameters
    ----------
    spaces : sequence of Space
    vertices : sequence of Vertices
        Of each, as :func:`meet_all` finds them.
    normalizations : sequence of str
    n_points : int
    n_threads : int

    Attributes
    ----------
    bank : Bank
        Of all vertices, without corners of points.
    gains : list of float
        Factor of each lattice.
    borders : ndarray, (n_stripes + 1,), int64
        The first point of each stripe, and the number of points.
    """

    def __init__(
        self,
        spaces: Sequence[Space],
        vertices: Sequence[Vertices],
        normalizations: Sequence[Normalization],
        n_points: int,
        n_threads: int,
    ) -> None:
        norms = Norms.of(spaces, normalizations)
        merged = Merged.of(spaces, vertices, norms, n_points, n_threads)
        self._tables = [
            [Table(*table_of_rows(met.keys[a:b], rows[a:b], int(first))) for a, b in pairwise(met.start)]
            for met, rows, first in zip(vertices, merged.rows, merged.bank.vertex[:, 0], strict=True)
        ]
        super().__init__(spaces, merged.bank, merged.ones, norms, point_borders(n_points))
        self.gains = gains_of(spaces)

    def tables(self, s: int) -> list[Table]:
        """See :class:`PassingLattices`."""
        return [of_stripes[s] for of_stripes in self._tables]

    def new_rows(self, layout: RowLayout) -> np.ndarray:
        """A row array, zero."""
        return new_rows(self.bank, layout)

    def copied(self, rows: np.ndarray) -> np.ndarray:
        """A new row array with what is in another one."""
        copy = aligned_zeros(rows.size, np.float32)
        copy[:] = rows
        return copy

    def blur(self, pairwise: Pairwise, rows: np.ndarray, other: np.ndarray, n_threads: int) -> None:
        """Turn what was splatted into `rows` into messages; `other` is work space."""
        run(
            blur_rows, n_threads, new_sync(COUNTERS), self.bank, rows, other, pairwise.scale, pairwise.matrix,
            pairwise.layout,
        )  # fmt: skip


class StripePassage:
    """A stripe whose windows pass by.

    Parameters
    ----------
    lattices : PassingLattices
    tables : sequence of Table
        For each lattice: from the key of a vertex to its row.
    """

    def __init__(self, lattices: PassingLattices, tables: Sequence[Table]) -> None:
        self._lattices, self._tables, self._room = lattices, list(tables), lattices.bank

    def reach(self, start: int, stop: int) -> None:
        """The next window, whether it is located or not, has the points `start` to `stop` - 1."""

    def located(self, features: np.ndarray, needed: np.ndarray) -> Bank:
        """The bank with the corners of its points; see :meth:`PassingLattices.located`."""
        self._room = self._lattices.located(self._tables, features, needed, self._room)
        return self._room


def split(features: np.ndarray, spaces: Sequence[Space]) -> Iterator[np.ndarray]:
    """The features of each lattice."""
    first = 0
    for space in spaces:
        yield features[first : first + space.features.d]
        first += space.features.d
