"""What mean field does to the rows of vertices: scale them, mix their labels, and sum the gradient of the rewards.

The functions are the work of all threads. Where they say so, the threads wait for each other at the end.
"""

from __future__ import annotations

import numpy as np

from classicseg.machine.jit import inline
from classicseg.machine.parallel import aborted, barrier, claim
from classicseg.machine.simd import PIXELS, axpy, item, load, load_row, multiply, store

_MIX_PARTS, _SCALE_PARTS = 16, 8  # more parts than threads, so that none waits long for the last one

REWARD_PARTS = 16
"""In how many parts the gradient with respect to the rewards of one lattice is summed up."""


@inline
def _places_of_labels(bank, n_labels, width):
    """Where each of `n_labels` labels lies in row arrays of `bank`, whose panels are `width` wide.

    Returns (n_labels,) int64 `start` and `size`: the label of a row lies at ``start + row * size``.
    """
    start, size = np.empty(n_labels, np.int64), np.empty(n_labels, np.int64)
    for label in range(n_labels):
        lane = label % width // PIXELS * PIXELS
        size[label] = min(PIXELS, width - lane)
        start[label] = (label // width * width + lane) * bank.n_rows + label % width - lane
    return start, size


@inline
def mix_labels(sync, counter, n_threads, bank, rows, matrix, layout):
    """Multiply the rows of all vertices by the matrix of their lattice; threads wait at the end.

    To mix labels is linear, so it may come before slicing, where there are fewer rows than points.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, see :mod:`classicseg.machine.parallel`
    counter : int, an unused task counter
    n_threads : int
    bank : Bank
    rows : (layout.size(bank),) float32, changed in place
    matrix : (n_lattices, n_labels, n_labels) float32, from label, to label; None if there is nothing to do
    layout : RowLayout
    """
    if matrix is not None:
        n_labels = layout.n_channels
        before, after = np.empty(n_labels, np.float32), np.empty(n_labels, np.float32)
        start, size = _places_of_labels(bank, n_labels, len(layout.lanes))
        while True:
            task = claim(sync, counter)
            if task >= _MIX_PARTS or aborted(sync):
                break
            for k in range(bank.vertex.shape[0]):
                first, n_vertices = bank.vertex[k, 0], bank.vertex[k, 1]
                last = first + n_vertices * (task + 1) // _MIX_PARTS
                for row in range(first + n_vertices * task // _MIX_PARTS, last):
                    for label in range(n_labels):
                        before[label] = rows[start[label] + row * size[label]]
                    for label in range(n_labels):
                        after[label] = 0.0
                    for other in range(n_labels):
                        for label in range(n_labels):
                            after[label] += matrix[k, other, label] * before[other]
                    for label in range(n_labels):
                        rows[start[label] + row * size[label]] = after[label]
        barrier(sync, n_threads)


@inline
def _scale_chunk(rows, out, base, first, last, factor, lanes):
    """Multiply the rows `first` to `last` - 1 of one chunk by the pack `factor`, from `rows` to `out`.

    The chunk is as wide as `lanes` and begins at `base`.
    """
    for row in range(first, last):
        at = base + row * len(lanes)
        store(out, at, multiply(load(rows, at, lanes), factor))


@inline
def scale_vertices(sync, counter, n_threads, bank, rows, out, scale, layout):
    """``out = scale * rows`` at all vertices; threads wait at the end.

    Parameters
    ----------
    sync, counter, n_threads, bank, layout : as in :func:`mix_labels`
    rows, out : (layout.size(bank),) float32
    scale : (n_lattices, n_panels * len(lanes)) float32, factor of each lattice and channel
    """
    n_panels, width = layout.n_panels, len(layout.lanes)
    n_chunks = (width + PIXELS - 1) // PIXELS
    while True:
        task = claim(sync, counter)
        if task >= bank.vertex.shape[0] * n_panels * n_chunks * _SCALE_PARTS or aborted(sync):
            break
        part, job = task % _SCALE_PARTS, task // _SCALE_PARTS
        k, panel, chunk = job // (n_panels * n_chunks), job // n_chunks % n_panels, job % n_chunks
        first, n_vertices = bank.vertex[k, 0], bank.vertex[k, 1]
        begin, end = first + n_vertices * part // _SCALE_PARTS, first + n_vertices * (part + 1) // _SCALE_PARTS
        label = panel * width + chunk * PIXELS
        base = label * bank.n_rows
        if chunk == n_chunks - 1:
            _scale_chunk(rows, out, base, begin, end, load(scale[k], label, layout.tail), layout.tail)
        else:
            _scale_chunk(rows, out, base, begin, end, load(scale[k], label, layout.head), layout.head)
    barrier(sync, n_threads)


@inline
def _add_products(bank, values, v, w, gradient, g, h, sums, at, start, size, layout):
    """Add the products of each label of `values` and each of `gradient` to `sums`, from `at` on.

    Two pairs of rows are taken: `v` of `values` with `g` of `gradient`, and `w` with `h`. `start` and `size` are those
    of :func:`_places_of_labels`, `bank` and `layout` those of :func:`mix_labels`.
    """
    lanes, n_panels = layout.lanes, layout.n_panels
    for panel in range(n_panels):
        base = panel * bank.n_rows * len(lanes)
        one, two = load_row(gradient, base, bank.n_rows, g, lanes), load_row(gradient, base, bank.n_rows, h, lanes)
        for label in range(start.size):
            into = at + (label * n_panels + panel) * len(lanes)
            sum_ = axpy(item(values, start[label] + v * size[label]), one, load(sums, into, lanes))
            store(sums, into, axpy(item(values, start[label] + w * size[label]), two, sum_))


@inline
def sum_reward_gradient(sync, counter, n_threads, bank, values, gradient, sums, layout):
    """``dL/dR_k = V_k' G_k``: filtered marginals V times splatted gradient G at the vertices of lattice k; with a wait.

    Stripes have splatted the gradient into rows of their own, duplicates too, and the blur has not yet summed them.
    Here each duplicate meets the value of the vertex that it stands for.

    Parameters
    ----------
    sync, counter, n_threads, bank, layout : as in :func:`mix_labels`
    values : (layout.size(bank),) float32, V
    gradient : (layout.size(bank),) float32, G
    sums : (REWARD_PARTS * n_lattices * n_channels * n_panels * len(lanes),) float32, filled with parts of the gradient
    """
    n_lattices, n_labels = bank.vertex.shape[0], layout.n_channels
    n_sums = n_labels * layout.n_panels * len(layout.lanes)
    start, size = _places_of_labels(bank, n_labels, len(layout.lanes))
    while True:
        task = claim(sync, counter)
        if task >= REWARD_PARTS * n_lattices or aborted(sync):
            break
        at, part, k = task * n_sums, task // n_lattices, task % n_lattices
        for i in range(at, at + n_sums):
            sums[i] = 0.0
        # Two rows at a time halve the traffic of the sums; where there is no second one, row 0 adds nothing.
        first, n = bank.vertex[k, 0], bank.vertex[k, 1]
        last = first + n * (part + 1) // REWARD_PARTS
        for row in range(first + n * part // REWARD_PARTS, last, 2):
            next_ = row + 1 if row + 1 < last else 0
            _add_products(bank, values, row, next_, gradient, row, next_, sums, at, start, size, layout)
        first, n = bank.duplicate[k, 0], bank.duplicate[k, 1]
        targets, last = bank.target_start[k] - first, first + n * (part + 1) // REWARD_PARTS
        for row in range(first + n * part // REWARD_PARTS, last, 2):
            v, w, next_ = np.intp(bank.target[targets + row]), np.intp(0), 0
            if row + 1 < last:
                w, next_ = np.intp(bank.target[targets + row + 1]), row + 1
            _add_products(bank, values, v, w, gradient, row, next_, sums, at, start, size, layout)
    barrier(sync, n_threads)
