"""Filtering with one or more lattices at once: splat, blur, slice.

A *bank* holds several lattices over the same points. Their vertices share one array of rows, and every point has one
list of (row, weight) pairs that covers all lattices, so one pass over the points serves all of them.

Rows lie panel after panel; a panel is ``n_rows`` rows of ``len(lanes)`` channels. Row 0 is always zero: it stands for
neighbours that do not exist.

Two row arrays take turns: points are splatted into one while they are sliced from the other.

There are two ways to blur. Along the axes, one after the other, is that of Adams, Baek and Davis. A *stencil* sums all
neighbours up to some distance in one pass; what lies between two vertices does not have to exist for that, which is
what makes it more accurate where points are sparse.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, barrier, claim
from classicseg.machine.simd import (
    PIXELS,
    add,
    axpy,
    fill,
    item,
    load,
    load_row,
    multiply,
    prefetch,
    store,
    store_row,
)

_AHEAD = 4 * PIXELS
"""How many points ahead rows and weights are asked for: the processor's own prefetcher gives up at the row accesses
between them and would let every block wait for memory."""


class Bank(NamedTuple):
    """The arrays of a bank; K is the number of (row, weight) pairs of a point, that is the sum of d + 1."""

    index: np.ndarray  # (n_padded * K,): rows, uint16 where that can hold them, else uint32
    weight_in: np.ndarray  # (n_padded * K,) float32: weights of splatting
    weight_out: np.ndarray  # the same of slicing; may be the same array
    column: np.ndarray  # (n_lattices + 1,) int64: which of the K pairs are whose
    stripe: np.ndarray  # (n_stripes + 1,) int64: first block of each stripe
    vertex: np.ndarray  # (n_lattices, 2) int64: first row, number of vertices
    duplicate: np.ndarray  # (n_lattices, 2) int64: first duplicate row, number of duplicates
    own: np.ndarray  # (n_lattices, n_stripes + 1) int64: rows owned by each stripe
    own_duplicate: np.ndarray  # (n_lattices, n_stripes + 1) int64: duplicate rows owned by each stripe
    target_start: np.ndarray  # (n_lattices,) int64: where in `target` its duplicates start
    target: np.ndarray  # (total duplicates,) uint32: the row that each duplicate stands for
    neighbour_start: np.ndarray  # (n_lattices,) int64: where in `neighbour` its pairs start
    neighbour: np.ndarray  # flat (n_axes, n_vertices, 2) uint32 for each lattice that is blurred along its axes
    n_shells: np.ndarray  # (n_lattices,) int64: how many shells a stencil has; 0 for a blur along the axes
    shell_weight: np.ndarray  # (n_lattices, most shells) float32: weight of each shell
    link_start: np.ndarray  # (n_lattices,) int64: where in `link_border` its vertices start
    link_border: np.ndarray  # uint32, for each vertex of a stencil blur: where in `link` its shells end
    link: np.ndarray  # uint32: rows of the neighbours, vertex after vertex, shell after shell
    n_rows: int


@inline
def fill_duplicates(bank, s, l0, l1, rows, n_panels, lanes):
    """Before stripe `s` slices from `rows`: its duplicates take the values of the vertices that they stand for."""
    for panel in range(n_panels):
        base = panel * bank.n_rows * len(lanes)
        for k in range(l0, l1):
            first = bank.duplicate[k, 0]
            for row in range(bank.own_duplicate[k, s], bank.own_duplicate[k, s + 1]):
                original = np.intp(bank.target[bank.target_start[k] + row - first])
                store_row(rows, base, bank.n_rows, row, load_row(rows, base, bank.n_rows, original, lanes))


@inline
def clear_stripe(bank, s, l0, l1, rows, n_panels, lanes):
    """Before stripe `s` splats into `rows`: clear its vertices and duplicates."""
    zero = fill(np.float32(0.0), lanes)
    for panel in range(n_panels):
        base = panel * bank.n_rows * len(lanes)
        for k in range(l0, l1):
            for row in range(bank.own_duplicate[k, s], bank.own_duplicate[k, s + 1]):
                store_row(rows, base, bank.n_rows, row, zero)
            for row in range(bank.own[k, s], bank.own[k, s + 1]):
                store_row(rows, base, bank.n_rows, row, zero)


@inline
def slice_block(bank, source, at, first, block, n_panels, n_pairs, lanes):
    """Interpolate 16 points from their vertices into the rows of `block`, with `n_pairs` pairs from `first` on."""
    n_columns = bank.column[-1]
    for panel in range(n_panels):
        base = panel * bank.n_rows * len(lanes)
        for p in range(PIXELS):
            total = fill(np.float32(0.0), lanes)
            start = (at + p) * n_columns + first
            prefetch(bank.index, start + _AHEAD * n_columns)
            prefetch(bank.weight_out, start + _AHEAD * n_columns)
            for k in range(start, start + n_pairs):
                row = load_row(source, base, bank.n_rows, np.intp(item(bank.index, k)), lanes)
                total = axpy(item(bank.weight_out, k), row, total)
            store_row(block, panel * len(lanes) * PIXELS, PIXELS, p, total)


@inline
def splat_block(bank, target, at, first, block, n_panels, n_pairs, lanes):
    """Add the rows of `block` to the vertices of its 16 points, with `n_pairs` pairs from `first` on."""
    n_columns = bank.column[-1]
    for panel in range(n_panels):
        base = panel * bank.n_rows * len(lanes)
        for p in range(PIXELS):
            row = load_row(block, panel * len(lanes) * PIXELS, PIXELS, p, lanes)
            start = (at + p) * n_columns + first
            prefetch(bank.index, start + _AHEAD * n_columns)
            prefetch(bank.weight_in, start + _AHEAD * n_columns)
            for k in range(start, start + n_pairs):
                to = np.intp(item(bank.index, k))
                sum_ = axpy(item(bank.weight_in, k), row, load_row(target, base, bank.n_rows, to, lanes))
                store_row(target, base, bank.n_rows, to, sum_)


@inline
def _gather_duplicates(bank, k, rows, base, lanes):
    """Add the rows of all stripes up: every duplicate to its vertex, in a fixed order."""
    width = len(lanes)
    for i in range(bank.duplicate[k, 1]):
        to = base + np.intp(item(bank.target, bank.target_start[k] + i)) * width
        duplicate = load(rows, base + (bank.duplicate[k, 0] + i) * width, lanes)
        store(rows, to, add(load(rows, to, lanes), duplicate))


@inline
def _blur_axes(bank, k, rows, other, base, factor, backward, lanes):
    """Blur one part of the rows of lattice `k` along all its axes, then scale it; the result is in `rows`."""
    width = len(lanes)
    first, n_vertices = bank.vertex[k, 0], bank.vertex[k, 1]
    n_axes = bank.column[k + 1] - bank.column[k]
    half = np.float32(0.5)
    for step in range(n_axes):
        axis = n_axes - 1 - step if backward else step
        pairs = bank.neighbour_start[k] + axis * n_vertices * 2
        last = step == n_axes - 1 and n_axes % 2 == 0
        source, target = (rows, other) if step % 2 == 0 else (other, rows)
        for v in range(n_vertices):
            at = base + (first + v) * width
            one = load(source, base + np.intp(item(bank.neighbour, pairs + 2 * v)) * width, lanes)
            two = load(source, base + np.intp(item(bank.neighbour, pairs + 2 * v + 1)) * width, lanes)
            blurred = axpy(half, add(one, two), load(source, at, lanes))
            store(target, at, multiply(blurred, factor) if last else blurred)
    if n_axes % 2 == 1:  # one more pass brings the result back to `rows`
        for v in range(n_vertices):
            at = base + (first + v) * width
            store(rows, at, multiply(load(other, at, lanes), factor))


@inline
def _blur_stencil(bank, k, rows, other, base, factor, first, last, lanes):
    """Blur one part of the vertices `first` to `last` of lattice `k` with its stencil, from `rows` to `other`."""
    width, n_shells = len(lanes), bank.n_shells[k]
    border = bank.link_start[k] + first * n_shells
    link = np.intp(0)
    if border > 0:
        link = np.intp(item(bank.link_border, border - 1))
    for v in range(bank.vertex[k, 0] + first, bank.vertex[k, 0] + last):
        total = load(rows, base + v * width, lanes)
        for shell in range(n_shells):
            end = np.intp(item(bank.link_border, border))
            border += 1
            if link < end:
                sum_ = load(rows, base + np.intp(item(bank.link, link)) * width, lanes)
                for i in range(link + 1, end):
                    sum_ = add(sum_, load(rows, base + np.intp(item(bank.link, i)) * width, lanes))
                total = axpy(bank.shell_weight[k, shell], sum_, total)
                link = end
        store(other, base + v * width, multiply(total, factor))


@kernel
def blur_part(bank, phase, k, part, n_parts, rows, other, base, scale, label, backward, lanes):
    """What one task of :func:`blur_all` does; see there."""
    factor = load(scale[k], label, lanes)
    stencil = bank.n_shells[k] > 0
    if phase == 0:
        _gather_duplicates(bank, k, rows, base, lanes)
        if not stencil:
            _blur_axes(bank, k, rows, other, base, factor, backward, lanes)
    elif stencil:
        first, last = bank.vertex[k, 1] * part // n_parts, bank.vertex[k, 1] * (part + 1) // n_parts
        if phase == 1:
            _blur_stencil(bank, k, rows, other, base, factor, first, last, lanes)
        else:
            for v in range(bank.vertex[k, 0] + first, bank.vertex[k, 0] + last):
                store(rows, base + v * len(lanes), load(other, base + v * len(lanes), lanes))


@inline
def blur_all(sync, counter, n_threads, bank, l0, l1, rows, other, scale, backward, n_panels, head, tail):
    """Blur the lattices `l0` to `l1` and scale their channels: the work of all threads, with barriers.

    The result is in `rows`; the vertices of `other` are overwritten. A task is one lattice and up to 16 lanes of a
    panel, which never touch each other's words. A stencil needs all sums of its neighbours, so it takes two more
    phases, out of place and back, in which vertices are shared out as well.

    Parameters
    ----------
    counter : the first of 3 unused task counters
    scale : (n_lattices, n_panels * width) float32
    head, tail : lanes of the leading parts of a row, None if there are none (nothing is compiled for them), and of the
        last
    backward : bool, blur axes in the opposite order (the adjoint; stencils are symmetric)
    """
    width = scale.shape[1] // n_panels
    n_chunks, n_phases = (width + PIXELS - 1) // PIXELS, 1
    for k in range(l0, l1):
        if bank.n_shells[k] > 0:
            n_phases = 3
    for phase in range(n_phases):
        n_parts = 1 if phase == 0 else 16
        while True:
            task = claim(sync, counter + phase)
            if task >= (l1 - l0) * n_panels * n_chunks * n_parts or aborted(sync):
                break
            part, job = task % n_parts, task // n_parts
            k = l1 - 1 - job // (n_panels * n_chunks)  # the largest lattices usually come last; they are begun first
            panel, chunk = job // n_chunks % n_panels, job % n_chunks
            label = panel * width + chunk * PIXELS
            base = label * bank.n_rows
            if chunk == n_chunks - 1:
                blur_part(bank, phase, k, part, n_parts, rows, other, base, scale, label, backward, tail)
            elif head is not None:
                blur_part(bank, phase, k, part, n_parts, rows, other, base, scale, label, backward, head)
        barrier(sync, n_threads)
