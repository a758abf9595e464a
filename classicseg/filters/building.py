"""Building a bank of lattices (see :mod:`classicseg.kernels.dense.bank`), step by step.

1. Every stripe of points is embedded in every lattice: each finds the vertices that it touches.
2. The vertices of a lattice's stripes are merged, and all lattices together are given rows.
3. The neighbours of all vertices are found, and the vertex numbers of the points become rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from classicseg.filters.blur import AXES, MOST_FEATURES, Blur, stencil_blurs
from classicseg.filters.features import Column, Features
from classicseg.filters.keys import packing, spans
from classicseg.kernels.dense.bank import Bank
from classicseg.kernels.dense.hashing import Table
from classicseg.kernels.dense.lattice import Corners, embed_stripe
from classicseg.kernels.dense.linking import find_links, find_neighbours, merge_stripes, number_rows
from classicseg.machine.memory import aligned_zeros, give_back
from classicseg.machine.simd import PIXELS, padded_pixels
from classicseg.machine.threads import map_tasks

_POINTS_PER_STRIPE = 12_000  # fewer are not worth a task of their own
_MAX_STRIPES = 16  # their vertices are merged again, which takes longer the more stripes have the same ones
_MOST_POINTS_OF_16_BITS = 2**18  # of more points it is rarely true that 16 bits can number the rows
MOST_ROWS_OF_16_BITS = 2**16 / 1.5
"""By an estimate: somewhat more are not a surprise."""
MANY_POINTS = 2**21
"""From so many on it is worth a sample to know whether 16 bits can number the rows after all."""
_MANY_ROWS = 2**19  # work space for as many is worth being given back
_VERTICES_PER_LINK_PART = 10_000  # fewer are not worth a task of their own
_MAX_LINK_PARTS = 8  # tasks of one lattice, for threads to share
_MOST_LINKS = 60  # of a point, on average, for the larger of two stencils: as many sums as slicing and splatting take
_MOST_COUNTED = 2**16 - 16 * (MOST_FEATURES + 1)  # vertices of a stripe, if 16 bits surely number them; more are many
_SAMPLE = 256  # vertices whose neighbours are counted to choose a stencil


def stripes_of(n: int) -> int:
    """Number of stripes that `n` points are cut into, even if there are several."""
    return max(1, min(_MAX_STRIPES, -(-(n // _POINTS_PER_STRIPE) // 2) * 2))


def index_type(n: int, of_stripe: float = 0, n_rows: float = math.inf) -> type[np.unsignedinteger[Any]]:
    """With what stripes number their vertices: `of_stripe` each, of `n` points, and `n_rows` in all, if that is known.

    If 16 bits turn out to be too few, work is done again, so that has to be unlikely.
    """
    fits = n_rows < MOST_ROWS_OF_16_BITS if n >= MANY_POINTS else n <= _MOST_POINTS_OF_16_BITS and of_stripe < 2**16
    return np.uint16 if fits else np.uint32


def choose_blur(columns: Sequence[Column], accurate: bool) -> Blur:
    """How to blur a lattice of these features."""
    return choose_stencil(len(columns), lambda blur: links_per_point(columns, blur)) if accurate else AXES


def choose_stencil(d: int, links: Callable[[Blur], float]) -> Blur:
    """How to blur a lattice of `d` features accurately, if ``links(blur)`` says how many neighbours a point has."""
    *larger, usual = stencil_blurs(d)
    return next((blur for blur in larger if links(blur) <= _MOST_LINKS), usual)


def build_bank(
    feature_sets: Sequence[Features],
    blurs: Sequence[Blur],
    n_threads: int,
    dtype: type[np.unsignedinteger[Any]],
) -> tuple[Bank, np.ndarray, list[Lattice]]:
    """Build one lattice for each set of features, blurred as its blur says.

    `dtype` is tried first to number vertices, see :func:`index_type`. Returned with the bank is what splatting ones
    gives, (n_rows,) float32, and the lattices, which know the keys of their vertices and take much memory.
    """
    built = _built(feature_sets, blurs, n_threads, dtype)
    _give_back_if(built[0].n_rows)
    return built


def _built(
    feature_sets: Sequence[Features], blurs: Sequence[Blur], n_threads: int, dtype: type[np.unsignedinteger[Any]]
) -> tuple[Bank, np.ndarray, list[Lattice]]:
    n = feature_sets[0].n
    stripe = stripe_borders(n)
    spaces = [Space.of(features, blur) for features, blur in zip(feature_sets, blurs, strict=True)]
    corners, stripe_keys, masses = _embed(spaces, stripe, n, dtype, n_threads)
    _give_back_if(sum(keys.size for of_lattice in stripe_keys for keys in of_lattice))
    lattices = map_tasks(lambda k: Lattice.of(spaces[k], stripe_keys[k]), len(spaces), n_threads)
    index, n_rows = corners[0].index, 1 + sum(lattice.n_rows for lattice in lattices)
    _give_back_if(n_rows)
    rows = index if n_rows <= 1 << (8 * index.itemsize) else np.empty(index.size, np.uint32)

    def number(searches: Sequence[_Search], s: int) -> None:
        for search, own in zip(searches, corners, strict=True):
            search.number(own, rows, stripe, s)

    bank = bank_of_vertices(lattices, stripe, n_threads, number)
    bank = bank._replace(index=rows, weight_in=corners[0].weight, weight_out=corners[0].weight)
    return bank, ones_of(lattices, bank, masses), lattices


def ones_of(lattices: Sequence[Lattice], bank: Bank, masses: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """What splatting ones gives, (n_rows,) float32, from the `masses` of the vertices of each lattice's stripes."""
    ones = aligned_zeros(bank.n_rows, np.float32)
    for lattice, row, of_stripes in zip(lattices, bank.vertex[:, 0], masses, strict=True):
        for start, mass in zip(lattice.start[:-1], of_stripes, strict=True):
            ones[row:][lattice.row_of[start : start + mass.size]] = mass
    return ones


