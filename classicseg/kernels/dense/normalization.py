"""Normalising all lattices of a bank: their row sums, which filtering a signal of ones gives, go into the weights."""

from __future__ import annotations

import numpy as np

from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, barrier, claim
from classicseg.machine.simd import PIXELS, item, put

_TINY = np.float32(1e-20)


@inline
def _blur_axes(bank, k, rows, other):
    """Blur lattice `k` of `bank` along its axes, in `rows`; `other` is work space."""
    first, n_vertices = bank.vertex[k, 0], bank.vertex[k, 1]
    for axis in range(bank.corner_start[k + 1] - bank.corner_start[k]):
        start = bank.neighbour_start[k] + axis * n_vertices * 2
        for v in range(n_vertices):
            one, two = item(bank.neighbour, start + 2 * v), item(bank.neighbour, start + 2 * v + 1)
            near = item(rows, np.intp(one)) + item(rows, np.intp(two))
            put(other, first + v, item(rows, first + v) + np.float32(0.5) * near)
        for v in range(first, first + n_vertices):
            put(rows, v, item(other, v))


@inline
def _blur_stencil(bank, k, rows, other):
    """Blur lattice `k` of `bank` with its stencil, in `rows`; `other` is work space."""
    first, n_vertices = bank.vertex[k, 0], bank.vertex[k, 1]
    n_shells = bank.n_shells[k]
    border = bank.link_start[k]
    link = np.intp(0)
    if border > 0:
        link = np.intp(item(bank.link_border, border - 1))
    for v in range(first, first + n_vertices):
        total = item(rows, v)
        for shell in range(n_shells):
            sum_ = np.float32(0.0)
            for i in range(link, np.intp(item(bank.link_border, border + shell))):
                sum_ += item(rows, np.intp(item(bank.link, i)))
            total += bank.shell_weight[k, shell] * sum_
            link = np.intp(item(bank.link_border, border + shell))
        border += n_shells
        put(other, v, total)
    for v in range(first, first + n_vertices):
        put(rows, v, item(other, v))


@inline
def _scale(weight, first, last, sum_, power):
    """Multiply the elements `first` to `last` - 1 of `weight` by ``sum_**power``; `power` is 0, -1/2 or -1."""
    factor = np.float32(1.0)
    if power == np.float32(-0.5):
        factor /= np.sqrt(sum_ + _TINY)
    elif power == np.float32(-1.0):
        factor /= sum_ + _TINY
    for corner in range(first, last):
        put(weight, corner, item(weight, corner) * factor)


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
    n_stripes, n_lattices, n_corners = bank.stripe.size - 1, bank.vertex.shape[0], bank.corner_start[-1]
    while True:
        k = claim(sync, 0)
        if k >= n_lattices or aborted(sync):
            break
        for i in range(bank.duplicate[k, 1]):
            to = np.intp(item(bank.target, bank.target_start[k] + i))
            put(rows, to, item(rows, to) + item(rows, bank.duplicate[k, 0] + i))
        if bank.n_shells[k] > 0:
            _blur_stencil(bank, k, rows, other)
        else:
            _blur_axes(bank, k, rows, other)
        for i in range(bank.duplicate[k, 1]):
            put(rows, bank.duplicate[k, 0] + i, item(rows, np.intp(item(bank.target, bank.target_start[k] + i))))
    barrier(sync, n_threads)
    while True:
        s = claim(sync, 1)
        if s >= n_stripes or aborted(sync):
            break
        for i in range(bank.stripe[s] * PIXELS, min(bank.stripe[s + 1] * PIXELS, n)):
            for k in range(n_lattices):
                first, last = i * n_corners + bank.corner_start[k], i * n_corners + bank.corner_start[k + 1]
                total = np.float32(0.0)
                for corner in range(first, last):
                    total += item(bank.weight_in, corner) * item(rows, np.intp(item(bank.index, corner)))
                total *= gain[k]
                if sums.size > 0:
                    put(sums, k * n + i, total)
                _scale(bank.weight_in, first, last, total, before[k])
                if not shared:
                    _scale(bank.weight_out, first, last, total, after[k])
