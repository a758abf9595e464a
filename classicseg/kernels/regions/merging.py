"""Merging of neighbouring regions under any predicate, with their statistics kept up to date.

An *edge* is a pair of regions that touch; :mod:`.edges` lists them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from classicseg.kernels.regions.edges import EVERYWHERE, gather
from classicseg.kernels.regions.predicates import holds
from classicseg.kernels.regions.range_tile import BUCKETS, step_of
from classicseg.kernels.regions.statistics import add_row, write_union
from classicseg.kernels.regions.unions import find
from classicseg.machine.jit import inline, kernel


class Regions(NamedTuple):
    """Regions while they are merged."""

    parent: np.ndarray
    """(regions,) int32: union-find."""
    rows: np.ndarray
    """(regions, row size) float64, see :mod:`.statistics`; right for roots."""
    origin: np.ndarray
    """(C,) float64: about where the values lie, so that differences of means keep their digits in float32."""
    log: np.ndarray
    """(regions, 2) int32: who was joined by whom, in order; or (0, 2) if nobody asks."""
    n_log: np.ndarray
    """(1,) int64: entries of the log."""


@inline
def _mean_of(rows, r, c, origin):
    """How far the mean of row `r` of `rows` lies above the `origin`, in channel `c`; rounded as :mod:`.range_image`."""
    n_channels = origin.size
    total = rows[r, 1 + c] * rows[r, 0] + rows[r, 1 + n_channels + c]
    return np.float32(total / rows[r, 0] - origin[c])


@inline
def mean_distance(rows, a, b, origin):
    """Euclidean distance of the means of the regions of rows `a` and `b` of `rows`; `origin`: of :class:`Regions`."""
    if origin.size == 1:
        return np.float64(abs(_mean_of(rows, a, 0, origin) - _mean_of(rows, b, 0, origin)))
    total = 0.0
    for c in range(origin.size):
        gap = np.float64(_mean_of(rows, a, c, origin) - _mean_of(rows, b, c, origin))
        total += gap * gap
    return math.sqrt(total)


@inline
def _sorted(rows, edges, n, scale, origin):
    """Order of the first `n` of `edges` by the difference of the means of their regions, in steps.

    A step is the difference times `scale`; edges of the same step stay in order. `rows` and `origin` are those of
    :class:`Regions`.
    """
    steps, starts, order = np.empty(n, np.uint8), np.zeros(BUCKETS + 1, np.int64), np.empty(n, np.int64)
    for e in range(n):
        distance = mean_distance(rows, edges[e, 0], edges[e, 1], origin)
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

    `parent`, `rows`, `log` and `n_log` are those of :class:`Regions`; the rows have `n_channels` channels.
    """
    root, other = min(a, b), max(a, b)
    parent[other] = root
    add_row(rows, root, rows, other, n_channels)
    if log.shape[0] > 0:
        log[n_log[0], 0], log[n_log[0], 1] = root, other
        n_log[0] += 1


@inline
def _may_join(predicate, rows, a, b, union, ends, n_channels):
    """Whether the regions `a` and `b` of `rows`, of `n_channels` channels, may become one under a `predicate`.

    Row 0 of `union` gets their union, `ends` (2,) their numbers.
    """
    write_union(union, 0, rows, a, b, n_channels)
    ends[0], ends[1] = a, b
    return holds(predicate, rows, ends, 2, union, 0, n_channels)


@kernel
def merge_pass(pixels, scope, first, last, scale, predicate, regions):
    """Try every edge of some tasks once: task by task, within each in the order of the difference of means.

    Parameters
    ----------
    pixels : Pixels
    scope : int
        Which pairs of pixels: :data:`~.edges.WITHIN_TILES`, whose tasks are tiles, :data:`~.edges.WITHIN_GROUPS`, whose
        tasks are groups, or :data:`~.edges.BETWEEN_GROUPS` or :data:`~.edges.EVERYWHERE` with a single task.
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
    parent, rows, origin, log, n_log = regions
    n_channels = origin.size
    union, ends = np.empty((1, rows.shape[1]), np.float64), np.empty(2, np.int64)
    nothing = np.empty((1, 2), np.int32)
    n_merges = 0
    for task in range(first, last):
        capacity = gather(labels, parent, volume, task, offsets, scope, nothing, False)
        edges = np.empty((capacity, 2), np.int32)
        n = gather(labels, parent, volume, task, offsets, scope, edges, True)
        order = _sorted(rows, edges, n, scale, origin)
        for i in range(n):
            a, b = find(parent, np.int64(edges[order[i], 0])), find(parent, np.int64(edges[order[i], 1]))
            if a != b and _may_join(predicate, rows, a, b, union, ends, n_channels):
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
def _cost(rows, a, b, origin):
    """By how much the sum of squared deviations from region means rises if `a` and `b` become one (Ward 1963).

    They are rows of `rows`; `origin` is that of :class:`Regions`.
    """
    distance = mean_distance(rows, a, b, origin)
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
    parent, rows, origin, log, n_log = regions
    n_channels = origin.size
    union, ends = np.empty((1, rows.shape[1]), np.float64), np.empty(2, np.int64)
    capacity = gather(labels, parent, volume, 0, offsets, EVERYWHERE, np.empty((1, 2), np.int32), False)
    edges = np.empty((capacity, 2), np.int32)
    n = gather(labels, parent, volume, 0, offsets, EVERYWHERE, edges, True)
    keys, edge_of = np.empty(n, np.float64), np.arange(n)
    for e in range(n):
        keys[e] = _cost(rows, edges[e, 0], edges[e, 1], origin)
    for at in range(n // 2, -1, -1):
        _sift_down(keys, edge_of, n, at)
    n_merges = 0
    while n > 0:
        e = edge_of[0]
        a, b = find(parent, np.int64(edges[e, 0])), find(parent, np.int64(edges[e, 1]))
        renewed = _cost(rows, a, b, origin) if a != b else 0.0
        if a != b and renewed > keys[0]:
            keys[0] = renewed
            _sift_down(keys, edge_of, n, 0)
            continue
        n -= 1
        keys[0], edge_of[0] = keys[n], edge_of[n]
        _sift_down(keys, edge_of, n, 0)
        if a != b and _may_join(predicate, rows, a, b, union, ends, n_channels):
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
    parent, rows, origin, log, n_log = regions
    n_channels = origin.size
    while True:
        capacity = gather(labels, parent, volume, 0, offsets, EVERYWHERE, np.empty((1, 2), np.int32), False)
        edges, n = np.empty((capacity, 2), np.int32), 0
        found = gather(labels, parent, volume, 0, offsets, EVERYWHERE, edges, True)
        for e in range(found):  # only those with a small region
            if min(rows[edges[e, 0], 0], rows[edges[e, 1], 0]) < min_area:
                edges[n, 0], edges[n, 1] = edges[e, 0], edges[e, 1]
                n += 1
        keys = np.empty(n, np.float64)
        for e in range(n):
            keys[e] = mean_distance(rows, edges[e, 0], edges[e, 1], origin)
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
