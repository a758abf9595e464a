"""The memory of tree-reweighted message passing: how costs, weights and messages lie in it, and how it is filled.

:mod:`classicseg.kernels.messages.trws` explains bands, lanes, vectors, seams and sheets.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.machine.jit import inline, kernel
from classicseg.machine.simd import pointer

LINE = 8
"""Distance of the words of `progress`: a cache line."""

SHEET_MARGIN = 3
"""Vectors of zeros at both ends of the rows of a sheet: slanted directions look that far beyond them."""


class Messages(NamedTuple):
    """State of a run. K directions, L labels, P rows of a band (lanes), B bands, D vectors of a band.

    Kernels make pointers of the arrays: to hand an array to an inner function would count its references.
    """

    planes: np.ndarray  # (B, D, 1 + K, L, P) float32: unary costs, then what arrived over the edges of each direction
    weights: np.ndarray  # (B, D, 2 K, P) float32: of the edges that lead forward, then of those that lead backward
    seams: np.ndarray  # (slices * (bands + 1), n_seams, seam_length, L) float64: on their way to the next band
    sheets: np.ndarray  # (2, n_sheets, bands of a slice, D + margins, L, P) float64: on their way to the next slice
    steps: np.ndarray  # (5 K,) int64: of each direction slice, row, column, vectors on the way, number of seam or sheet
    order: np.ndarray  # (n,) int64: bands that passes go over, those first that others wait for
    progress: np.ndarray  # (B * LINE,) int64: vectors of each band that were done, in all passes together
    bounds: np.ndarray  # (2 B,) float64: what each band adds to the bound, and to the sum of its absolute terms
    labels: np.ndarray  # (n,) int32: decoded
    depth: int
    height: int
    width: int
    n_labels: int
    n_chains: int  # K
    skew: int  # columns that each lane lags behind the one before
    n_bands: int  # of a slice
    n_vectors: int  # D
    seam_length: int  # places of a seam
    seam_start: int  # place of column 0 in a seam
    n_seams: int
    n_sheets: int


class Numbers(NamedTuple):
    """What depends on the precision of the sums; all arrays are float32, or all float64."""

    table: np.ndarray  # of :mod:`classicseg.kernels.messages.convolution`
    share: np.ndarray  # (1,): part of the costs of a pixel that each of its chains gets
    work: np.ndarray  # (threads * work_size,): work space


class Model(NamedTuple):
    """The compatibility (see :mod:`classicseg.kernels.messages.convolution`) and the work space of the threads."""

    kind: int
    reach: int
    single: Numbers  # float32
    double: Numbers  # float64
    work_size: int  # numbers of work space of a thread


@inline
def with_pointers(m):
    """The messages `m`, with pointers in place of arrays."""
    return Messages(
        pointer(m.planes),
        pointer(m.weights),
        pointer(m.seams),
        pointer(m.sheets),
        pointer(m.steps),
        pointer(m.order),
        pointer(m.progress),
        pointer(m.bounds),
        pointer(m.labels),
        m.depth,
        m.height,
        m.width,
        m.n_labels,
        m.n_chains,
        m.skew,
        m.n_bands,
        m.n_vectors,
        m.seam_length,
        m.seam_start,
        m.n_seams,
        m.n_sheets,
    )


@inline
def model_with_pointers(model):
    """The same `model`, with pointers in place of arrays."""
    a, b = model.single, model.double
    return Model(
        model.kind,
        model.reach,
        Numbers(pointer(a.table), pointer(a.share), pointer(a.work)),
        Numbers(pointer(b.table), pointer(b.share), pointer(b.work)),
        model.work_size,
    )


def work_size(n_labels: int, reach: int, n_chains: int, skew: int, n_lanes: int) -> int:
    """Elements of work space of a thread: sums, costs with `reach` labels beyond both ends, and rings.

    There are `n_labels` labels, `n_chains` directions, and `n_lanes` rows of a band, each of which lags `skew` columns
    behind the one before it.
    """
    ways = 2 * skew - 1
    return (n_labels + reach + max(n_labels + reach, 2) + n_chains * ways * n_labels) * n_lanes


@kernel
def write_unary(m, unary, scale, ceiling, sums, lanes):
    """Write unary costs, less those of the best label of each pixel, and set all messages to zero.

    Parameters
    ----------
    m : Messages
    unary : int32, float32 or float64, (L n,)
    scale : float
        Factor of all costs.
    ceiling : float
        Finite costs, scaled, are cut off here.
    sums : float64, (4,)
        Goes on, row by row, to sum what is subtracted; its absolute values; and how much rounding to float32 can change
        the energy of a labelling, scaled; the last is the largest finite cost, scaled.
    lanes : tuple
        A zero for each row of a band.
    """
    step = len(lanes)
    block = (1 + m.n_chains) * m.n_labels * step
    n = m.depth * m.height * m.width
    cells, given = pointer(m.planes), pointer(unary)
    constant, size, error, largest = sums[0], sums[1], sums[2], sums[3]
    least, worst = np.empty(m.width, np.float64), np.empty(m.width, np.float64)
    for band in range(m.depth * m.n_bands):
        first = band * m.n_vectors * block
        for i in range(first, first + m.n_vectors * block):
            cells[i] = np.float32(0.0)
        top = (band % m.n_bands) * step
        for r in range(min(step, m.height - top)):
            pixel = (band // m.n_bands * m.height + top + r) * m.width
            for x in range(m.width):
                least[x], worst[x] = np.inf, 0.0
            for label in range(m.n_labels):
                for x in range(m.width):
                    least[x] = min(least[x], np.float64(given[label * n + pixel + x]))
            for label in range(m.n_labels):
                to = first + m.skew * r * block + label * step + r
                for x in range(m.width):
                    exact = (np.float64(given[label * n + pixel + x]) - least[x]) * scale
                    if ceiling < exact < np.inf:
                        exact = ceiling
                    rounded = np.float32(exact)
                    cells[to + x * block] = rounded
                    if exact < np.inf:
                        worst[x] = max(worst[x], abs(exact - np.float64(rounded)))
                        largest = max(largest, exact)
            in_row, row_size = 0.0, 0.0
            for x in range(m.width):
                in_row += least[x]
                row_size += abs(least[x])
                error += worst[x]
            constant += in_row
            size += row_size
    sums[0], sums[1], sums[2], sums[3] = constant, size, error, largest


@kernel
def write_weights(m, weights, k, first, stop, lanes):
    """Write the weights of the edges of a direction that begin in some rows.

    Parameters
    ----------
    m : Messages
    weights : float32
        One for each of these edges in raster order, or a single one.
    k : int
        Number of the direction.
    first, stop : int
        The first of these rows, counted through all slices, and the one behind the last.
    lanes : tuple
        A zero for each row of a band.
    """
    step = len(lanes)
    dz, dy, dx = m.steps[5 * k + 0], m.steps[5 * k + 1], m.steps[5 * k + 2]
    cells = pointer(m.weights)
    edge = 0
    for z in range(m.depth - dz):
        low, high = max(first - z * m.height, -dy, 0), min(stop - z * m.height, m.height - max(0, dy))
        for y in range(low, high):
            for x in range(max(0, -dx), m.width - max(0, dx)):
                weight = weights[0 if weights.size == 1 else edge]
                edge += 1
                for last in range(2):  # the first pixel of the edge, then the last
                    row, column = y + dy * last, x + dx * last
                    r = row % step
                    vector = ((z + dz * last) * m.n_bands + row // step) * m.n_vectors + column + m.skew * r
                    cells[((vector * 2 + last) * m.n_chains + k) * step + r] = weight
