"""Mean field that can be differentiated: a forward pass that keeps its lattice rows, and the backward pass.

With logits z, filters K, and rewards R (per lattice, labels x labels) the forward pass is

    a_0 = z,   Q_t = softmax(a_t),   a_{t + 1} = z + K Q_t R,

and with g_t the gradient of the loss with respect to a_t, the backward pass is

    dL/dQ_t = K' g_{t + 1} R',   g_t = Q_t (dL/dQ_t - <Q_t, dL/dQ_t>),   dL/dz = sum_t g_t.

The adjoint K' slices with the weights of splatting, blurs the axes in the opposite order and splats with the weights
of slicing: it is the filter of a bank in which both kinds of weights are exchanged (`swapped` below).

What is kept of the forward pass is not the marginals but the blurred rows of each iteration, which are several times
smaller; a backward step slices them once more and has Q_t of 16 points in the level-1 cache.
"""

from __future__ import annotations

import numpy as np

from classicseg._jit import inline, kernel
from classicseg.kernels.bank import blur_all, start_stripe
from classicseg.kernels.mean_field import (
    _compatibility_tasks,
    _log_softmax,
    _read_planes,
    _slice_planes,
    _softmax,
    _splat_planes,
    _write_planes,
)
from classicseg.kernels.simd import ACROSS, PIXELS, add, exp, fill, load, multiply, prefetch, store, subtract
from classicseg.kernels.threads import aborted, barrier, claim

COUNTERS = 6
"""Task counters of one iteration."""


@inline
def _add_logits(planes, logits, start, stride, n_labels):  # type: ignore[no-untyped-def]
    for label in range(n_labels):
        prefetch(logits, start + label * stride + 4 * PIXELS)
        logit = add(load(planes, label * PIXELS, ACROSS), load(logits, start + label * stride, ACROSS))
        store(planes, label * PIXELS, logit)


@inline
def _scale_part(rows, out, base, first, last, factor, lanes):  # type: ignore[no-untyped-def]
    for row in range(first, last):
        at = base + row * len(lanes)
        store(out, at, multiply(load(rows, at, lanes), factor))


@inline
def _scale_tasks(sync, counter, bank, rows, out, scale, n_panels, head, tail):  # type: ignore[no-untyped-def]
    """``out = scale * rows`` at all vertices, each lattice and channel with its own factor; see `blur_all`."""
    width, n_parts = scale.shape[1] // n_panels, 8
    n_chunks = (width + PIXELS - 1) // PIXELS
    while True:
        task = claim(sync, counter)
        if task >= bank.vertex.shape[0] * n_panels * n_chunks * n_parts or aborted(sync):
            break
        part, job = task % n_parts, task // n_parts
        k, panel, chunk = job // (n_panels * n_chunks), job // n_chunks % n_panels, job % n_chunks
        first, n_vertices = bank.vertex[k, 0], bank.vertex[k, 1]
        begin, end = first + n_vertices * part // n_parts, first + n_vertices * (part + 1) // n_parts
        label = panel * width + chunk * PIXELS
        base = label * bank.n_rows
        if chunk == n_chunks - 1:
            _scale_part(rows, out, base, begin, end, load(scale[k], label, tail), tail)
        elif head is not None:
            _scale_part(rows, out, base, begin, end, load(scale[k], label, head), head)


