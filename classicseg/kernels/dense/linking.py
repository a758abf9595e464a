"""Joining the vertices that the stripes of a lattice have met, and finding the neighbours of each."""

from __future__ import annotations

import numpy as np

from classicseg.kernels.dense.hashing import EMPTY, ask_for, find, hashed, new_table, table_of
from classicseg.kernels.dense.lattice import head_of
from classicseg.machine.gather import gather, load_numbers, store_numbers
from classicseg.machine.jit import inline, kernel
from classicseg.machine.simd import ACROSS, PIXELS, add, fill, item, put

_AHEAD = 12
"""How many look-ups ahead the entries of a table are asked for: those of large ones come from main memory."""


@inline
def _about_distinct(keys):
    """About how many of the (total,) int64 `keys` are distinct, to a few per cent.

    Every key sets a bit that it is hashed to; how many bits stay unset tells how many keys there were. Whang,
    Vander-Zanden, Taylor, "A linear-time probabilistic counting algorithm for database applications", ACM TODS 15(2),
    1990, doi:10.1145/78922.78925.
    """
    log2_bits = 6
    while 1 << log2_bits < 4 * keys.size:
        log2_bits += 1
    words = np.zeros(1 << (log2_bits - 6), np.uint64)
    n_set = 0
    for i in range(keys.size):
        at = np.int64(hashed(item(keys, i), 64 - log2_bits))
        word, bit = item(words, at >> 6), np.uint64(1) << np.uint64(at & 63)
        if word & bit == 0:
            n_set += 1
            put(words, at >> 6, word | bit)
    n_bits = np.float64(1 << log2_bits)
    return -n_bits * np.log(1.0 - n_set / n_bits)


@inline
def _merge_entries(stripe_keys, first, last, table, row_of, target, is_duplicate, n_vertices, n_duplicates):
    """Merge the entries `first` to `last` - 1, all of one stripe, until the table is half full.

    The first `n_vertices` of the `stripe_keys` are those of the vertices met so far, all of which are in the `table`:
    entries that are done are not needed any more. `row_of` is filled, and so are `target` with the vertex that each of
    the `n_duplicates` stands for, and `is_duplicate`, (total,) uint8, for each entry that has become one.

    Returns the first entry that is left, `n_vertices` and `n_duplicates`.
    """
    entries, shift, most = table.entries, 64 - table.log2_size, 1 << (table.log2_size - 1)
    i = first
    while i < last and n_vertices < most:
        ask_for(entries, shift, item(stripe_keys, min(i + _AHEAD, last - 1)))
        key = item(stripe_keys, i)
        slot = find(entries, shift, key)
        row = item(entries, 2 * slot + 1)
        if row == EMPTY:
            put(entries, 2 * slot, key)
            put(entries, 2 * slot + 1, np.int64(n_vertices))
            put(stripe_keys, n_vertices, key)
            put(row_of, i, np.uint32(n_vertices))
            n_vertices += 1
        else:
            put(target, n_duplicates, np.uint32(row))
            put(is_duplicate, i, np.uint8(1))
            put(row_of, i, np.uint32(n_duplicates))
            n_duplicates += 1
        i += 1
    return i, n_vertices, n_duplicates


@kernel
def merge_stripes(stripe_keys, stripe_start, row_of):
    """Give every vertex one row, and every further stripe that touches it a duplicate row.

    Rows are numbered stripe by stripe from 0 on, the duplicates behind all vertices.

    Parameters
    ----------
    stripe_keys : (total,) int64, the vertices of all stripes; overwritten
    stripe_start : (n_stripes + 1,) int64, those of stripe s are stripe_start[s] to stripe_start[s + 1] - 1
    row_of : (total,) uint32, filled with the row of each entry

    Returns
    -------
    table : Table, from key to row
    keys : (n_vertices,) int64
    target : (n_duplicates,) uint32, the row that each duplicate row stands for
    own, own_duplicates : (n_stripes + 1,) int64, borders of the vertices and duplicates that each stripe owns
    """
    n_stripes, total = stripe_start.size - 1, stripe_keys.size
    log2_size = 4
    # Half full at most: most neighbours that are looked for do not exist. Sized for all entries the table would be
    # several times too large where stripes share much; where vertices turn out to be more than thought, it grows.
    expected = 2.1 * _about_distinct(stripe_keys)
    while 1 << log2_size < expected:
        log2_size += 1
    table = new_table(log2_size)
    target, is_duplicate = np.empty(total, np.uint32), np.zeros(total, np.uint8)
    own, own_duplicates = np.empty(n_stripes + 1, np.int64), np.empty(n_stripes + 1, np.int64)
    n_vertices = n_duplicates = 0
    for s in range(n_stripes):
        own[s] = n_vertices
        own_duplicates[s] = n_duplicates
        i = stripe_start[s]
        while i < stripe_start[s + 1]:
            if n_vertices == 1 << (log2_size - 1):
                log2_size += 1
                table = table_of(stripe_keys, n_vertices, log2_size)
            i, n_vertices, n_duplicates = _merge_entries(
                stripe_keys, i, stripe_start[s + 1], table, row_of, target, is_duplicate, n_vertices, n_duplicates
            )
    own[n_stripes] = n_vertices
    own_duplicates[n_stripes] = n_duplicates
    for s in range(n_stripes + 1):
        own_duplicates[s] += n_vertices
    for i in range(total):
        if is_duplicate[i]:
            row_of[i] += n_vertices
    return table, head_of(stripe_keys, n_vertices), head_of(target, n_duplicates), own, own_duplicates