def _give_back_if(n_rows: int) -> None:
    """Give back what was used as work space for so many rows, before more memory is asked for."""
    if n_rows >= _MANY_ROWS:
        give_back()


# --- 1. points ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Space:
    """A lattice without points: how features are scaled, and what the keys of its vertices are."""

    features: Features
    blur: Blur
    scale: np.ndarray  # (d,) float32
    radix: np.ndarray  # (d + 1,) int64, the last one 0

    @classmethod
    def of(cls, features: Features, blur: Blur) -> Space:
        """The lattice for these features."""
        scale = blur.feature_scale(features.d)
        radix = np.append(packing(spans(features.low, features.high, scale)[:-1]), 0)
        return cls(features, blur, scale.astype(np.float32), radix)

    @property
    def n_corners(self) -> int:
        """Corners of a point."""
        return self.features.d + 1

    def steps(self) -> np.ndarray:
        """Change of the key to each neighbour: one for each axis, or those of a stencil, shell after shell."""
        if self.blur.shells:
            return np.concatenate([shell @ self.radix for shell in self.blur.shells])
        return self.n_corners * self.radix - self.radix[:-1].sum()

    def shell_ends(self) -> np.ndarray:
        """Where in `steps` each shell ends, (n_shells,) int64."""
        return np.cumsum([len(shell) for shell in self.blur.shells]).astype(np.int64)

    def embed(self, first: int, last: int, n: int, corners: Corners) -> tuple[np.ndarray, np.ndarray, bool]:
        """Locate the points of some blocks; see the kernel."""
        block, origin = self.features.block(first * PIXELS, min(last * PIXELS, n))
        return embed_stripe(block, origin, n, self.scale, self.radix, first, last, corners)

    def keys_of(self, first: int, last: int, dtype: Any) -> tuple[np.ndarray, bool]:
        """The keys of the vertices that the points of some blocks touch, numbered with a `dtype`; see the kernel."""
        start, stop = first * PIXELS, min(last * PIXELS, self.features.n)
        block, origin = self.features.block(start, stop)
        size = stop - start
        index, weight = (np.empty(padded_pixels(size) * self.n_corners, kind) for kind in (dtype, np.float32))
        corners = Corners(index, weight, 0, self.n_corners)
        keys, _, fits = embed_stripe(block, origin - start, size, self.scale, self.radix, 0, last - first, corners)
        return keys, fits


