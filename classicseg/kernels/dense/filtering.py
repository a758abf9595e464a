"""Plain filtering with one lattice of a bank, whole passes over the points."""

from __future__ import annotations

import numpy as np

from classicseg.kernels.dense.bank import blur_all, clear_stripe, fill_duplicates, slice_block, splat_block
from classicseg.machine.jit import kernel
from classicseg.machine.parallel import aborted, barrier, claim
from classicseg.machine.simd import ACROSS, PIXELS, load, store
from classicseg.machine.transpose import planes_to_rows, rows_to_planes


@kernel
def filter_values(
    sync, n_threads, values, out, n, n_channels, bank, k, scale, backward, rows, other, n_panels, lanes, parts
):
    """Filter planes of values: ``out = slice(blur(splat(values)))`` with lattice `k`.

    Parameters
    ----------
    values, out : (n_channels * n,) float32, channel after channel
    scale : (n_lattices, n_panels * len(lanes)) float32, row `k` multiplies each channel
    backward : bool, blur the axes in the opposite order (the adjoint operator)
    rows, other : (n_panels * bank.n_rows * len(lanes),) float32, row 0 of every panel zero
    """
    width = len(lanes)
    size = n_panels * width * PIXELS
    block, planes = np.zeros(size, np.float32), np.zeros(size, np.float32)
    n_stripes = bank.stripe.size - 1
    first, n_pairs = bank.column[k], bank.column[k + 1] - bank.column[k]
    while True:
        s = claim(sync, 0)
        if s >= n_stripes:
            break
        clear_stripe(bank, s, k, k + 1, rows, n_panels, lanes)
        for b in range(bank.stripe[s], bank.stripe[s + 1]):
            if aborted(sync):
                return
            at = b * PIXELS
            if at + PIXELS <= n:
                for c in range(n_channels):
                    store(planes, c * PIXELS, load(values, c * n + at, ACROSS))
            else:
                for c in range(n_channels):
                    for p in range(PIXELS):
                        planes[c * PIXELS + p] = values[c * n + at + p] if at + p < n else np.float32(0.0)
            for panel in range(n_panels):
                planes_to_rows(planes, panel * width * PIXELS, block, panel * width * PIXELS, lanes)
            splat_block(bank, rows, at, first, block, n_panels, n_pairs, lanes)
    barrier(sync, n_threads)
    blur_all(sync, 1, n_threads, bank, k, k + 1, rows, other, scale, backward, n_panels, parts[0], parts[1])
    while True:
        s = claim(sync, 4)
        if s >= n_stripes:
            break
        fill_duplicates(bank, s, k, k + 1, rows, n_panels, lanes)
        for b in range(bank.stripe[s], bank.stripe[s + 1]):
            if aborted(sync):
                return
            at = b * PIXELS
            slice_block(bank, rows, at, first, block, n_panels, n_pairs, lanes)
            for panel in range(n_panels):
                rows_to_planes(block, panel * width * PIXELS, planes, panel * width * PIXELS, lanes)
            if at + PIXELS <= n:
                for c in range(n_channels):
                    store(out, c * n + at, load(planes, c * PIXELS, ACROSS))
            else:
                for c in range(n_channels):
                    for p in range(n - at):
                        out[c * n + at + p] = planes[c * PIXELS + p]