@kernel
def number_rows(corners, rows, first, last, n_own, row_of, start, first_row):
    """Replace the vertex numbers of a stripe by rows.

    Parameters
    ----------
    corners : Corners, whose `index` holds the numbers
    rows : as `corners.index`, which it may be, or of wider numbers; filled with the rows
    first, last : int, the blocks `first` to `last` - 1 are those of the stripe
    n_own : int, corners of a point in this lattice, d + 1
    row_of : (total,) uint32, row of each entry of all stripes, see :func:`merge_stripes`
    start : int, the stripe's first entry there
    first_row : int, the lattice's first row in the bank
    """
    to_first_row = fill(np.int64(first_row), ACROSS)
    for block in range(first, last):
        at = (block * corners.count + corners.first) * PIXELS
        for corner in range(n_own):
            numbers = load_numbers(corners.index, at + corner * PIXELS)
            store_numbers(rows, at + corner * PIXELS, add(gather(row_of, start, numbers), to_first_row))


@kernel
def find_neighbours(keys, table, steps, first_row, first, last, neighbours):
    """Link the vertices `first` to `last` - 1 with their upper neighbour along each axis, both ways.

    Parameters
    ----------
    keys : (n_vertices,) int64
    table : Table, from key to row, counted from 0
    steps : (n_axes,) int64, change of the key in one step along each axis
    first_row : int, the lattice's first row in the bank
    first, last : int
    neighbours : (n_axes * n_vertices * 2,) uint32, filled with the rows of the upper and the lower neighbour; all zero
        before (row 0), as nothing is written where there is none
    """
    n_vertices, entries, shift = keys.size, table.entries, 64 - table.log2_size
    for axis in range(steps.size):
        start = axis * n_vertices * 2
        for v in range(first, last):
            ask_for(entries, shift, item(keys, min(v + _AHEAD, last - 1)) + steps[axis])
            slot = find(entries, shift, item(keys, v) + steps[axis])
            row = item(entries, 2 * slot + 1)
            if row != EMPTY:
                put(neighbours, start + 2 * v, np.uint32(first_row + row))
                put(neighbours, start + 2 * row + 1, np.uint32(first_row + v))


@kernel
def find_neighbours_of_some(keys, table, steps, first_row, first, last, neighbours):
    """Link the vertices `first` to `last` - 1 with their neighbours along each axis, which takes a look-up for each.

    Parameters
    ----------
    keys, table, steps, first_row, first, last
        As in :func:`find_neighbours`.
    neighbours : (n_axes * (last - first) * 2,) uint32, filled with the rows of the upper and the lower neighbour of
        these vertices; 0 where there is none
    """
    entries, shift = table.entries, 64 - table.log2_size
    at = 0
    for axis in range(steps.size):
        step = item(steps, axis)
        for v in range(first, last):
            key, ahead = item(keys, v), item(keys, min(v + _AHEAD, last - 1))
            ask_for(entries, shift, ahead + step)
            ask_for(entries, shift, ahead - step)
            for side in range(2):
                row = item(entries, 2 * find(entries, shift, key + (step if side == 0 else -step)) + 1)
                put(neighbours, at, np.uint32(0 if row == EMPTY else first_row + row))
                at += 1


@kernel
def find_links(keys, table, steps, shell_end, first_row, first, last, border):
    """Find the neighbours of the vertices `first` to `last` - 1 within a stencil.

    Parameters
    ----------
    keys : (n_vertices,) int64
    table : Table, from key to row, counted from 0
    steps : (n_steps,) int64, change of the key to each neighbour of the stencil, shell after shell
    shell_end : (n_shells,) int64, where in `steps` each shell ends
    first_row : int, the lattice's first row in the bank
    first, last : int
    border : (n_vertices * n_shells,) uint32, filled with how many neighbours were found up to the end of each shell

    Returns
    -------
    links : (n,) uint32, rows of the neighbours, vertex after vertex
    """
    entries, shift = table.entries, 64 - table.log2_size
    links = np.empty((last - first) * steps.size + 1, np.uint32)
    n = 0
    for v in range(first, last):
        start = 0
        for shell in range(shell_end.size):
            for step in range(start, shell_end[shell]):
                row = item(entries, 2 * find(entries, shift, item(keys, v) + item(steps, step)) + 1)
                if row != EMPTY:
                    put(links, n, np.uint32(first_row + row))
                    n += 1
            start = shell_end[shell]
            put(border, v * shell_end.size + shell, np.uint32(n))
    return head_of(links, n)
