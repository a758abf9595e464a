"""The doubled network of roof duality: every pixel twice, the second time turned over.

Copy 1 of a pixel stands for the opposite: it belongs on the side of the sink where copy 0 belongs on that of the
source. A pair that is submodular joins the two pixels within each copy. Any other pair prefers unequal labels, which
are equal ones across the copies: it joins copy 0 of one pixel with copy 1 of the other.

Hammer, Hansen, Simeone, "Roof duality, complementation and persistency in quadratic 0-1 optimization", Mathematical
Programming 28, 1984, doi:10.1007/BF02612354.

Where a grid has K directions, forward and backward, the records of the doubled network have 3 K: first K within a copy;
then four for each forward direction: from copy 0 of a pixel to copy 1 of its neighbour, and from copy 0 of that
neighbour to copy 1 of the pixel, each followed by its reverse.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.cut.paths import EXTRA
from classicseg.machine.jit import kernel
from classicseg.machine.simd import pointer


@kernel
def fill_twice(g, layout, far, offsets, steps, unary, weights, cost, ceiling, directions):
    """Write the network of an energy of 2 labels.

    Parameters
    ----------
    g : int32, flat
        Records, zero at the border.
    layout : Layout
        Of copy 0.
    far : int
        Distance in `g` of the two records of a pixel.
    offsets, unary, weights, cost, ceiling
        As in :func:`classicseg.kernels.cut.records.fill`, of 2 labels and without a shift.
    steps : int64, (3 K,)
        Distances in `g` to the records of the neighbours.
    directions : tuple
        3 K zeros.
    """
    depth, height, width = layout.depth, layout.height, layout.width
    net, words, n = pointer(g), len(directions) + EXTRA, depth * height * width
    n_forward = offsets.shape[0]
    excess = len(directions)
    for z in range(depth):
        for y in range(height):
            node = layout.first + z * layout.sheet + y * layout.row
            pixel = (z * height + y) * width
            for p in range(pixel, pixel + width):
                difference = min(max(np.int64(unary[n + p]) - np.int64(unary[p]), -ceiling), ceiling)
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
                node = layout.first + z * layout.sheet + y * layout.row + left * words
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
def sink_side(g, layout, far, sides, directions):
    """Write on which side of the cut the two copies of each pixel are.

    Parameters
    ----------
    g, layout, far, directions
        As in :func:`fill_twice`, after a search for augmenting paths.
    sides : uint8, (2 n,)
        Set to 1 in the tree of the sink, to 0 elsewhere; all pixels of copy 0, then of copy 1.
    """
    depth, height, width = layout.depth, layout.height, layout.width
    net, words, n = pointer(g), len(directions) + EXTRA, depth * height * width
    for z in range(depth):
        for y in range(height):
            node = layout.first + z * layout.sheet + y * layout.row + len(directions) + 1
            pixel = (z * height + y) * width
            for p in range(pixel, pixel + width):
                sides[p] = np.uint8(net[node] < 0)
                sides[n + p] = np.uint8(net[node + far] < 0)
                node += words