@kernel
def record(  # type: ignore[no-untyped-def]
    sync, n_threads, logits, n, n_labels, bank, scale, matrix, n_iter, tape, work, out, as_logits, n_panels, pairs,
    lanes, parts,
):  # fmt: skip
    """The forward pass. Results are those of :func:`classicseg.kernels.mean_field.infer`, to the bit.

    Parameters
    ----------
    logits : (n_labels * n,) float32, label after label
    scale, matrix : as in :func:`classicseg.kernels.mean_field.infer`
    tape : row arrays, one after the other. To keep the blurred, unscaled rows of all iterations, `n_iter` + 1 of them
        and one more in `work`; else 2, and `work` is empty
    out : (n_labels * n,) float32, written: marginals, or their logarithms if `as_logits`
    """
    size = n_panels * len(lanes) * PIXELS
    block, planes, tail = np.zeros(size, np.float32), np.zeros(size, np.float32), np.zeros(size, np.float32)
    scratch = np.zeros(PIXELS, np.float32)
    n_stripes, n_lattices = bank.stripe.size - 1, bank.vertex.shape[0]
    rows_size, recording = n_panels * len(lanes) * bank.n_rows, work.size > 0
    blur_scale = scale.copy()
    if recording:
        blur_scale[:] = np.float32(1.0)
    for it in range(n_iter + 1):
        slot, before = (it, it) if recording else (it % 2, 1 - it % 2)
        target = tape[slot * rows_size : (slot + 1) * rows_size]
        source = work if recording else tape[before * rows_size : (before + 1) * rows_size]
        while True:
            s = claim(sync, COUNTERS * it)
            if s >= n_stripes:
                break
            start_stripe(bank, s, 0, n_lattices, source, target, n_panels, lanes)
            for b in range(bank.stripe[s], bank.stripe[s + 1]):
                if aborted(sync):
                    return
                at = b * PIXELS
                if it > 0:
                    _slice_planes(bank, source, at, planes, block, n_panels, pairs, lanes)
                else:
                    for i in range(n_labels * PIXELS):
                        planes[i] = 0.0
                if at + PIXELS <= n:
                    _add_logits(planes, logits, at, n, n_labels)
                else:
                    _read_planes(logits, n, at, n_labels, tail)
                    _add_logits(planes, tail, 0, PIXELS, n_labels)
                if it == n_iter and as_logits:
                    _log_softmax(planes, n_labels, tail, scratch)
                else:
                    _softmax(planes, n_labels)
                if it < n_iter:
                    _splat_planes(bank, target, at, planes, block, n_panels, pairs, lanes)
                else:
                    _write_planes(planes, n, at, n_labels, out)
        if it == n_iter:
            break
        barrier(sync, n_threads)
        counter = COUNTERS * it + 1
        blur_all(
            sync, counter, n_threads, bank, 0, n_lattices, target, source, blur_scale, False, n_panels, parts[0],
            parts[1],
        )  # fmt: skip
        if recording:
            _scale_tasks(sync, counter + 3, bank, target, work, scale, n_panels, parts[0], parts[1])
            barrier(sync, n_threads)
        if matrix is not None:
            mixed = work if recording else target
            _compatibility_tasks(sync, counter + 4, bank, mixed, matrix, n_labels, lanes)
            barrier(sync, n_threads)


@kernel
def adjoint_start(  # type: ignore[no-untyped-def]
    sync, n_threads, out, grad_out, as_logits, n, n_labels, swapped, target, other, grad, n_panels, pairs, lanes
):
    """The gradient with respect to the last logits, from that of what :func:`record` wrote; splatted into `target`.

    out, grad_out, grad : (n_labels * n,) float32; `grad` is written
    """
    size = n_panels * len(lanes) * PIXELS
    block, q, g = np.zeros(size, np.float32), np.zeros(size, np.float32), np.zeros(size, np.float32)
    n_stripes, n_lattices = swapped.stripe.size - 1, swapped.vertex.shape[0]
    while True:
        s = claim(sync, 0)
        if s >= n_stripes:
            break
        start_stripe(swapped, s, 0, n_lattices, other, target, n_panels, lanes)
        for b in range(swapped.stripe[s], swapped.stripe[s + 1]):
            if aborted(sync):
                return
            at = b * PIXELS
            _read_planes(out, n, at, n_labels, q)
            _read_planes(grad_out, n, at, n_labels, g)
            total = fill(np.float32(0.0), ACROSS)
            if as_logits:
                for label in range(n_labels):
                    total = add(total, load(g, label * PIXELS, ACROSS))
                for label in range(n_labels):
                    softmax = exp(load(q, label * PIXELS, ACROSS))
                    store(g, label * PIXELS, subtract(load(g, label * PIXELS, ACROSS), multiply(softmax, total)))
            else:
                _softmax_adjoint(q, g, n_labels)
            _write_planes(g, n, at, n_labels, grad)
            _splat_planes(swapped, target, at, g, block, n_panels, pairs, lanes)


