"""Tiles of images and volumes, and the cells within them: which pixels belong to what.

A tile is a block of 64 x 64 pixels, in a volume of 16 x 16 x 16 voxels. A cell is a block of two pixels a side, as in
:mod:`.range_tile`. An image of two axes has one plane. Corners are pixels (z, y, x).
"""

from __future__ import annotations

from classicseg.machine.jit import inline

FLAT_LEVEL, VOLUME_LEVEL = 6, 4
"""Level of a tile: 2^level pixels a side. Either way a tile has 4096 pixels, whose statistics stay in the cache."""
EMPTY = 255
"""Level of a cell or tile without any pixel of the mask: a number of 8 bits that no level reaches."""


@inline
def tile_level(volume):
    """Level of the tiles of an image, or of a `volume`."""
    return VOLUME_LEVEL if volume else FLAT_LEVEL


@inline
def tile_grid(shape, volume):
    """How many tiles there are along each axis of an image of this `shape`, or of a `volume`."""
    side = 1 << tile_level(volume)
    return (shape[0] + side - 1) // side if volume else 1, (shape[1] + side - 1) // side, (shape[2] + side - 1) // side


@inline
def tile_corner(tile, shape, volume):
    """First pixel of a `tile` of an image of this `shape`, or of a `volume`."""
    _, down, across = tile_grid(shape, volume)
    side = 1 << tile_level(volume)
    return tile // (down * across) * side, tile // across % down * side, tile % across * side


@inline
def _clipped(start, length, end):
    """Pixels of the `length` from `start` on that lie before `end`."""
    return min(start + length, end) - start


@inline
def block_area(shape, corner, side, volume):
    """Pixels of the block of this `side` at a `corner` that lie within an image of this `shape`, or a `volume`."""
    deep = _clipped(corner[0], side, shape[0]) if volume else 1
    return deep * _clipped(corner[1], side, shape[1]) * _clipped(corner[2], side, shape[2])


@inline
def cell_corner(corner, cell, volume):
    """First pixel of a `cell` of the tile at `corner` of an image, or of a `volume`."""
    half = 1 << (tile_level(volume) - 1)
    return corner[0] + 2 * (cell // (half * half)), corner[1] + 2 * (cell // half % half), corner[2] + 2 * (cell % half)


@inline
def starts_leaf(at, level, volume):
    """Whether the pixel `at` is the first of its leaf, which has this `level`, in an image or a `volume`."""
    within = (1 << level) - 1
    return (at[0] & within if volume else 0) + (at[1] & within) + (at[2] & within) == 0
