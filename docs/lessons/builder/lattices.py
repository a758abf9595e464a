"""Lattices for entries that filter images, made as :mod:`classicseg.filters.building` makes them."""

import math

import numpy as np

from builder.entry import exact
from classicseg.kernels.dense.lattice import embed_stripe
from classicseg.kernels.dense.linking import find_neighbours, merge_stripes, number_rows
from classicseg.machine.jit import inline, kernel
from classicseg.machine.simd import PIXELS

_RADIX = 4096  # keys are exact while coordinates of vertices are below half of it
_VARIANCE = 1 / 6 + 1 / 2  # of the lattice's kernel, with a blur along the axes


@exact
def features_of(height, width, image, sigma, color_sigma, d):
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
def gain_of(d):
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
def copy(source, target, start):
    """Copy `source` to `target`, from the place `start` on."""
    for i in range(source.size):
        target[start + i] = source[i]


@kernel
def lattice_of(features, n, d, corners, row):
    """Build the lattice of (d, m) `features` of `n` points, with rows from `row` on.

    The weights of `corners` are filled and their numbers become rows. Returns the neighbours of the vertices, what
    splatting ones gives, and the keys of the vertices.
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
    return neighbours, mass, keys


@inline
def coordinate_of(key, i):
    """Coordinate `i`, of the first d, of the vertex with a `key`."""
    for _ in range(i):
        key = (key - _signed(key)) // _RADIX
    return _signed(key)


@inline
def _signed(key):
    """The lowest digit of a `key`, which may be negative."""
    return (key + _RADIX // 2) % _RADIX - _RADIX // 2
