"""Split-and-merge of gray images of at most 64 x 64 pixels, step by step."""

import numpy as np
from builder.entry import F64, I32, I32S, U8S, entry
from numba import carray

from classicseg.kernels.regions.edges import EVERYWHERE, Pixels
from classicseg.kernels.regions.leaves import number_leaves, paint_leaves
from classicseg.kernels.regions.merging import Regions, merge_best_first, merge_pass
from classicseg.kernels.regions.predicates import RANGE, STD, Predicate
from classicseg.kernels.regions.quadtree import Problem, judge_large_blocks, split_tiles, sum_tiles
from classicseg.kernels.regions.range_tile import BUCKETS
from classicseg.kernels.regions.statistics import row_size
from classicseg.kernels.regions.tiles import FLAT_LEVEL
from classicseg.machine.jit import inline

_CELLS = 4 ** (FLAT_LEVEL - 1)


@inline
def _predicate(code, threshold):
    """The predicate of one instruction."""
    program = np.zeros((1, 3))
    program[0, 0], program[0, 1] = code, threshold
    return Predicate(program, np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1))


@entry
def split_and_merge(
    height: I32, width: I32, image: U8S, code: I32, threshold: F64, merge_threshold: F64, top_level: I32,
    stop_level: I32, leaves: I32S, blocks: I32S, log: I32S, n_merges: I32S,
):  # fmt: skip
    """Split an image of height x width while a predicate, `code`, fails at a `threshold`; then merge, best pairs first.

    The root has 2^`top_level` pixels a side, blocks of 2^`stop_level` are never split. `leaves` gets the leaf of each
    pixel, `blocks` slice, row, column and level of each leaf, `log` who was joined by whom, in order, and `n_merges`
    how long that is. Returns how many leaves there are.
    """
    mask, volume = np.ones((1, np.int64(height), np.int64(width)), np.bool_), False
    values, size = carray(image, (1, np.int64(height), np.int64(width), 1)), row_size(1, 0)
    problem = Problem(mask, volume, 1, np.int64(top_level), np.int64(stop_level), _predicate(code, threshold))
    grids, block_rows = np.ones((1, 4), np.int64), np.empty((1, size))
    grids[0, 3] = 0
    levels, cells, n_leaves = np.zeros(1, np.uint8), np.empty((1, _CELLS), np.uint8), np.zeros(1, np.int64)
    sum_tiles(problem, values, 0, 1, block_rows)
    judge_large_blocks(problem, grids, block_rows, levels)
    split_tiles(problem, values, 0, 1, levels, cells, n_leaves)
    n, starts = n_leaves[0], np.zeros(1, np.int64)
    corners, labels, rows = np.empty((n, 4), np.int32), np.empty(mask.shape, np.int32), np.empty((n, size))
    number_leaves(mask, volume, 0, 1, cells, starts, corners, labels)
    paint_leaves(problem, values, 0, 1, cells, labels, rows)
    offsets, origins, joined = np.zeros((2, 3), np.int64), np.zeros(1), np.zeros((n, 2), np.int32)
    offsets[0, 2] = offsets[1, 1] = 1
    count = np.zeros(1, np.int64)
    regions = Regions(np.arange(n).astype(np.int32), rows, origins, joined, count)
    for y in range(height):
        for x in range(width):
            leaves[y * width + x] = labels[0, y, x]
    pixels, predicate = Pixels(labels, volume, offsets), _predicate(code, merge_threshold)
    merge_best_first(pixels, predicate, regions)
    reach = 2 * merge_threshold if code == STD else merge_threshold
    while code != RANGE and merge_pass(pixels, EVERYWHERE, 0, 1, np.float32(BUCKETS / reach), predicate, regions) > 0:
        continue  # what failed before may hold by now
    for leaf in range(n):
        for k in range(4):
            blocks[4 * leaf + k] = corners[leaf, k]
        for k in range(2):
            log[2 * leaf + k] = joined[leaf, k]
    n_merges[0] = count[0]
    return np.int32(n)
