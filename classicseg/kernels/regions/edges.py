"""Edges, pairs of regions that touch, in the order in which merging visits them.

Pairs of touching pixels come tile by tile, then along the seams within groups of tiles, then along those between
groups, exactly as in :mod:`.range_image`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.regions.range_tile import GROUP, GROUP_LEVEL
from classicseg.kernels.regions.tiles import tile_corner, tile_grid, tile_level
from classicseg.kernels.regions.unions import find
from classicseg.machine.jit import inline

WITHIN_TILES, WITHIN_GROUPS, BETWEEN_GROUPS, EVERYWHERE = range(4)
"""Which pairs of pixels a pass looks at."""


class Pixels(NamedTuple):
    """Where the regions lie."""

    labels: np.ndarray
    """(D, H, W) int32: first region of each pixel, -1 outside the mask."""
    volume: bool
    """Whether there are three spatial axes."""
    offsets: np.ndarray
    """(k, 3) int64: steps (z, y, x) from a pixel to half of its neighbours, so that each pair comes once."""


@inline
def _wanted(scope, at, to, level):
    """Whether the pixels `at` and `to` are a pair that a pass of this `scope` looks at; `level` is that of tiles."""
    if scope == EVERYWHERE:
        return True
    apart = (
        (at[0] >> level != to[0] >> level) or (at[1] >> level != to[1] >> level) or (at[2] >> level != to[2] >> level)
    )
    if scope == WITHIN_TILES:
        return not apart
    level += GROUP_LEVEL
    far = (at[0] >> level != to[0] >> level) or (at[1] >> level != to[1] >> level) or (at[2] >> level != to[2] >> level)
    return apart and far == (scope == BETWEEN_GROUPS)


@inline
def _note(labels, parent, at, to, edges, n, keep):
    """Count the edge between the pixels `at` and `to`; returns `n` or `n` + 1.

    With `keep` it is written into `edges`, unless it is the same as the last one. `labels` and `parent` say which
    regions the pixels lie in.
    """
    a, b = labels[at[0], at[1], at[2]], labels[to[0], to[1], to[2]]
    if a < 0 or b < 0:
        return n
    a, b = find(parent, np.int64(a)), find(parent, np.int64(b))
    if a == b:
        return n
    if keep:
        if n > 0 and edges[n - 1, 0] == a and edges[n - 1, 1] == b:
            return n
        edges[n, 0], edges[n, 1] = a, b
    return n + 1


@inline
def _gather_in_tile(labels, parent, volume, tile, offsets, scope, edges, n, keep):
    """Edges that start in a `tile`: within it cell by cell, along its border offset by offset.

    `scope` says which; `edges`, `n` and `keep` are those of :func:`_note`; returns the new `n`. `labels`, `volume` and
    `offsets` are those of :class:`Pixels`, `parent` is that of :class:`~.merging.Regions`.
    """
    z0, y0, x0 = tile_corner(tile, labels.shape, volume)
    level = tile_level(volume)
    side = 1 << level
    z1, y1, x1 = min(z0 + side, labels.shape[0]), min(y0 + side, labels.shape[1]), min(x0 + side, labels.shape[2])
    if scope == WITHIN_TILES:
        for z in range(z0, z1, 2):
            for y in range(y0, y1, 2):
                for x in range(x0, x1, 2):
                    for k in range(offsets.shape[0]):
                        for v in range(z, min(z + 2, z1)):
                            for u in range(y, min(y + 2, y1)):
                                for t in range(x, min(x + 2, x1)):
                                    to = (v + offsets[k, 0], u + offsets[k, 1], t + offsets[k, 2])
                                    if z0 <= to[0] < z1 and y0 <= to[1] < y1 and x0 <= to[2] < x1:
                                        n = _note(labels, parent, (v, u, t), to, edges, n, keep)
        return n
    shape = labels.shape
    for k in range(offsets.shape[0]):
        for z in range(z0, z1):
            for y in range(y0, y1):
                for x in range(x0, x1):
                    to = (z + offsets[k, 0], y + offsets[k, 1], x + offsets[k, 2])
                    inside = 0 <= to[0] < shape[0] and 0 <= to[1] < shape[1] and 0 <= to[2] < shape[2]
                    if inside and _wanted(scope, (z, y, x), to, level):
                        n = _note(labels, parent, (z, y, x), to, edges, n, keep)
    return n


@inline
def _group_ends(group, shape, volume):
    """First tile and last tile + 1 of a `group` along each axis of an image of this `shape`, or of a `volume`."""
    deep, down, across = tile_grid(shape, volume)
    groups_down, groups_across = (down + GROUP - 1) // GROUP, (across + GROUP - 1) // GROUP
    z = group // (groups_down * groups_across) * GROUP
    y, x = group // groups_across % groups_down * GROUP, group % groups_across * GROUP
    return z, min(z + GROUP, deep), y, min(y + GROUP, down), x, min(x + GROUP, across)


@inline
def gather(labels, parent, volume, task, offsets, scope, edges, keep):
    """Edges of one `task` of a pass of this `scope`: of one tile, of one group, or of all tiles; returns how many.

    `labels`, `parent`, `volume`, `offsets`, `edges` and `keep` are those of :func:`_gather_in_tile`.
    """
    n = 0
    deep, down, across = tile_grid(labels.shape, volume)
    z0, z1, y0, y1, x0, x1 = 0, deep, 0, down, 0, across
    if scope == WITHIN_TILES:
        z0, y0, x0 = task // (down * across), task // across % down, task % across
        z1, y1, x1 = z0 + 1, y0 + 1, x0 + 1
    elif scope == WITHIN_GROUPS:
        z0, z1, y0, y1, x0, x1 = _group_ends(task, labels.shape, volume)
    for z in range(z0, z1):
        for y in range(y0, y1):
            for x in range(x0, x1):
                tile = (z * down + y) * across + x
                n = _gather_in_tile(labels, parent, volume, tile, offsets, scope, edges, n, keep)
    return n