@inline
def _softmax_adjoint(q, g, n_labels):  # type: ignore[no-untyped-def]
    """Gradient with respect to marginals `q` to that with respect to their logits, in place in `g`."""
    inner = fill(np.float32(0.0), ACROSS)
    for label in range(n_labels):
        inner = add(inner, multiply(load(q, label * PIXELS, ACROSS), load(g, label * PIXELS, ACROSS)))
    for label in range(n_labels):
        centred = subtract(load(g, label * PIXELS, ACROSS), inner)
        store(g, label * PIXELS, multiply(load(q, label * PIXELS, ACROSS), centred))


@kernel
def adjoint_step(  # type: ignore[no-untyped-def]
    sync, n_threads, logits, n, n_labels, bank, swapped, messages, has_messages, source, target, has_target, grad,
    step_grad, marginals, n_panels, pairs, lanes,
):  # fmt: skip
    """From the blurred gradient rows in `source` to g_t, which is added to `grad` and splatted into `target`.

    Parameters
    ----------
    messages : rows from which the messages of iteration t are sliced again; not used unless `has_messages`
    has_target : bool, whether to splat; the last step need not
    step_grad, marginals : (n_labels * n,) float32, filled with g_t and Q_t, or empty
    """
    size = n_panels * len(lanes) * PIXELS
    block, q, g = np.zeros(size, np.float32), np.zeros(size, np.float32), np.zeros(size, np.float32)
    values = np.zeros(size, np.float32)
    n_stripes, n_lattices = bank.stripe.size - 1, bank.vertex.shape[0]
    while True:
        s = claim(sync, 0)
        if s >= n_stripes:
            break
        start_stripe(bank, s, 0, n_lattices, source, target, n_panels, lanes)
        if has_messages:
            start_stripe(bank, s, 0, n_lattices, messages, target, n_panels, lanes)
        for b in range(bank.stripe[s], bank.stripe[s + 1]):
            if aborted(sync):
                return
            at = b * PIXELS
            _slice_planes(swapped, source, at, g, block, n_panels, pairs, lanes)
            if has_messages:
                _slice_planes(bank, messages, at, q, block, n_panels, pairs, lanes)
            else:
                for i in range(n_labels * PIXELS):
                    q[i] = 0.0
            _read_planes(logits, n, at, n_labels, values)
            for label in range(n_labels):
                logit = add(load(q, label * PIXELS, ACROSS), load(values, label * PIXELS, ACROSS))
                store(q, label * PIXELS, logit)
            _softmax(q, n_labels)
            _softmax_adjoint(q, g, n_labels)
            _read_planes(grad, n, at, n_labels, values)
            for label in range(n_labels):
                sum_ = add(load(values, label * PIXELS, ACROSS), load(g, label * PIXELS, ACROSS))
                store(values, label * PIXELS, sum_)
            _write_planes(values, n, at, n_labels, grad)
            if marginals.size > 0:
                _write_planes(q, n, at, n_labels, marginals)
                _write_planes(g, n, at, n_labels, step_grad)
            if has_target:
                _splat_planes(swapped, target, at, g, block, n_panels, pairs, lanes)


@kernel
def adjoint_blur(  # type: ignore[no-untyped-def]
    sync, n_threads, n_labels, bank, scale, matrix, transposed, rows, other, tape, work, has_messages, n_panels, lanes,
    parts,
):  # fmt: skip
    """Blur the gradient `rows` backward and mix their labels; and make the messages of the iteration before.

    Parameters
    ----------
    transposed : (n_lattices, n_labels, n_labels) float32, the transposes of `matrix`; or None
    tape : the rows that :func:`record` kept of that iteration; scaled and mixed into `work` if `has_messages`
    """
    n_lattices = bank.vertex.shape[0]
    blur_all(sync, 0, n_threads, bank, 0, n_lattices, rows, other, scale, True, n_panels, parts[0], parts[1])
    if matrix is not None:
        _compatibility_tasks(sync, 3, bank, rows, transposed, n_labels, lanes)
    if has_messages:
        _scale_tasks(sync, 4, bank, tape, work, scale, n_panels, parts[0], parts[1])
        barrier(sync, n_threads)
        if matrix is not None:
            _compatibility_tasks(sync, 5, bank, work, matrix, n_labels, lanes)
