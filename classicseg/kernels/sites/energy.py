"""Energies of labellings of a grid."""

from __future__ import annotations

import numpy as np

from classicseg.machine.jit import kernel
from classicseg.machine.simd import pointer

PART = 1024
"""Pixels of a row whose unary costs are summed on their own, which keeps the rounding of long sums small."""


@kernel
def pairwise_energy(labels, weights, cost, depth, height, width, dz, dy, dx, total):
    """Sum of ``weight * cost[first label, second label]`` over the edges of one direction of a volume.

    Rows are added one after the other, so that whoever sees a few rows at a time comes to the same sum, to the bit.

    Parameters
    ----------
    labels : int32, (n,)
    weights : int32, float32 or float64
        One number for each edge in raster order, or a single one.
    cost : float64, (L, L)
    depth, height, width : int
        Shape of the volume.
    dz, dy, dx : int
        From the first pixel of an edge to the second.
    total : float
        The sum over edges before these, without their weight if it is a single one for all.

    Returns
    -------
    float
    """
    one_weight = weights.size < (depth - dz) * (height - abs(dy)) * (width - abs(dx))
    given, values, table, n_labels = pointer(labels), pointer(weights), pointer(cost), cost.shape[0]
    step = (dz * height + dy) * width + dx
    left, right = max(0, -dx), width - max(0, dx)
    edge = 0
    for z in range(depth - dz):
        for y in range(max(0, -dy), height - max(0, dy)):
            row = (z * height + y) * width
            in_row = 0.0
            if one_weight:
                for x in range(row + left, row + right):
                    in_row += table[given[x] * n_labels + given[x + step]]
            else:
                for x in range(row + left, row + right):
                    in_row += values[edge] * table[given[x] * n_labels + given[x + step]]
                    edge += 1
            total += in_row
    return total * weights[0] if one_weight else total


@kernel
def unary_energy(labels, unary, width, total):
    """Sum of what the label of each pixel costs.

    Parts of rows are added one after the other, so that whoever sees a few rows at a time comes to the same sum, to the
    bit.

    Parameters
    ----------
    labels : int32, (n,)
    unary : int32, float32 or float64, (L n,)
    width : int
        Pixels of a row.
    total : float
        The sum over pixels before these.

    Returns
    -------
    float
    """
    given, costs, n = pointer(labels), pointer(unary), labels.size
    for row in range(0, n, width):
        for begin in range(row, row + width, PART):
            in_part = 0.0
            for pixel in range(begin, min(begin + PART, row + width)):
                in_part += costs[np.int64(given[pixel]) * n + pixel]
            total += in_part
    return total
