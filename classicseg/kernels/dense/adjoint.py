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

from classicseg.kernels.dense.bank import blur_all, clear_stripe, fill_duplicates
from classicseg.kernels.dense.mean_field import (
    _compatibility_tasks,
    _log_softmax,
    _places_of_labels,
    _read_planes,
    _slice_planes,
    _softmax,
    _splat_planes,
    _write_planes,
)
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, barrier, claim
from classicseg.machine.simd import (
    ACROSS,
    PIXELS,
    add,
    axpy,
    exp,
    fill,
    item,
    load,
    load_row,
    multiply,
    prefetch,
    store,
    subtract,
)

COUNTERS = 7
"""Task counters of one iteration."""

REWARD_PARTS = 16
"""In how many parts the gradient with respect to the rewards of one lattice is summed up."""


@inline
def _add_to_planes(planes, values, n, at, n_labels, tail):
    """Add the values of a block."""
    start, stride = at, n
    if at + PIXELS > n:
        _read_planes(values, n, at, n_labels, tail)
        values, start, stride = tail, 0, PIXELS
    for label in range(n_labels):
        prefetch(values, start + label * stride + 4 * PIXELS)
        sum_ = add(load(planes, label * PIXELS, ACROSS), load(values, start + label * stride, ACROSS))
        store(planes, label * PIXELS, sum_)


@inline
def _add_planes(planes, n, at, n_labels, values):
    """Add the planes to the values of a block."""
    for label in range(n_labels):
        if at + PIXELS <= n:
            prefetch(values, label * n + at + 4 * PIXELS)
            sum_ = add(load(planes, label * PIXELS, ACROSS), load(values, label * n + at, ACROSS))
            store(values, label * n + at, sum_)
        else:
            for p in range(n - at):
                values[label * n + at + p] += planes[label * PIXELS + p]


@inline
def _scale_part(rows, out, base, first, last, factor, lanes):
    for row in range(first, last):
        at = base + row * len(lanes)
        store(out, at, multiply(load(rows, at, lanes), factor))


