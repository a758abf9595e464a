"""Mean field of points that pass by in windows: their corners are found anew in every pass instead of being stored.

What stays in memory is what vertices have. A window is a run of whole blocks of one stripe, so that every sum is made
of the same terms in the same order as by :func:`classicseg.kernels.dense.mean_field.infer`, whatever the windows are.

In all functions

* `features` is (d, m) float32, a column for each of the `n` points of a window; 16 more columns may be read,
* `corners` are a :class:`Corners` with room for the window, whose first block is 0, and `n_blocks` its blocks,
* `bank` is a :class:`Bank` of all vertices, with the corners of the window alone,
* `source` and `target` are row arrays, row 0 of every panel zero; empty where nothing is read or written.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.dense.bank import clear_stripe, copy_stripe, corners_of, fill_duplicates, slice_block
from classicseg.kernels.dense.blur import blur
from classicseg.kernels.dense.hashing import EMPTY, GOLDEN, find, new_table, table_of
from classicseg.kernels.dense.lattice import _embed_blocks, elevate, round_to_simplex, weights_and_keys
from classicseg.kernels.dense.normalization import _scale, power_of
from classicseg.kernels.dense.planes import new_planes, splat_planes, to_marginals, write_labels
from classicseg.kernels.dense.unary import add_unary, clear_rows, new_line
from classicseg.kernels.dense.vertices import mix_labels
from classicseg.machine.bits import NONE, bit, first_bit, without_first
from classicseg.machine.gather import different, gather, load_numbers, negative, shift_right, store_numbers
from classicseg.machine.jit import kernel
from classicseg.machine.simd import ACROSS, PIXELS, add, fill, item, load, multiply, put, store

COUNTERS = 4
"""Task counters of :func:`blur_rows`."""


@kernel
def meet(features, n, scale, radix, first, last, corners, table, met, n_vertices):
    """Add the vertices that points of a window touch, until the `table` might get more than half full.

    Parameters
    ----------
    features, n, corners : as above; the latter are overwritten
    scale, radix : as in :func:`classicseg.kernels.dense.lattice.embed_stripe`
    first, last : int, the blocks `first` to `last` - 1 of the window
    table : Table, from the keys of the vertices met so far to their numbers; new ones are added
    met : Met, these vertices; new ones are added
    n_vertices : int, how many there are

    Returns
    -------
    block, n_vertices : int, the first block that is left, and how many vertices there are now
    """
    flat, width = features.reshape(-1), features.shape[1]
    return _embed_blocks(flat, width, 0, n, scale, radix, first, last, corners, table, met, n_vertices)


@kernel
def numbered(keys, n, log2_size):
    """A table of ``2**log2_size`` entries in which the first `n` of the (m,) int64 `keys` are numbered in order."""
    return table_of(keys, n, log2_size)


@kernel
def table_of_rows(keys, rows, first_row):
    """A table from the keys of the vertices of a stripe to the rows that it splats into.

    Parameters
    ----------
    keys : (m,) int64
    rows : (m,) uint32, counted from the first row of the lattice
    first_row : int, that row

    Returns
    -------
    Table
    """
    log2_size = 4
    while 1 << log2_size < 2 * keys.size:
        log2_size += 1
    table = new_table(log2_size)
    entries = table.entries
    for i in range(keys.size):
        at = find(entries, 64 - log2_size, item(keys, i))
        put(entries, 2 * at, item(keys, i))
        put(entries, 2 * at + 1, np.int64(first_row) + np.int64(item(rows, i)))
    return table


@kernel
def locate(features, n, scale, radix, n_blocks, needed, corners, table):
    """Find the corners of the points of a window in one lattice: their rows, and the barycentric weights.

    Parameters
    ----------
    features, n, n_blocks, corners : as above; the latter are filled
    scale, radix : as in :func:`classicseg.kernels.dense.lattice.embed_stripe`
    needed : (n_blocks,) uint8, which blocks are located, 1 or 0
    table : Table, from key to row

    Returns
    -------
    int
        How many corners are vertices that the table does not know: none, unless the features have changed.
    """
    d, flat, width = scale.size, features.reshape(-1), features.shape[1]
    entries, shift = table.entries, 64 - table.log2_size
    index, weight = corners.index, corners.weight
    work, weights = np.empty(3 * (d + 1) * PIXELS, np.float32), np.empty((d + 1) * PIXELS, np.float32)
    steps, keys = np.empty((d + 1) * PIXELS, np.int64), np.empty((d + 1) * PIXELS, np.int64)
    radix_sum, n_unknown = np.int64(0), 0
    for i in range(d):
        radix_sum += radix[i]
    for block in range(n_blocks):
        if item(needed, block) == 0:
            continue
        at = block * PIXELS
        elevate(flat, width, at, scale, d, work)
        round_to_simplex(d, work)
        weights_and_keys(d, work, radix, radix_sum, steps, weights, keys)
        here, n_here = (block * corners.count + corners.first) * PIXELS, min(PIXELS, n - at)
        for r in range(d + 1):
            to = here + r * PIXELS
            store(weight, to, load(weights, r * PIXELS, ACROSS))
            wanted = load(keys, r * PIXELS, ACROSS)
            slots = shift_right(multiply(wanted, fill(GOLDEN, ACROSS)), shift)
            at_slot = add(slots, slots)
            rows = gather(entries, 1, at_slot)
            store_numbers(index, to, rows)
            missed = (different(gather(entries, 0, at_slot), wanted) | negative(rows)) & (bit(n_here) - bit(0))
            while missed != NONE:
                p = first_bit(missed)
                missed = without_first(missed)
                row = item(entries, 2 * find(entries, shift, item(keys, r * PIXELS + p)) + 1)
                if row == EMPTY:
                    n_unknown += 1
                    row = np.int64(0)
                put(index, to + p, np.uint32(row))
            for p in range(n_here, PIXELS):  # points that only fill the last block weigh nothing
                put(index, to + p, np.uint32(0))
                put(weight, to + p, np.float32(0.0))
    return n_unknown


@kernel
def normalize_window(bank, n_blocks, needed, gain, before, after, ones):
    """Scale the weights of the points of a window by what is sliced from splatted ones.

    Parameters
    ----------
    bank, n_blocks : as above; the weights are changed in place
    needed : as in :func:`locate`
    gain, before, after : as in :func:`classicseg.kernels.dense.normalization.normalize`
    ones : (bank.n_rows,) float32, blurred, in duplicates as well
    """
    shared = bank.weight_in.ctypes.data == bank.weight_out.ctypes.data
    n_lattices, n_corners = bank.vertex.shape[0], bank.corner_start[-1]
    for block in range(n_blocks):
        if item(needed, block) == 0:
            continue
        for k in range(n_lattices):
            n_own = bank.corner_start[k + 1] - bank.corner_start[k]
            at = (block * n_corners + bank.corner_start[k]) * PIXELS
            total = fill(np.float32(0.0), ACROSS)
            for own in range(at, at + n_own * PIXELS, PIXELS):
                values = gather(ones, 0, load_numbers(bank.index, own))
                total = add(total, multiply(load(bank.weight_in, own, ACROSS), values))
            total = multiply(fill(gain[k], ACROSS), total)
            _scale(bank.weight_in, at, n_own, power_of(total, before[k]))
            if not shared:
                _scale(bank.weight_out, at, n_own, power_of(total, after[k]))


@kernel
def begin_stripe(bank, s, source, base, target, layout):
    """Make rows ready for the windows of stripe `s`: duplicates in `source`, and what `target` starts from.

    Parameters
    ----------
    bank : Bank
    s : int
    source, target : as above
    base : row array that `target` starts from; empty: it starts from zero
    layout : RowLayout
    """
    if source.size > 0:
        fill_duplicates(bank, s, 0, bank.vertex.shape[0], source, layout)
    if base.size > 0:
        copy_stripe(bank, s, 0, bank.vertex.shape[0], base, target, layout)
    elif target.size > 0:
        clear_stripe(bank, s, 0, bank.vertex.shape[0], target, layout)


@kernel
def update_window(bank, n_blocks, unary, at_unary, source, target, layout, labels):
    """Update the marginals of the points of a window, and splat them or write their labels.

    Parameters
    ----------
    bank, n_blocks : as above
    unary : Unary
    at_unary : int, where among its points the window begins
    source : as above, messages, blurred; empty: there are none yet
    target : as above, to splat into, or empty
    layout : RowLayout
    labels : (n,) int32, filled with the most probable labels of the points, or empty
    """
    n_labels = layout.n_labels
    block, planes = new_planes(layout), new_planes(layout)
    line, held = new_line(unary.stretch, layout)
    for b in range(n_blocks):
        at = b * PIXELS
        if source.size > 0:
            slice_block(bank, source, at, 0, corners_of(bank, layout), block, layout)
        else:
            clear_rows(block)
        add_unary(unary, at_unary + at, planes, block, line, held, layout)
        to_marginals(planes, n_labels, layout)
        if target.size > 0:
            splat_planes(bank, target, at, planes, block, layout)
        if labels.size > 0:
            write_labels(planes, labels.size, at, n_labels, labels)


@kernel
def blur_rows(sync, n_threads, bank, rows, other, scale, matrix, layout):
    """Turn splatted marginals into messages at the vertices.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with ``COUNTERS`` task counters
    n_threads : int
    bank : Bank
    rows : row array, changed in place
    other : row array; work space
    scale, matrix : of a :class:`Pairwise`
    layout : RowLayout
    """
    blur(sync, 0, n_threads, bank, 0, bank.vertex.shape[0], rows, other, scale, False, layout)
    mix_labels(sync, 3, n_threads, bank, rows, matrix, layout)
