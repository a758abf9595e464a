"""Plain filtering with one lattice of a bank, whole passes over the points."""

from __future__ import annotations

from classicseg.kernels.dense.bank import clear_stripe, fill_duplicates, slice_block, splat_block
from classicseg.kernels.dense.blur import blur
from classicseg.kernels.dense.planes import new_planes, read_block, write_block
from classicseg.machine.jit import kernel
from classicseg.machine.parallel import aborted, barrier, claim
from classicseg.machine.simd import PIXELS
from classicseg.machine.transpose import planes_to_rows, rows_to_planes


@kernel
def filter_values(sync, n_threads, values, out, bank, k, scale, backward, rows, other, layout):
    """Filter planes of values: ``out = slice(blur(splat(values)))``.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with 5 task counters
    n_threads : int
    values : (n_channels * n,) float32, channel after channel
    out : (n_channels * n,) float32, filled
    bank : Bank
    k : int, the lattice that filters
    scale : (n_lattices, n_panels * len(lanes)) float32, row `k` multiplies each channel
    backward : bool, blur the axes in the opposite order (the adjoint operator)
    rows, other : row arrays, row 0 of every panel zero; work space
    layout : RowLayout
    """
    n_channels, lanes = layout.n_channels, layout.lanes
    n = values.size // n_channels
    block, planes = new_planes(layout), new_planes(layout)
    n_stripes = bank.stripe.size - 1
    first, n_corners = bank.corner_start[k], bank.corner_start[k + 1] - bank.corner_start[k]
    while True:
        s = claim(sync, 0)
        if s >= n_stripes:
            break
        clear_stripe(bank, s, k, k + 1, rows, layout)
        for b in range(bank.stripe[s], bank.stripe[s + 1]):
            if aborted(sync):
                return
            at = b * PIXELS
            read_block(values, n, at, n_channels, planes)
            for panel in range(layout.n_panels):
                base = panel * len(lanes) * PIXELS
                planes_to_rows(planes, base, block, base, lanes)
            splat_block(bank, rows, at, first, n_corners, block, layout)
    barrier(sync, n_threads)
    blur(sync, 1, n_threads, bank, k, k + 1, rows, other, scale, backward, layout)
    while True:
        s = claim(sync, 4)
        if s >= n_stripes:
            break
        fill_duplicates(bank, s, k, k + 1, rows, layout)
        for b in range(bank.stripe[s], bank.stripe[s + 1]):
            if aborted(sync):
                return
            at = b * PIXELS
            slice_block(bank, rows, at, first, n_corners, block, layout)
            for panel in range(layout.n_panels):
                base = panel * len(lanes) * PIXELS
                rows_to_planes(block, base, planes, base, lanes)
            write_block(planes, n, at, n_channels, out)
