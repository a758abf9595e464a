"""Dense CRFs of colour images of up to eight labels: lattices, their normalisation, mean field."""

import math

import numpy as np
from builder.entry import F32, F32S, I32, I32S, U8S, entry, exact
from numba import carray

from classicseg.kernels.dense.bank import Bank, Pairwise, RowLayout
from classicseg.kernels.dense.lattice import Corners, embed_stripe
from classicseg.kernels.dense.linking import find_neighbours, merge_stripes, number_rows
from classicseg.kernels.dense.mean_field import infer
from classicseg.kernels.dense.normalization import normalize
from classicseg.kernels.dense.unary import Unary
from classicseg.machine.jit import inline, kernel
from classicseg.machine.simd import PIXELS

_LANES = (0,) * 8
_CORNERS = (0,) * 9  # of a point: 3 in the lattice of positions, 6 in that of positions and colours
_SIZES = (2, 5)  # features of the two lattices
_RADIX = 4096  # keys are exact while coordinates of vertices are below half of it
_VARIANCE = 1 / 6 + 1 / 2  # of the lattice's kernel, with a blur along the axes


@exact
def _features(height, width, image, sigma, color_sigma, d):
    """Position and, if `d` is 5, colour of all pixels, in standard deviations: (d, padded) float32."""
    n = height * width
    features = np.zeros((d, n + 2 * PIXELS), np.float32)
    for y in range(height):
        for x in range(width):
            i = y * width + x
            features[0, i] = np.float32(x) / sigma
            features[1, i] = np.float32(y) / sigma
            for c in range(d - 2):
                features[2 + c, i] = np.float32(image[3 * i + c]) / color_sigma
    return features


@exact
def _scale(d):
    """Factor of each feature that gives the lattice unit variance; see :class:`classicseg.filters.blur.Blur`."""
    scale = np.empty(d, np.float32)
    for i in range(d):
        scale[i] = np.float64(np.float32((d + 1) * math.sqrt(_VARIANCE))) / math.sqrt((i + 1) * (i + 2))
    return scale


@exact
def _gain(d):
    """Factor from the sums of a lattice to those of Gaussians; see :class:`classicseg.filters.blur.Blur`."""
    return math.sqrt(d + 1) / 2 * (math.pi / 2 * _VARIANCE) ** (d / 2)


@inline
def _radix(d):
    """Radix of each coordinate in a key."""
    radix = np.zeros(d + 1, np.int64)
    step = 1
    for i in range(d):
        radix[i] = step
        step *= _RADIX
    return radix


@inline
def _copy(source, target, start):
    """Copy `source` to `target`, from the place `start` on."""
    for i in range(source.size):
        target[start + i] = source[i]


@kernel
def _lattice(features, n, d, corners, row):
    """Build the lattice of (d, m) `features` of `n` points, with rows from `row` on.

    The weights of `corners` are filled and their numbers become rows. Returns the neighbours of the vertices, and what
    splatting ones gives.
    """
    n_blocks, radix = (n + PIXELS - 1) // PIXELS, _radix(d)
    keys, mass, _ = embed_stripe(features, 0, n, _scale(d), radix, 0, n_blocks, corners)
    row_of, steps, total = np.empty(keys.size, np.uint32), np.empty(d + 1, np.int64), 0
    table, keys, _, _, _ = merge_stripes(keys, np.array((0, keys.size)), row_of)
    for i in range(d):
        total += radix[i]
    for i in range(d + 1):
        steps[i] = (d + 1) * radix[i] - total
    neighbours = np.zeros((d + 1) * keys.size * 2, np.uint32)
    find_neighbours(keys, table, steps, row, 0, keys.size, neighbours)
    number_rows(corners, corners.index, 0, n_blocks, d + 1, row_of, 0, row)
    return neighbours, mass


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
    near = _features(height, width, pixels, sigma, color_sigma, 2)
    wide = _features(height, width, pixels, wide_sigma, color_sigma, 5)
    of_near, mass_near = _lattice(near, n, 2, Corners(index, own_weight, 0, len(_CORNERS)), 1)
    start = 1 + mass_near.size
    of_wide, mass_wide = _lattice(wide, n, 5, Corners(index, own_weight, 3, len(_CORNERS)), start)
    end = start + mass_wide.size
    n_rows = (end + 15) // 16 * 16
    ones, other = np.zeros(n_rows, np.float32), np.zeros(n_rows, np.float32)
    _copy(mass_near, ones, 1)
    _copy(mass_wide, ones, start)
    neighbour = np.empty(of_near.size + of_wide.size, np.uint32)
    _copy(of_near, neighbour, 0)
    _copy(of_wide, neighbour, of_near.size)
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
    gains = np.array((_gain(2), _gain(5))).astype(np.float32)
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
