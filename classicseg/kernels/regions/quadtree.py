"""Quadtrees and octrees of images of any size, with any number of channels, a mask, and any predicate.

The tree is cut into tiles (see :mod:`.tiles`): statistics of the blocks within a tile live only while it is worked on,
those of tiles and larger blocks are kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.regions.predicates import Predicate, holds
from classicseg.kernels.regions.statistics import add_pixel, add_row, clear_row, row_size
from classicseg.kernels.regions.tiles import EMPTY, block_area, cell_corner, starts_leaf, tile_corner, tile_level
from classicseg.machine.jit import inline, kernel

_MAX_PARTS = 8
"""Octants of a block."""


class Problem(NamedTuple):
    """What is split, and when; without the image, so that what looks at no pixel is compiled once for all dtypes."""

    mask: np.ndarray
    """(D, H, W) bool: a block that it cuts is always split."""
    volume: bool
    """Whether there are three spatial axes."""
    n_channels: int
    top_level: int
    """Level of the root; larger blocks are no part of the tree."""
    stop_level: int
    """Blocks of this level and below are never split."""
    predicate: Predicate
    """Blocks for which it holds are not split."""


@inline
def _judge(problem, rows, r, part_rows, n_parts, corner, level):
    """`level` of the block at `corner` if it is a leaf of the `problem`, 0 if it must be split, EMPTY without pixels.

    Row `r` of `rows` holds its statistics, the `n_parts` rows `part_rows` those of its parts.
    """
    if rows[r, 0] == 0.0:
        return EMPTY
    if level > problem.top_level or rows[r, 0] < block_area(problem.mask.shape, corner, 1 << level, problem.volume):
        return 0
    if level <= problem.stop_level:
        return level
    if n_parts == 1:  # the block is its only part within the image: that one will be judged
        return 0
    return level if holds(problem.predicate, rows, part_rows, n_parts, rows, r, problem.n_channels) else 0


@inline
def _level_start(level, top, volume):
    """Where the rows of a `level` start in the pyramid of a tile of level `top`, finest first; `volume`: of octants."""
    start = 0
    for finer in range(1, level):
        start += 1 << ((top - finer) * (3 if volume else 2))
    return start


@inline
def _sum_tile(problem, image, corner, rows):
    """Write the statistics of every block of the tile at `corner` of `image` into `rows`, level by level.

    The `problem` says which pixels count.
    """
    mask, volume, edges = problem.mask, problem.volume, problem.predicate.edges
    n_channels, top = image.shape[3], tile_level(volume)
    z0, y0, x0 = corner
    for r in range(_level_start(top + 1, top, volume)):
        clear_row(rows, r, n_channels)
    side = 1 << top
    half = side // 2
    for z in range(z0, min(z0 + side, mask.shape[0]) if volume else z0 + 1):
        for y in range(y0, min(y0 + side, mask.shape[1])):
            for x in range(x0, min(x0 + side, mask.shape[2])):
                if mask[z, y, x]:
                    r = (((z - z0) // 2) * half + (y - y0) // 2) * half + (x - x0) // 2
                    add_pixel(rows, r, image, z, y, x, edges)
    for level in range(1, top):
        at, above, side = _level_start(level, top, volume), _level_start(level + 1, top, volume), 1 << (top - level)
        half = side // 2
        for z in range(side if volume else 1):
            for y in range(side):
                for x in range(side):
                    if rows[at + (z * side + y) * side + x, 0] > 0.0:
                        r = above + ((z // 2) * half + y // 2) * half + x // 2
                        add_row(rows, r, rows, at + (z * side + y) * side + x, n_channels)


@kernel
def sum_tiles(problem, image, first, last, tile_rows):
    """Compute the statistics of some tiles.

    Parameters
    ----------
    problem : Problem
    image : (D, H, W, C)
    first, last : int
        The tiles are `first` to `last` - 1.
    tile_rows : (tiles or more, row size) float64
        Result.
    """
    mask, volume, edges = problem.mask, problem.volume, problem.predicate.edges
    for tile in range(first, last):
        z0, y0, x0 = tile_corner(tile, mask.shape, volume)
        side = 1 << tile_level(volume)
        clear_row(tile_rows, tile, image.shape[3])
        for z in range(z0, min(z0 + side, mask.shape[0]) if volume else z0 + 1):
            for y in range(y0, min(y0 + side, mask.shape[1])):
                for x in range(x0, min(x0 + side, mask.shape[2])):
                    if mask[z, y, x]:
                        add_pixel(tile_rows, tile, image, z, y, x, edges)


@inline
def _quarters(grid, z, y, x, volume, start, rows, part_rows):
    """Write the row numbers of the parts of the block (`z`, `y`, `x`) of a grid into `part_rows`; returns how many.

    The parts, four, or eight in a `volume`, are blocks of the next finer `grid`, whose `rows` begin at `start`; those
    without pixels do not count.
    """
    n = 0
    for dz in range(2 if volume else 1):
        for dy in range(2):
            for dx in range(2):
                v, u, t = 2 * z + dz if volume else 0, 2 * y + dy, 2 * x + dx
                if v < grid[0] and u < grid[1] and t < grid[2]:
                    r = start + (v * grid[1] + u) * grid[2] + t
                    if rows[r, 0] > 0.0:
                        part_rows[n] = r
                        n += 1
    return n


@kernel
def judge_large_blocks(problem, grids, rows, tile_levels):
    """Decide on the blocks of the size of a tile and above.

    Parameters
    ----------
    problem : Problem
    grids : (levels, 4) int64
        Blocks along each axis and number of the first row, for the tiles and every coarser level.
    rows : (blocks, row size) float64
        Statistics; those of tiles are given, the others are a result.
    tile_levels : (tiles,) uint8
        Result: level of the leaf that the tile lies in, 0 if it is to be split, :data:`EMPTY`.
    """
    volume = problem.volume
    part_rows, finest = np.empty(_MAX_PARTS, np.int64), tile_level(volume)
    n_channels, n_levels = problem.n_channels, grids.shape[0]
    found = np.zeros(rows.shape[0], np.uint8)
    for k in range(1, n_levels):
        for z in range(grids[k, 0]):
            for y in range(grids[k, 1]):
                for x in range(grids[k, 2]):
                    r = grids[k, 3] + (z * grids[k, 1] + y) * grids[k, 2] + x
                    clear_row(rows, r, n_channels)
                    n = _quarters(grids[k - 1], z, y, x, volume, grids[k - 1, 3], rows, part_rows)
                    for i in range(n):
                        add_row(rows, r, rows, part_rows[i], n_channels)
    for k in range(n_levels - 1, -1, -1):
        side = 1 << (finest + k)
        for z in range(grids[k, 0]):
            for y in range(grids[k, 1]):
                for x in range(grids[k, 2]):
                    r = grids[k, 3] + (z * grids[k, 1] + y) * grids[k, 2] + x
                    above = 0
                    if k + 1 < n_levels:
                        up = grids[k + 1]
                        above = found[up[3] + ((z // 2 if volume else 0) * up[1] + y // 2) * up[2] + x // 2]
                    if above > 0:
                        found[r] = above
                    elif k > 0:
                        n = _quarters(grids[k - 1], z, y, x, volume, grids[k - 1, 3], rows, part_rows)
                        found[r] = _judge(problem, rows, r, part_rows, n, (z * side, y * side, x * side), finest + k)
                    elif rows[r, 0] == 0.0:
                        found[r] = EMPTY  # full tiles are judged when they are split, by their own parts
    for tile in range(tile_levels.size):
        tile_levels[tile] = found[tile]


@inline
def _judge_tile(problem, image, corner, rows, part_rows, levels, above):
    """Write the level of the leaf of every cell of the tile at `corner` of `image` into `levels`, by the `problem`.

    `rows` are those of :func:`_sum_tile`, with :data:`_MAX_PARTS` more; `part_rows` and `above`, which is as long as
    `levels`, are work space.
    """
    mask, volume, edges = problem.mask, problem.volume, problem.predicate.edges
    n_channels, top = image.shape[3], tile_level(volume)
    pixels = _level_start(top + 1, top, volume)  # rows for the pixels of one cell
    for level in range(top, 0, -1):
        side, at = 1 << (top - level), _level_start(level, top, volume)
        finer = (2 * side if volume else 1, 2 * side, 2 * side)
        for z in range(side if volume else 1):
            for y in range(side):
                for x in range(side):
                    here = (z * side + y) * side + x
                    inherited = 0
                    if level < top:
                        inherited = int(above[((z // 2) * (side // 2) + y // 2) * (side // 2) + x // 2])
                    if inherited > 0:
                        levels[here] = inherited
                        continue
                    block = (
                        corner[0] + (z << level if volume else 0),
                        corner[1] + (y << level),
                        corner[2] + (x << level),
                    )
                    n = 0
                    if level > 1:
                        n = _quarters(finer, z, y, x, volume, _level_start(level - 1, top, volume), rows, part_rows)
                    elif rows[at + here, 0] > 0.0:
                        for v in range(block[0], min(block[0] + 2, mask.shape[0]) if volume else block[0] + 1):
                            for u in range(block[1], min(block[1] + 2, mask.shape[1])):
                                for t in range(block[2], min(block[2] + 2, mask.shape[2])):
                                    if mask[v, u, t]:
                                        clear_row(rows, pixels + n, n_channels)
                                        add_pixel(rows, pixels + n, image, v, u, t, edges)
                                        part_rows[n] = pixels + n
                                        n += 1
                    levels[here] = _judge(problem, rows, at + here, part_rows, n, block, level)
        for i in range(side * side * (side if volume else 1)):
            above[i] = levels[i]


@inline
def _count_leaves(mask, corner, volume, levels):
    """How many leaves start in the tile at `corner` of a `mask`, or `volume`; `levels`: of the leaves of its cells."""
    count = 0
    for cell in range(levels.size):
        at = cell_corner(corner, cell, volume)
        if levels[cell] == 0:
            for z in range(at[0], min(at[0] + 2, mask.shape[0])):
                for y in range(at[1], min(at[1] + 2, mask.shape[1])):
                    for x in range(at[2], min(at[2] + 2, mask.shape[2])):
                        count += mask[z, y, x]
        elif levels[cell] != EMPTY and starts_leaf(at, int(levels[cell]), volume):
            count += 1
    return count


@kernel
def split_tiles(problem, image, first, last, tile_levels, cells, n_leaves):
    """Split some tiles.

    Parameters
    ----------
    problem : Problem
    image : (D, H, W, C)
    first, last : int
        The tiles are `first` to `last` - 1.
    tile_levels : (tiles,) uint8
        As :func:`judge_large_blocks` gives them.
    cells : (tiles, cells) uint8
        Result: level of the leaf of each cell, 0 where each pixel is one.
    n_leaves : (tiles,) int64
        Result: leaves that start in the tile.
    """
    mask, volume = problem.mask, problem.volume
    top, size = tile_level(volume), row_size(problem.n_channels, problem.predicate.edges.size - 1)
    rows = np.empty((_level_start(top + 1, top, volume) + _MAX_PARTS, size), np.float64)
    part_rows, above = np.empty(_MAX_PARTS, np.int64), np.empty(cells.shape[1], np.uint8)
    for tile in range(first, last):
        corner = tile_corner(tile, mask.shape, volume)
        if tile_levels[tile] > 0:
            cells[tile] = tile_levels[tile]
        else:
            _sum_tile(problem, image, corner, rows)
            _judge_tile(problem, image, corner, rows, part_rows, cells[tile], above)
        n_leaves[tile] = _count_leaves(mask, corner, volume, cells[tile])
