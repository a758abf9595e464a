"""Row sums of all lattices of a bank: what filtering a signal of ones gives. Normalisation needs nothing else."""

from __future__ import annotations

import numpy as np

from classicseg._jit import inline, kernel
from classicseg.kernels.simd import PIXELS, item, put
from classicseg.kernels.threads import aborted, barrier, claim


@inline
def _blur_axes(bank, k, rows, other):  # type: ignore[no-untyped-def]
    first, n_vertices = bank.vertex[k, 0], bank.vertex[k, 1]
    for axis in range(bank.column[k + 1] - bank.column[k]):
        pairs = bank.neighbour_start[k] + axis * n_vertices * 2
        for v in range(n_vertices):
            one, two = item(bank.neighbour, pairs + 2 * v), item(bank.neighbour, pairs + 2 * v + 1)
            near = item(rows, np.intp(one)) + item(rows, np.intp(two))
            put(other, first + v, item(rows, first + v) + np.float32(0.5) * near)
        for v in range(first, first + n_vertices):
            put(rows, v, item(other, v))


@inline
def _blur_stencil(bank, k, rows, other):  # type: ignore[no-untyped-def]
    first, n_vertices = bank.vertex[k, 0], bank.vertex[k, 1]
    n_shells = bank.shell_weight.shape[1]
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


@kernel
def row_sums(sync, n_threads, bank, n, rows, other, sums):  # type: ignore[no-untyped-def]
    """Splat ones, blur, slice.

    Parameters
    ----------
    rows, other : (bank.n_rows,) float32, row 0 zero
    sums : (n_lattices * n,) float32, written; lattice gains are not applied
    """
    n_stripes, n_lattices, n_columns = bank.stripe.size - 1, bank.vertex.shape[0], bank.column[-1]
    while True:
        s = claim(sync, 0)
        if s >= n_stripes or aborted(sync):
            break
        for k in range(n_lattices):
            for row in range(bank.own[k, s], bank.own[k, s + 1]):
                put(rows, row, np.float32(0.0))
            for row in range(bank.own_duplicate[k, s], bank.own_duplicate[k, s + 1]):
                put(rows, row, np.float32(0.0))
        last = min(bank.stripe[s + 1] * PIXELS, n)
        for pair in range(bank.stripe[s] * PIXELS * n_columns, last * n_columns):
            row = np.intp(item(bank.index, pair))
            put(rows, row, item(rows, row) + item(bank.weight_in, pair))
    barrier(sync, n_threads)
    while True:
        k = claim(sync, 1)
        if k >= n_lattices or aborted(sync):
            break
        for i in range(bank.duplicate[k, 1]):
            to = np.intp(item(bank.target, bank.target_start[k] + i))
            put(rows, to, item(rows, to) + item(rows, bank.duplicate[k, 0] + i))
        if bank.shell_weight[k, 0] > 0:
            _blur_stencil(bank, k, rows, other)
        else:
            _blur_axes(bank, k, rows, other)
        for i in range(bank.duplicate[k, 1]):
            put(rows, bank.duplicate[k, 0] + i, item(rows, np.intp(item(bank.target, bank.target_start[k] + i))))
    barrier(sync, n_threads)
    while True:
        s = claim(sync, 2)
        if s >= n_stripes or aborted(sync):
            break
        for i in range(bank.stripe[s] * PIXELS, min(bank.stripe[s + 1] * PIXELS, n)):
            pair = i * n_columns
            for k in range(n_lattices):
                total = np.float32(0.0)
                for _ in range(bank.column[k], bank.column[k + 1]):
                    total += item(bank.weight_in, pair) * item(rows, np.intp(item(bank.index, pair)))
                    pair += 1
                put(sums, k * n + i, total)
