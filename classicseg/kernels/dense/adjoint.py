"""The backward pass of mean field.

With logits z, filters K, and rewards R (per lattice, labels x labels) the forward pass is

    a_0 = z,   Q_t = softmax(a_t),   a_{t + 1} = z + K Q_t R,

and with g_t the gradient of the loss with respect to a_t, the backward pass is

    dL/dQ_t = K' g_{t + 1} R',   g_t = Q_t (dL/dQ_t - <Q_t, dL/dQ_t>),   dL/dz = sum_t g_t.

The adjoint K' slices with the weights of splatting, blurs the axes in the opposite order and splats with the weights
of slicing: it is the filter of a bank in which both kinds of weights are exchanged.

What :func:`classicseg.kernels.dense.mean_field.infer` records are not the marginals but the blurred rows of each
iteration, which are several times smaller; a backward step slices them once more and has Q_t of 16 points in the
level-1 cache.

Of paired labels the rows hold differences: of marginals in the records, of gradients in what is splatted here. To
splat a difference and to hand half of what is sliced to each label, with opposite signs, is its own adjoint.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.dense.bank import clear_stripe, fill_duplicates
from classicseg.kernels.dense.blur import blur
from classicseg.kernels.dense.planes import (
    add_block,
    add_to_block,
    new_planes,
    read_block,
    slice_planes,
    splat_planes,
    to_marginals,
    write_block,
)
from classicseg.kernels.dense.vertices import mix_labels, scale_vertices, sum_reward_gradient
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, claim
from classicseg.machine.simd import ACROSS, PIXELS, add, exp, fill, load, multiply, pointer, store, subtract

COUNTERS = 7
"""Task counters of :func:`adjoint_blur`."""


@inline
def _softmax_adjoint(q, g, n_labels):
    """Gradient with respect to marginals to that with respect to their logits, in place in `g`.

    `q`, the marginals, and `g` are planes of `n_labels` labels.
    """
    inner = fill(np.float32(0.0), ACROSS)
    for label in range(n_labels):
        inner = add(inner, multiply(load(q, label * PIXELS, ACROSS), load(g, label * PIXELS, ACROSS)))
    for label in range(n_labels):
        centred = subtract(load(g, label * PIXELS, ACROSS), inner)
        store(g, label * PIXELS, multiply(load(q, label * PIXELS, ACROSS), centred))


@kernel
def adjoint_start(sync, n_threads, out, as_logits, grad_out, adjoint, target, grad):
    """From the gradient with respect to what was returned to that with respect to the last logits.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with 1 task counter
    n_threads : int
    out : (n_labels * n,) float32, the result of the forward pass
    as_logits : bool, whether that are the logarithms of the marginals
    grad_out : (n_labels * n,) float32, the gradient with respect to it
    adjoint : Pairwise, the adjoint of that of the forward pass
    target : row array, row 0 of every panel zero; the new gradient is splatted into it
    grad : (n_labels * n,) float32, filled with the new gradient
    """
    bank, layout = adjoint.bank, adjoint.layout
    n_labels = layout.n_labels
    n = out.size // n_labels
    block, q, g = new_planes(layout), new_planes(layout), new_planes(layout)
    n_stripes, n_lattices = bank.stripe.size - 1, bank.vertex.shape[0]
    while True:
        s = claim(sync, 0)
        if s >= n_stripes:
            break
        clear_stripe(bank, s, 0, n_lattices, target, layout)
        for b in range(bank.stripe[s], bank.stripe[s + 1]):
            if aborted(sync):
                return
            at = b * PIXELS
            read_block(out, n, at, n_labels, q)
            read_block(grad_out, n, at, n_labels, g)
            total = fill(np.float32(0.0), ACROSS)
            if as_logits:
                for label in range(n_labels):
                    total = add(total, load(g, label * PIXELS, ACROSS))
                for label in range(n_labels):
                    p = exp(load(q, label * PIXELS, ACROSS))
                    store(g, label * PIXELS, subtract(load(g, label * PIXELS, ACROSS), multiply(p, total)))
            else:
                _softmax_adjoint(q, g, n_labels)
            write_block(g, n, at, n_labels, grad)
            splat_planes(bank, target, at, g, block, layout)


@kernel
def adjoint_blur(sync, n_threads, pairwise, adjoint, rows, other, values, sums, has_messages, before, messages):
    """Blur the gradient `rows` backward and mix its labels; and make the messages of the iteration before.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with :data:`COUNTERS` task counters
    n_threads : int
    pairwise, adjoint : Pairwise, that of the forward pass and its adjoint
    rows : row array of the splatted gradient, changed in place
    other : row array, work space
    values : the row array that was recorded of this iteration
    sums : (REWARD_PARTS * n_lattices * n_channels * n_panels * len(lanes),) float32, filled with parts of the gradient
        with respect to the rewards, gains not included; of paired labels with parts of the product of both differences
    has_messages : bool, whether there is an iteration before
    before : the row array that was recorded of it
    messages : row array, filled with its messages
    """
    bank, layout = pairwise.bank, pairwise.layout
    sum_reward_gradient(sync, 0, n_threads, bank, values, rows, sums, layout)
    blur(sync, 1, n_threads, bank, 0, bank.vertex.shape[0], rows, other, adjoint.scale, True, layout)
    mix_labels(sync, 4, n_threads, bank, rows, adjoint.matrix, layout)
    if has_messages:
        scale_vertices(sync, 5, n_threads, bank, before, messages, pairwise.scale, layout)
        mix_labels(sync, 6, n_threads, bank, messages, pairwise.matrix, layout)


@kernel
def adjoint_step(
    sync, n_threads, logits, pairwise, adjoint, has_messages, messages, source, target, grad, marginals, step_grad
):
    """From the blurred gradient in `source` to g_t, which is added to `grad` and splatted into `target`.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with 1 task counter
    n_threads : int
    logits : (n_labels * n,) float32, z, label after label
    pairwise, adjoint : Pairwise, that of the forward pass and its adjoint
    has_messages : bool, false at t = 0: there are none, and nothing has to be splatted
    messages : row array from which the messages of iteration t are sliced again
    source, target : row arrays, row 0 of every panel zero
    grad : (n_labels * n,) float32, added to
    marginals, step_grad : (n_labels * n,) float32, filled with Q_t and g_t, or both empty
    """
    bank, swapped, layout = pairwise.bank, adjoint.bank, pairwise.layout
    n_labels = layout.n_labels
    n = logits.size // n_labels
    block, q, g = new_planes(layout), new_planes(layout), new_planes(layout)
    n_stripes, n_lattices = bank.stripe.size - 1, bank.vertex.shape[0]
    logits_at, block_at = pointer(logits), pointer(block)
    while True:
        s = claim(sync, 0)
        if s >= n_stripes:
            break
        fill_duplicates(bank, s, 0, n_lattices, source, layout)
        if has_messages:
            fill_duplicates(bank, s, 0, n_lattices, messages, layout)
            clear_stripe(bank, s, 0, n_lattices, target, layout)
        for b in range(bank.stripe[s], bank.stripe[s + 1]):
            if aborted(sync):
                return
            at = b * PIXELS
            slice_planes(swapped, source, at, g, block, layout)
            if has_messages:
                slice_planes(bank, messages, at, q, block, layout)
            else:
                for i in range(n_labels * PIXELS):
                    q[i] = 0.0
            add_block(q, np.float32(1.0), logits_at, n, at, n_labels, block_at)
            to_marginals(q, n_labels, layout)
            _softmax_adjoint(q, g, n_labels)
            add_to_block(g, n, at, n_labels, grad)
            if marginals.size > 0:
                write_block(q, n, at, n_labels, marginals)
                write_block(g, n, at, n_labels, step_grad)
            if has_messages:
                splat_planes(swapped, target, at, g, block, layout)
