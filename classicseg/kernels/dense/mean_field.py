"""Mean-field inference in a dense CRF, fused: one pass over the points slices, applies softmax and splats again.

Krähenbühl, Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials", NeurIPS 2011,
arXiv:1210.5644. One iteration there is: message passing (filter Q), compatibility transform, local update
(softmax). Here the marginals Q of a block of 16 points live in the level-1 cache only; what stays in memory between
iterations are the lattice rows.

Two kernels share their parts: :func:`infer` runs all iterations in one call, :func:`step` one at a time and keeps the
logarithms of the marginals, from which it reports free energy and change and which it can damp.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.dense.bank import blur_all, clear_stripe, fill_duplicates, slice_block, splat_block
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, barrier, claim
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
    multiply,
    pointer,
    prefetch,
    store,
    subtract,
    to_int32,
)
from classicseg.machine.transpose import planes_to_rows, rows_to_planes

_LOWEST = np.float32(-3.0e38)


@inline
def _read_planes(values, n, at, n_labels, planes):
    """Copy the values of a block; a partial last block is padded with zeros."""
    if at + PIXELS <= n:
        for label in range(n_labels):
            prefetch(values, label * n + at + 4 * PIXELS)  # too many streams for the processor's own prefetcher
            store(planes, label * PIXELS, load(values, label * n + at, ACROSS))
    else:
        for label in range(n_labels):
            for p in range(PIXELS):
                planes[label * PIXELS + p] = values[label * n + at + p] if at + p < n else np.float32(0.0)


@inline
def _write_planes(planes, n, at, n_labels, values):
    """The inverse of `_read_planes`."""
    for label in range(n_labels):
        if at + PIXELS <= n:
            store(values, label * n + at, load(planes, label * PIXELS, ACROSS))
        else:
            for p in range(n - at):
                values[label * n + at + p] = planes[label * PIXELS + p]


@inline
def _softmax(planes, n_labels):
    """Planes of logits to planes of probabilities, in place."""
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
def _subtract_unary(planes, unary, start, stride, n_labels):
    for label in range(n_labels):
        prefetch(unary, start + label * stride + 4 * PIXELS)
        logit = subtract(load(planes, label * PIXELS, ACROSS), load(unary, start + label * stride, ACROSS))
        store(planes, label * PIXELS, logit)


@inline
def _splat_planes(bank, target, at, planes, block, n_panels, pairs, lanes):
    for panel in range(n_panels):
        base = panel * len(lanes) * PIXELS
        planes_to_rows(planes, base, block, base, lanes)
    splat_block(bank, target, at, 0, block, n_panels, len(pairs), lanes)


@inline
def _slice_planes(bank, source, at, planes, block, n_panels, pairs, lanes):
    slice_block(bank, source, at, 0, block, n_panels, len(pairs), lanes)
    for panel in range(n_panels):
        base = panel * len(lanes) * PIXELS
        rows_to_planes(block, base, planes, base, lanes)


@inline
def _write_labels(planes, n, at, n_labels, labels):
    """The most probable label, the first of equals, of every point of a block."""
    best = fill(np.float32(-1.0), ACROSS)
    which = fill(np.float32(0.0), ACROSS)
    for label in range(n_labels):
        q = load(planes, label * PIXELS, ACROSS)
        which = choose(less(best, q), fill(np.float32(label), ACROSS), which)
        best = maximum(best, q)
    if at + PIXELS <= n:
        store(labels, at, to_int32(which))
    else:
        store(planes, 0, which)
        for p in range(n - at):
            labels[at + p] = np.int32(planes[p])


@inline
def _places_of_labels(bank, n_labels, width):
    """Where the labels lie in row arrays: that of a row at ``start + row * size``."""
    start, size = np.empty(n_labels, np.int64), np.empty(n_labels, np.int64)
    for label in range(n_labels):
        lane = label % width // PIXELS * PIXELS
        size[label] = min(PIXELS, width - lane)
        start[label] = (label // width * width + lane) * bank.n_rows + label % width - lane
    return start, size


@inline
def _compatibility_tasks(sync, counter, bank, rows, matrix, n_labels, lanes):
    """Multiply every vertex row by its lattice's (n_labels, n_labels) matrix; linear, so it commutes with slicing."""
    n_tasks = 16
    before, after = np.empty(n_labels, np.float32), np.empty(n_labels, np.float32)
    start, size = _places_of_labels(bank, n_labels, len(lanes))
    while True:
        task = claim(sync, counter)
        if task >= n_tasks or aborted(sync):
            break
        for k in range(bank.vertex.shape[0]):
            first, n_vertices = bank.vertex[k, 0], bank.vertex[k, 1]
            for row in range(first + n_vertices * task // n_tasks, first + n_vertices * (task + 1) // n_tasks):
                for label in range(n_labels):
                    before[label] = rows[start[label] + row * size[label]]
                for label in range(n_labels):
                    after[label] = 0.0
                for other in range(n_labels):
                    for label in range(n_labels):
                        after[label] += matrix[k, other, label] * before[other]
                for label in range(n_labels):
                    rows[start[label] + row * size[label]] = after[label]


@kernel
def infer(
    sync, n_threads, unary, start, n, n_labels, bank, scale, matrix, n_iter, even, odd, marginals, labels, n_panels,
    pairs, lanes, parts,
):  # fmt: skip
    """Run `n_iter` parallel mean-field updates.

    Parameters
    ----------
    unary : (n_labels * n,) float32 costs, label after label
    start : (n_labels * n,) float32 logits of the first marginals, or empty: begin with softmax(-unary)
    scale : (n_lattices, n_panels * len(lanes)) float32, factor of each lattice and label, gain included
    matrix : (n_lattices, n_labels, n_labels) float32, applied after `scale`; or None
    even, odd : row arrays, see :mod:`classicseg.kernels.dense.bank`
    marginals : (n_labels * n,) float32 and labels : (n,) int32, written
    """
    size = n_panels * len(lanes) * PIXELS
    block, planes, tail = np.zeros(size, np.float32), np.zeros(size, np.float32), np.zeros(size, np.float32)
    n_stripes, n_lattices = bank.stripe.size - 1, bank.vertex.shape[0]
    unary_at, padded = pointer(unary), pointer(tail)
    start_at = unary_at if start.size == 0 else pointer(start)
    for it in range(n_iter + 1):
        # Marginals are splatted into `target`; the messages of the marginals before lie, blurred, in `source`.
        source, target = (odd, even) if it % 2 == 0 else (even, odd)
        while True:
            s = claim(sync, 5 * it)
            if s >= n_stripes:
                break
            if it > 0:
                fill_duplicates(bank, s, 0, n_lattices, source, n_panels, lanes)
            if it < n_iter:
                clear_stripe(bank, s, 0, n_lattices, target, n_panels, lanes)
            for b in range(bank.stripe[s], bank.stripe[s + 1]):
                if aborted(sync):
                    return
                at = b * PIXELS
                if it > 0:
                    _slice_planes(bank, source, at, planes, block, n_panels, pairs, lanes)
                else:
                    for i in range(n_labels * PIXELS):
                        planes[i] = 0.0
                costs, first, stride = unary_at if it > 0 else start_at, at, n
                if at + PIXELS > n:
                    _read_planes(costs, n, at, n_labels, tail)
                    costs, first, stride = padded, 0, PIXELS
                _subtract_unary(planes, costs, first, stride, n_labels)
                _softmax(planes, n_labels)
                if it < n_iter:
                    _splat_planes(bank, target, at, planes, block, n_panels, pairs, lanes)
                else:
                    _write_planes(planes, n, at, n_labels, marginals)
                    _write_labels(planes, n, at, n_labels, labels)
        if it == n_iter:
            break
        barrier(sync, n_threads)
        blur_all(
            sync, 5 * it + 1, n_threads, bank, 0, n_lattices, target, source, scale, False, n_panels, parts[0], parts[1]
        )
        if matrix is not None:
            _compatibility_tasks(sync, 5 * it + 4, bank, target, matrix, n_labels, lanes)
            barrier(sync, n_threads)


@inline
def _log_softmax(planes, n_labels, probabilities, scratch):
    """Planes of logits to log-probabilities in place, and to probabilities in `probabilities`."""
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


@kernel
def step(
    sync, n_threads, update, unary, old, new, damping, n, n_labels, bank, scale, matrix, source, target, changes,
    n_panels, pairs, lanes, parts,
):  # fmt: skip
    """One update of stored log-marginals, then splat and blur, so that `target` holds the messages of the new ones.

    Parameters
    ----------
    update : bool
        True: new = (1 - damping) * (messages - unary) + damping * old, normalised, with the messages of `old` that lie
        in `source`. Damping the logarithms is a proximal step in the Kullback-Leibler divergence (Baqué et al.,
        "Principled parallel mean-field inference for discrete random fields", CVPR 2016).
        False: new = old, normalised.
    old, new : (n_labels * n,) float32, logarithms of marginals before and after; may be the same array
    changes : (n_stripes,) float64, filled with each stripe's sum of absolute changes of the marginals
    """
    size = n_panels * len(lanes) * PIXELS
    block, planes, values = np.zeros(size, np.float32), np.zeros(size, np.float32), np.zeros(size, np.float32)
    logs, q_new = np.zeros(size, np.float32), np.zeros(size, np.float32)
    scratch = np.zeros(PIXELS, np.float32)
    n_stripes, n_lattices = bank.stripe.size - 1, bank.vertex.shape[0]
    zero = fill(np.float32(0.0), ACROSS)
    while True:
        s = claim(sync, 0)
        if s >= n_stripes:
            break
        if update:
            fill_duplicates(bank, s, 0, n_lattices, source, n_panels, lanes)
        clear_stripe(bank, s, 0, n_lattices, target, n_panels, lanes)
        changes[s] = 0.0
        for b in range(bank.stripe[s], bank.stripe[s + 1]):
            if aborted(sync):
                return
            at = b * PIXELS
            _read_planes(old, n, at, n_labels, logs)
            if update:
                _slice_planes(bank, source, at, planes, block, n_panels, pairs, lanes)
                _read_planes(unary, n, at, n_labels, values)
                for label in range(n_labels):
                    message = load(planes, label * PIXELS, ACROSS)
                    moved = subtract(message, load(values, label * PIXELS, ACROSS))
                    log_q = load(logs, label * PIXELS, ACROSS)
                    kept = multiply(fill(np.float32(1.0) - damping, ACROSS), moved)
                    store(planes, label * PIXELS, axpy(damping, log_q, kept))
            else:
                for i in range(n_labels * PIXELS):
                    planes[i] = logs[i]
            _log_softmax(planes, n_labels, q_new, scratch)
            if update:
                change = zero
                for label in range(n_labels):
                    q_old = exp(load(logs, label * PIXELS, ACROSS))
                    difference = subtract(load(q_new, label * PIXELS, ACROSS), q_old)
                    change = add(change, maximum(difference, subtract(zero, difference)))
                store(scratch, 0, change)
                for p in range(min(PIXELS, n - at)):
                    changes[s] += scratch[p]
            _write_planes(planes, n, at, n_labels, new)
            _splat_planes(bank, target, at, q_new, block, n_panels, pairs, lanes)
    barrier(sync, n_threads)
    blur_all(sync, 1, n_threads, bank, 0, n_lattices, target, source, scale, False, n_panels, parts[0], parts[1])
    if matrix is not None:
        _compatibility_tasks(sync, 4, bank, target, matrix, n_labels, lanes)


@kernel
def free_energy(sync, n_threads, unary, logs, n, n_labels, bank, source, energies, n_panels, pairs, lanes):
    """Each stripe's sum of ``q * (log q + unary - messages / 2)``; the messages of `logs` lie in `source`.

    energies : (n_stripes,) float64
    """
    size = n_panels * len(lanes) * PIXELS
    block, planes, values = np.zeros(size, np.float32), np.zeros(size, np.float32), np.zeros(size, np.float32)
    log_planes, scratch = np.zeros(size, np.float32), np.zeros(PIXELS, np.float32)
    n_stripes, n_lattices = bank.stripe.size - 1, bank.vertex.shape[0]
    while True:
        s = claim(sync, 0)
        if s >= n_stripes:
            break
        fill_duplicates(bank, s, 0, n_lattices, source, n_panels, lanes)
        energies[s] = 0.0
        for b in range(bank.stripe[s], bank.stripe[s + 1]):
            if aborted(sync):
                return
            at = b * PIXELS
            _slice_planes(bank, source, at, planes, block, n_panels, pairs, lanes)
            _read_planes(unary, n, at, n_labels, values)
            _read_planes(logs, n, at, n_labels, log_planes)
            energy = fill(np.float32(0.0), ACROSS)
            for label in range(n_labels):
                log_q = load(log_planes, label * PIXELS, ACROSS)
                cost = axpy(np.float32(-0.5), load(planes, label * PIXELS, ACROSS), log_q)
                energy = add(energy, multiply(exp(log_q), add(cost, load(values, label * PIXELS, ACROSS))))
            store(scratch, 0, energy)
            for p in range(min(PIXELS, n - at)):
                energies[s] += scratch[p]
