"""Blurring the lattices of a bank, all threads together.

There are two ways. Along the axes, one after the other, is that of Adams, Baek and Davis. A *stencil* sums all
neighbours up to some distance in one pass. What lies between two vertices does not have to exist for that, which makes
it more accurate where points are sparse.

A chunk of a panel, up to 16 lanes, is blurred on its own: chunks never touch each other's words.
"""

from __future__ import annotations

import numpy as np

from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, barrier, claim
from classicseg.machine.simd import PIXELS, add, axpy, item, load, multiply, store


@inline
def _gather_duplicates(bank, k, rows, base, lanes):
    """Add every duplicate to its vertex, in a fixed order.

    `bank`, `k`, `rows`, `base` and `lanes` are those of :func:`blur_chunk`.
    """
    width = len(lanes)
    for i in range(bank.duplicate[k, 1]):
        to = base + np.intp(item(bank.target, bank.target_start[k] + i)) * width
        duplicate = load(rows, base + (bank.duplicate[k, 0] + i) * width, lanes)
        store(rows, to, add(load(rows, to, lanes), duplicate))


@inline
def _blur_axis(bank, k, axis, first, last, source, target, base, factor, scaled, lanes):
    """Blur the vertices `first` to `last` - 1 along an `axis`, `source` to `target`; if `scaled`, times `factor`.

    `factor` is a pack; `bank`, `k`, `base` and `lanes` are those of :func:`blur_chunk`.
    """
    width, row = len(lanes), bank.vertex[k, 0]
    neighbours = bank.neighbour_start[k] + axis * bank.vertex[k, 1] * 2
    half = np.float32(0.5)
    for v in range(first, last):
        at = base + (row + v) * width
        one = load(source, base + np.intp(item(bank.neighbour, neighbours + 2 * v)) * width, lanes)
        two = load(source, base + np.intp(item(bank.neighbour, neighbours + 2 * v + 1)) * width, lanes)
        blurred = axpy(half, add(one, two), load(source, at, lanes))
        store(target, at, multiply(blurred, factor) if scaled else blurred)


@inline
def _scale_back(bank, k, first, last, rows, other, base, factor, lanes):
    """Write the vertices `first` to `last` - 1 of `other`, multiplied by the pack `factor`, to `rows`.

    `bank`, `k`, `base` and `lanes` are those of :func:`blur_chunk`.
    """
    for v in range(bank.vertex[k, 0] + first, bank.vertex[k, 0] + last):
        at = base + v * len(lanes)
        store(rows, at, multiply(load(other, at, lanes), factor))


@inline
def _blur_axes(bank, k, rows, other, base, factor, backward, lanes):
    """Blur along all axes and multiply by the pack `factor`; the result is in `rows`.

    `bank`, `k`, `rows`, `other`, `base`, `backward` and `lanes` are those of :func:`blur_chunk`.
    """
    n_vertices, n_axes = bank.vertex[k, 1], bank.corner_start[k + 1] - bank.corner_start[k]
    for step in range(n_axes):
        axis = n_axes - 1 - step if backward else step
        scaled = step == n_axes - 1 and n_axes % 2 == 0
        source, target = (rows, other) if step % 2 == 0 else (other, rows)
        _blur_axis(bank, k, axis, 0, n_vertices, source, target, base, factor, scaled, lanes)
    if n_axes % 2 == 1:  # one more pass brings the result back to `rows`
        _scale_back(bank, k, 0, n_vertices, rows, other, base, factor, lanes)


@inline
def _blur_stencil(bank, k, rows, other, base, factor, first, last, lanes):
    """Blur the vertices `first` to `last` - 1 with the stencil, `rows` to `other`, and multiply by `factor`, a pack.

    `bank`, `k`, `rows`, `other`, `base` and `lanes` are those of :func:`blur_chunk`.
    """
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


@inline
def _copy_back(bank, k, first, last, rows, other, base, lanes):
    """Copy the vertices `first` to `last` - 1 of `other` to `rows`.

    `bank`, `k`, `base` and `lanes` are those of :func:`blur_chunk`.
    """
    for v in range(bank.vertex[k, 0] + first, bank.vertex[k, 0] + last):
        store(rows, base + v * len(lanes), load(other, base + v * len(lanes), lanes))


