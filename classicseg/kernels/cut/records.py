"""Writing the records of a flow network (see :mod:`classicseg.kernels.cut.paths`) and reading the cut.

For a binary variable at each pixel (0: side of the source, 1: side of the sink) a pair of neighbours costs ``c00, c01,
c10, c11``. Up to a constant that is ``c11 - c00`` for the first pixel on 1, ``c01 - c00`` if only the second is on 1
and ``c10 - c11`` if only the first is. The last two are the capacities of the edge, forward and backward. They are
made equal (up to a remainder of 1) by a flow along the edge, since only their sum matters; excess takes the flow up.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.cut.paths import EXTRA
from classicseg.machine.jit import inline, kernel
from classicseg.machine.simd import pointer


@inline
def add_pair(net, node, other, k, c00, c01, c10, c11, pairs):
    """Set the edge in direction k (even) between two records and add its share to their excess.

    A pair that is not submodular is made so by a dearer c01.
    """
    forward, backward = c01 - c00, c10 - c11
    if forward + backward < 0:
        forward = -backward
    flow = (forward - backward) >> 1
    net[node + k] = np.int32(forward - flow)
    net[other + k + 1] = np.int32(backward + flow)
    net[node + len(pairs)] += np.int32(c11 - c00 - flow)
    net[other + len(pairs)] += np.int32(flow)


@kernel
def fill(g, first, row, sheet, shape, offsets, steps, unary, weights, cost, zero, one, pairs):
    """Write the network of a choice between two labels at each pixel.

    Parameters
    ----------
    g : int32, flat
        Records, zero at the border.
    first, row, sheet : int
        Offset of the first record; distances between rows and between slices.
    shape : tuple
        (depth, height, width).
    offsets : int64, (K/2, 3)
        Step of each forward direction.
    steps : int64, (K,)
    unary : int32, (L n,)
    weights : tuple of int32 arrays
        For each forward direction one number for each edge, or a single one.
    cost : int32, (L, L)
    zero, one : int32, (n,) or (1,)
        Labels that 0 and 1 stand for, of each pixel or of all. If a pair is not submodular, a cut of the network never
        costs less than the labelling it stands for, and `zero` everywhere costs what it does.
    pairs : tuple
        K zeros.
    """
    depth, height, width = shape
    # Edges add to the excess of pixels below or behind, so rows are begun ahead of the edges that end there.
    ahead = 1 if depth == 1 else height + 1
    for i in range(depth * height + ahead):
        if i < depth * height:
            node = first + i // height * sheet + i % height * row
            _begin_row(g, node, unary, zero, one, i * width, width, depth * height * width, pairs)
        if i >= ahead:
            z, y = (i - ahead) // height, (i - ahead) % height
            for j in range(len(pairs) // 2):
                _add_row(g, first, row, sheet, shape, z, y, j, offsets, steps, weights[j], cost, zero, one, pairs)


@inline
def _begin_row(g, node, unary, zero, one, pixel, width, n, pairs):
    net, costs, zeros, ones = pointer(g), pointer(unary), pointer(zero), pointer(one)
    each_zero, each_one = min(zero.size - 1, 1), min(one.size - 1, 1)
    for p in range(pixel, pixel + width):
        net[node + len(pairs)] = np.int32(costs[ones[each_one * p] * n + p] - costs[zeros[each_zero * p] * n + p])
        node += len(pairs) + EXTRA


@inline
def _add_row(g, first, row, sheet, shape, z, y, j, offsets, steps, weights, cost, zero, one, pairs):
    """Set the edges of a direction whose first pixels lie in one row."""
    depth, height, width = shape
    dz, dy, dx = offsets[j]
    if z + dz >= depth or y + dy < 0 or y + dy >= height:
        return
    net, values, words, k = pointer(g), pointer(weights), len(pairs) + EXTRA, 2 * j
    count, left = width - abs(dx), max(0, -dx)
    each = min(weights.size - 1, 1)
    edge = each * (z * (height - abs(dy)) + y - max(0, -dy)) * count
    node = first + z * sheet + y * row + left * words
    other = node + steps[k]
    if zero.size == 1 and one.size == 1 and cost[zero[0], zero[0]] == cost[one[0], one[0]]:
        apart = cost[zero[0], one[0]] - cost[zero[0], zero[0]]
        if apart == cost[one[0], zero[0]] - cost[zero[0], zero[0]] and apart >= 0:
            for _ in range(count):  # the same for all edges, and the same both ways
                room = np.int32(values[edge] * apart)
                net[node + k] = room
                net[other + k + 1] = room
                node += words
                other += words
                edge += each
            return
    table, n_labels, zeros, ones = pointer(cost), cost.shape[0], pointer(zero), pointer(one)
    each_zero, each_one = min(zero.size - 1, 1), min(one.size - 1, 1)
    p = (z * height + y) * width + left
    q = p + (dz * height + dy) * width + dx
    for _ in range(count):
        w = np.int64(values[edge])
        row0, row1 = zeros[each_zero * p] * n_labels, ones[each_one * p] * n_labels
        column0, column1 = zeros[each_zero * q], ones[each_one * q]
        c00, c01, c10, c11 = table[row0 + column0], table[row0 + column1], table[row1 + column0], table[row1 + column1]
        add_pair(net, node, other, k, w * c00, w * c01, w * c10, w * c11, pairs)
        node += words
        other += words
        edge += each
        p += 1
        q += 1


@kernel
def change_excess(g, first, row, sheet, shape, old, new, pairs):
    """Replace unary costs (int32, (2 n,)) of a network; the flow that was pushed stays."""
    depth, height, width = shape
    net, words, n = pointer(g), len(pairs) + EXTRA, depth * height * width
    pixel = 0
    for z in range(depth):
        for y in range(height):
            node = first + z * sheet + y * row + len(pairs)
            for _ in range(width):
                net[node] += np.int32(new[n + pixel] - new[pixel] - old[n + pixel] + old[pixel])
                node += words
                pixel += 1


@kernel
def read_sides(g, first, row, sheet, shape, side, pairs):
    """Write 1 for pixels in the tree of the sink, else 0 (uint8, (n,)), after a search for augmenting paths."""
    depth, height, width = shape
    net, words, out, pixel = pointer(g), len(pairs) + EXTRA, pointer(side), 0
    for z in range(depth):
        for y in range(height):
            node = first + z * sheet + y * row + len(pairs) + 1
            for _ in range(width):
                out[pixel] = np.uint8(net[node] < 0)
                node += words
                pixel += 1


@kernel
def read_cut(side, zero, one, labels):
    """Write the labels (int32, (n,)) that a cut stands for; returns how many pixels that changed.

    Pixels on the side of the sink (`side`: 1) take their label of `one`, others that of `zero` (see `fill`).
    """
    out, zeros, ones = pointer(labels), pointer(zero), pointer(one)
    each_zero, each_one = min(zero.size - 1, 1), min(one.size - 1, 1)
    changed = 0
    for pixel in range(labels.size):
        label = ones[each_one * pixel] if side[pixel] else zeros[each_zero * pixel]
        changed += 1 if label != out[pixel] else 0
        out[pixel] = label
    return changed
