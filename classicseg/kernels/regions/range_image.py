"""Split-and-merge of a whole gray image under a range, tile by tile, then along the seams between tiles.

S. L. Horowitz and T. Pavlidis, "Picture segmentation by a tree traversal algorithm", Journal of the ACM 23(2), 1976.

Regions of all tiles lie one after the other in one table. Which tile comes first there depends on the threads; nothing
else does: groups of tiles have fixed borders, and regions are numbered in the order of tiles.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.regions.range_tile import (
    BUCKETS,
    LEVELS,
    MAX_EDGES,
    TILE,
    build_pyramid,
    close_regions,
    find_levels,
    gather_edges,
    load_tile,
    number_leaves,
    sort_edges,
    step_of,
    unite,
)
from classicseg.kernels.regions.unions import find
from classicseg.machine.atomics import atomic_add
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, barrier, claim
from classicseg.machine.simd import item, put

GROUP = 8
"""Seams within groups of so many tiles a side are merged in parallel, the others in the end."""

_TILES, _GROUPS, _PAINT, _ALONE = range(4)  # counters of tasks
N_COUNTERS = 4
_PIXELS = TILE * TILE
TOP, LEFT, BOTTOM, RIGHT = 0, 1, 2, 3


@inline
def _split_tiles(sync, image, limit, scale, stop_level, merge, tiles, table, local, borders):
    """Split every tile and merge within it."""
    height, width = image.shape
    across = (width + TILE - 1) // TILE
    n_tiles = across * ((height + TILE - 1) // TILE)
    base, count, cursor = tiles
    kind, sum_kind = limit.dtype, table[3].dtype
    pixels, row = np.empty(_PIXELS, image.dtype), np.empty(TILE, image.dtype)
    n_blocks = (4**LEVELS - 1) // 3
    low, high, levels = np.empty(n_blocks, image.dtype), np.empty(n_blocks, image.dtype), np.empty(n_blocks, np.uint8)
    first, names = np.empty(_PIXELS // 4, np.int32), np.empty(_PIXELS, np.int32)
    leaves = (
        np.empty(_PIXELS, np.int32),  # parent
        np.empty(_PIXELS, kind),  # smallest value
        np.empty(_PIXELS, kind),  # largest value
        np.empty(_PIXELS, sum_kind),
        np.empty(_PIXELS, np.int32),  # pixels
        np.empty(_PIXELS, np.float32),  # mean
    )
    edges, ordered = np.empty(MAX_EDGES + 1, np.int32), np.empty(MAX_EDGES + 1, np.int32)
    starts = np.empty(BUCKETS + 1, np.int32)
    wide, flat = kind.type, image.reshape(-1)
    while not aborted(sync):
        tile = claim(sync, _TILES)
        if tile >= n_tiles:
            break
        y0, x0 = tile // across * TILE, tile % across * TILE
        rows, columns = min(TILE, height - y0), min(TILE, width - x0)
        load_tile(flat, width, y0, x0, rows, columns, pixels)
        build_pyramid(pixels, low, high, row)
        top = n_blocks - 1
        if stop_level >= LEVELS or wide(high[top]) - wide(low[top]) <= limit[0]:
            at = atomic_add(cursor, 0, 1)
            base[tile], count[tile] = at, 1
            table[0][at], table[1][at], table[2][at] = at, low[top], high[top]
            total = sum_kind.type(0)
            for y in range(rows):
                for x in range(columns):
                    total += sum_kind.type(pixels[y * TILE + x])
            table[3][at], table[4][at] = total, rows * columns
            continue
        find_levels(low, high, limit, stop_level, levels)
        n_leaves = number_leaves(pixels, low, high, levels, rows, columns, first, leaves)
        n_regions = 0
        for leaf in range(n_leaves):
            n_regions += leaves[4][leaf] > 0
        if merge:
            n_edges = gather_edges(levels, first, rows, columns, leaves, limit, scale, edges)
            sort_edges(edges, n_edges, ordered, starts)
            n_regions -= unite(ordered, n_edges, leaves, limit)
        at = atomic_add(cursor, 0, n_regions)
        base[tile], count[tile] = at, n_regions
        close_regions(leaves, n_leaves, names, table, at)
        _write_local(levels, first, names, rows, columns, local, tile * _PIXELS)
        start = tile * _PIXELS
        for i in range(TILE):
            borders[tile, TOP, i] = local[start + i]
            borders[tile, LEFT, i] = local[start + i * TILE]
            borders[tile, BOTTOM, i] = local[start + (TILE - 1) * TILE + i]
            borders[tile, RIGHT, i] = local[start + i * TILE + TILE - 1]


@inline
def _write_local(levels, first, names, rows, columns, local, start):
    """The region of every pixel, counted from the first region of the tile."""
    cells = TILE // 2
    for y in range((rows + 1) // 2):
        upper = start + 2 * y * TILE
        for x in range((columns + 1) // 2):
            leaf = np.int64(first[y * cells + x])
            step = 1 if levels[y * cells + x] == 0 else 0
            at = upper + 2 * x
            put(local, at, np.uint16(item(names, leaf)))
            put(local, at + 1, np.uint16(item(names, leaf + step)))
            put(local, at + TILE, np.uint16(item(names, leaf + 2 * step)))
            put(local, at + TILE + 1, np.uint16(item(names, leaf + 3 * step)))


@inline
def _join(table, a, b):
    """Make two roots one."""
    root, other = min(a, b), max(a, b)
    put(table[0], other, np.int32(root))
    table[1][root] = min(table[1][root], table[1][other])
    table[2][root] = max(table[2][root], table[2][other])
    table[3][root] += table[3][other]
    table[4][root] += table[4][other]


@inline
def _join_blocks_of_tiles(down, across, limit, stop_level, tiles, table):
    """Make one region of every leaf that is larger than a tile, by doubling the side of blocks while they hold."""
    base, count, _ = tiles
    wide = limit.dtype.type
    whole = np.ones((down, across), np.bool_)  # whether the block that starts at a tile is one leaf so far
    for y in range(down):
        for x in range(across):
            whole[y, x] = count[y * across + x] == 1
    step, level = 1, LEVELS
    while step < max(down, across):
        level += 1
        for y in range(0, down, 2 * step):
            for x in range(0, across, 2 * step):
                root = find(table[0], base[y * across + x])
                low, high, complete = table[1][root], table[2][root], True
                for part in range(4):
                    v, u = y + (part >> 1) * step, x + (part & 1) * step
                    if v < down and u < across:
                        other = find(table[0], base[v * across + u])
                        complete = complete and whole[v, u]
                        low, high = min(low, table[1][other]), max(high, table[2][other])
                if complete and (level <= stop_level or wide(high) - wide(low) <= limit[0]):
                    for part in range(1, 4):
                        v, u = y + (part >> 1) * step, x + (part & 1) * step
                        if v < down and u < across:
                            root, other = find(table[0], base[y * across + x]), find(table[0], base[v * across + u])
                            _join(table, root, other)
                else:
                    whole[y, x] = False
        step *= 2


@inline
def _note_seam(a, b, limit, scale, table, seam, n):
    """Append the pair of regions `a` and `b` unless they are one, can never become one, or came just before."""
    wide = limit.dtype.type
    a, b = find(table[0], a), find(table[0], b)
    first, second, steps = seam
    if a == b or (n > 0 and first[n - 1] == a and second[n - 1] == b):
        return n
    if wide(max(table[2][a], table[2][b])) - wide(min(table[1][a], table[1][b])) > limit[0]:
        return n
    means = (
        np.float32(table[3][a] / table[4][a]),
        np.float32(table[3][b] / table[4][b]),
    )
    first[n], second[n] = a, b
    steps[n] = step_of(means[0] - means[1], scale)
    return n + 1


@inline
def _gather_seams(y_tiles, x_tiles, inner, image, limit, scale, tiles, table, borders, seam):
    """List the pairs of regions along the seams between tiles: those within groups of tiles, or those between."""
    height, width = image.shape
    across = (width + TILE - 1) // TILE
    base, count, _ = tiles
    n = 0
    for y in range(y_tiles[0], y_tiles[1]):
        for x in range(x_tiles[0], x_tiles[1]):
            tile = y * across + x
            for down in range(2):
                if ((y if down else x) + 1) * TILE >= (height if down else width):
                    continue
                if (((y if down else x) + 1) % GROUP != 0) != inner:
                    continue
                other = tile + (across if down else 1)
                length = min(TILE, width - x * TILE) if down else min(TILE, height - y * TILE)
                fine, other_fine = count[tile] > 1, count[other] > 1
                if not fine and not other_fine:
                    length = 1
                side, other_side = (BOTTOM, TOP) if down else (RIGHT, LEFT)
                last_a, last_b = -1, -1
                for i in range(length):
                    a = np.int64(base[tile]) + (np.int64(borders[tile, side, i]) if fine else 0)
                    b = np.int64(base[other]) + (np.int64(borders[other, other_side, i]) if other_fine else 0)
                    if a != last_a or b != last_b:
                        n = _note_seam(a, b, limit, scale, table, seam, n)
                        last_a, last_b = a, b
    return n


@inline
def _unite_seam(n, limit, table, seam, order, starts):
    """Merge along the listed pairs, those of the smallest difference first."""
    first, second, steps = seam
    wide = limit.dtype.type
    for step in range(BUCKETS + 1):
        starts[step] = 0
    for e in range(n):
        starts[steps[e] + 1] += 1
    for step in range(BUCKETS):
        starts[step + 1] += starts[step]
    for e in range(n):
        order[starts[steps[e]]] = e
        starts[steps[e]] += 1
    for i in range(n):
        a, b = find(table[0], first[order[i]]), find(table[0], second[order[i]])
        if a != b:
            span = wide(max(table[2][a], table[2][b])) - wide(min(table[1][a], table[1][b]))
            if span <= limit[0]:
                _join(table, a, b)


@inline
def _new_seam(capacity):
    return np.empty(capacity, np.int32), np.empty(capacity, np.int32), np.empty(capacity, np.uint8)


@inline
def _number_regions(n_tiles, tiles, table):
    """Number the regions from 1 in the order of tiles; minus its number replaces the pixel count of each entry."""
    base, count, _ = tiles
    parent, numbers = table[0], table[4]
    n_regions = 0
    for tile in range(n_tiles):
        for region in range(base[tile], base[tile] + count[tile]):
            root = find(parent, region)
            if numbers[root] > 0:
                n_regions += 1
                numbers[root] = -n_regions
            numbers[region] = numbers[root]
    return n_regions


@inline
def _paint(sync, tiles, table, local, labels):
    height, width = labels.shape
    across = (width + TILE - 1) // TILE
    n_tiles = across * ((height + TILE - 1) // TILE)
    base, count, _ = tiles
    numbers, flat = table[4], labels.reshape(-1)
    while not aborted(sync):
        tile = claim(sync, _PAINT)
        if tile >= n_tiles:
            break
        y0, x0 = tile // across * TILE, tile % across * TILE
        rows, columns = min(TILE, height - y0), min(TILE, width - x0)
        start = np.int64(base[tile])
        for y in range(rows):
            to = (y0 + y) * width + x0
            if count[tile] == 1:
                for x in range(columns):
                    put(flat, to + x, np.int32(-item(numbers, start)))
            else:
                at = tile * _PIXELS + y * TILE
                for x in range(columns):
                    put(flat, to + x, np.int32(-item(numbers, start + np.int64(item(local, at + x)))))


@kernel
def split_and_merge_range(
    sync, n_threads, image, limit, scale, stop_level, merge, tiles, table, local, borders, labels, n_regions
):
    """Segment a gray image; to be run on all threads at once.

    image : (H, W)
    limit : (1,), the threshold in the type in which values are compared; `scale` turns a difference into a bucket
    stop_level : blocks of this level are never split
    merge : whether to merge at all
    tiles : first region and number of regions of each tile, and a cursor (1,) into the table
    table : parent, smallest value, largest value, sum, pixel count of each region
    local : (tiles * 4096,) uint16; borders : (tiles, 4, 64) uint16
    labels : (H, W) int32, result, from 1; n_regions : (1,) int64, result
    """
    height, width = image.shape
    down, across = (height + TILE - 1) // TILE, (width + TILE - 1) // TILE
    _split_tiles(sync, image, limit, scale, stop_level, merge, tiles, table, local, borders)
    barrier(sync, n_threads)
    turn = claim(sync, _ALONE)
    if turn == 0:
        _join_blocks_of_tiles(down, across, limit, stop_level, tiles, table)
    barrier(sync, n_threads)
    starts = np.empty(BUCKETS + 1, np.int32)
    if merge:
        groups_across = (across + GROUP - 1) // GROUP
        n_groups = groups_across * ((down + GROUP - 1) // GROUP)
        capacity = 2 * GROUP * GROUP * TILE
        seam, order = _new_seam(capacity), np.empty(capacity, np.int32)
        while not aborted(sync):
            group = claim(sync, _GROUPS)
            if group >= n_groups:
                break
            y, x = group // groups_across * GROUP, group % groups_across * GROUP
            y_tiles, x_tiles = (y, min(y + GROUP, down)), (x, min(x + GROUP, across))
            n = _gather_seams(y_tiles, x_tiles, True, image, limit, scale, tiles, table, borders, seam)
            _unite_seam(n, limit, table, seam, order, starts)
        barrier(sync, n_threads)
    if turn == 0 and not aborted(sync):
        if merge:
            capacity = (down // GROUP) * width + (across // GROUP) * height + 1
            seam, order = _new_seam(capacity), np.empty(capacity, np.int32)
            n = _gather_seams((0, down), (0, across), False, image, limit, scale, tiles, table, borders, seam)
            _unite_seam(n, limit, table, seam, order, starts)
        n_regions[0] = _number_regions(down * across, tiles, table)
    barrier(sync, n_threads)
    _paint(sync, tiles, table, local, labels)
