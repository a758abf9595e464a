"""Writing the records of a flow network (see :mod:`classicseg.kernels.cut.paths`) and reading the cut.

For a binary variable at each pixel (0: side of the source, 1: side of the sink) a pair of neighbours costs ``c00, c01,
c10, c11``. Up to a constant that is ``c11 - c00`` for the first pixel on 1, ``c01 - c00`` if only the second is on 1
and ``c10 - c11`` if only the first is. The last two are the capacities of the edge, forward and backward. They are
made equal (up to a remainder of 1) by a flow along the edge, since only their sum matters; excess takes the flow up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.cut.paths import EXTRA
from classicseg.machine.jit import inline, kernel
from classicseg.machine.simd import pointer


class Layout(NamedTuple):
    """Where the records of a grid lie: pixel (z, y, x) begins ``first + z * sheet + y * row + x * words``."""

    first: int
    row: int
    sheet: int
    depth: int
    height: int
    width: int


@inline
def add_pair(net, node, other, k, forward, backward, last, directions):
    """Set the edge in direction `k` (even) from record `node` to record `other` of `net`, and add to their excess.

    The pair costs `forward`, ``c01 - c00``, and `backward`, ``c10 - c11``, over the edge, and `last`, ``c11 - c00``; if
    it is not submodular, it is made so by a dearer ``c01``. There are ``len(directions)`` directions.
    """
    if forward + backward < 0:
        forward = -backward
    flow = (forward - backward) >> 1
    net[node + k] = np.int32(forward - flow)
    net[other + k + 1] = np.int32(backward + flow)
    net[node + len(directions)] += np.int32(last - flow)
    net[other + len(directions)] += np.int32(flow)


@kernel
def fill(g, layout, offsets, steps, unary, weights, cost, zero, one, ceiling, shift, directions):
    """Write the network of a choice between two labels at each pixel.

    Parameters
    ----------
    g : int32, flat
        Records, zero at the border.
    layout : Layout
    offsets : int64, (K/2, 3)
        Slices, rows and columns from a pixel to its neighbour in each forward direction.
    steps : int64, (K,)
        Distances in `g` to the records of the neighbours.
    unary : int32 or int64, (L n,)
    weights : tuple of int32 arrays
        For each forward direction one number for each edge, or a single one.
    cost : int32, (L, L)
    zero, one : int32, (n,) or (1,)
        Labels that 0 and 1 stand for, of each pixel or of all. Where pairs are not submodular, a cut costs at least
        as much as the labelling that it stands for, and exactly as much if that is `zero` everywhere.
    ceiling : int
        Differences of unary costs are cut off here: no edges of a pixel outweigh that much.
    shift : int
        Pairs cost ``weight * cost >> shift``.
    directions : tuple
        K zeros.
    """
    depth, height, width = layout.depth, layout.height, layout.width
    # Edges add to the excess of pixels below or behind, so rows are begun ahead of the edges that end there.
    ahead = 1 if depth == 1 else height + 1
    for i in range(depth * height + ahead):
        if i < depth * height:
            node = layout.first + i // height * layout.sheet + i % height * layout.row
            _begin_row(g, node, unary, zero, one, ceiling, i * width, width, depth * height * width, directions)
        if i >= ahead:
            for j in range(len(directions) // 2):
                _add_row(g, layout, i - ahead, j, offsets, steps, weights[j], cost, shift, zero, one, directions)


@inline
def _begin_row(g, node, unary, zero, one, ceiling, pixel, width, n, directions):
    """Set the excess of a row of `width` pixels to what their unary costs say.

    The row begins with number `pixel` of `n`, whose record is `node`; the other arguments are those of :func:`fill`:
    `g`, `unary`, `zero`, `one`, `ceiling` and `directions`.
    """
    net, costs, zeros, ones = pointer(g), pointer(unary), pointer(zero), pointer(one)
    each_zero, each_one = min(zero.size - 1, 1), min(one.size - 1, 1)
    for p in range(pixel, pixel + width):
        excess = np.int64(costs[ones[each_one * p] * n + p]) - np.int64(costs[zeros[each_zero * p] * n + p])
        net[node + len(directions)] = np.int32(min(max(excess, -ceiling), ceiling))
        node += len(directions) + EXTRA


@inline
def _add_row(g, layout, row, j, offsets, steps, weights, cost, shift, zero, one, directions):
    """Set the edges of forward direction `j` whose first pixels lie in the `row`, counted over all slices.

    `weights` are those of this direction; the other arguments are those of :func:`fill`: `g`, `layout`, `offsets`,
    `steps`, `cost`, `shift`, `zero`, `one` and `directions`.
    """
    depth, height, width = layout.depth, layout.height, layout.width
    z, y = row // height, row % height
    dz, dy, dx = offsets[j]
    if z + dz >= depth or y + dy < 0 or y + dy >= height:
        return
    net, values, words, k = pointer(g), pointer(weights), len(directions) + EXTRA, 2 * j
    count, left = width - abs(dx), max(0, -dx)
    each = min(weights.size - 1, 1)
    edge = each * (z * (height - abs(dy)) + y - max(0, -dy)) * count
    node = layout.first + z * layout.sheet + y * layout.row + left * words
    other = node + steps[k]
    if zero.size == 1 and one.size == 1 and cost[zero[0], zero[0]] == cost[one[0], one[0]]:
        apart = cost[zero[0], one[0]] - cost[zero[0], zero[0]]
        if apart == cost[one[0], zero[0]] - cost[zero[0], zero[0]] and apart >= 0:
            for _ in range(count):  # the same for all edges, and the same both ways
                room = np.int32(values[edge] * apart >> shift)
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
        forward, backward, last = w * (c01 - c00) >> shift, w * (c10 - c11) >> shift, w * (c11 - c00) >> shift
        add_pair(net, node, other, k, forward, backward, last, directions)
        node += words
        other += words
        edge += each
        p += 1
        q += 1


@kernel
def change_excess(g, layout, old, new, directions):
    """Replace the unary costs of a network; the flow that was pushed stays.

    Parameters
    ----------
    g, layout, directions
        As in :func:`fill`.
    old, new : int32, (n,)
        What label 1 costs more than label 0, cut off at the ceiling.
    """
    net, words, pixel = pointer(g), len(directions) + EXTRA, 0
    for z in range(layout.depth):
        for y in range(layout.height):
            node = layout.first + z * layout.sheet + y * layout.row + len(directions)
            for _ in range(layout.width):
                net[node] += np.int32(new[pixel] - old[pixel])
                node += words
                pixel += 1


@kernel
def read_sides(g, layout, side, directions):
    """Write on which side of the cut pixels are, after a search for augmenting paths.

    Parameters
    ----------
    g, layout, directions
        As in :func:`fill`.
    side : uint8, (n,)
        Set to 1 for pixels in the tree of the sink, to 0 for others.
    """
    net, words, out, pixel = pointer(g), len(directions) + EXTRA, pointer(side), 0
    for z in range(layout.depth):
        for y in range(layout.height):
            node = layout.first + z * layout.sheet + y * layout.row + len(directions) + 1
            for _ in range(layout.width):
                out[pixel] = np.uint8(net[node] < 0)
                node += words
                pixel += 1


@kernel
def read_cut(side, zero, one, labels):
    """Write the labels that a cut stands for.

    Parameters
    ----------
    side : uint8, (n,)
        1 for pixels on the side of the sink, which take their label of `one`; 0 for others, which take that of `zero`.
    zero, one : int32, (n,) or (1,)
    labels : int32, (n,)

    Returns
    -------
    int
        How many pixels changed their label.
    """
    out, zeros, ones = pointer(labels), pointer(zero), pointer(one)
    each_zero, each_one = min(zero.size - 1, 1), min(one.size - 1, 1)
    changed = 0
    for pixel in range(labels.size):
        label = ones[each_one * pixel] if side[pixel] else zeros[each_zero * pixel]
        changed += 1 if label != out[pixel] else 0
        out[pixel] = label
    return changed
