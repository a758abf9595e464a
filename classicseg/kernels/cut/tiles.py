"""Sets of pixels of an image as bits: 64 in a word, a tile of 8 x 8 pixels; bit ``8 y + x``.

All sets lie in the same tiles, row after row. Above the first row, below the last and after each are tiles that hold no
pixel, so that the neighbours of a tile can always be read.
"""

from __future__ import annotations

import numpy as np

from classicseg.machine.jit import inline

SIDE = 8
"""Pixels of a tile in a row, and in a column."""

_LEFT = np.uint64(0x0101010101010101)  # the pixels of a tile whose neighbours to the left are in the next one
_RIGHT = np.uint64(0x8080808080808080)
TOP, BOTTOM = np.uint64(0xFF), np.uint64(0xFF << 56)
"""Pixels of the first row of a tile, and of the last."""

_ONE, _SEVEN, _EIGHT, _LAST_ROW = np.uint64(1), np.uint64(7), np.uint64(8), np.uint64(56)


@inline
def _beside(plane, t, dx):
    """Pixels of tile `t` whose neighbour `dx` columns further on is in the set `plane`."""
    if dx > 0:
        return ((plane[t] >> _ONE) & ~_RIGHT) | (plane[t + 1] << _SEVEN) & _RIGHT
    if dx < 0:
        return ((plane[t] << _ONE) & ~_LEFT) | (plane[t - 1] >> _SEVEN) & _LEFT
    return plane[t]


@inline
def _near(plane, t, row, dy, dx):
    """Pixels of tile `t` whose neighbour `dy` rows and `dx` columns further on is in the set `plane`.

    `row` is the number of tiles from one row of tiles to the next.
    """
    if dy > 0:
        return (_beside(plane, t, dx) >> _EIGHT) | (_beside(plane, t + row, dx) << _LAST_ROW)
    if dy < 0:
        return (_beside(plane, t, dx) << _EIGHT) | (_beside(plane, t - row, dx) >> _LAST_ROW)
    return _beside(plane, t, dx)


@inline
def neighbours_in(plane, t, row, directions):
    """For each direction, the pixels of tile `t` whose neighbour there is in the set `plane`.

    `row` is the number of tiles from one row of tiles to the next. There are 4 or 8 directions, as many as
    `directions` has zeros: those of :func:`classicseg.energies.grid.directions`, each followed by its opposite.
    """
    right, left = _near(plane, t, row, 0, 1), _near(plane, t, row, 0, -1)
    below, above = _near(plane, t, row, 1, 0), _near(plane, t, row, -1, 0)
    if len(directions) == 4:
        return right, left, below, above
    below_right, above_left = _near(plane, t, row, 1, 1), _near(plane, t, row, -1, -1)
    below_left, above_right = _near(plane, t, row, 1, -1), _near(plane, t, row, -1, 1)
    return right, left, below, above, below_right, above_left, below_left, above_right


@inline
def moved(bits, dy, dx):
    """Pixels of a tile whose neighbour `dy` rows and `dx` columns further on is one of `bits`, in the same tile."""
    if dx > 0:
        bits = (bits >> _ONE) & ~_RIGHT
    elif dx < 0:
        bits = (bits << _ONE) & ~_LEFT
    if dy > 0:
        return bits >> _EIGHT
    return bits << _EIGHT if dy < 0 else bits


@inline
def neighbours_within(bits, directions):
    """For each direction, the pixels of a tile whose neighbour there is one of `bits`, in the same tile.

    `directions` are those of :func:`neighbours_in`.
    """
    right, left = moved(bits, 0, 1), moved(bits, 0, -1)
    below, above = moved(bits, 1, 0), moved(bits, -1, 0)
    if len(directions) == 4:
        return right, left, below, above
    below_right, above_left = moved(bits, 1, 1), moved(bits, -1, -1)
    below_left, above_right = moved(bits, 1, -1), moved(bits, -1, 1)
    return right, left, below, above, below_right, above_left, below_left, above_right


@inline
def at_left(bits):
    """Those of `bits` in the first column, as neighbours of the tile on the left: put into the last column."""
    return (bits << _SEVEN) & _RIGHT


@inline
def at_right(bits):
    """Those of `bits` in the last column, as neighbours of the tile on the right: put into the first column."""
    return (bits >> _SEVEN) & _LEFT


@inline
def at_top(bits):
    """Those of `bits` in the first row, as neighbours of the tile above: put into the last row."""
    return bits << _LAST_ROW


@inline
def at_bottom(bits):
    """Those of `bits` in the last row, as neighbours of the tile below: put into the first row."""
    return bits >> _LAST_ROW
