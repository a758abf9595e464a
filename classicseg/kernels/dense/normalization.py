"""Normalising all lattices of a bank: their row sums, which filtering a signal of ones gives, go into the weights."""

from __future__ import annotations

import numpy as np

from classicseg.machine.gather import gather, load_numbers
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, barrier, claim
from classicseg.machine.simd import ACROSS, PIXELS, add, divide, fill, item, load, multiply, put, sqrt, store

_TINY = np.float32(1e-20)


@inline
def _blur_axis(bank, k, axis, first, last, rows, other):
    """Blur the vertices `first` to `last` - 1 of lattice `k` of `bank` along an `axis`, `rows` to `other`."""
    row, start = bank.vertex[k, 0], bank.neighbour_start[k] + axis * bank.vertex[k, 1] * 2
    for v in range(first, last):
        one, two = item(bank.neighbour, start + 2 * v), item(bank.neighbour, start + 2 * v + 1)
        near = item(rows, np.intp(one)) + item(rows, np.intp(two))
        put(other, row + v, item(rows, row + v) + np.float32(0.5) * near)


@inline
def _blur_stencil(bank, k, first, last, rows, other):
    """Blur the vertices `first` to `last` - 1 of lattice `k` of `bank` with its stencil, from `rows` to `other`."""
    row, n_shells = bank.vertex[k, 0], bank.n_shells[k]
    border = bank.link_start[k] + first * n_shells
    link = np.intp(0)
    if border > 0:
        link = np.intp(item(bank.link_border, border - 1))
    for v in range(row + first, row + last):
        total = item(rows, v)
        for shell in range(n_shells):
            sum_ = np.float32(0.0)
            for i in range(link, np.intp(item(bank.link_border, border + shell))):
                sum_ += item(rows, np.intp(item(bank.link, i)))
            total += bank.shell_weight[k, shell] * sum_
            link = np.intp(item(bank.link_border, border + shell))
        border += n_shells
        put(other, v, total)


@kernel
def blur_ones_step(bank, k, step, first, last, rows, other):
    """One step of the blur of splatted ones, for the vertices `first` to `last` - 1 of a lattice, `rows` to `other`.

    Parameters
    ----------
    bank : Bank
    k : int, the lattice
    step : int, the axis; 0 for a stencil
    first, last : int
    rows, other : (bank.n_rows,) float32, row 0 zero
    """
    if bank.n_shells[k] > 0:
        _blur_stencil(bank, k, first, last, rows, other)
    else:
        _blur_axis(bank, k, step, first, last, rows, other)


@inline
def power_of(sums, power):
    """``sums**power`` for 16 `sums`; `power` is 0, -1/2 or -1."""
    one = fill(np.float32(1.0), ACROSS)
    if power == np.float32(0.0):
        return one
    positive = add(sums, fill(_TINY, ACROSS))
    return divide(one, sqrt(positive) if power == np.float32(-0.5) else positive)


@inline
def _scale(weight, at, n_corners, factor):
    """Multiply the weights of `n_corners` corners of 16 points, from ``weight[at]`` on, by `factor`."""
    for own in range(at, at + n_corners * PIXELS, PIXELS):
        store(weight, own, multiply(load(weight, own, ACROSS), factor))


@kernel
def normalize(sync, n_threads, bank, n, gain, before, after, rows, other, sums):
    """Blur and slice splatted ones; then scale the weights of every point by the sum found there.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with 2 task counters
    n_threads : int
    bank : Bank, whose weights are changed in place
    n : int, number of points
    gain : (n_lattices,) float32, factor of each lattice
    before, after : (n_lattices,) float32, power of the row sum that multiplies the weights of splatting and of
        slicing; where both kinds of weights are one array, the powers are equal
    rows : (bank.n_rows,) float32, what splatting ones gives, row 0 zero; overwritten
    other : (bank.n_rows,) float32, row 0 zero; work space
    sums : (n_lattices * n,) float32, filled with the row sums; or empty
    """
    shared = bank.weight_in.ctypes.data == bank.weight_out.ctypes.data
    scratch = np.empty(PIXELS, np.float32)
    n_stripes, n_lattices, n_corners = bank.stripe.size - 1, bank.vertex.shape[0], bank.corner_start[-1]
    while True:
        k = claim(sync, 0)
        if k >= n_lattices or aborted(sync):
            break
        for i in range(bank.duplicate[k, 1]):
            to = np.intp(item(bank.target, bank.target_start[k] + i))
            put(rows, to, item(rows, to) + item(rows, bank.duplicate[k, 0] + i))
        first, n_vertices = bank.vertex[k, 0], bank.vertex[k, 1]
        for step in range(1 if bank.n_shells[k] > 0 else bank.corner_start[k + 1] - bank.corner_start[k]):
            if bank.n_shells[k] > 0:
                _blur_stencil(bank, k, 0, n_vertices, rows, other)
            else:
                _blur_axis(bank, k, step, 0, n_vertices, rows, other)
            for v in range(first, first + n_vertices):
                put(rows, v, item(other, v))
        for i in range(bank.duplicate[k, 1]):
            put(rows, bank.duplicate[k, 0] + i, item(rows, np.intp(item(bank.target, bank.target_start[k] + i))))
    barrier(sync, n_threads)
    while True:
        s = claim(sync, 1)
        if s >= n_stripes or aborted(sync):
            break
        for block in range(bank.stripe[s], bank.stripe[s + 1]):
            for k in range(n_lattices):
                n_own = bank.corner_start[k + 1] - bank.corner_start[k]
                at = (block * n_corners + bank.corner_start[k]) * PIXELS
                total = fill(np.float32(0.0), ACROSS)
                for own in range(at, at + n_own * PIXELS, PIXELS):
                    values = gather(rows, 0, load_numbers(bank.index, own))
                    total = add(total, multiply(load(bank.weight_in, own, ACROSS), values))
                total = multiply(fill(gain[k], ACROSS), total)
                if sums.size > 0:
                    store(scratch, 0, total)
                    for p in range(min(PIXELS, n - block * PIXELS)):
                        put(sums, k * n + block * PIXELS + p, scratch[p])
                _scale(bank.weight_in, at, n_own, power_of(total, before[k]))
                if not shared:
                    _scale(bank.weight_out, at, n_own, power_of(total, after[k]))
