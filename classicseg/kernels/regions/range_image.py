"""Split-and-merge of a whole gray image under a range, tile by tile, then along the seams between tiles.

S. L. Horowitz and T. Pavlidis, "Picture segmentation by a tree traversal algorithm", Journal of the ACM 23(2), 1976.

Regions of all tiles lie one after the other in one table. Which tile comes first there depends on the threads; nothing
else does: groups of tiles have fixed borders, and regions are numbered in the order of tiles.

"As there" means: as explained for :func:`split_and_merge_range`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.regions.range_tile import (
    BUCKETS,
    GROUP,
    LEVELS,
    MAX_EDGES,
    TILE,
    Leaves,
    about,
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

_TILES, _GROUPS, _PAINT, _ALONE = range(4)  # counters of tasks
N_COUNTERS = 4
_PIXELS = TILE * TILE
_TOP, _LEFT, _BOTTOM, _RIGHT = range(4)


class Tiles(NamedTuple):
    """Which regions there are in each tile, and where."""

    first: np.ndarray
    """(tiles,) int32: number of the first region of the tile."""
    count: np.ndarray
    """(tiles,) int32: how many regions."""
    cursor: np.ndarray
    """(1,) int64: number of the next region."""
    local: np.ndarray
    """(tiles * 64 * 64,) uint16: region of each pixel, counted from the first of the tile; of one region: not set."""
    borders: np.ndarray
    """(tiles, 4, 64) uint16: the same along the first row, the first column, the last row and the last column."""


class _Seam(NamedTuple):
    """Pairs of regions on the two sides of seams."""

    first: np.ndarray
    second: np.ndarray
    steps: np.ndarray
    """Of the order in which pairs are tried."""


@inline
def _split_tiles(sync, image, limit, origin, scale, stop_level, merge, tiles, regions):
    """Split every tile and merge within it.

    `sync`, `image`, `limit`, `origin`, `scale`, `stop_level`, `merge`, `tiles` and `regions` as there.
    """
    height, width = image.shape
    across = (width + TILE - 1) // TILE
    n_tiles = across * ((height + TILE - 1) // TILE)
    local, borders = tiles.local, tiles.borders
    kind, sum_kind = limit.dtype, regions.sums.dtype
    pixels, row = np.empty(_PIXELS, image.dtype), np.empty(TILE, image.dtype)
    n_blocks = (4**LEVELS - 1) // 3
    low, high, levels = np.empty(n_blocks, image.dtype), np.empty(n_blocks, image.dtype), np.empty(n_blocks, np.uint8)
    first, names = np.empty(_PIXELS // 4, np.int32), np.empty(_PIXELS, np.int32)
    leaves = Leaves(
        np.empty(_PIXELS, np.int32),
        np.empty(_PIXELS, kind),
        np.empty(_PIXELS, kind),
        np.empty(_PIXELS, sum_kind),
        np.empty(_PIXELS, np.int32),
        np.empty(_PIXELS, np.float32),
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
            at = atomic_add(tiles.cursor, 0, 1)
            tiles.first[tile], tiles.count[tile] = at, 1
            regions.parent[at], regions.low[at], regions.high[at] = at, low[top], high[top]
            total = sum_kind.type(0)
            for y in range(rows):
                for x in range(columns):
                    total += sum_kind.type(pixels[y * TILE + x])
            regions.sums[at], regions.counts[at] = total, rows * columns
            continue
        find_levels(low, high, limit, stop_level, levels)
        n_leaves = number_leaves(pixels, low, high, levels, rows, columns, origin, first, leaves)
        n_regions = n_leaves
        if rows < TILE or columns < TILE:  # some lie beyond the image
            for leaf in range(n_leaves):
                n_regions -= leaves.counts[leaf] == 0
        if merge:
            n_edges = gather_edges(levels, first, rows, columns, leaves, limit, scale, edges)
            sort_edges(edges, n_edges, ordered, starts)
            n_regions -= unite(ordered, n_edges, leaves, limit)
        at = atomic_add(tiles.cursor, 0, n_regions)
        tiles.first[tile], tiles.count[tile] = at, n_regions
        close_regions(leaves, n_leaves, names, regions, at)
        _write_local(levels, first, names, rows, columns, local, tile * _PIXELS)
        start = tile * _PIXELS
        for i in range(TILE):
            borders[tile, _TOP, i] = local[start + i]
            borders[tile, _LEFT, i] = local[start + i * TILE]
            borders[tile, _BOTTOM, i] = local[start + (TILE - 1) * TILE + i]
            borders[tile, _RIGHT, i] = local[start + i * TILE + TILE - 1]


@inline
def _write_local(levels, first, names, rows, columns, local, start):
    """Write the region of every pixel of a tile into `local`, from `start` on.

    `levels`, `first` and `names` are those of :mod:`.range_tile`; `rows` and `columns` lie within the image.
    """
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
def _join(regions, a, b):
    """Make the roots `a` and `b` of `regions` one."""
    root, other = min(a, b), max(a, b)
    put(regions.parent, other, np.int32(root))
    regions.low[root] = min(regions.low[root], regions.low[other])
    regions.high[root] = max(regions.high[root], regions.high[other])
    regions.sums[root] += regions.sums[other]
    regions.counts[root] += regions.counts[other]


@inline
def _join_blocks_of_tiles(down, across, limit, stop_level, tiles, regions):
    """Make one region of every leaf that is larger than a tile, by doubling the side of blocks while they hold.

    `down` and `across`: how many tiles there are; `limit`, `stop_level`, `tiles` and `regions` as there.
    """
    first, count, wide = tiles.first, tiles.count, limit.dtype.type
    whole = np.ones((down, across), np.bool_)  # whether the block that starts at a tile is one leaf so far
    for y in range(down):
        for x in range(across):
            whole[y, x] = count[y * across + x] == 1
    step, level = 1, LEVELS
    while step < max(down, across):
        level += 1
        for y in range(0, down, 2 * step):
            for x in range(0, across, 2 * step):
                root = find(regions.parent, first[y * across + x])
                low, high, complete = regions.low[root], regions.high[root], True
                for part in range(4):
                    v, u = y + (part >> 1) * step, x + (part & 1) * step
                    if v < down and u < across:
                        other = find(regions.parent, first[v * across + u])
                        complete = complete and whole[v, u]
                        low, high = min(low, regions.low[other]), max(high, regions.high[other])
                if complete and (level <= stop_level or wide(high) - wide(low) <= limit[0]):
                    for part in range(1, 4):
                        v, u = y + (part >> 1) * step, x + (part & 1) * step
                        if v < down and u < across:
                            root, other = (
                                find(regions.parent, first[y * across + x]),
                                find(regions.parent, first[v * across + u]),
                            )
                            _join(regions, root, other)
                else:
                    whole[y, x] = False
        step *= 2


@inline
def _note_seam(a, b, limit, origin, scale, regions, seam, n):
    """Append `a` and `b` of `regions` to the `n` pairs of a `seam`; returns the new `n`.

    Left out if they are one, can never become one under the `limit`, or came just before. `origin` and `scale` as
    there.
    """
    wide = limit.dtype.type
    a, b = find(regions.parent, a), find(regions.parent, b)
    first, second, steps = seam
    if a == b or (n > 0 and first[n - 1] == a and second[n - 1] == b):
        return n
    if wide(max(regions.high[a], regions.high[b])) - wide(min(regions.low[a], regions.low[b])) > limit[0]:
        return n
    means = (
        about(regions.sums[a] / regions.counts[a], origin),
        about(regions.sums[b] / regions.counts[b], origin),
    )
    first[n], second[n] = a, b
    steps[n] = step_of(means[0] - means[1], scale)
    return n + 1


@inline
def _gather_seams(y_tiles, x_tiles, inner, image, limit, origin, scale, tiles, regions, seam):
    """List the pairs of regions along seams between tiles in `seam`; returns how many.

    The tiles are those of `y_tiles` and `x_tiles`, first and last + 1. The seams are `inner` ones, within groups of
    tiles, or those between groups. `image`, `limit`, `origin`, `scale`, `tiles` and `regions` as there.
    """
    first, count, borders = tiles.first, tiles.count, tiles.borders
    height, width = image.shape
    across = (width + TILE - 1) // TILE
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
                side, other_side = (_BOTTOM, _TOP) if down else (_RIGHT, _LEFT)
                last_a, last_b = -1, -1
                for i in range(length):
                    a = np.int64(first[tile]) + (np.int64(borders[tile, side, i]) if fine else 0)
                    b = np.int64(first[other]) + (np.int64(borders[other, other_side, i]) if other_fine else 0)
                    if a != last_a or b != last_b:
                        n = _note_seam(a, b, limit, origin, scale, regions, seam, n)
                        last_a, last_b = a, b
    return n


@inline
def _unite_seam(n, limit, regions, seam, order, starts):
    """Merge along the `n` pairs of a `seam`, those of the smallest difference first.

    `order`, as long as the seam, and `starts`, one longer than there are steps, are work space; `limit` and `regions`
    as there.
    """
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
        a, b = find(regions.parent, first[order[i]]), find(regions.parent, second[order[i]])
        if a != b:
            span = wide(max(regions.high[a], regions.high[b])) - wide(min(regions.low[a], regions.low[b]))
            if span <= limit[0]:
                _join(regions, a, b)


@inline
def _new_seam(capacity):
    """Room for `capacity` pairs."""
    return _Seam(np.empty(capacity, np.int32), np.empty(capacity, np.int32), np.empty(capacity, np.uint8))


@inline
def _number_regions(n_tiles, tiles, regions):
    """Number the `regions` of `n_tiles` `tiles` from 1, in their order; minus the number replaces each pixel count."""
    first, count, parent, numbers = tiles.first, tiles.count, regions.parent, regions.counts
    n_regions = 0
    for tile in range(n_tiles):
        for region in range(first[tile], first[tile] + count[tile]):
            root = find(parent, region)
            if numbers[root] > 0:
                n_regions += 1
                numbers[root] = -n_regions
            numbers[region] = numbers[root]


@inline
def _paint(sync, tiles, regions, labels):
    """Write the number of the region of every pixel into `labels`; `sync`, `tiles` and `regions` as there."""
    height, width = labels.shape
    across = (width + TILE - 1) // TILE
    n_tiles = across * ((height + TILE - 1) // TILE)
    first, count, local = tiles.first, tiles.count, tiles.local
    numbers, flat = regions.counts, labels.reshape(-1)
    while not aborted(sync):
        tile = claim(sync, _PAINT)
        if tile >= n_tiles:
            break
        y0, x0 = tile // across * TILE, tile % across * TILE
        rows, columns = min(TILE, height - y0), min(TILE, width - x0)
        start = np.int64(first[tile])
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
def split_and_merge_range(sync, n_threads, image, limit, origin, scale, stop_level, merge, tiles, regions, labels):
    """Segment a gray image; to be run on all threads at once.

    Parameters
    ----------
    sync : ndarray
        Of :data:`N_COUNTERS` counters, see :func:`classicseg.machine.parallel.new_sync`.
    n_threads : int
    image : (H, W) uint8, float32 or float64
    limit : (1,) int32 or float64
        The threshold, in the type in which values are compared.
    origin : None or float64
        About where the values lie; None for bytes.
    scale : float32
        Factor from a difference of means to a step of the order.
    stop_level : int
        Blocks of this level and below are never split.
    merge : bool
        Whether to merge at all.
    tiles : Tiles
        Work space, its cursor at 0.
    regions : Regions
        Work space for as many regions as pixels.
    labels : (H, W) int32
        Result: the region of each pixel, from 1.
    """
    height, width = image.shape
    down, across = (height + TILE - 1) // TILE, (width + TILE - 1) // TILE
    _split_tiles(sync, image, limit, origin, scale, stop_level, merge, tiles, regions)
    barrier(sync, n_threads)
    turn = claim(sync, _ALONE)
    if turn == 0:
        _join_blocks_of_tiles(down, across, limit, stop_level, tiles, regions)
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
            n = _gather_seams(y_tiles, x_tiles, True, image, limit, origin, scale, tiles, regions, seam)
            _unite_seam(n, limit, regions, seam, order, starts)
        barrier(sync, n_threads)
    if turn == 0 and not aborted(sync):
        if merge:
            capacity = (down // GROUP) * width + (across // GROUP) * height + 1
            seam, order = _new_seam(capacity), np.empty(capacity, np.int32)
            n = _gather_seams((0, down), (0, across), False, image, limit, origin, scale, tiles, regions, seam)
            _unite_seam(n, limit, regions, seam, order, starts)
        _number_regions(down * across, tiles, regions)
    barrier(sync, n_threads)
    _paint(sync, tiles, regions, labels)
