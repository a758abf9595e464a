"""Sets of pixels of an image as bits: 64 in a word, a tile of 8 x 8 pixels; bit ``8 y + x``.

All sets lie in the same tiles, row after row. Above, below and after each row are tiles that hold no pixel, so that the
tile beside another one is always there to be read.
"""

from __future__ import annotations

import numpy as np

from classicseg.machine.jit import inline

SIDE = 8

_LEFT = np.uint64(0x0101010101010101)  # the pixels of a tile whose neighbours to the left are in the next one
_RIGHT = np.uint64(0x8080808080808080)
TOP, BOTTOM = np.uint64(0xFF), np.uint64(0xFF << 56)
_ONE, _SEVEN, _EIGHT, _LAST_ROW = np.uint64(1), np.uint64(7), np.uint64(8), np.uint64(56)


@inline
def _beside(plane, t, dx):
    """Pixels of tile t whose neighbour at distance dx in their row is in the set."""
    if dx > 0:
        return ((plane[t] >> _ONE) & ~_RIGHT) | (plane[t + 1] << _SEVEN) & _RIGHT
    if dx < 0:
        return ((plane[t] << _ONE) & ~_LEFT) | (plane[t - 1] >> _SEVEN) & _LEFT
    return plane[t]


@inline
def _near(plane, t, row, dy, dx):
    """Pixels of tile t whose neighbour at a distance of dy rows and dx columns is in the set."""
    if dy > 0:
        return (_beside(plane, t, dx) >> _EIGHT) | (_beside(plane, t + row, dx) << _LAST_ROW)
    if dy < 0:
        return (_beside(plane, t, dx) << _EIGHT) | (_beside(plane, t - row, dx) >> _LAST_ROW)
    return _beside(plane, t, dx)


@inline
def neighbours_in(plane, t, row, pairs):
    """For each direction the pixels of tile t whose neighbour there is in a set.

    Directions are those of :func:`classicseg.energies.grid.directions`, each followed by its opposite.
    """
    right, left = _near(plane, t, row, 0, 1), _near(plane, t, row, 0, -1)
    below, above = _near(plane, t, row, 1, 0), _near(plane, t, row, -1, 0)
    if len(pairs) == 4:
        return right, left, below, above
    below_right, above_left = _near(plane, t, row, 1, 1), _near(plane, t, row, -1, -1)
    below_left, above_right = _near(plane, t, row, 1, -1), _near(plane, t, row, -1, 1)
    return right, left, below, above, below_right, above_left, below_left, above_right


@inline
def moved(bits, dy, dx):
    """Pixels of a tile whose neighbour at a distance of dy rows and dx columns is one of `bits`, in the same tile."""
    if dx > 0:
        bits = (bits >> _ONE) & ~_RIGHT
    elif dx < 0:
        bits = (bits << _ONE) & ~_LEFT
    if dy > 0:
        return bits >> _EIGHT
    return bits << _EIGHT if dy < 0 else bits


@inline
def neighbours_within(bits, pairs):
    """For each direction the pixels of a tile whose neighbour there is one of `bits`, in the same tile."""
    right, left = moved(bits, 0, 1), moved(bits, 0, -1)
    below, above = moved(bits, 1, 0), moved(bits, -1, 0)
    if len(pairs) == 4:
        return right, left, below, above
    below_right, above_left = moved(bits, 1, 1), moved(bits, -1, -1)
    below_left, above_right = moved(bits, 1, -1), moved(bits, -1, 1)
    return right, left, below, above, below_right, above_left, below_left, above_right


@inline
def at_left(bits):
    """The first column of a tile, where it lies for the tile on its left: on its last column, to be moved by a row."""
    return (bits << _SEVEN) & _RIGHT


@inline
def at_right(bits):
    """The last column of a tile, on the first of the tile on its right."""
    return (bits >> _SEVEN) & _LEFT


@inline
def at_top(bits):
    """The first row of a tile, on the last of the tile above."""
    return bits << _LAST_ROW


@inline
def at_bottom(bits):
    """The last row of a tile, on the first of the tile below."""
    return bits >> _LAST_ROW
