"""Sets of pixels of an image as bits: 64 in a word, a tile of 8 x 8 pixels; bit ``8 y + x``.

All sets lie in the same tiles, row after row. Above, below and after each row are tiles that hold no pixel, so that the
tile beside another one is always there to be read.
"""

from __future__ import annotations

import numpy as np

from classicseg._jit import inline
from classicseg.kernels.bits import NONE

SIDE = 8

_LEFT = np.uint64(0x0101010101010101)  # the pixels of a tile whose neighbours to the left are in the next one
_RIGHT = np.uint64(0x8080808080808080)
_TOP = np.uint64(0xFF)
_BOTTOM = np.uint64(0xFF << 56)
_ONE, _SEVEN, _EIGHT, _LAST_ROW = np.uint64(1), np.uint64(7), np.uint64(8), np.uint64(56)


@inline
def _beside(plane, t, dx):  # type: ignore[no-untyped-def]
    """Pixels of tile t whose neighbour at distance dx in their row is in the set."""
    if dx > 0:
        return ((plane[t] >> _ONE) & ~_RIGHT) | (plane[t + 1] << _SEVEN) & _RIGHT
    if dx < 0:
        return ((plane[t] << _ONE) & ~_LEFT) | (plane[t - 1] >> _SEVEN) & _LEFT
    return plane[t]


@inline
def _near(plane, t, row, dy, dx):  # type: ignore[no-untyped-def]
    """Pixels of tile t whose neighbour at a distance of dy rows and dx columns is in the set."""
    if dy > 0:
        return (_beside(plane, t, dx) >> _EIGHT) | (_beside(plane, t + row, dx) << _LAST_ROW)
    if dy < 0:
        return (_beside(plane, t, dx) << _EIGHT) | (_beside(plane, t - row, dx) >> _LAST_ROW)
    return _beside(plane, t, dx)


@inline
def neighbours_in(plane, t, row, pairs):  # type: ignore[no-untyped-def]
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
def note(tiles, n, stamps, stamp, t, wanted):  # type: ignore[no-untyped-def]
    """Append a tile to a list if it is wanted and not there; returns the length. Without a branch, which would fail."""
    new = wanted and stamps[t] != stamp
    tiles[n] = np.int32(t)
    stamps[t] = stamp if new else stamps[t]
    return n + new


@inline
def note_around(tiles, n, stamps, stamp, t, bits, row, pairs):  # type: ignore[no-untyped-def]
    """Append the tiles that hold neighbours of some pixels of tile t; returns the length of the list."""
    left, right, top, bottom = bits & _LEFT, bits & _RIGHT, bits & _TOP, bits & _BOTTOM
    n = note(tiles, n, stamps, stamp, t, True)
    n = note(tiles, n, stamps, stamp, t - 1, left != NONE)
    n = note(tiles, n, stamps, stamp, t + 1, right != NONE)
    n = note(tiles, n, stamps, stamp, t - row, top != NONE)
    n = note(tiles, n, stamps, stamp, t + row, bottom != NONE)
    if len(pairs) == 8:
        n = note(tiles, n, stamps, stamp, t - row - 1, left & top != NONE)
        n = note(tiles, n, stamps, stamp, t - row + 1, right & top != NONE)
        n = note(tiles, n, stamps, stamp, t + row - 1, left & bottom != NONE)
        n = note(tiles, n, stamps, stamp, t + row + 1, right & bottom != NONE)
    return n
