"""Leaves of a quadtree or octree: their numbers, their pixels, their statistics."""

from __future__ import annotations

from classicseg.kernels.regions.statistics import add_pixel, clear_row, copy_row
from classicseg.kernels.regions.tiles import EMPTY, cell_corner, starts_leaf, tile_corner, tile_level
from classicseg.machine.jit import kernel


@kernel
def number_leaves(mask, volume, first, last, cells, starts, blocks, labels):
    """Number the leaves that start in some tiles.

    Parameters
    ----------
    mask : (D, H, W) bool
    volume : bool
    first, last : int
        The tiles are `first` to `last` - 1.
    cells : (tiles, cells) uint8
        As :func:`~.quadtree.split_tiles` gives them.
    starts : (tiles,) int64
        Number of the first leaf of each tile.
    blocks : (leaves, 4) int32
        Result: corner (z, y, x) and level.
    labels : (D, H, W) int32
        Result: number of the leaf at its first pixel, and -1 outside the mask.
    """
    for tile in range(first, last):
        corner, number = tile_corner(tile, mask.shape, volume), starts[tile]
        for cell in range(cells.shape[1]):
            at, level = cell_corner(corner, cell, volume), int(cells[tile, cell])
            if level != EMPTY and level > 0 and starts_leaf(at, level, volume):
                blocks[number, 0], blocks[number, 1], blocks[number, 2], blocks[number, 3] = at[0], at[1], at[2], level
                labels[at[0], at[1], at[2]] = number
                number += 1
            elif level == 0 or level == EMPTY:
                for z in range(at[0], min(at[0] + 2, mask.shape[0])):
                    for y in range(at[1], min(at[1] + 2, mask.shape[1])):
                        for x in range(at[2], min(at[2] + 2, mask.shape[2])):
                            if not mask[z, y, x]:
                                labels[z, y, x] = -1
                                continue
                            blocks[number, 0], blocks[number, 1], blocks[number, 2], blocks[number, 3] = z, y, x, 0
                            labels[z, y, x] = number
                            number += 1


@kernel
def paint_leaves(problem, image, first, last, cells, labels, rows):
    """Give every pixel of some tiles the number of its leaf, and sum up the statistics of leaves.

    Parameters
    ----------
    problem : Problem
    image : (D, H, W, C)
    first, last : int
        The tiles are `first` to `last` - 1.
    cells : (tiles, cells) uint8
        As :func:`~.quadtree.split_tiles` gives them.
    labels : (D, H, W) int32
        As :func:`number_leaves` gives them; becomes the leaf of each pixel.
    rows : (leaves, row size) float64
        Result; leaves larger than a tile are left to :func:`sum_large_leaves`.
    """
    mask, volume, edges = problem.mask, problem.volume, problem.predicate.edges
    finest, n_channels = tile_level(volume), image.shape[3]
    for tile in range(first, last):
        corner = tile_corner(tile, mask.shape, volume)
        for cell in range(cells.shape[1]):
            at, level = cell_corner(corner, cell, volume), int(cells[tile, cell])
            if level == EMPTY:
                continue
            within = (1 << level) - 1
            anchor = (at[0] & ~within if volume else at[0], at[1] & ~within, at[2] & ~within)
            for z in range(at[0], min(at[0] + 2, mask.shape[0])):
                for y in range(at[1], min(at[1] + 2, mask.shape[1])):
                    for x in range(at[2], min(at[2] + 2, mask.shape[2])):
                        if not mask[z, y, x]:
                            continue
                        if level > 0:
                            labels[z, y, x] = labels[anchor[0], anchor[1], anchor[2]]
                        leaf = labels[z, y, x]
                        if level <= finest:
                            if level == 0 or (z == anchor[0] and y == anchor[1] and x == anchor[2]):
                                clear_row(rows, leaf, n_channels)
                            add_pixel(rows, leaf, image, z, y, x, edges)


@kernel
def sum_large_leaves(volume, blocks, grids, block_rows, rows):
    """Copy the statistics of leaves that are larger than a tile from those of the blocks.

    Parameters
    ----------
    volume : bool
    blocks : (leaves, 4) int32
        As :func:`number_leaves` gives them.
    grids : (levels, 4) int64
    block_rows : (blocks, row size) float64
        As in :func:`~.quadtree.judge_large_blocks`.
    rows : (leaves, row size) float64
        Result.
    """
    finest = tile_level(volume)
    for leaf in range(blocks.shape[0]):
        k = blocks[leaf, 3] - finest
        if k > 0:
            z, y, x = (
                blocks[leaf, 0] >> blocks[leaf, 3],
                blocks[leaf, 1] >> blocks[leaf, 3],
                blocks[leaf, 2] >> blocks[leaf, 3],
            )
            copy_row(rows, leaf, block_rows, grids[k, 3] + (z * grids[k, 1] + y) * grids[k, 2] + x)
