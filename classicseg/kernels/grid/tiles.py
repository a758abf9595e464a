"""Sets of pixels as bits: 64 in a word, a tile of 8 x 8 pixels of one slice; bit ``8 y + x``.

All sets of a grid lie in the same tiles, row after row and slice after slice. After each row comes a tile that holds
no pixel, and after each slice a row of them, so that the tile beside another one is always there to be read.
"""

from __future__ import annotations

import numpy as np

from classicseg._jit import inline

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
def neighbours_in(plane, t, row, sheet, pairs):  # type: ignore[no-untyped-def]
    """For each direction the pixels of tile t whose neighbour there is in a set.

    Directions are those of :func:`classicseg.energies.grid.directions`, each followed by its opposite.
    """
    right, left = _near(plane, t, row, 0, 1), _near(plane, t, row, 0, -1)
    if len(pairs) == 2:
        return right, left
    below, above = _near(plane, t, row, 1, 0), _near(plane, t, row, -1, 0)
    if len(pairs) == 4:
        return right, left, below, above
    if len(pairs) == 8:
        return (right, left, below, above) + _diagonal(plane, t, row)
    behind, before = t + sheet, t - sheet
    straight = (right, left, below, above, plane[behind], plane[before])
    if len(pairs) == 6:
        return straight
    within = straight + _diagonal(plane, t, row) + _across(plane, behind, before, row)
    if len(pairs) == 18:
        return within
    return within + (
        _near(plane, behind, row, 1, 1), _near(plane, before, row, -1, -1),
        _near(plane, behind, row, 1, -1), _near(plane, before, row, -1, 1),
        _near(plane, behind, row, -1, 1), _near(plane, before, row, 1, -1),
        _near(plane, behind, row, -1, -1), _near(plane, before, row, 1, 1),
    )  # fmt: skip


@inline
def _diagonal(plane, t, row):  # type: ignore[no-untyped-def]
    return (
        _near(plane, t, row, 1, 1), _near(plane, t, row, -1, -1),
        _near(plane, t, row, 1, -1), _near(plane, t, row, -1, 1),
    )  # fmt: skip


@inline
def _across(plane, behind, before, row):  # type: ignore[no-untyped-def]
    return (
        _near(plane, behind, row, 0, 1), _near(plane, before, row, 0, -1),
        _near(plane, behind, row, 0, -1), _near(plane, before, row, 0, 1),
        _near(plane, behind, row, 1, 0), _near(plane, before, row, -1, 0),
        _near(plane, behind, row, -1, 0), _near(plane, before, row, 1, 0),
    )  # fmt: skip


@inline
def note(tiles, n, stamps, stamp, t, wanted):  # type: ignore[no-untyped-def]
    """Append a tile to a list if it is wanted and not there; returns the length. Without a branch, which would fail."""
    new = wanted and stamps[t] != stamp
    tiles[n] = np.int32(t)
    stamps[t] = stamp if new else stamps[t]
    return n + new


@inline
def note_around(tiles, n, stamps, stamp, t, bits, row, sheet, pairs):  # type: ignore[no-untyped-def]
    """Append the tiles that hold neighbours of some pixels of tile t; returns the length of the list."""
    n = _note_in_slice(tiles, n, stamps, stamp, t, bits, row, len(pairs) > 6)
    if len(pairs) == 6:
        n = note(tiles, n, stamps, stamp, t - sheet, True)
        n = note(tiles, n, stamps, stamp, t + sheet, True)
    elif len(pairs) > 8:
        n = _note_in_slice(tiles, n, stamps, stamp, t - sheet, bits, row, len(pairs) > 18)
        n = _note_in_slice(tiles, n, stamps, stamp, t + sheet, bits, row, len(pairs) > 18)
    return n


@inline
def _note_in_slice(tiles, n, stamps, stamp, t, bits, row, corners):  # type: ignore[no-untyped-def]
    left, right, top, bottom = bits & _LEFT, bits & _RIGHT, bits & _TOP, bits & _BOTTOM
    n = note(tiles, n, stamps, stamp, t, True)
    n = note(tiles, n, stamps, stamp, t - 1, left != 0)
    n = note(tiles, n, stamps, stamp, t + 1, right != 0)
    n = note(tiles, n, stamps, stamp, t - row, top != 0)
    n = note(tiles, n, stamps, stamp, t + row, bottom != 0)
    if corners:
        n = note(tiles, n, stamps, stamp, t - row - 1, left & top != 0)
        n = note(tiles, n, stamps, stamp, t - row + 1, right & top != 0)
        n = note(tiles, n, stamps, stamp, t + row - 1, left & bottom != 0)
        n = note(tiles, n, stamps, stamp, t + row + 1, right & bottom != 0)
    return n