def stripe_borders(n: int) -> np.ndarray:
    """First block of each stripe, and where the last one ends."""
    return np.linspace(0, padded_pixels(n) // PIXELS, stripes_of(n) + 1).astype(np.int64)


def _embed(
    spaces: Sequence[Space], stripe: np.ndarray, n: int, dtype: type[np.unsignedinteger[Any]], n_threads: int
) -> tuple[list[Corners], list[list[np.ndarray]], list[list[np.ndarray]]]:
    """Locate all points in all lattices: their corners, the keys of each stripe's vertices, and the masses of these.

    The corners of all lattices share their arrays, in which stripes number vertices with integers of type `dtype`, or
    with 32 bits where those are too few.
    """
    n_stripes, count = stripe.size - 1, sum(space.n_corners for space in spaces)
    index, weight = (np.empty(padded_pixels(n) * count, kind) for kind in (dtype, np.float32))
    firsts = _starts([space.n_corners for space in spaces])
    corners = [Corners(index, weight, int(first), count) for first in firsts]

    def embed(task: int) -> tuple[np.ndarray, np.ndarray, bool]:
        k, s = divmod(task, n_stripes)
        return spaces[k].embed(int(stripe[s]), int(stripe[s + 1]), n, corners[k])

    embedded = map_tasks(embed, len(spaces) * n_stripes, n_threads)
    if not all(fits for _, _, fits in embedded):
        return _embed(spaces, stripe, n, np.uint32, n_threads)
    found = [embedded[k * n_stripes : (k + 1) * n_stripes] for k in range(len(spaces))]
    keys, masses = ([[stripe[i] for stripe in of_lattice] for of_lattice in found] for i in (0, 1))
    return corners, keys, masses


# --- 2. vertices --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Lattice:
    """The vertices of a lattice; its rows are counted from 0, vertices first, then duplicates."""

    space: Space
    keys: np.ndarray  # (n_vertices,) int64
    table: Table  # from key to row
    target: np.ndarray  # (n_duplicates,) uint32
    own: np.ndarray  # (n_stripes + 1,) int64
    own_duplicate: np.ndarray  # (n_stripes + 1,) int64
    start: np.ndarray  # (n_stripes + 1,) int64: where in `row_of` the vertex numbers of each stripe begin
    row_of: np.ndarray  # (total,) uint32

    @classmethod
    def of(cls, space: Space, stripe_keys: list[np.ndarray]) -> Lattice:
        """Merge the vertices of all stripes, whose keys are given up."""
        start = np.cumsum([0, *(keys.size for keys in stripe_keys)]).astype(np.int64)
        row_of = np.empty(start[-1], np.uint32)
        joined = np.concatenate(stripe_keys)
        stripe_keys.clear()  # nobody needs them any more, and they are large
        table, keys, target, own, own_duplicate = merge_stripes(joined, start, row_of)
        return cls(space, keys, table, target, own, own_duplicate, start, row_of)

    @property
    def n_rows(self) -> int:
        """Vertices and duplicates."""
        return self.keys.size + self.target.size

    @property
    def n_neighbours(self) -> int:
        """How many neighbours are kept of the vertices, two for each axis; those of a stencil are not among them."""
        return 0 if self.space.blur.shells else self.space.n_corners * self.keys.size * 2


# --- 3. neighbours and rows ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Search:
    """The search for the neighbours of a lattice's vertices, in parts that threads share."""

    lattice: Lattice
    first_row: int
    part: np.ndarray  # (n_parts + 1,) int64: first vertex of each part
    neighbour: np.ndarray  # (n_neighbours,) uint32, zero: to be filled for a blur along the axes
    border: np.ndarray  # (n_vertices * n_shells,) uint32: to be filled for a stencil

    def find(self, p: int) -> np.ndarray:
        """Find the neighbours of the vertices of a part; those within a stencil are returned."""
        lattice, space = self.lattice, self.lattice.space
        where = self.first_row, self.part[p], self.part[p + 1]
        if space.blur.shells:
            return find_links(lattice.keys, lattice.table, space.steps(), space.shell_ends(), *where, self.border)
        find_neighbours(lattice.keys, lattice.table, space.steps(), *where, self.neighbour)
        return np.empty(0, np.uint32)

    def number(self, corners: Corners, rows: np.ndarray, stripe: np.ndarray, s: int) -> None:
        """Turn the vertex numbers of a stripe into rows."""
        lattice = self.lattice
        n_own, start = lattice.space.n_corners, lattice.start[s]
        number_rows(corners, rows, stripe[s], stripe[s + 1], n_own, lattice.row_of, start, self.first_row)

    def joined(self, links: list[np.ndarray]) -> np.ndarray:
        """The links of all parts one after the other; `border`, which counts from each part's first, follows suit."""
        n_shells = len(self.lattice.space.blur.shells)
        for p, before in enumerate(_starts([part.size for part in links])):
            self.border[self.part[p] * n_shells : self.part[p + 1] * n_shells] += np.uint32(before)
        return np.concatenate(links) if len(links) > 1 else links[0]


def _searches(lattices: Sequence[Lattice], first_row: np.ndarray, neighbour: np.ndarray) -> list[_Search]:
    """A search for each lattice; `neighbour` holds the neighbours of all lattices."""
    sizes = [lattice.n_neighbours for lattice in lattices]
    searches = []
    for lattice, row, start, size in zip(lattices, first_row, _starts(sizes), sizes, strict=True):
        n_vertices = lattice.keys.size
        n_parts = max(1, min(_MAX_LINK_PARTS, n_vertices // _VERTICES_PER_LINK_PART))
        part = np.linspace(0, n_vertices, n_parts + 1).astype(np.int64)
        border = np.empty(n_vertices * len(lattice.space.blur.shells), np.uint32)
        searches.append(_Search(lattice, int(row), part, neighbour[start : start + size], border))
    return searches


def bank_of_vertices(
    lattices: Sequence[Lattice],
    stripe: np.ndarray,
    n_threads: int,
    number: Callable[[Sequence[_Search], int], None] | None = None,
) -> Bank:
    """All lattices in a bank over points that are cut into stripes, without the corners of any point.

    If corners are kept elsewhere, `number` turns those of a stripe into rows; that and to search for neighbours are
    tasks of one pool.
    """
    first_row = 1 + _starts([lattice.n_rows for lattice in lattices])
    neighbour = np.zeros(sum(lattice.n_neighbours for lattice in lattices), np.uint32)
    searches = _searches(lattices, first_row, neighbour)
    parts = [(search, p) for search in searches[::-1] for p in range(search.part.size - 1)]

    def task(i: int) -> np.ndarray:
        if i < len(parts):
            search, p = parts[i]
            return search.find(p)
        assert number is not None
        number(searches, i - len(parts))
        return np.empty(0, np.uint32)

    n_others = 0 if number is None else stripe.size - 1
    found = map_tasks(task, len(parts) + n_others, n_threads)[: len(parts)]
    links = [[part for (owner, _), part in zip(parts, found, strict=True) if owner is search] for search in searches]
    joined = [search.joined(of_parts) for search, of_parts in zip(searches, links, strict=True)]
    return _packed(searches, joined, neighbour, stripe)


# --- the bank -----------------------------------------------------------------------------------------------------


def _packed(
    searches: Sequence[_Search], links: Sequence[np.ndarray], neighbour: np.ndarray, stripe: np.ndarray
) -> Bank:
    """All lattices in the arrays of one bank, without corners of points."""
    lattices, first = [search.lattice for search in searches], [search.first_row for search in searches]
    both = list(zip(first, lattices, strict=True))
    blurs = [lattice.space.blur for lattice in lattices]
    n_shells = np.array([len(blur.weights) for blur in blurs], np.int64)
    shell_weight = np.zeros((len(lattices), max(1, n_shells.max())), np.float32)
    for weights, blur in zip(shell_weight, blurs, strict=True):
        weights[: len(blur.weights)] = blur.weights
    links_before = _starts([link.size for link in links])
    return Bank(
        index=np.empty(0, np.uint32),
        weight_in=np.empty(0, np.float32),
        weight_out=np.empty(0, np.float32),
        corner_start=np.cumsum([0, *(lattice.space.n_corners for lattice in lattices)]).astype(np.int64),
        stripe=stripe,
        vertex=np.array([(row, lattice.keys.size) for row, lattice in both], np.int64),
        duplicate=np.array([(row + lattice.keys.size, lattice.target.size) for row, lattice in both], np.int64),
        own=np.array([row + lattice.own for row, lattice in both]),
        own_duplicate=np.array([row + lattice.own_duplicate for row, lattice in both]),
        target_start=_starts([lattice.target.size for lattice in lattices]),
        target=_joined([lattice.target for lattice in lattices], first),
        neighbour_start=_starts([lattice.n_neighbours for lattice in lattices]),
        neighbour=neighbour,
        n_shells=n_shells,
        shell_weight=shell_weight,
        link_start=_starts([search.border.size for search in searches]),
        link_border=_joined([search.border for search in searches], links_before),
        link=np.concatenate(links),
        n_rows=-(-(first[-1] + lattices[-1].n_rows) // 16) * 16,  # whole cache lines, whatever the width of a chunk
    )


def _joined(parts: Sequence[np.ndarray], offsets: Sequence[int] | np.ndarray) -> np.ndarray:
    """The uint32 parts one after the other, each with its offset added."""
    joined = np.concatenate(parts)
    for part, start, offset in zip(parts, _starts([part.size for part in parts]), offsets, strict=True):
        joined[start : start + part.size] += np.uint32(offset)
    return joined


def _starts(sizes: Sequence[int]) -> np.ndarray:
    """Where each of some parts begins if they lie one after the other, (len(sizes),) int64."""
    return np.cumsum([0, *sizes])[:-1].astype(np.int64)


# --- the choice of a blur -----------------------------------------------------------------------------------------


def links_per_point(columns: Sequence[Column], blur: Blur) -> float:
    """How many neighbours within the stencil a vertex has times how many vertices a point has, from samples.

    The points are those of the stripe in the middle, the vertices some of theirs.
    """
    features = Features(columns, blur)
    space, (first, last) = Space.of(features, blur), middle_stripe(features.n)
    n = min(last * PIXELS, features.n)
    keys, fits = space.keys_of(first, last, np.uint16)
    return links_of_stripe(space, keys, n - first * PIXELS) if fits else math.inf


def middle_stripe(n: int) -> tuple[int, int]:
    """The first block of the stripe in the middle of `n` points, and of the next one."""
    stripe = stripe_borders(n)
    first, last = stripe[(stripe.size - 1) // 2 :][:2]
    return int(first), int(last)


def links_of_stripe(space: Space, keys: np.ndarray, n: int) -> float:
    """The same of the vertices that the `n` points of a stripe touch, whose `keys` are in the order of the points."""
    if keys.size > _MOST_COUNTED:
        return math.inf
    blur = space.blur
    lattice = Lattice.of(space, [keys])
    sample = np.array([0, min(_SAMPLE, keys.size)]) + max(0, keys.size - _SAMPLE) // 2
    border = np.empty(keys.size * len(blur.shells), np.uint32)
    links = _Search(lattice, 0, sample, np.empty(0, np.uint32), border).find(0)
    return links.size / (sample[1] - sample[0]) * keys.size / n
