"""Mean-field inference in a dense CRF, fused: one pass over the points slices, applies softmax and splats again.

Krähenbühl, Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials", NeurIPS 2011,
arXiv:1210.5644. One iteration there is: message passing (filter Q), compatibility transform, local update
(softmax). Here the marginals Q of a block of 16 points live in the level-1 cache only; what stays in memory between
iterations are the lattice rows.

:func:`infer` runs all iterations in one call. :func:`step` runs one and keeps the logarithms of the marginals, which it
can damp, and from which :func:`free_energy` is computed.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.dense.bank import clear_stripe, corners_of, fill_duplicates, slice_block, sliced_by
from classicseg.kernels.dense.blur import blur
from classicseg.kernels.dense.planes import (
    log_softmax,
    new_planes,
    read_block,
    slice_planes,
    splat_planes,
    to_marginals,
    write_block,
    write_labels,
)
from classicseg.kernels.dense.unary import add_unary, clear_rows, new_line
from classicseg.kernels.dense.vertices import mix_labels, scale_vertices
from classicseg.machine.jit import kernel
from classicseg.machine.parallel import aborted, barrier, claim, reset
from classicseg.machine.simd import (
    ACROSS,
    PIXELS,
    add,
    axpy,
    exp,
    fill,
    load,
    maximum,
    multiply,
    pointer,
    store,
    subtract,
)

_COUNTERS = 6  # of one iteration

COUNTERS = 2 * _COUNTERS
"""Task counters of :func:`infer`: two iterations take turns."""


@kernel
def infer(sync, n_threads, unary, start, pairwise, n_iter, tape, work, out, as_logits, labels):
    """Run `n_iter` parallel mean-field updates.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with ``COUNTERS`` task counters
    n_threads : int
    unary : Unary
    start : (n_labels * n,) float32, the first marginals; empty: those of the unary alone
    pairwise : Pairwise
    n_iter : int
    tape : row arrays, one after the other, row 0 of every panel zero: 2 that take turns in being splatted into and
        sliced from, if there is no `work`. Else as many as iterations, filled with their rows, blurred but neither
        scaled nor mixed; or 1, of which all iterations make use
    work : row array that is sliced from, or empty
    out : (n_labels * n,) float32, filled with marginals, or with their logarithms; or empty
    as_logits : bool, the latter, which needs an iteration or an empty `start`
    labels : (n,) int32, filled with the most probable labels, or empty
    """
    bank, layout, scale = pairwise.bank, pairwise.layout, pairwise.scale
    slicing = sliced_by(bank, pairwise.slice_index)
    has_duplicates = bank.index.ctypes.data == slicing.index.ctypes.data
    n_labels, n = layout.n_labels, unary.n
    n_stripes, n_lattices = bank.stripe.size - 1, bank.vertex.shape[0]
    block, planes = new_planes(layout), new_planes(layout)
    line, held = new_line(unary.stretch, layout)
    scratch = np.zeros(PIXELS, np.float32)
    start_at = pointer(start)
    rows_size, apart = layout.n_panels * len(layout.lanes) * bank.n_rows, work.size > 0
    last_slot = max(1, tape.size // rows_size) - 1
    blur_scale = scale.copy()
    if apart:
        blur_scale[:] = np.float32(1.0)
    for it in range(n_iter + 1):
        # Marginals are splatted into `target`; the messages of the marginals before lie, blurred, in `source`.
        slot, before = (min(it, last_slot), 0) if apart else (it % 2, 1 - it % 2)
        target = tape[slot * rows_size : (slot + 1) * rows_size]
        source = work if apart else tape[before * rows_size : (before + 1) * rows_size]
        counter, other = _COUNTERS * (it % 2), _COUNTERS * (1 - it % 2)
        while True:
            s = claim(sync, counter)
            if s >= n_stripes:
                break
            if it > 0 and has_duplicates:
                fill_duplicates(bank, s, 0, n_lattices, source, layout)
            if it < n_iter:
                clear_stripe(bank, s, 0, n_lattices, target, layout)
            for b in range(bank.stripe[s], bank.stripe[s + 1]):
                if aborted(sync):
                    return
                at = b * PIXELS
                if it == 0 and start.size > 0:
                    read_block(start_at, n, at, n_labels, planes)
                else:
                    if it > 0:
                        slice_block(slicing, source, at, 0, corners_of(slicing, layout), block, layout)
                    else:
                        clear_rows(block)
                    add_unary(unary, at, planes, block, line, held, layout)
                    if it == n_iter and as_logits:
                        log_softmax(planes, n_labels, block, scratch)
                    else:
                        to_marginals(planes, n_labels, layout)
                if it < n_iter:
                    splat_planes(bank, target, at, planes, block, layout)
                else:
                    if out.size > 0:
                        write_block(planes, n, at, n_labels, out)
                    if labels.size > 0:
                        write_labels(planes, n, at, n_labels, labels)
        if it == n_iter:
            break
        barrier(sync, n_threads)
        reset(sync, other, _COUNTERS)  # all have left the iteration before, and none is in the next one
        blur(sync, counter + 1, n_threads, bank, 0, n_lattices, target, source, blur_scale, False, layout)
        if apart:
            scale_vertices(sync, counter + 4, n_threads, bank, target, work, scale, layout)
        mix_labels(sync, counter + 5, n_threads, bank, work if apart else target, pairwise.matrix, layout)


@kernel
def step(sync, n_threads, update, unary, old, new, damping, pairwise, source, target, changes):
    """One update of stored log-marginals, then splat and blur, so that `target` holds the messages of the new ones.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with 5 task counters
    n_threads : int
    update : bool
        True: new = (1 - damping) * (messages - unary) + damping * old, normalised, with the messages of `old` that lie
        in `source`. Damping the logarithms is a proximal step in the Kullback-Leibler divergence (Baqué et al.,
        "Principled parallel mean-field inference for discrete random fields", CVPR 2016).
        False: new = old, normalised.
    unary : (n_labels * n,) float32 costs, label after label
    old, new : (n_labels * n,) float32, logarithms of marginals before and after; may be the same array
    damping : float32
    pairwise : Pairwise
    source, target : row arrays, row 0 of every panel zero
    changes : (n_stripes,) float64, filled with each stripe's sum of absolute changes of the marginals
    """
    bank, layout = pairwise.bank, pairwise.layout
    n_labels = layout.n_channels
    n = unary.size // n_labels
    block, planes, values = new_planes(layout), new_planes(layout), new_planes(layout)
    logs, q_new = new_planes(layout), new_planes(layout)
    scratch = np.zeros(PIXELS, np.float32)
    n_stripes, n_lattices = bank.stripe.size - 1, bank.vertex.shape[0]
    zero = fill(np.float32(0.0), ACROSS)
    while True:
        s = claim(sync, 0)
        if s >= n_stripes:
            break
        if update:
            fill_duplicates(bank, s, 0, n_lattices, source, layout)
        clear_stripe(bank, s, 0, n_lattices, target, layout)
        changes[s] = 0.0
        for b in range(bank.stripe[s], bank.stripe[s + 1]):
            if aborted(sync):
                return
            at = b * PIXELS
            read_block(old, n, at, n_labels, logs)
            if update:
                slice_planes(bank, source, at, planes, block, layout)
                read_block(unary, n, at, n_labels, values)
                for label in range(n_labels):
                    message = load(planes, label * PIXELS, ACROSS)
                    moved = subtract(message, load(values, label * PIXELS, ACROSS))
                    log_q = load(logs, label * PIXELS, ACROSS)
                    kept = multiply(fill(np.float32(1.0) - damping, ACROSS), moved)
                    store(planes, label * PIXELS, axpy(damping, log_q, kept))
            else:
                for i in range(n_labels * PIXELS):
                    planes[i] = logs[i]
            log_softmax(planes, n_labels, q_new, scratch)
            if update:
                change = zero
                for label in range(n_labels):
                    q_old = exp(load(logs, label * PIXELS, ACROSS))
                    difference = subtract(load(q_new, label * PIXELS, ACROSS), q_old)
                    change = add(change, maximum(difference, subtract(zero, difference)))
                store(scratch, 0, change)
                for p in range(min(PIXELS, n - at)):
                    changes[s] += scratch[p]
            write_block(planes, n, at, n_labels, new)
            splat_planes(bank, target, at, q_new, block, layout)
    barrier(sync, n_threads)
    blur(sync, 1, n_threads, bank, 0, n_lattices, target, source, pairwise.scale, False, layout)
    mix_labels(sync, 4, n_threads, bank, target, pairwise.matrix, layout)


@kernel
def free_energy(sync, n_threads, unary, logs, pairwise, source, energies):
    """Sum ``q * (log q + unary - messages / 2)`` over the points of each stripe.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with 1 task counter
    n_threads : int
    unary : (n_labels * n,) float32 costs, label after label
    logs : (n_labels * n,) float32, log q
    pairwise : Pairwise
    source : row array with the messages of q, as :func:`step` leaves it
    energies : (n_stripes,) float64, filled
    """
    bank, layout = pairwise.bank, pairwise.layout
    n_labels = layout.n_channels
    n = unary.size // n_labels
    block, planes, values, log_planes = new_planes(layout), new_planes(layout), new_planes(layout), new_planes(layout)
    scratch = np.zeros(PIXELS, np.float32)
    n_stripes, n_lattices = bank.stripe.size - 1, bank.vertex.shape[0]
    while True:
        s = claim(sync, 0)
        if s >= n_stripes:
            break
        fill_duplicates(bank, s, 0, n_lattices, source, layout)
        energies[s] = 0.0
        for b in range(bank.stripe[s], bank.stripe[s + 1]):
            if aborted(sync):
                return
            at = b * PIXELS
            slice_planes(bank, source, at, planes, block, layout)
            read_block(unary, n, at, n_labels, values)
            read_block(logs, n, at, n_labels, log_planes)
            energy = fill(np.float32(0.0), ACROSS)
            for label in range(n_labels):
                log_q = load(log_planes, label * PIXELS, ACROSS)
                cost = axpy(np.float32(-0.5), load(planes, label * PIXELS, ACROSS), log_q)
                energy = add(energy, multiply(exp(log_q), add(cost, load(values, label * PIXELS, ACROSS))))
            store(scratch, 0, energy)
            for p in range(min(PIXELS, n - at)):
                energies[s] += scratch[p]
