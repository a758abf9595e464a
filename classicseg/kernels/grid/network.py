"""Writing the records of a flow network (see :mod:`classicseg.kernels.grid.maxflow`) and reading the cut.

For a binary variable at each pixel (0: side of the source, 1: side of the sink) a pair of neighbours costs ``c00, c01,
c10, c11``. Up to a constant that is ``c11 - c00`` for the first pixel on 1, ``c01 - c00`` if only the second is on 1
and ``c10 - c11`` if only the first is. The last two are the capacities of the edge, forward and backward. They are
made equal (up to a remainder of 1) by a flow along the edge, since only their sum matters; excess takes the flow up.
"""

from __future__ import annotations

import numpy as np

from classicseg._jit import inline, kernel
from classicseg.kernels.grid.maxflow import EXTRA
from classicseg.kernels.simd import pointer


@inline
def add_pair(net, node, other, k, c00, c01, c10, c11, pairs):  # type: ignore[no-untyped-def]
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
def fill(g, first, row, sheet, shape, offsets, steps, unary, weights, cost, pairs):  # type: ignore[no-untyped-def]
    """Write the network of a 2-label energy.

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
    unary : int32, (2 n,)
    weights : tuple of int32 arrays
        For each forward direction one number for each edge, or a single one.
    cost : int32, (2, 2)
    pairs : tuple
        K zeros.
    """
    depth, height, width = shape
    n = depth * height * width
    zero, one = pointer(unary), pointer(unary[n:])
    # Edges add to the excess of the pixel below or behind, so rows are begun one row, slices one slice ahead.
    ahead = 1 if depth == 1 else height
    for i in range(depth * height + ahead):
        if i < depth * height:
            _begin_row(g, first + i // height * sheet + i % height * row, zero, one, i * width, width, pairs)
        if i >= ahead:
            z, y = (i - ahead) // height, (i - ahead) % height
            for j in range(len(pairs) // 2):
                _add_row(g, first, row, sheet, shape, z, y, j, offsets, steps, weights[j], cost, pairs)


@inline
def _begin_row(g, node, zero, one, pixel, width, pairs):  # type: ignore[no-untyped-def]
    net = pointer(g)
    for _ in range(width):
        net[node + len(pairs)] = np.int32(one[pixel] - zero[pixel])
        node += len(pairs) + EXTRA
        pixel += 1


@inline
def _add_row(g, first, row, sheet, shape, z, y, j, offsets, steps, weights, cost, pairs):  # type: ignore[no-untyped-def]
    """Set the edges of a direction whose first pixels lie in one row."""
    depth, height, width = shape
    dz, dy, dx = offsets[j]
    if z + dz >= depth or y + dy < 0 or y + dy >= height:
        return
    net, values, words, k = pointer(g), pointer(weights), len(pairs) + EXTRA, 2 * j
    count, left = width - abs(dx), max(0, -dx)
    each = 0 if weights.size == 1 else 1
    edge = each * (z * (height - abs(dy)) + y - max(0, -dy)) * count
    node = first + z * sheet + y * row + left * words
    other = node + steps[k]
    c00, c01, c10, c11 = cost[0, 0], cost[0, 1], cost[1, 0], cost[1, 1]
    if c00 == c11 and c01 == c10:
        apart = c01 - c00
        for _ in range(count):
            room = np.int32(values[edge] * apart)
            net[node + k] = room
            net[other + k + 1] = room
            node += words
            other += words
            edge += each
        return
    for _ in range(count):
        w = np.int64(values[edge])
        add_pair(net, node, other, k, w * c00, w * c01, w * c10, w * c11, pairs)
        node += words
        other += words
        edge += each


@kernel
def change_excess(g, first, row, sheet, shape, old, new, pairs):  # type: ignore[no-untyped-def]
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
def read_cut(g, first, row, sheet, shape, labels, pairs):  # type: ignore[no-untyped-def]
    """Label 1 for pixels in the tree of the sink, else 0; labels: int32, (n,)."""
    depth, height, width = shape
    net, words = pointer(g), len(pairs) + EXTRA
    out, pixel = pointer(labels), 0
    for z in range(depth):
        for y in range(height):
            node = first + z * sheet + y * row + len(pairs) + 1
            for _ in range(width):
                out[pixel] = np.int32(1 if net[node] < 0 else 0)
                node += words
                pixel += 1


@kernel
def hardness(g, first, row, shape, steps, pairs):  # type: ignore[no-untyped-def]
    """How much pushing before the search promises on a 2-D grid: 0 if little, else the number of rounds it is worth.

    Looks at every fourth row: how often neighbours disagree, and how strong edges are next to the excess.
    """
    _, height, width = shape
    net, words = pointer(g), len(pairs) + EXTRA
    conflicts, edges, capacity, excess = 0, 0, 0.0, 0.0
    for y in range(0, height, 4):
        node = first + y * row
        for _ in range(width):
            room, mine = 0.0, net[node + len(pairs)]
            for k in range(len(pairs)):
                room += net[node + k]
            if net[node] > 0:
                edges += 1
                theirs = net[node + steps[0] + len(pairs)]
                conflicts += 1 if (mine > 0 and theirs < 0) or (mine < 0 and theirs > 0) else 0
            capacity += room
            excess += min(room, np.float64(abs(mine)))
            node += words
    if conflicts * 50 < edges or excess <= 0:
        return 0
    return np.int64(np.rint(np.log2(max(1.0, capacity / excess))))
