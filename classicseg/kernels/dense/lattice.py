"""Embedding points in a permutohedral lattice: the simplex that holds each point, and its weights there.

Adams, Baek, Davis, "Fast high-dimensional filtering using the permutohedral lattice", Computer Graphics Forum 29(2),
2010, doi:10.1111/j.1467-8659.2009.01645.x. Notation as there: d features, d + 1 elevated coordinates that sum to 0.

A vertex is known by one int64 key that is *linear* in its coordinates, ``key = sum(coordinate[i] * radix[i])``, so
that a step in the lattice is one integer addition. With suitable radices the key is a plain packing of bit fields.

Points are cut into stripes with fixed borders. Every stripe numbers the vertices that it meets by itself and later
sums into rows of its own, so nothing is shared between threads and results do not depend on their number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.dense.hashing import EMPTY, GOLDEN, find, new_table, table_of
from classicseg.machine.bits import NONE, bit, first_bit, without_first
from classicseg.machine.gather import different, gather, negative, shift_right, store_numbers
from classicseg.machine.jit import inline, kernel
from classicseg.machine.simd import (
    ACROSS,
    PIXELS,
    add,
    axpy,
    choose,
    equal,
    fill,
    item,
    less,
    load,
    multiply,
    put,
    round_even,
    store,
    subtract,
    to_int64,
)


class Corners(NamedTuple):
    """Where the corners of all points in one lattice lie among those in all lattices of a bank."""

    index: np.ndarray  # (n_blocks * count * 16,) uint16 or uint32: the vertex that each corner is
    weight: np.ndarray  # (n_blocks * count * 16,) float32: its barycentric weight
    first: int  # the lattice's first corner among those of a point
    count: int  # corners of a point in all lattices


class Met(NamedTuple):
    """The vertices that a stripe has met so far, in arrays with room for more."""

    keys: np.ndarray  # (m,) int64
    mass: np.ndarray  # (m,) float32: the weights of their points, summed up


@inline
def head_of(values, n):
    """The first `n` of the (m,) `values` in an array of their own."""
    head = np.empty(n, values.dtype)
    for i in range(n):
        head[i] = values[i]
    return head


@inline
def _longer(values, n):
    """The (m,) `values` at the beginning of an array of `n`."""
    longer = np.empty(n, values.dtype)
    for i in range(values.size):
        longer[i] = values[i]
    return longer


@inline
def elevate(features, width, at, scale, d, work):
    """Put 16 points on the plane where the ``d + 1`` coordinates sum to 0: the first part of `work`.

    `features` are ``(d * width,)`` float32, the points those from `at` on, `scale` is (d,) float32, and `work` float32
    of three parts with d + 1 planes each.

    Product and difference are rounded once, on all processors alike: on regular grids points lie on the borders of
    simplices, and the last bit decides which vertices, of weight 0, exist for the blur.
    """
    total = fill(np.float32(0.0), ACROSS)
    for j in range(d, 0, -1):
        scaled = multiply(load(features, (j - 1) * width + at, ACROSS), fill(scale[j - 1], ACROSS))
        store(work, j * PIXELS, axpy(np.float32(-j), scaled, total))
        total = add(total, scaled)
    store(work, 0, total)


@inline
def round_to_simplex(d, work):
    """Nearest vertex of remainder 0, into the second part of `work`, and the rank of each residual, into the third.

    The first part holds the `d` + 1 coordinates, and afterwards the residuals, in units of d + 1.
    """
    one = fill(np.float32(1.0), ACROSS)
    size = fill(np.float32(d + 1), ACROSS)
    zero = fill(np.float32(0.0), ACROSS)
    down = fill(np.float32(1.0) / np.float32(d + 1), ACROSS)
    base, ranks = (d + 1) * PIXELS, 2 * (d + 1) * PIXELS
    excess = zero
    for i in range(d + 1):
        nearest = round_even(multiply(load(work, i * PIXELS, ACROSS), down))
        excess = add(excess, nearest)
        vertex = multiply(nearest, size)
        store(work, base + i * PIXELS, vertex)
        store(work, i * PIXELS, subtract(load(work, i * PIXELS, ACROSS), vertex))
    for i in range(d + 1):
        store(work, ranks + i * PIXELS, excess)
    for i in range(d + 1):
        residual = load(work, i * PIXELS, ACROSS)
        rank = load(work, ranks + i * PIXELS, ACROSS)
        for j in range(i + 1, d + 1):
            lower = less(residual, load(work, j * PIXELS, ACROSS))
            rank = add(rank, lower)
            other = load(work, ranks + j * PIXELS, ACROSS)
            store(work, ranks + j * PIXELS, add(other, subtract(one, lower)))
        store(work, ranks + i * PIXELS, rank)
    # The ranks started at the excess; where one left 0..d, its coordinate takes a step to bring the sum back to 0.
    for i in range(d + 1):
        rank = load(work, ranks + i * PIXELS, ACROSS)
        vertex = load(work, base + i * PIXELS, ACROSS)
        step = subtract(less(rank, zero), less(fill(np.float32(d), ACROSS), rank))
        store(work, ranks + i * PIXELS, add(rank, multiply(step, size)))
        store(work, base + i * PIXELS, add(vertex, multiply(step, size)))
        residual = subtract(load(work, i * PIXELS, ACROSS), multiply(step, size))
        store(work, i * PIXELS, multiply(residual, down))


@inline
def weights_and_keys(d, work, radix, radix_sum, steps, weights, keys):
    """Planes of barycentric `weights` and of vertex `keys`, remainder 0 to `d`, of the 16 points of `work`.

    `radix` is (d + 1,) int64, `radix_sum` the sum of the first d of them; `steps` are d + 1 planes of work space.

    Both need the coordinates in the order of their residuals. Comparing every rank with every place vectorises over
    the points; sorting each point by itself, with addresses that depend on data, took three times as long.
    """
    base, ranks = (d + 1) * PIXELS, 2 * (d + 1) * PIXELS
    zero = fill(np.float32(0.0), ACROSS)
    lower, largest = zero, zero
    for place in range(d + 1):
        here = fill(np.float32(place), ACROSS)
        residual = zero
        step = fill(np.int64(0), ACROSS)
        for i in range(d + 1):
            here_is_i = equal(load(work, ranks + i * PIXELS, ACROSS), here)
            residual = choose(here_is_i, load(work, i * PIXELS, ACROSS), residual)
            step = choose(here_is_i, fill(item(radix, i), ACROSS), step)
        store(steps, place * PIXELS, step)
        if place == 0:
            largest = residual
        else:
            store(weights, (d - place + 1) * PIXELS, subtract(lower, residual))
        lower = residual
    store(weights, 0, subtract(add(fill(np.float32(1.0), ACROSS), lower), largest))
    key = fill(np.int64(0), ACROSS)
    for i in range(d):
        coordinate = to_int64(load(work, base + i * PIXELS, ACROSS))
        key = add(key, multiply(coordinate, fill(item(radix, i), ACROSS)))
    store(keys, 0, key)
    for r in range(1, d + 1):
        # From remainder r - 1 to r every coordinate grows by 1, but the one of rank d - r + 1 falls by d.
        step = load(steps, (d - r + 1) * PIXELS, ACROSS)
        key = add(key, subtract(fill(radix_sum, ACROSS), multiply(fill(np.int64(d + 1), ACROSS), step)))
        store(keys, r * PIXELS, key)


@inline
def _number(keys, at, n, entries, shift, met, n_vertices, index, to):
    """Number the vertices that one corner of the points of a block is.

    Most lie where a look-up begins: 16 are looked up at once, and only others one by one.

    Parameters
    ----------
    keys : (m,) int64, those from `at` on are of the points, of which there are `n`
    entries, shift : as in :func:`find`
    met : Met, the vertices met so far; new ones are added
    n_vertices : int, how many there are
    index : filled with the numbers, from `to` on

    Returns
    -------
    n_vertices : int, how many there are now
    """
    wanted = load(keys, at, ACROSS)
    slots = shift_right(multiply(wanted, fill(GOLDEN, ACROSS)), shift)
    at_slot = add(slots, slots)
    numbers = gather(entries, 1, at_slot)
    store_numbers(index, to, numbers)
    missed = (different(gather(entries, 0, at_slot), wanted) | negative(numbers)) & (bit(n) - bit(0))
    while missed != NONE:
        p = first_bit(missed)
        missed = without_first(missed)
        key = item(keys, at + p)
        slot = find(entries, shift, key)
        number = item(entries, 2 * slot + 1)
        if number == EMPTY:
            number = n_vertices
            put(entries, 2 * slot, key)
            put(entries, 2 * slot + 1, number)
            put(met.keys, number, key)
            put(met.mass, number, np.float32(0.0))
            n_vertices += 1
        put(index, to + p, number)
    return n_vertices


@inline
def _embed_blocks(features, width, origin, n, scale, radix, first, last, corners, table, met, n_vertices):
    """Locate points block by block until the table might get more than half full.

    Parameters
    ----------
    features : (d * width,) float32, feature after feature
    width : int, number of points in `features`
    origin, n, scale, radix, first, last, corners : as in :func:`embed_stripe`
    table : Table, from the keys of the vertices met so far to their numbers; new ones are added
    met : Met, these vertices; new ones are added
    n_vertices : int, how many there are

    Returns
    -------
    block, n_vertices : int, the first block that is left, and how many vertices there are now
    """
    d, entries, shift = scale.size, table.entries, 64 - table.log2_size
    index, weight, mass = corners.index, corners.weight, met.mass
    work, weights = np.empty(3 * (d + 1) * PIXELS, np.float32), np.empty((d + 1) * PIXELS, np.float32)
    steps, keys = np.empty((d + 1) * PIXELS, np.int64), np.empty((d + 1) * PIXELS, np.int64)
    radix_sum = np.int64(0)
    for i in range(d):
        radix_sum += radix[i]
    block, most = first, min(mass.size, 1 << (8 * index.itemsize)) - (d + 1) * PIXELS
    while block < last and n_vertices <= most:
        at = block * PIXELS
        elevate(features, width, at - origin, scale, d, work)
        round_to_simplex(d, work)
        weights_and_keys(d, work, radix, radix_sum, steps, weights, keys)
        here, n_here = (block * corners.count + corners.first) * PIXELS, min(PIXELS, n - at)
        for r in range(d + 1):
            to = here + r * PIXELS
            store(weight, to, load(weights, r * PIXELS, ACROSS))
            n_vertices = _number(keys, r * PIXELS, n_here, entries, shift, met, n_vertices, index, to)
            for p in range(n_here, PIXELS):  # points that only fill the last block weigh nothing
                put(index, to + p, 0)
                put(weight, to + p, np.float32(0.0))
        for p in range(n_here):
            for to in range(here + p, here + p + (d + 1) * PIXELS, PIXELS):
                number = np.intp(item(index, to))
                put(mass, number, item(mass, number) + item(weight, to))
        block += 1
    return block, n_vertices


@kernel
def embed_stripe(features, origin, n, scale, radix, first, last, corners):
    """Locate the points of the blocks `first` to `last` - 1 and number the vertices that they touch.

    Parameters
    ----------
    features : (d, m) float32, of the points from `origin` on; 16 more than there are may be read
    origin : int
    n : int, number of all points
    scale : (d,) float32, factor of each feature
    radix : (d + 1,) int64, factor of each coordinate in a key; the last one is 0
    first, last : int
    corners : Corners, filled with the vertex numbers of this stripe and the barycentric weights

    Returns
    -------
    keys : (n_vertices,) int64, the keys of the vertices, in the order in which they were met
    mass : (n_vertices,) float32, the sum of the weights of each: what splatting ones gives
    fits : bool, whether `corners.index` can hold the numbers of so many; if not, there are no keys
    """
    d, flat, width = scale.size, features.reshape(-1), features.shape[1]
    log2_size = 13
    table = new_table(log2_size)
    vertices, mass = np.empty(1 << (log2_size - 1), np.int64), np.empty(1 << (log2_size - 1), np.float32)
    n_vertices, block = 0, first
    while True:
        # The table grows out here: in a loop that may exchange it, looking up takes three times as long.
        block, n_vertices = _embed_blocks(
            flat, width, origin, n, scale, radix, block, last, corners, table, Met(vertices, mass), n_vertices
        )
        if block >= last:
            return head_of(vertices, n_vertices), head_of(mass, n_vertices), True
        if n_vertices + (d + 1) * PIXELS > 1 << (8 * corners.index.itemsize):
            return head_of(vertices, 0), head_of(mass, 0), False
        log2_size += 2
        table = table_of(vertices, n_vertices, log2_size)
        vertices, mass = _longer(vertices, 4 * vertices.size), _longer(mass, 4 * mass.size)
