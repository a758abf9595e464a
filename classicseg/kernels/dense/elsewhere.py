"""Labels of all points from lattices that were built of some of them.

Where points are many and kernels are wide, a sample of the points says what all of them would: sums over thousands of
neighbours are known well from some. The updates of mean field then concern the sample, and the other points are looked
at once, for their labels after the last update. Each finds the vertices around it by their keys, with barycentric
weights as in building a lattice. Vertices that no point of the sample has touched do not exist; what weight is lost
that way is known for every point, and row sums tell it too, as they are sliced from the same lattices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.dense.bank import clear_stripe
from classicseg.kernels.dense.blur import blur
from classicseg.kernels.dense.hashing import EMPTY, GOLDEN, find
from classicseg.kernels.dense.lattice import elevate, round_to_simplex, weights_and_keys
from classicseg.kernels.dense.normalization import power_of
from classicseg.kernels.dense.planes import lead, lowest, new_planes, read_block, splat_planes, write_labels
from classicseg.kernels.dense.unary import add_unary, new_line
from classicseg.kernels.dense.vertices import mix_labels
from classicseg.machine.bits import NONE, first_bit, without_first
from classicseg.machine.gather import different, gather, negative, shift_right
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, barrier, claim
from classicseg.machine.simd import (
    ACROSS,
    PIXELS,
    add,
    axpy,
    fill,
    item,
    load,
    load_row,
    multiply,
    put,
    store,
    store_row,
    subtract,
)

COUNTERS = 5
"""Task counters of :func:`messages`."""

_BLOCKS = 64  # whose messages are summed up before any of them gets its labels: 16 kB for 4 labels


class Finder(NamedTuple):
    """How to find the vertices of any point in the lattices of a bank, and what they weigh."""

    scale: np.ndarray  # (sum of d,) float32: factor of each feature, lattice after lattice
    radix: np.ndarray  # (sum of d + 1,) int64: factor of each coordinate in a key
    entries: np.ndarray  # int64, the entries of the tables from keys to vertices, one table after the other
    log2_size: np.ndarray  # (n_lattices,) int64: of each table
    first_row: np.ndarray  # (n_lattices,) int64: row of the vertex 0 of each
    ones: np.ndarray  # (n_rows,) float32: splatted ones, blurred; row 0 is zero
    gain: np.ndarray  # (n_lattices,) float32: factor of sums of them
    after: np.ndarray  # (n_lattices,) float32: power of these sums that multiplies messages, 0, -1/2 or -1


@kernel
def messages(sync, n_threads, marginals, pairwise, rows, other):
    """Messages of marginals at the vertices.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with ``COUNTERS`` task counters
    n_threads : int
    marginals : (n_labels * n,) float32
    pairwise : Pairwise
    rows : row array, row 0 zero, filled with the messages
    other : row array, row 0 zero; work space
    """
    bank, layout = pairwise.bank, pairwise.layout
    n_labels = layout.n_channels
    n = marginals.size // n_labels
    n_stripes, n_lattices = bank.stripe.size - 1, bank.vertex.shape[0]
    block, planes = new_planes(layout), new_planes(layout)
    while True:
        s = claim(sync, 0)
        if s >= n_stripes or aborted(sync):
            break
        clear_stripe(bank, s, 0, n_lattices, rows, layout)
        for b in range(bank.stripe[s], bank.stripe[s + 1]):
            read_block(marginals, n, b * PIXELS, n_labels, planes)
            splat_planes(bank, rows, b * PIXELS, planes, block, layout)
    barrier(sync, n_threads)
    blur(sync, 1, n_threads, bank, 0, n_lattices, rows, other, pairwise.scale, False, layout)
    mix_labels(sync, 4, n_threads, bank, rows, pairwise.matrix, layout)


@inline
def _find_corners(finder, k, d, entries, keys, weights, index, doubt, to, reach):
    """The rows of the corners of 16 points in lattice `k`, and their weights times the power of the row sum.

    `keys` and `weights` are planes of `d` + 1 corners, and so is `index`, int64, which is filled: with row 0 where
    there is no vertex. `reach` times the weight that a point has there is added to `doubt`, from `to` on. `entries` are
    those of the lattice's table in `finder`.
    """
    shift, first = 64 - finder.log2_size[k], finder.first_row[k]
    total = fill(np.float32(0.0), ACROSS)
    for r in range(d + 1):
        wanted = load(keys, r * PIXELS, ACROSS)
        slots = shift_right(multiply(wanted, fill(GOLDEN, ACROSS)), shift)
        at_slot = add(slots, slots)
        numbers = gather(entries, 1, at_slot)
        store(index, r * PIXELS, add(numbers, fill(first, ACROSS)))
        missed = different(gather(entries, 0, at_slot), wanted) | negative(numbers)
        while missed != NONE:
            p = first_bit(missed)
            missed = without_first(missed)
            number = item(entries, 2 * find(entries, shift, item(keys, r * PIXELS + p)) + 1)
            if number == EMPTY:
                put(doubt, to + p, item(doubt, to + p) + reach * item(weights, r * PIXELS + p))
                put(index, r * PIXELS + p, np.int64(0))
            else:
                put(index, r * PIXELS + p, first + number)
        ones = gather(finder.ones, 0, load(index, r * PIXELS, ACROSS))
        total = add(total, multiply(load(weights, r * PIXELS, ACROSS), ones))
    factor = power_of(multiply(fill(finder.gain[k], ACROSS), total), finder.after[k])
    for r in range(d + 1):
        store(weights, r * PIXELS, multiply(factor, load(weights, r * PIXELS, ACROSS)))


@inline
def _count_below(leads, doubt, first, n, scratch):
    """How many of the first `n` lanes of the pack `leads` are below `doubt`, from `first` on; `scratch` holds 16."""
    store(scratch, 0, leads)
    count = 0
    for p in range(n):
        count += scratch[p] < doubt[first + p]
    return count


@kernel
def label_points(features, begin, end, finder, n_rows, unary, rows, reach, corners, layout, labels):
    """Labels of the points `begin` to `end` - 1.

    Parameters
    ----------
    features : (sum of d, m) float32, those of all lattices, of the points from `begin` on; 16 more may be read
    begin, end : int
    finder : Finder
    n_rows : int, of the bank
    unary : Unary
    rows : (n_panels * n_rows * len(lanes),) float32, the messages at its vertices
    reach : (n_lattices,) float32, the most by which messages of each lattice can change the lead of a label
    corners : (n_lattices + 1,) int64, ``corner_start`` of the bank
    layout : RowLayout
    labels : (n,) int32, filled from `begin` to `end` - 1 with the most probable labels

    Returns
    -------
    int
        How many points have leads that what they have lost, at vertices that do not exist, could have turned.
    """
    n_labels, lanes, flat, width = layout.n_channels, layout.lanes, features.reshape(-1), features.shape[1]
    n_lattices = reach.size
    most, most_left = 0, np.float32(0.0)
    for k in range(n_lattices):
        most, most_left = max(most, corners[k + 1] - corners[k]), most_left + reach[k]
    block, planes, scratch = new_planes(layout), new_planes(layout), np.empty(PIXELS, np.float32)
    sums, doubt = np.empty(_BLOCKS * block.size, np.float32), np.empty(_BLOCKS * PIXELS, np.float32)
    line, held = new_line(unary.stretch, layout)
    work, weights = np.empty(3 * most * PIXELS, np.float32), np.empty(most * PIXELS, np.float32)
    steps, keys = np.empty(most * PIXELS, np.int64), np.empty(most * PIXELS, np.int64)
    index, open_ = np.empty(most * PIXELS, np.int64), np.empty(_BLOCKS, np.int64)
    n_doubtful = 0
    for start in range(begin, end, _BLOCKS * PIXELS):
        n_open, left, table = 0, most_left, 0
        for at in range(start, min(start + _BLOCKS * PIXELS, end), PIXELS):
            open_[n_open] = at
            n_open += 1
        for i in range(n_open * block.size):
            sums[i] = 0.0
        for i in range(n_open * PIXELS):
            doubt[i] = 0.0
        for k in range(n_lattices + 1):
            # Blocks whose leads are beyond what the lattices that are left can change get their labels.
            n_before, n_open = n_open, 0
            for j in range(n_before):
                at = open_[j]
                for i in range(block.size):
                    block[i] = sums[j * block.size + i]
                add_unary(unary, at, planes, block, line, held, layout)
                leads = subtract(lead(planes, n_labels), fill(left, ACROSS))
                if k == n_lattices or lowest(leads, scratch) > 0:
                    n_doubtful += _count_below(leads, doubt, j * PIXELS, min(PIXELS, end - at), scratch)
                    write_labels(planes, end, at, n_labels, labels)
                else:
                    open_[n_open] = at
                    if n_open < j:
                        for i in range(block.size):
                            sums[n_open * block.size + i] = sums[j * block.size + i]
                        for p in range(PIXELS):
                            doubt[n_open * PIXELS + p] = doubt[j * PIXELS + p]
                    n_open += 1
            if k == n_lattices:
                break
            d, feature = corners[k + 1] - corners[k] - 1, corners[k] - k
            scale, radix = finder.scale[feature : feature + d], finder.radix[corners[k] : corners[k + 1]]
            entries = finder.entries[table : table + (2 << finder.log2_size[k])]
            table += 2 << finder.log2_size[k]
            left -= reach[k]
            radix_sum = np.int64(0)
            for i in range(d):
                radix_sum += radix[i]
            for j in range(n_open):
                elevate(flat, width, feature * width + open_[j] - begin, scale, d, work)
                round_to_simplex(d, work)
                weights_and_keys(d, work, radix, radix_sum, steps, weights, keys)
                _find_corners(finder, k, d, entries, keys, weights, index, doubt, j * PIXELS, reach[k])
                for panel in range(layout.n_panels):
                    base, to = panel * n_rows * len(lanes), j * block.size + panel * len(lanes) * PIXELS
                    for p in range(PIXELS):
                        total = load_row(sums, to, PIXELS, p, lanes)
                        for corner in range(p, p + (d + 1) * PIXELS, PIXELS):
                            row = load_row(rows, base, n_rows, np.intp(item(index, corner)), lanes)
                            total = axpy(item(weights, corner), row, total)
                        store_row(sums, to, PIXELS, p, total)
    return n_doubtful
