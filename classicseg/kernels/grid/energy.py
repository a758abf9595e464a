"""Energies of labellings of a grid."""

from __future__ import annotations

from classicseg._jit import kernel


@kernel
def pairwise_energy(labels, weights, cost, depth, height, width, dz, dy, dx):  # type: ignore[no-untyped-def]
    """Sum of ``weight * cost[first label, second label]`` over the edges of one direction of a volume.

    `labels` is flat; `weights` holds one number for each edge in raster order, or a single one.
    """
    one_weight = weights.size == 1
    step = (dz * height + dy) * width + dx
    left, right = max(0, -dx), width - max(0, dx)
    edge, total = 0, 0.0
    for z in range(depth - dz):
        for y in range(max(0, -dy), height - max(0, dy)):
            row = (z * height + y) * width
            in_row = 0.0
            for x in range(left, right):
                pair = cost[labels[row + x], labels[row + x + step]]
                in_row += pair if one_weight else weights[edge] * pair
                edge += 1
            total += in_row
    return total * weights[0] if one_weight else total


@kernel
def unary_energy(labels, unary):  # type: ignore[no-untyped-def]
    """Sum of the cost (flat, label axis first) of the label of each pixel."""
    total = 0.0
    for pixel in range(labels.size):
        total += unary[labels[pixel] * labels.size + pixel]
    return total