@inline
def _scale_tasks(sync, counter, bank, rows, out, scale, n_panels, head, tail):
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
def record(
    sync, n_threads, logits, n, n_labels, bank, scale, matrix, n_iter, tape, work, out, as_logits, n_panels, pairs,
    lanes, parts,
):  # fmt: skip
    """The forward pass. Results are those of :func:`classicseg.kernels.dense.mean_field.infer`, to the bit.

    Parameters
    ----------
    logits : (n_labels * n,) float32, label after label
    scale, matrix : as in :func:`classicseg.kernels.dense.mean_field.infer`
    tape : row arrays, one after the other. To keep the blurred, unscaled rows of all iterations, `n_iter` of them and
        one more in `work`; else 2, and `work` is empty
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
                _add_to_planes(planes, logits, n, at, n_labels, tail)
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
def adjoint_start(
    sync, n_threads, out, grad_out, as_logits, n, n_labels, swapped, target, grad, n_panels, pairs, lanes
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
        clear_stripe(swapped, s, 0, n_lattices, target, n_panels, lanes)
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
def _softmax_adjoint(q, g, n_labels):
    """Gradient with respect to marginals `q` to that with respect to their logits, in place in `g`."""
    inner = fill(np.float32(0.0), ACROSS)
    for label in range(n_labels):
        inner = add(inner, multiply(load(q, label * PIXELS, ACROSS), load(g, label * PIXELS, ACROSS)))
    for label in range(n_labels):
        centred = subtract(load(g, label * PIXELS, ACROSS), inner)
        store(g, label * PIXELS, multiply(load(q, label * PIXELS, ACROSS), centred))


@kernel
def adjoint_step(
    sync, n_threads, logits, n, n_labels, bank, swapped, messages, has_messages, source, target, grad, step_grad,
    marginals, n_panels, pairs, lanes,
):  # fmt: skip
    """From the blurred gradient rows in `source` to g_t, which is added to `grad` and splatted into `target`.

    Parameters
    ----------
    messages : rows from which the messages of iteration t are sliced again
    has_messages : bool, false at t = 0, where there are none and nothing has to be splatted
    step_grad, marginals : (n_labels * n,) float32, filled with g_t and Q_t, or empty
    """
    size = n_panels * len(lanes) * PIXELS
    block, q, g = np.zeros(size, np.float32), np.zeros(size, np.float32), np.zeros(size, np.float32)
    tail = np.zeros(size, np.float32)
    n_stripes, n_lattices = bank.stripe.size - 1, bank.vertex.shape[0]
    while True:
        s = claim(sync, 0)
        if s >= n_stripes:
            break
        fill_duplicates(bank, s, 0, n_lattices, source, n_panels, lanes)
        if has_messages:
            fill_duplicates(bank, s, 0, n_lattices, messages, n_panels, lanes)
            clear_stripe(bank, s, 0, n_lattices, target, n_panels, lanes)
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
            _add_to_planes(q, logits, n, at, n_labels, tail)
            _softmax(q, n_labels)
            _softmax_adjoint(q, g, n_labels)
            _add_planes(g, n, at, n_labels, grad)
            if marginals.size > 0:
                _write_planes(q, n, at, n_labels, marginals)
                _write_planes(g, n, at, n_labels, step_grad)
            if has_messages:
                _splat_planes(swapped, target, at, g, block, n_panels, pairs, lanes)


@inline
def _add_products(bank, values, v, w, gradient, g, h, sums, at, start, size, n_panels, lanes):
    """Add the products of all labels of `values` and all of `gradient` in rows v and g, and in rows w and h."""
    for panel in range(n_panels):
        base = panel * bank.n_rows * len(lanes)
        one, two = load_row(gradient, base, bank.n_rows, g, lanes), load_row(gradient, base, bank.n_rows, h, lanes)
        for label in range(start.size):
            into = at + (label * n_panels + panel) * len(lanes)
            sum_ = axpy(item(values, start[label] + v * size[label]), one, load(sums, into, lanes))
            store(sums, into, axpy(item(values, start[label] + w * size[label]), two, sum_))


@inline
def _reward_tasks(sync, counter, bank, values, gradient, sums, n_labels, n_panels, lanes):
    """``dL/dR_k = V_k' G_k``: the filtered marginals V and the splatted gradient G at the vertices of lattice k.

    Stripes have splatted into rows of their own, whose sums are formed when the blur begins. Here each of them meets
    the value of the vertex that it stands for.
    """
    n_lattices = bank.vertex.shape[0]
    n_sums = n_labels * n_panels * len(lanes)
    start, size = _places_of_labels(bank, n_labels, len(lanes))
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
            _add_products(bank, values, row, next_, gradient, row, next_, sums, at, start, size, n_panels, lanes)
        first, n = bank.duplicate[k, 0], bank.duplicate[k, 1]
        targets, last = bank.target_start[k] - first, first + n * (part + 1) // REWARD_PARTS
        for row in range(first + n * part // REWARD_PARTS, last, 2):
            v, w, next_ = np.intp(bank.target[targets + row]), np.intp(0), 0
            if row + 1 < last:
                w, next_ = np.intp(bank.target[targets + row + 1]), row + 1
            _add_products(bank, values, v, w, gradient, row, next_, sums, at, start, size, n_panels, lanes)


@kernel
def adjoint_blur(
    sync, n_threads, n_labels, bank, scale, matrix, transposed, rows, other, values, sums, tape, work, has_messages,
    n_panels, lanes, parts,
):  # fmt: skip
    """Blur the gradient `rows` backward and mix their labels; and make the messages of the iteration before.

    Parameters
    ----------
    transposed : (n_lattices, n_labels, n_labels) float32, the transposes of `matrix`; or None
    values : the rows that :func:`record` kept of this iteration
    sums : (REWARD_PARTS * n_lattices * n_labels * n_panels * len(lanes),) float32, filled with parts of the gradient
        with respect to the rewards, gains not included
    tape : the rows that :func:`record` kept of the iteration before; scaled and mixed into `work` if `has_messages`
    """
    n_lattices = bank.vertex.shape[0]
    _reward_tasks(sync, 0, bank, values, rows, sums, n_labels, n_panels, lanes)
    barrier(sync, n_threads)
    blur_all(sync, 1, n_threads, bank, 0, n_lattices, rows, other, scale, True, n_panels, parts[0], parts[1])
    if matrix is not None:
        _compatibility_tasks(sync, 4, bank, rows, transposed, n_labels, lanes)
    if has_messages:
        _scale_tasks(sync, 5, bank, tape, work, scale, n_panels, parts[0], parts[1])
        barrier(sync, n_threads)
        if matrix is not None:
            _compatibility_tasks(sync, 6, bank, work, matrix, n_labels, lanes)
