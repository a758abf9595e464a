"""Energies of labellings of a grid."""

from __future__ import annotations

import numpy as np

from classicseg.machine.jit import kernel
from classicseg.machine.simd import pointer

PART = 1024
"""Pixels whose unary costs are summed on their own, which keeps the rounding of long sums small."""


@kernel
def pairwise_energy(labels, weights, cost, depth, height, width, dz, dy, dx):
    """Sum of ``weight * cost[first label, second label]`` over the edges of one direction of a volume.

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

    Returns
    -------
    float
    """
    one_weight = weights.size == 1
    given, values, table, n_labels = pointer(labels), pointer(weights), pointer(cost), cost.shape[0]
    step = (dz * height + dy) * width + dx
    left, right = max(0, -dx), width - max(0, dx)
    edge, total = 0, 0.0
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
def unary_energy(labels, unary):
    """Sum of what the label of each pixel costs.

    Parameters
    ----------
    labels : int32, (n,)
    unary : int32, float32 or float64, (L n,)

    Returns
    -------
    float
    """
    given, costs, n, total = pointer(labels), pointer(unary), labels.size, 0.0
    for begin in range(0, n, PART):
        in_part = 0.0
        for pixel in range(begin, min(begin + PART, n)):
            in_part += costs[np.int64(given[pixel]) * n + pixel]
        total += in_part
    return total
