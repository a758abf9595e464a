"""Dense CRFs of colour images of up to eight labels: lattices, their normalisation, mean field."""

import numpy as np
from builder.entry import F32, F32S, I32, I32S, U8S, entry
from builder.lattices import copy, features_of, gain_of, lattice_of
from numba import carray

from classicseg.kernels.dense.bank import Bank, Pairwise, RowLayout
from classicseg.kernels.dense.lattice import Corners
from classicseg.kernels.dense.mean_field import infer
from classicseg.kernels.dense.normalization import normalize
from classicseg.kernels.dense.unary import Unary
from classicseg.machine.simd import PIXELS

_LANES = (0,) * 8
_CORNERS = (0,) * 9  # of a point: 3 in the lattice of positions, 6 in that of positions and colours


@entry
def dense_crf(
    height: I32,
    width: I32,
    n_labels: I32,
    image: U8S,
    unary: F32S,
    sigma: F32,
    weight: F32,
    wide_sigma: F32,
    color_sigma: F32,
    wide_weight: F32,
    n_iter: I32,
    marginals: F32S,
    labels: I32S,
):
    """Mean field of a dense CRF with a smoothness kernel and an appearance kernel.

    `image` is height x width x 3, `unary` and `marginals`, which are filled, are labels x height x width. Returns how
    many vertices the lattice of the appearance kernel has.
    """
    n = np.int64(height) * width
    n_blocks = (n + PIXELS - 1) // PIXELS
    size, pixels = n_blocks * PIXELS * len(_CORNERS), carray(image, 3 * n)
    index, own_weight = np.zeros(size, np.uint32), np.zeros(size, np.float32)
    near = features_of(height, width, pixels, sigma, color_sigma, 2)
    wide = features_of(height, width, pixels, wide_sigma, color_sigma, 5)
    of_near, mass_near, _ = lattice_of(near, n, 2, Corners(index, own_weight, 0, len(_CORNERS)), 1)
    start = 1 + mass_near.size
    of_wide, mass_wide, _ = lattice_of(wide, n, 5, Corners(index, own_weight, 3, len(_CORNERS)), start)
    end = start + mass_wide.size
    n_rows = (end + 15) // 16 * 16
    ones, other = np.zeros(n_rows, np.float32), np.zeros(n_rows, np.float32)
    copy(mass_near, ones, 1)
    copy(mass_wide, ones, start)
    neighbour = np.empty(of_near.size + of_wide.size, np.uint32)
    copy(of_near, neighbour, 0)
    copy(of_wide, neighbour, of_near.size)
    vertex = np.array(((1, mass_near.size), (start, mass_wide.size)))
    duplicate = np.array(((start, 0), (end, 0)))
    own, own_duplicate = np.array(((1, start), (start, end))), np.array(((start, start), (end, end)))
    neighbour_start = np.array((0, of_near.size))
    nothing, none = np.zeros(2, np.int64), np.zeros(0, np.uint32)
    bank = Bank(
        index, own_weight, own_weight, np.array((0, 3, 9)), np.array((0, n_blocks)), vertex, duplicate, own,
        own_duplicate, nothing, none, neighbour_start, neighbour, nothing, np.zeros((2, 1), np.float32), nothing, none,
        none, n_rows,
    )  # fmt: skip
    sync, half, empty = np.zeros(128, np.int64), np.full(2, np.float32(-0.5)), np.zeros(0, np.float32)
    gains = np.array((gain_of(2), gain_of(5))).astype(np.float32)
    normalize(sync, 1, bank, n, gains, half, half, ones, other, empty)
    layout = RowLayout(np.int64(n_labels), np.int64(n_labels), 1, _LANES, _LANES, _LANES, _CORNERS, ())
    scale = np.zeros((2, len(_LANES)), np.float32)
    for label in range(n_labels):
        scale[0, label], scale[1, label] = weight * gains[0], wide_weight * gains[1]
    costs = Unary(np.float32(-1.0), n, carray(unary, n_labels * n), None)
    tape = np.zeros(2 * n_rows * len(_LANES), np.float32)
    pairwise = Pairwise(bank, index, layout, scale, None)
    sync[:] = 0
    infer(
        sync, 1, costs, empty, pairwise, np.int64(n_iter), tape, empty, carray(marginals, n_labels * n), False,
        carray(labels, n),
    )  # fmt: skip
    return np.int32(vertex[1, 1])
