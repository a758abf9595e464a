"""Blocks of 16 points as *planes*, the 16 values of a label one after the other, in the level-1 cache.

Values of all points are kept label after label, (n_labels * n,) float32. A block of them is read into planes, worked on
there, and written back, or splatted to the lattices. The last block may be partial.

In all functions

* `planes` are those of :func:`new_planes`, and `block` work space of the same size,
* `values` is (n_labels * n,) float32,
* `n` is the number of all points, `at` the first point of the block, and `n_labels` how many planes are in use,
* `bank` and `layout` are a :class:`Bank` and its :class:`RowLayout`.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.dense.bank import corners_of, slice_block, splat_block
from classicseg.machine.jit import inline
from classicseg.machine.simd import (
    ACROSS,
    PIXELS,
    add,
    axpy,
    choose,
    divide,
    exp,
    fill,
    less,
    load,
    maximum,
    minimum,
    multiply,
    prefetch,
    store,
    subtract,
    to_int32,
)
from classicseg.machine.transpose import planes_to_rows, rows_to_planes

_LOWEST = np.float32(-3.0e38)
_AHEAD = 4 * PIXELS
"""How far ahead values are asked for: there are too many streams for the processor's own prefetcher."""


@inline
def new_planes(layout):
    """Planes for all lanes and labels of `layout`, zero."""
    return np.zeros(max(layout.n_panels * len(layout.lanes), layout.n_labels) * PIXELS, np.float32)


@inline
def to_labels(planes, layout):
    """If labels are paired, make two planes of the first one, one for each of them; their sum is 0."""
    if len(layout.paired) > 0:
        half = multiply(fill(np.float32(0.5), ACROSS), load(planes, 0, ACROSS))
        store(planes, 0, subtract(fill(np.float32(0.0), ACROSS), half))
        store(planes, PIXELS, half)


@inline
def read_block(values, n, at, n_labels, planes):
    """Copy a block of `values` to `planes`; a partial block is padded with zeros."""
    if at + PIXELS <= n:
        for label in range(n_labels):
            prefetch(values, label * n + at + _AHEAD)
            store(planes, label * PIXELS, load(values, label * n + at, ACROSS))
    else:
        for label in range(n_labels):
            for p in range(PIXELS):
                planes[label * PIXELS + p] = values[label * n + at + p] if at + p < n else np.float32(0.0)


@inline
def write_block(planes, n, at, n_labels, values):
    """Copy `planes` to a block of `values`."""
    for label in range(n_labels):
        if at + PIXELS <= n:
            store(values, label * n + at, load(planes, label * PIXELS, ACROSS))
        else:
            for p in range(n - at):
                values[label * n + at + p] = planes[label * PIXELS + p]


@inline
def add_block(planes, sign, values, n, at, n_labels, block):
    """Add `sign` times a block of `values` to `planes`.

    A partial block is padded in `block` and taken from there. Both are given as :func:`pointer`: to exchange arrays
    would count references, in every block.
    """
    start, stride = at, n
    if at + PIXELS > n:
        read_block(values, n, at, n_labels, block)
        values, start, stride = block, 0, PIXELS
    for label in range(n_labels):
        prefetch(values, start + label * stride + _AHEAD)
        sum_ = axpy(sign, load(values, start + label * stride, ACROSS), load(planes, label * PIXELS, ACROSS))
        store(planes, label * PIXELS, sum_)


@inline
def add_to_block(planes, n, at, n_labels, values):
    """Add `planes` to a block of `values`."""
    for label in range(n_labels):
        if at + PIXELS <= n:
            prefetch(values, label * n + at + _AHEAD)
            sum_ = add(load(planes, label * PIXELS, ACROSS), load(values, label * n + at, ACROSS))
            store(values, label * n + at, sum_)
        else:
            for p in range(n - at):
                values[label * n + at + p] += planes[label * PIXELS + p]


@inline
def write_labels(planes, n, at, n_labels, labels):
    """The label of the largest value, the first of equals, of every point of a block, into (n,) int32 `labels`."""
    best = fill(_LOWEST, ACROSS)
    which = fill(np.float32(0.0), ACROSS)
    for label in range(n_labels):
        value = load(planes, label * PIXELS, ACROSS)
        which = choose(less(best, value), fill(np.float32(label), ACROSS), which)
        best = maximum(best, value)
    if at + PIXELS <= n:
        store(labels, at, to_int32(which))
    else:
        store(planes, 0, which)
        for p in range(n - at):
            labels[at + p] = np.int32(planes[p])