@kernel
def blur_chunk(bank, phase, k, part, n_parts, rows, other, base, scale, label, backward, lanes):
    """What one task of :func:`blur` does.

    Parameters
    ----------
    bank : Bank
    phase : int, 0: gather duplicates and, unless there is a stencil, blur; 1: blur with the stencil into `other`; 2:
        copy the result back
    k : int, the lattice
    part, n_parts : int, in phases 1 and 2: which of how many equal parts of the vertices
    rows, other : row arrays; the result is in `rows`, `other` is work space
    base : int, where the chunk begins in them
    scale : (n_lattices, n_panels * width) float32, factor of each lattice and channel
    label : int, the first channel of the chunk
    backward : bool, blur the axes in the opposite order
    lanes : tuple of zeros, as long as the chunk is wide
    """
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
            _copy_back(bank, k, first, last, rows, other, base, lanes)


@inline
def _step_of_chunk(bank, k, step, first, last, rows, other, base, factor, lanes):
    """What :func:`blur_step` does to a chunk that begins at `base`, which is multiplied by the pack `factor`.

    `bank`, `k`, `step`, `first`, `last`, `rows` and `other` are those of that function, `lanes` is as long as the chunk
    is wide.
    """
    n_axes = bank.corner_start[k + 1] - bank.corner_start[k]
    if bank.n_shells[k] > 0:
        if step == 0:
            _blur_stencil(bank, k, rows, other, base, factor, first, last, lanes)
        else:
            _copy_back(bank, k, first, last, rows, other, base, lanes)
    elif step < n_axes:
        source, target = (rows, other) if step % 2 == 0 else (other, rows)
        scaled = step == n_axes - 1 and n_axes % 2 == 0
        _blur_axis(bank, k, step, first, last, source, target, base, factor, scaled, lanes)
    else:
        _scale_back(bank, k, first, last, rows, other, base, factor, lanes)


@kernel
def blur_step(bank, k, step, first, last, rows, other, scale, layout):
    """One step of the blur of a lattice, for some of its vertices; all steps of all are what :func:`blur` does.

    The first steps are those along the axes, or with the stencil; where they would leave the result in `other`, one
    more brings it back. Duplicates are to be gathered before. What a step reads, a vertex and its neighbours, has to
    have been through the step before.

    Parameters
    ----------
    bank : Bank
    k, step : int, the lattice, and which step it is
    first, last : int, the vertices `first` to `last` - 1
    rows, other, scale, layout : as in :func:`blur`
    """
    n_panels, width = layout.n_panels, len(layout.lanes)
    n_chunks = (width + PIXELS - 1) // PIXELS
    for panel in range(n_panels):
        for chunk in range(n_chunks):
            label = panel * width + chunk * PIXELS
            base = label * bank.n_rows
            if chunk == n_chunks - 1:
                factor = load(scale[k], label, layout.tail)
                _step_of_chunk(bank, k, step, first, last, rows, other, base, factor, layout.tail)
            else:
                factor = load(scale[k], label, layout.head)
                _step_of_chunk(bank, k, step, first, last, rows, other, base, factor, layout.head)


@inline
def blur(sync, counter, n_threads, bank, begin, end, rows, other, scale, backward, layout):
    """Blur the lattices `begin` to `end` - 1 and scale their channels; all threads wait for each other at the end.

    A task is one chunk of one lattice. A stencil needs the sums of all neighbours, so it takes two more phases, out of
    place and back, in which the vertices are shared out as well.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, see :mod:`classicseg.machine.parallel`
    counter : int, the first of 3 unused task counters
    n_threads : int
    bank : Bank
    begin, end : int
    rows, other : (layout.size(bank),) float32; the result is in `rows`, the vertices of `other` are overwritten
    scale : (n_lattices, n_panels * len(lanes)) float32, factor of each lattice and channel
    backward : bool, blur the axes in the opposite order: the adjoint (stencils are symmetric)
    layout : RowLayout
    """
    n_panels, width = layout.n_panels, len(layout.lanes)
    n_chunks, n_phases = (width + PIXELS - 1) // PIXELS, 1
    for k in range(begin, end):
        if bank.n_shells[k] > 0:
            n_phases = 3
    for phase in range(n_phases):
        n_parts = 1 if phase == 0 else 16
        while True:
            task = claim(sync, counter + phase)
            if task >= (end - begin) * n_panels * n_chunks * n_parts or aborted(sync):
                break
            part, job = task % n_parts, task // n_parts
            k = end - 1 - job // (n_panels * n_chunks)  # the largest lattices usually come last; they are begun first
            panel, chunk = job // n_chunks % n_panels, job % n_chunks
            label = panel * width + chunk * PIXELS
            base = label * bank.n_rows
            if chunk == n_chunks - 1:
                blur_chunk(bank, phase, k, part, n_parts, rows, other, base, scale, label, backward, layout.tail)
            else:
                blur_chunk(bank, phase, k, part, n_parts, rows, other, base, scale, label, backward, layout.head)
        barrier(sync, n_threads)
