"""What methods that change one pixel at a time share: a grid energy laid out pixel by pixel, and colours of pixels.

The colour of a pixel is the parity of each of its coordinates, so two pixels of one colour are no neighbours in any
neighbourhood. All of them can change at once, on any number of threads, as if they did one after the other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.machine.jit import inline

N_COLOURS = 8
"""Those of a volume; images have pixels of four of them, lines of two."""


class Field(NamedTuple):
    """A grid energy; n pixels in raster order, K directions that have edges.

    Attributes
    ----------
    unary : ndarray, (n, L), float64
    weights : ndarray, (K, n), float64
        Weight of the edge from each pixel along each direction; 0 where that leads out of the grid.
    steps : ndarray, (K,), int64
        Distance of the two pixels of an edge in raster order; positive.
    by_first : ndarray, (L, L), float64
        Cost of two labels; row: label of the pixel that comes first.
    by_second : ndarray, (L, L), float64
        The same; row: label of the other pixel.
    uniform : bool
        Whether all pairs of different labels cost the same, and no pair of equal ones costs more.
    shape : tuple of three int
        Depth, height and width.
    """

    unary: np.ndarray
    weights: np.ndarray
    steps: np.ndarray
    by_first: np.ndarray
    by_second: np.ndarray
    uniform: bool
    shape: tuple[int, int, int]


@inline
def n_rows_of(field, colour):
    """How many rows of `field` hold pixels of a `colour`."""
    depth, height, _ = field.shape
    return ((depth + 1 - (colour >> 2)) // 2) * ((height + 1 - (colour >> 1 & 1)) // 2)


@inline
def pixels_of(field, colour, row):
    """First pixel of `field` in row number `row` of those that hold a `colour`, and the end of that row.

    From the first one on, every second pixel has the colour.
    """
    _, height, width = field.shape
    in_slice = (height + 1 - (colour >> 1 & 1)) // 2
    z, y = row // in_slice * 2 + (colour >> 2), row % in_slice * 2 + (colour >> 1 & 1)
    begin = (z * height + y) * width
    return begin + (colour & 1), begin + width


@inline
def label_costs_at(field, i, labels, out):
    """Write to `out` (L,) what each label costs at pixel `i` of `field` while its neighbours keep their `labels`."""
    n_labels = out.size
    for label in range(n_labels):
        out[label] = field.unary[i, label]
    for k in range(field.steps.size):
        weight = field.weights[k, i]
        if weight != 0:
            other = labels[i + field.steps[k]]
            for label in range(n_labels):
                out[label] += weight * field.by_second[other, label]
        j = i - field.steps[k]
        if j >= 0 and field.weights[k, j] != 0:
            weight, other = field.weights[k, j], labels[j]
            for label in range(n_labels):
                out[label] += weight * field.by_first[other, label]
