"""The permutohedral lattice: a small one step by step, and that of a colour image."""

import numpy as np
from builder.entry import F32, F32S, I32, I32S, U8S, entry
from builder.lattices import coordinate_of, features_of, gain_of, lattice_of
from numba import carray

from classicseg.kernels.dense.bank import Bank, RowLayout, slice_block, splat_block
from classicseg.kernels.dense.blur import blur_chunk
from classicseg.kernels.dense.filtering import filter_values
from classicseg.kernels.dense.lattice import Corners
from classicseg.kernels.dense.planes import new_planes, read_block, write_block
from classicseg.machine.jit import inline, kernel
from classicseg.machine.simd import PIXELS
from classicseg.machine.transpose import planes_to_rows, rows_to_planes

_LANES = (0,) * 8  # of which values that are not there stay 0


@inline
def _bank_of(corners, n_blocks, neighbours, n_axes, n_vertices):
    """The bank of one lattice, whose vertices have the rows from 1 on, blurred along `n_axes` of its axes."""
    nothing, none, end = np.zeros(1, np.int64), np.zeros(0, np.uint32), 1 + n_vertices
    return Bank(
        corners.index, corners.weight, corners.weight, np.array((0, n_axes)), np.array((0, n_blocks)),
        np.array(((1, n_vertices),)), np.array(((end, 0),)), np.array(((1, end),)), np.array(((end, end),)),
        nothing, none, nothing, neighbours, nothing, np.zeros((1, 1), np.float32), nothing, none, none, end,
    )  # fmt: skip


@kernel
def _splat(bank, n_channels, values, rows, layout):
    """Splat (n_channels * n,) `values` into `rows`, as :func:`filter_values` does."""
    n, n_corners = values.size // n_channels, bank.corner_start[1]
    block, planes = new_planes(layout), new_planes(layout)
    for at in range(0, bank.stripe[1] * PIXELS, PIXELS):
        read_block(values, n, at, n_channels, planes)
        planes_to_rows(planes, 0, block, 0, layout.lanes)
        splat_block(bank, rows, at, 0, n_corners, block, layout)


@kernel
def _slice(bank, n_channels, rows, values, layout):
    """Slice (n_channels * n,) `values` from `rows`, as :func:`filter_values` does."""
    n, n_corners = values.size // n_channels, bank.corner_start[1]
    block, planes = new_planes(layout), new_planes(layout)
    for at in range(0, bank.stripe[1] * PIXELS, PIXELS):
        slice_block(bank, rows, at, 0, n_corners, block, layout)
        rows_to_planes(block, 0, planes, 0, layout.lanes)
        write_block(planes, n, at, n_channels, values)


@entry
def steps(
    n: I32, n_channels: I32, features: F32S, values: F32S, simplex: I32S, weight: F32S, position: I32S,
    neighbour: I32S, rows: F32S, out: F32S,
):  # fmt: skip
    """Filter points of two features, and keep what there is after every step.

    `features` are 2 x n, in standard deviations, `values` channels x n. Filled are: of each point the vertices of its
    `simplex` and the `weight` of each, n x 3; of each vertex its coordinates, the first two as `position`; its
    neighbours, axes x vertices x 2, as `neighbour`, -1 where there is none; the `rows` after the splat and after the
    blur along each of the three axes, 4 x vertices x channels; and the filtered values as `out`. There is room for
    3 n vertices. Returns how many there are.
    """
    count, n_blocks = np.int64(n), (np.int64(n) + PIXELS - 1) // PIXELS
    padded = np.zeros((2, count + 2 * PIXELS), np.float32)
    for f in range(2):
        for i in range(count):
            padded[f, i] = features[f * count + i]
    corners = Corners(np.zeros(n_blocks * 3 * PIXELS, np.uint32), np.zeros(n_blocks * 3 * PIXELS, np.float32), 0, 3)
    neighbours, mass, keys = lattice_of(padded, count, 2, corners, 1)
    n_vertices = mass.size
    for i in range(count):
        for r in range(3):
            at = (i // PIXELS * 3 + r) * PIXELS + i % PIXELS
            simplex[3 * i + r] = np.int32(corners.index[at]) - 1
            weight[3 * i + r] = corners.weight[at]
    for v in range(n_vertices):
        for f in range(2):
            position[2 * v + f] = coordinate_of(keys[v], f)
    for i in range(neighbours.size):
        neighbour[i] = np.int32(neighbours[i]) - 1
    channels, layout = (
        np.int64(n_channels),
        RowLayout(np.int64(n_channels), np.int64(n_channels), 1, _LANES, _LANES, _LANES, (), ()),
    )
    bank = _bank_of(corners, n_blocks, neighbours, 3, n_vertices)
    lattice_rows, other = np.zeros(layout.n_panels * bank.n_rows * 8, np.float32), np.zeros(bank.n_rows * 8, np.float32)
    _splat(bank, channels, carray(values, channels * count), lattice_rows, layout)
    for step in range(4):
        if step > 0:
            scale = np.full((1, 8), np.float32(gain_of(2) if step == 3 else 1.0))
            axis = neighbours[(step - 1) * 2 * n_vertices : step * 2 * n_vertices]
            along = _bank_of(corners, n_blocks, axis, 1, n_vertices)
            blur_chunk(along, 0, 0, 0, 1, lattice_rows, other, 0, scale, 0, False, _LANES)
        for v in range(n_vertices):
            for c in range(channels):
                rows[(step * n_vertices + v) * channels + c] = lattice_rows[(1 + v) * 8 + c]
    _slice(bank, channels, lattice_rows, carray(out, channels * count), layout)
    return np.int32(n_vertices)


@entry
def bilateral(height: I32, width: I32, image: U8S, sigma: F32, color_sigma: F32, values: F32S, out: F32S):
    """Filter five channels of `values` over the places and colours of an image, height x width x 3, into `out`.

    Both are 5 x height x width. Returns how many vertices the lattice has.
    """
    n = np.int64(height) * width
    n_blocks = (n + PIXELS - 1) // PIXELS
    corners = Corners(np.zeros(n_blocks * 6 * PIXELS, np.uint32), np.zeros(n_blocks * 6 * PIXELS, np.float32), 0, 6)
    features = features_of(height, width, carray(image, 3 * n), sigma, color_sigma, 5)
    neighbours, mass, _ = lattice_of(features, n, 5, corners, 1)
    bank, layout = (
        _bank_of(corners, n_blocks, neighbours, 6, mass.size),
        RowLayout(5, 5, 1, _LANES, _LANES, _LANES, (), ()),
    )
    rows, other = np.zeros(bank.n_rows * 8, np.float32), np.zeros(bank.n_rows * 8, np.float32)
    filter_values(
        np.zeros(128, np.int64), 1, carray(values, 5 * n), carray(out, 5 * n), bank, 0,
        np.full((1, 8), np.float32(gain_of(5))), False, rows, other, layout,
    )  # fmt: skip
    return np.int32(mass.size)