@inline
def lead(planes, n_labels):
    """By how much the largest of the first `n_labels` values of every point is ahead of the second largest."""
    best, second = fill(_LOWEST, ACROSS), fill(_LOWEST, ACROSS)
    for label in range(n_labels):
        value = load(planes, label * PIXELS, ACROSS)
        second = maximum(second, minimum(best, value))
        best = maximum(best, value)
    return subtract(best, second)


@inline
def lowest(pack, scratch):
    """The lowest lane of a `pack`; `scratch` holds 16."""
    store(scratch, 0, pack)
    least = scratch[0]
    for p in range(1, PIXELS):
        least = min(least, scratch[p])
    return least


@inline
def softmax(planes, n_labels):
    """Logits in `planes` to probabilities, in place."""
    largest = fill(_LOWEST, ACROSS)
    for label in range(n_labels):
        largest = maximum(largest, load(planes, label * PIXELS, ACROSS))
    total = fill(np.float32(0.0), ACROSS)
    for label in range(n_labels):
        e = exp(subtract(load(planes, label * PIXELS, ACROSS), largest))
        store(planes, label * PIXELS, e)
        total = add(total, e)
    inverse = divide(fill(np.float32(1.0), ACROSS), total)
    for label in range(n_labels):
        store(planes, label * PIXELS, multiply(load(planes, label * PIXELS, ACROSS), inverse))


@inline
def softmax_of_pair(planes):
    """:func:`softmax` of two labels, with one exponential."""
    zero, one = fill(np.float32(0.0), ACROSS), fill(np.float32(1.0), ACROSS)
    ahead = subtract(load(planes, PIXELS, ACROSS), load(planes, 0, ACROSS))
    e = exp(minimum(ahead, subtract(zero, ahead)))
    larger = divide(one, add(one, e))
    smaller = multiply(e, larger)
    first = less(ahead, zero)
    store(planes, 0, choose(first, larger, smaller))
    store(planes, PIXELS, choose(first, smaller, larger))


@inline
def to_marginals(planes, n_planes, layout):
    """Logits in the first `n_planes` planes to probabilities, in place."""
    if len(layout.paired) > 0:
        softmax_of_pair(planes)
    else:
        softmax(planes, n_planes)


@inline
def log_softmax(planes, n_labels, probabilities, scratch):
    """Logits in `planes` to log-probabilities in place, and to `probabilities`, planes too; `scratch` holds 16."""
    largest = fill(_LOWEST, ACROSS)
    for label in range(n_labels):
        largest = maximum(largest, load(planes, label * PIXELS, ACROSS))
    total = fill(np.float32(0.0), ACROSS)
    for label in range(n_labels):
        shifted = subtract(load(planes, label * PIXELS, ACROSS), largest)
        store(planes, label * PIXELS, shifted)
        e = exp(shifted)
        store(probabilities, label * PIXELS, e)
        total = add(total, e)
    inverse = divide(fill(np.float32(1.0), ACROSS), total)
    store(scratch, 0, total)
    for p in range(PIXELS):
        scratch[p] = np.log(scratch[p])
    log_total = load(scratch, 0, ACROSS)
    for label in range(n_labels):
        store(planes, label * PIXELS, subtract(load(planes, label * PIXELS, ACROSS), log_total))
        store(probabilities, label * PIXELS, multiply(load(probabilities, label * PIXELS, ACROSS), inverse))


@inline
def splat_planes(bank, target, at, planes, block, layout):
    """Splat the points of `planes` into the row array `target`, with all lattices of `bank`."""
    lanes = layout.lanes
    if len(layout.paired) > 0:
        store(block, 0, subtract(load(planes, PIXELS, ACROSS), load(planes, 0, ACROSS)))
    else:
        for panel in range(layout.n_panels):
            base = panel * len(lanes) * PIXELS
            planes_to_rows(planes, base, block, base, lanes)
    splat_block(bank, target, at, 0, corners_of(bank, layout), block, layout)


@inline
def slice_planes(bank, source, at, planes, block, layout):
    """Slice the points of `planes` from the row array `source`, with all lattices of `bank`."""
    lanes = layout.lanes
    slice_block(bank, source, at, 0, corners_of(bank, layout), block, layout)
    for panel in range(layout.n_panels):
        base = panel * len(lanes) * PIXELS
        rows_to_planes(block, base, planes, base, lanes)
    to_labels(planes, layout)
