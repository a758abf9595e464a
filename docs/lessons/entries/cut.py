"""Minimum cuts of small images: the network of a labelling, its flow, and the side of each pixel."""

import numpy as np
from builder.entry import I32, I32S, entry
from numba import carray

from classicseg.kernels.cut.paths import EXTRA, max_flow
from classicseg.kernels.cut.records import Layout, fill, read_sides

_FOUR = (0, 0, 0, 0)
_CEILING = 2**28


@entry
def minimum_cut(height: I32, width: I32, unary: I32S, right: I32S, down: I32S, side: I32S, left: I32S):
    """Find a minimum cut of an image of two labels with four neighbours.

    `unary` are the costs of label 0, then those of label 1, of each pixel; `right` and `down` are what neighbours of
    different labels cost. `side` gets the labels, and `left` for each pixel what is left of the capacities to the
    right, to the left, down and up, and then its excess.
    """
    n, words = height * width, len(_FOUR) + EXTRA
    row = (width + 2) * words
    sheet = (height + 2) * row
    records = np.zeros(3 * sheet, np.int32)
    layout = Layout(np.int64(sheet + row + words), np.int64(row), np.int64(sheet), 1, np.int64(height), np.int64(width))
    offsets = np.zeros((2, 3), np.int64)
    offsets[0, 2] = offsets[1, 1] = 1
    steps = np.array((words, -words, row, -row))
    cost = np.zeros((2, 2), np.int32)
    cost[0, 1] = cost[1, 0] = 1
    weights = carray(right, height * (width - 1)), carray(down, (height - 1) * width)
    zero, one = np.zeros(1, np.int32), np.ones(1, np.int32)
    fill(records, layout, offsets, steps, carray(unary, 2 * n), weights, cost, zero, one, _CEILING, 0, _FOUR)
    sync, size = np.zeros(64, np.int64), sheet // words
    buckets, queues = np.zeros(size, np.int32), np.zeros(2 * size, np.int32)
    max_flow(sync, records, layout.first, layout.first + height * row, steps, buckets, queues, _FOUR)
    sides, out, rest = np.zeros(n, np.uint8), carray(side, n), carray(left, 5 * n)
    read_sides(records, layout, sides, _FOUR)
    for pixel in range(n):
        node = layout.first + pixel // width * row + pixel % width * words
        out[pixel] = sides[pixel]
        for k in range(5):
            rest[5 * pixel + k] = records[node + k]
    return 0
