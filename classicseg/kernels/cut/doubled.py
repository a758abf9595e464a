"""The doubled network of roof duality: every pixel twice, the second time turned over.

Copy 1 of a pixel is on the side of the sink if copy 0 should be on that of the source. A pair that is submodular joins
the two pixels in each copy. Any other pair prefers unequal labels, that is to say equal ones across the copies: it
joins copy 0 of the one with copy 1 of the other.

Records have, after the K directions of the grid, K pairs more that lead to the neighbours in the other copy.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.cut.paths import EXTRA
from classicseg.machine.jit import kernel
from classicseg.machine.simd import pointer


@kernel
def fill_twice(g, first, row, sheet, shape, far, offsets, steps, unary, weights, cost, pairs):
    """Write the network of a 2-label energy (int32 costs (2 n,), weights and cost as in `network.fill`).

    `far` is the distance of the two records of a pixel. With K directions, the pairs hold 3 K zeros: first K within a
    copy, then for each forward direction two pairs, one from copy 0 to the neighbour in copy 1, the other from copy 0
    of that neighbour to copy 1 of this pixel.
    """
    depth, height, width = shape
    net, words, n = pointer(g), len(pairs) + EXTRA, depth * height * width
    n_forward = offsets.shape[0]
    excess = len(pairs)
    for z in range(depth):
        for y in range(height):
            node = first + z * sheet + y * row
            pixel = (z * height + y) * width
            for p in range(pixel, pixel + width):
                difference = unary[n + p] - unary[p]
                net[node + excess] = np.int32(difference)
                net[node + far + excess] = np.int32(-difference)
                node += words
    c00, c01, c10, c11 = np.int64(cost[0, 0]), np.int64(cost[0, 1]), np.int64(cost[1, 0]), np.int64(cost[1, 1])
    for j in range(n_forward):
        dz, dy, dx = offsets[j]
        values, edge = weights[j], 0
        each = min(values.size - 1, 1)
        left = max(0, -dx)
        k, across, back = 2 * j, 2 * n_forward + 4 * j, 2 * n_forward + 4 * j + 2
        for z in range(depth - dz):
            for y in range(max(0, -dy), height - max(0, dy)):
                node = first + z * sheet + y * row + left * words
                for _ in range(width - abs(dx)):
                    w = np.int64(values[edge])
                    other = node + steps[k]
                    forward, backward = w * (c01 - c00), w * (c10 - c11)
                    mine, theirs = w * (c11 - c00), np.int64(0)
                    if forward + backward >= 0:
                        flow = (forward - backward) >> 1
                        mine, theirs = mine - flow, flow
                        net[node + k] = np.int32(forward - flow)
                        net[other + k + 1] = np.int32(backward + flow)
                        net[node + far + k] = np.int32(backward + flow)
                        net[other + far + k + 1] = np.int32(forward - flow)
                    else:
                        # The pair costs forward y + backward x + N x y. The product is split between the copies: N x
                        # (1 - y') and N (1 - x') y. Half of N is pushed over each edge, to make it the same both ways.
                        total = -(forward + backward)
                        half = total >> 1
                        mine, theirs = mine + backward + half, forward + half
                        net[node + across] = np.int32(half)
                        net[other + far + across + 1] = np.int32(total - half)
                        net[other + back] = np.int32(half)
                        net[node + far + back + 1] = np.int32(total - half)
                    net[node + excess] += np.int32(mine)
                    net[node + far + excess] -= np.int32(mine)
                    net[other + excess] += np.int32(theirs)
                    net[other + far + excess] -= np.int32(theirs)
                    node += words
                    edge += each


@kernel
def sink_side(g, first, row, sheet, shape, far, sides, pairs):
    """Write for both copies of each pixel whether they are in the tree of the sink: int32, (2 n,)."""
    depth, height, width = shape
    net, words, n = pointer(g), len(pairs) + EXTRA, depth * height * width
    for z in range(depth):
        for y in range(height):
            node = first + z * sheet + y * row + len(pairs) + 1
            pixel = (z * height + y) * width
            for p in range(pixel, pixel + width):
                sides[p] = 1 if net[node] < 0 else 0
                sides[n + p] = 1 if net[node + far] < 0 else 0
                node += words
