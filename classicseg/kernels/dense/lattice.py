"""Building a permutohedral lattice: where each point lies in it, which vertices exist, who neighbours whom.

Adams, Baek, Davis, "Fast high-dimensional filtering using the permutohedral lattice", Computer Graphics Forum 29(2),
2010, doi:10.1111/j.1467-8659.2009.01645.x. Notation as there: d features, d + 1 elevated coordinates that sum to 0.

A vertex is known by one int64 key that is *linear* in its coordinates, ``key = sum(coordinate[i] * radix[i])``, so
that a step in the lattice is one integer addition. With suitable radices the key is a plain packing of bit fields.

Points are cut into stripes with fixed borders. Every stripe numbers the vertices that it meets by itself and later
sums into rows of its own, so nothing is shared between threads and results do not depend on their number.
"""

from __future__ import annotations

import numpy as np

from classicseg.machine.jit import inline, kernel
from classicseg.machine.simd import (
    ACROSS,
    PIXELS,
    add,
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

_GOLDEN = np.int64(-7046029254386353131)  # 2^64 / golden ratio: Fibonacci hashing
EMPTY = np.int64(-1)


@inline
def _slot(key, shift):
    return np.int64(np.uint64(key * _GOLDEN) >> np.uint64(shift))


@inline
def _find(table, shift, key):
    """Position of `key`, or of the empty entry where it belongs. `table` holds (key, number) pairs."""
    mask = np.int64((table.size >> 1) - 1)
    at = _slot(key, shift)
    while item(table, 2 * at + 1) != EMPTY and item(table, 2 * at) != key:
        at = (at + 1) & mask
    return at


@inline
def _new_table(log2_size):
    table = np.empty(2 << log2_size, np.int64)
    for i in range(1 << log2_size):
        table[2 * i + 1] = EMPTY
    return table


@inline
def _grown(table, log2_size, keys, n):
    """A table of 2**log2_size entries with the first `n` keys numbered in order."""
    table = _new_table(log2_size)
    for number in range(n):
        at = _find(table, 64 - log2_size, keys[number])
        table[2 * at] = keys[number]
        table[2 * at + 1] = number
    return table


@inline
def _longer(keys):
    longer = np.empty(2 * keys.size, np.int64)
    for i in range(keys.size):
        longer[i] = keys[i]
    return longer


@inline
def _head(values, n):
    """The first `n` values in an array of their own."""
    head = np.empty(n, values.dtype)
    for i in range(n):
        head[i] = values[i]
    return head


@inline
def _elevate(features, width, at, scale, d, work):
    """Put 16 points on the plane where the d + 1 coordinates sum to 0 (work[0 : 16 (d + 1)]).

    Product and difference are rounded one by one, not fused, as in other implementations: on regular grids points lie
    on the borders of simplices, and the last bit decides which vertices, of weight 0, exist for the blur.
    """
    total = fill(np.float32(0.0), ACROSS)
    for j in range(d, 0, -1):
        scaled = multiply(load(features, (j - 1) * width + at, ACROSS), fill(scale[j - 1], ACROSS))
        store(work, j * PIXELS, subtract(total, multiply(fill(np.float32(j), ACROSS), scaled)))
        total = add(total, scaled)
    store(work, 0, total)


@inline
def _round_to_simplex(d, work):
    """Nearest vertex of remainder 0 (second part of `work`) and the rank of each residual (third part).

    The first part is left holding the residuals, in units of d + 1.
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
def _weights_and_keys(d, work, radix, radix_sum, steps, weights, keys):
    """Planes of barycentric weights and of vertex keys, remainder 0 to d, of the 16 points of `work`.

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
def _embed_blocks(
    features, width, origin, n, scale, radix, first, last, column, n_columns, index, weight, table, log2_size, vertices,
    n_vertices, work, weights, steps, keys,
):  # fmt: skip
    """Locate points block by block until the table might get more than half full: (next block, n_vertices)."""
    d, shift = scale.size, 64 - log2_size
    radix_sum = np.int64(0)
    for i in range(d):
        radix_sum += radix[i]
    block, most = first, min(vertices.size, 1 << (8 * index.itemsize)) - (d + 1) * PIXELS
    while block < last and n_vertices <= most:
        at = block * PIXELS
        _elevate(features, width, at - origin, scale, d, work)
        _round_to_simplex(d, work)
        _weights_and_keys(d, work, radix, radix_sum, steps, weights, keys)
        for p in range(min(PIXELS, n - at)):
            to = (at + p) * n_columns + column
            for r in range(d + 1):
                key = item(keys, r * PIXELS + p)
                slot = _find(table, shift, key)
                number = item(table, 2 * slot + 1)
                if number == EMPTY:
                    number = n_vertices
                    put(table, 2 * slot, key)
                    put(table, 2 * slot + 1, number)
                    put(vertices, number, key)
                    n_vertices += 1
                put(index, to + r, number)
                put(weight, to + r, item(weights, r * PIXELS + p))
        block += 1
    return block, n_vertices


@kernel
def embed_stripe(features, origin, n, scale, radix, first, last, column, n_columns, index, weight):
    """Locate the points of the blocks `first` to `last` and number the vertices that they touch.

    Parameters
    ----------
    features : (d, m) float32, of the points from `origin` on
    scale : (d,) float32; radix : (d + 1,) int64, the last one 0
    column : where this lattice's d + 1 columns start in the rows of `index` and `weight`
    index : (n_padded * n_columns,) uint16 or uint32, filled with vertex numbers of this stripe
    weight : (n_padded * n_columns,) float32, filled with barycentric weights

    Returns
    -------
    (n_vertices,) int64 : the keys of the vertices, in the order in which they were met; none where `index` cannot hold
        the numbers of so many
    """
    d, flat, width = scale.size, features.reshape(-1), features.shape[1]
    work = np.empty(3 * (d + 1) * PIXELS, np.float32)
    weights = np.empty((d + 1) * PIXELS, np.float32)
    steps, keys = np.empty((d + 1) * PIXELS, np.int64), np.empty((d + 1) * PIXELS, np.int64)
    log2_size = 13
    table = _new_table(log2_size)
    vertices = np.empty(1 << (log2_size - 1), np.int64)
    n_vertices, block = 0, first
    while True:
        # The table grows out here: in a loop that may exchange it, looking up takes three times as long.
        block, n_vertices = _embed_blocks(
            flat, width, origin, n, scale, radix, block, last, column, n_columns, index, weight, table, log2_size,
            vertices, n_vertices, work, weights, steps, keys,
        )  # fmt: skip
        if block >= last:
            return _head(vertices, n_vertices)
        if n_vertices + (d + 1) * PIXELS > 1 << (8 * index.itemsize):
            return _head(vertices, 0)
        log2_size += 2
        table = _grown(table, log2_size, vertices, n_vertices)
        vertices = _longer(_longer(vertices))


@kernel
def merge_stripes(stripe_keys, stripe_start, row_of):
    """Give every vertex one row, and every further stripe that touches it a duplicate row.

    Rows are numbered stripe by stripe from 0 on, the duplicates behind all vertices.

    Parameters
    ----------
    stripe_keys : (total,) int64, the vertices of all stripes; stripe s owns stripe_start[s] : stripe_start[s + 1]
    row_of : (total,) uint32, filled with the row of each entry

    Returns
    -------
    table, log2_size : hash table from key to row
    keys : (n_vertices,) int64
    target : (n_duplicates,) uint32, the row that each duplicate row stands for
    own, own_duplicates : (n_stripes + 1,) int64, borders of the rows that each stripe owns
    """
    n_stripes, total = stripe_start.size - 1, stripe_keys.size
    log2_size = 4
    while 1 << log2_size < 2 * total:  # half full at most: most neighbours that are looked for do not exist
        log2_size += 1
    table = _new_table(log2_size)
    keys, target = np.empty(total, np.int64), np.empty(total, np.uint32)
    is_duplicate = np.zeros(total, np.uint8)
    own, own_duplicates = np.empty(n_stripes + 1, np.int64), np.empty(n_stripes + 1, np.int64)
    n_vertices = n_duplicates = 0
    for s in range(n_stripes):
        own[s] = n_vertices
        own_duplicates[s] = n_duplicates
        for i in range(stripe_start[s], stripe_start[s + 1]):
            slot = _find(table, 64 - log2_size, stripe_keys[i])
            row = table[2 * slot + 1]
            if row == EMPTY:
                row = np.int64(n_vertices)
                table[2 * slot] = stripe_keys[i]
                table[2 * slot + 1] = row
                keys[n_vertices] = stripe_keys[i]
                row_of[i] = row
                n_vertices += 1
            else:
                target[n_duplicates] = row
                is_duplicate[i] = 1
                row_of[i] = n_duplicates
                n_duplicates += 1
    own[n_stripes] = n_vertices
    own_duplicates[n_stripes] = n_duplicates
    for s in range(n_stripes + 1):
        own_duplicates[s] += n_vertices
    for i in range(total):
        if is_duplicate[i]:
            row_of[i] += n_vertices
    return table, log2_size, _head(keys, n_vertices), _head(target, n_duplicates), own, own_duplicates


@kernel
def number_rows(index, rows, n, first, last, column, n_columns, n_own, row_of, start, first_row):
    """Replace a stripe's own vertex numbers in `index` by rows, written to `rows`, which may be the same array."""
    for i in range(first * PIXELS, min(last * PIXELS, n)):
        for k in range(i * n_columns + column, i * n_columns + column + n_own):
            put(rows, k, first_row + np.intp(item(row_of, start + np.intp(item(index, k)))))


@kernel
def find_neighbours(keys, table, log2_size, steps, first_row, first, last, neighbours):
    """Link the vertices `first` to `last` with their upper neighbour along each axis, both ways.

    neighbours : (n_axes * n_vertices * 2,) uint32, zero (row 0) where nothing is written
    """
    n_vertices, shift = keys.size, 64 - log2_size
    for axis in range(steps.size):
        pairs = axis * n_vertices * 2
        for v in range(first, last):
            slot = _find(table, shift, item(keys, v) + steps[axis])
            row = item(table, 2 * slot + 1)
            if row != EMPTY:
                put(neighbours, pairs + 2 * v, np.uint32(first_row + row))
                put(neighbours, pairs + 2 * row + 1, np.uint32(first_row + v))


@kernel
def find_links(keys, table, log2_size, steps, shell_end, first_row, first, last, border):
    """Find the neighbours of the vertices `first` to `last` within a stencil.

    Parameters
    ----------
    steps : (n_steps,) int64, change of the key to each neighbour of the stencil, shell after shell
    shell_end : (n_shells,) int64, where in `steps` each shell ends
    border : (n_vertices * n_shells,) uint32, filled with how many neighbours were found up to the end of each shell

    Returns
    -------
    (n,) uint32 : their rows, vertex after vertex
    """
    shift = 64 - log2_size
    links = np.empty((last - first) * steps.size + 1, np.uint32)
    n = 0
    for v in range(first, last):
        start = 0
        for shell in range(shell_end.size):
            for step in range(start, shell_end[shell]):
                row = item(table, 2 * _find(table, shift, item(keys, v) + item(steps, step)) + 1)
                if row != EMPTY:
                    put(links, n, np.uint32(first_row + row))
                    n += 1
            start = shell_end[shell]
            put(border, v * shell_end.size + shell, np.uint32(n))
    return _head(links, n)
