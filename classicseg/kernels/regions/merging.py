"""Merging of neighbouring regions under any predicate, with their statistics kept up to date.

Pairs of touching pixels are visited in a fixed order: tile by tile, then along the seams within groups of tiles, then
along those between groups, exactly as :mod:`.range_image` does.

An *edge* is a pair of regions that touch.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from classicseg.kernels.regions.predicates import holds
from classicseg.kernels.regions.range_tile import BUCKETS, GROUP, GROUP_LEVEL, step_of
from classicseg.kernels.regions.statistics import add_row, copy_row
from classicseg.kernels.regions.tiles import tile_corner, tile_grid, tile_level
from classicseg.kernels.regions.unions import find
from classicseg.machine.jit import inline, kernel

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


class Regions(NamedTuple):
    """Regions while they are merged."""

    parent: np.ndarray
    """(regions,) int32: union-find."""
    rows: np.ndarray
    """(regions, row size) float64, see :mod:`.statistics`; right for roots."""
    n_channels: int
    log: np.ndarray
    """(regions, 2) int32: who was joined by whom, in order; or (0, 2) if nobody asks."""
    n_log: np.ndarray
    """(1,) int64: entries of the log."""


@inline
def mean_distance(rows, a, b, n_channels):
    """Euclidean distance of the means, over `n_channels` channels, of the regions of rows `a` and `b` of `rows`."""
    total = 0.0
    for c in range(n_channels):
        gap = np.float32(rows[a, 1 + c] / rows[a, 0]) - np.float32(rows[b, 1 + c] / rows[b, 0])
        if n_channels == 1:
            return float(abs(gap))
        total += gap * gap
    return math.sqrt(total)


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
    `offsets` are those of :class:`Pixels`, `parent` is that of :class:`Regions`.
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
def _gather(labels, parent, volume, task, offsets, scope, edges, keep):
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


@inline
def _sorted(rows, edges, n, scale, n_channels):
    """Order of the first `n` of `edges` by the difference of the means of their regions, in steps.

    A step is the difference times `scale`; edges of the same step stay in order. `rows` and `n_channels` are those of
    :class:`Regions`.
    """
    steps, starts, order = np.empty(n, np.uint8), np.zeros(BUCKETS + 1, np.int64), np.empty(n, np.int64)
    for e in range(n):
        distance = mean_distance(rows, edges[e, 0], edges[e, 1], n_channels)
        steps[e] = step_of(np.float32(distance), scale)
        starts[steps[e] + 1] += 1
    for step in range(BUCKETS):
        starts[step + 1] += starts[step]
    for e in range(n):
        order[starts[steps[e]]] = e
        starts[steps[e]] += 1
    return order


@inline
def join(parent, rows, a, b, log, n_log, n_channels):
    """Make the roots `a` and `b` one, and note who joined whom if there is a log.

    `parent`, `rows`, `log`, `n_log` and `n_channels` are those of :class:`Regions`.
    """
    root, other = min(a, b), max(a, b)
    parent[other] = root
    add_row(rows, root, rows, other, n_channels)
    if log.shape[0] > 0:
        log[n_log[0], 0], log[n_log[0], 1] = root, other
        n_log[0] += 1


@inline
def _may_join(predicate, rows, a, b, scratch, part_rows, n_channels):
    """Whether the regions `a` and `b` of `rows`, of `n_channels` channels, may become one under a `predicate`.

    Row 0 of `scratch` gets their union, rows 1 and 2, which `part_rows` names, the two.
    """
    copy_row(scratch, 0, rows, a)
    add_row(scratch, 0, rows, b, n_channels)
    copy_row(scratch, 1, rows, a)
    copy_row(scratch, 2, rows, b)
    return holds(predicate, scratch, part_rows, 2, 0, n_channels)


@kernel
def merge_pass(pixels, scope, first, last, scale, predicate, regions):
    """Try every edge of some tasks once: task by task, within each in the order of the difference of means.

    Parameters
    ----------
    pixels : Pixels
    scope : int
        Which pairs of pixels: :data:`WITHIN_TILES`, whose tasks are tiles, :data:`WITHIN_GROUPS`, whose tasks are
        groups, or :data:`BETWEEN_GROUPS` or :data:`EVERYWHERE` with a single task.
    first, last : int
        The tasks are `first` to `last` - 1.
    scale : float32
        Factor from a difference of means to a step of the order.
    predicate : Predicate
        Decides whether two regions become one.
    regions : Regions
        Merged in place.

    Returns
    -------
    int
        How many merges there were.
    """
    labels, volume, offsets = pixels
    parent, rows, n_channels, log, n_log = regions
    scratch, part_rows = np.empty((3, rows.shape[1]), np.float64), np.array([1, 2])
    nothing = np.empty((1, 2), np.int32)
    n_merges = 0
    for task in range(first, last):
        capacity = _gather(labels, parent, volume, task, offsets, scope, nothing, False)
        edges = np.empty((capacity, 2), np.int32)
        n = _gather(labels, parent, volume, task, offsets, scope, edges, True)
        order = _sorted(rows, edges, n, scale, n_channels)
        for i in range(n):
            a, b = find(parent, np.int64(edges[order[i], 0])), find(parent, np.int64(edges[order[i], 1]))
            if a != b and _may_join(predicate, rows, a, b, scratch, part_rows, n_channels):
                join(parent, rows, a, b, log, n_log, n_channels)
                n_merges += 1
    return n_merges


@inline
def _sift_down(keys, edge_of, n, at):
    """Restore the heap of the first `n` of `keys`, each of the edge in `edge_of`, below the place `at`."""
    while 2 * at + 1 < n:
        child = 2 * at + 1
        if child + 1 < n and (
            keys[child + 1] < keys[child] or (keys[child + 1] == keys[child] and edge_of[child + 1] < edge_of[child])
        ):
            child += 1
        if keys[at] < keys[child] or (keys[at] == keys[child] and edge_of[at] < edge_of[child]):
            return
        keys[child], keys[at] = keys[at], keys[child]
        edge_of[child], edge_of[at] = edge_of[at], edge_of[child]
        at = child


@inline
def _cost(rows, a, b, n_channels):
    """By how much the sum of squared deviations from region means rises if `a` and `b` become one (Ward 1963).

    They are rows of `rows`, of `n_channels` channels.
    """
    distance = mean_distance(rows, a, b, n_channels)
    return rows[a, 0] * rows[b, 0] / (rows[a, 0] + rows[b, 0]) * distance * distance


@kernel
def merge_best_first(pixels, predicate, regions):
    """Always merge the edge of the lowest cost next.

    The cost of an edge is computed anew when its turn comes: if it has risen, the edge waits again.

    Parameters
    ----------
    pixels : Pixels
    predicate : Predicate
        Decides whether two regions become one.
    regions : Regions
        Merged in place.

    Returns
    -------
    int
        How many merges there were.
    """
    labels, volume, offsets = pixels
    parent, rows, n_channels, log, n_log = regions
    scratch, part_rows = np.empty((3, rows.shape[1]), np.float64), np.array([1, 2])
    capacity = _gather(labels, parent, volume, 0, offsets, EVERYWHERE, np.empty((1, 2), np.int32), False)
    edges = np.empty((capacity, 2), np.int32)
    n = _gather(labels, parent, volume, 0, offsets, EVERYWHERE, edges, True)
    keys, edge_of = np.empty(n, np.float64), np.arange(n)
    for e in range(n):
        keys[e] = _cost(rows, edges[e, 0], edges[e, 1], n_channels)
    for at in range(n // 2, -1, -1):
        _sift_down(keys, edge_of, n, at)
    n_merges = 0
    while n > 0:
        e = edge_of[0]
        a, b = find(parent, np.int64(edges[e, 0])), find(parent, np.int64(edges[e, 1]))
        renewed = _cost(rows, a, b, n_channels) if a != b else 0.0
        if a != b and renewed > keys[0]:
            keys[0] = renewed
            _sift_down(keys, edge_of, n, 0)
            continue
        n -= 1
        keys[0], edge_of[0] = keys[n], edge_of[n]
        _sift_down(keys, edge_of, n, 0)
        if a != b and _may_join(predicate, rows, a, b, scratch, part_rows, n_channels):
            join(parent, rows, a, b, log, n_log, n_channels)
            n_merges += 1
    return n_merges


@kernel
def absorb_small(pixels, min_area, regions):
    """Let small regions join the neighbour of the nearest mean.

    Edges are tried in the order of their difference until nothing changes; a region without neighbours stays.

    Parameters
    ----------
    pixels : Pixels
    min_area : float
        Regions of fewer pixels than this are small.
    regions : Regions
        Merged in place.
    """
    labels, volume, offsets = pixels
    parent, rows, n_channels, log, n_log = regions
    while True:
        capacity = _gather(labels, parent, volume, 0, offsets, EVERYWHERE, np.empty((1, 2), np.int32), False)
        edges, n = np.empty((capacity, 2), np.int32), 0
        found = _gather(labels, parent, volume, 0, offsets, EVERYWHERE, edges, True)
        for e in range(found):  # only those with a small region
            if min(rows[edges[e, 0], 0], rows[edges[e, 1], 0]) < min_area:
                edges[n, 0], edges[n, 1] = edges[e, 0], edges[e, 1]
                n += 1
        keys = np.empty(n, np.float64)
        for e in range(n):
            keys[e] = mean_distance(rows, edges[e, 0], edges[e, 1], n_channels)
        order = np.argsort(keys, kind="mergesort")
        changed = False
        for i in range(n):
            a, b = find(parent, np.int64(edges[order[i], 0])), find(parent, np.int64(edges[order[i], 1]))
            if a != b and min(rows[a, 0], rows[b, 0]) < min_area:
                join(parent, rows, a, b, log, n_log, n_channels)
                changed = True
        if not changed:
            return


@kernel
def number_regions(labels, parent, numbers):
    """Number the regions from 1 in the order of their first leaf.

    Parameters
    ----------
    labels : (D, H, W) int32
        Leaf of each pixel, -1 outside the mask; becomes the number of its region, 0 outside.
    parent : (leaves,) int32
        Union-find of the leaves.
    numbers : (leaves,) int32
        Work space: the number of each leaf's region.

    Returns
    -------
    int
        How many regions there are.
    """
    n_regions = 0
    for leaf in range(parent.size):
        root = find(parent, np.int64(leaf))
        if root == leaf:
            n_regions += 1
            numbers[leaf] = n_regions
        else:
            numbers[leaf] = numbers[root]
    flat = labels.reshape(-1)
    for i in range(flat.size):
        flat[i] = numbers[flat[i]] if flat[i] >= 0 else 0
    return n_regions
