"""Unary costs of blocks of points: stored for every point, or on a smaller grid and interpolated as they are asked for.

The grid is interpolated linearly along each axis. Its costs lie as rows, one row for all labels of a grid point, so
that a point sums the rows around it as it sums those of lattice vertices. A *line* is a run of points along the last
axis. The grid lines around it are blended into one as soon as a line begins; a point then takes the two entries of the
blend around it. With a grid a few times smaller than the points, the blends take little beside the points.

In all functions

* `stretch` is a :class:`Stretch`, or None where costs are stored for every point,
* `unary` is a :class:`Unary`, and `sign` its sign,
* `n` is the number of all points, `at` the first of a block of 16, and `n_labels` how many labels there are,
* `block` holds the rows of the points, (n_panels * 16 * len(lanes),) float32, panel after panel,
* `line` and `held` are those of :func:`new_line`, and `layout` is a :class:`RowLayout`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.dense.planes import add_block, new_planes, read_block, to_labels, write_block
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, claim
from classicseg.machine.simd import PIXELS, axpy, fill, item, load_row, pointer, store_row
from classicseg.machine.transpose import planes_to_rows, rows_to_planes

_TASK = 64 * PIXELS  # points


class Stretch(NamedTuple):
    """Costs on a small grid, and where among them each point of a large one lies."""

    rows: np.ndarray  # (n_panels * n_small * len(lanes),) float32: row array, a row for each point of the small grid
    shape: np.ndarray  # (d,) int64: spatial shape of the points
    small: np.ndarray  # (d,) int64: that of the small grid
    first: np.ndarray  # (d,) int64: where in `below` and `share` each axis begins
    below: np.ndarray  # (sum of shape,) int64: for each coordinate on each axis, the grid coordinate at or below it
    share: np.ndarray  # (sum of shape,) float32: weight of the grid coordinate above, 1 minus that of the one below


class Unary(NamedTuple):
    """Costs, or logits, of all labels at `n` points, stored for each of them or stretched."""

    sign: np.float32  # -1 if the values are costs, 1 if they are logits
    n: int
    values: np.ndarray  # (n_channels * n,) float32, one channel after the other; empty where they are stretched
    stretch: Stretch | None


@inline
def new_line(stretch, layout):
    """Work space of :func:`add_unary` for the blend of a line, and which line it holds, (1,) int64."""
    if stretch is None:
        return np.empty(0, np.float32), np.empty(0, np.int64)
    # One entry more than a line has: the last point asks for it, with weight 0.
    size = layout.n_panels * len(layout.lanes) * (stretch.small[stretch.small.size - 1] + 1)
    return np.zeros(size, np.float32), np.full(1, -1, np.int64)


@inline
def _corner_of(stretch, number, corner, n_axes):
    """A grid point around point `number` of the first `n_axes` axes, and its weight.

    Bit a of `corner` says whether it is the one below or above on axis a.
    """
    step, at, weight = 1, 0, np.float32(1.0)
    for axis in range(n_axes - 1, -1, -1):
        place = stretch.first[axis] + number % stretch.shape[axis]
        number //= stretch.shape[axis]
        below, share = stretch.below[place], stretch.share[place]
        if (corner >> axis) & 1:
            weight *= share
            below = min(below + 1, stretch.small[axis] - 1)
        else:
            weight *= np.float32(1.0) - share
        at += below * step
        step *= stretch.small[axis]
    return at, weight


@inline
def _blend(stretch, sign, number, line, layout):
    """Fill `line` with `sign` times the blend of the grid lines around line `number` of the points."""
    lanes, last = layout.lanes, stretch.shape.size - 1
    width, n_small = stretch.small[last], stretch.rows.size // (layout.n_panels * len(lanes))
    count = width + 1
    for corner in range(1 << last):
        at, weight = _corner_of(stretch, number, corner, last)
        weight *= sign
        if corner > 0 and weight == 0.0:
            continue
        for panel in range(layout.n_panels):
            source, target = panel * len(lanes) * n_small, panel * len(lanes) * count
            for x in range(width):
                total = fill(np.float32(0.0), lanes)
                if corner > 0:
                    total = load_row(line, target, count, x, lanes)
                row = load_row(stretch.rows, source, n_small, at * width + x, lanes)
                store_row(line, target, count, x, axpy(weight, row, total))


@inline
def _add_stretched(stretch, sign, n, at, block, line, held, layout):
    """Add `sign` times the interpolated costs of 16 points to the rows in `block`; nothing if `stretch` is None."""
    if stretch is not None:
        lanes, last = layout.lanes, stretch.shape.size - 1
        length, count, first = stretch.shape[last], stretch.small[last] + 1, stretch.first[last]
        p = 0
        while p < PIXELS and at + p < n:
            number = (at + p) // length
            x = at + p - number * length
            if held[0] != number:
                _blend(stretch, sign, number, line, layout)
                held[0] = number
            run = min(PIXELS - p, n - at - p, length - x)
            for panel in range(layout.n_panels):
                source, target = panel * len(lanes) * count, panel * len(lanes) * PIXELS
                for q in range(run):
                    below, share = item(stretch.below, first + x + q), item(stretch.share, first + x + q)
                    total = load_row(block, target, PIXELS, p + q, lanes)
                    total = axpy(np.float32(1.0) - share, load_row(line, source, count, below, lanes), total)
                    total = axpy(share, load_row(line, source, count, below + 1, lanes), total)
                    store_row(block, target, PIXELS, p + q, total)
            p += run


@inline
def _add_stored(stretch, unary, at, n_labels, planes, block):
    """Add `sign` times the stored costs of 16 points to `planes`; nothing if they are stretched."""
    if stretch is None:
        add_block(planes, unary.sign, pointer(unary.values), unary.n, at, n_labels, pointer(block))


@inline
def clear_rows(block):
    """Zero in all rows of a block, for :func:`add_unary` to add to."""
    for i in range(block.size):
        block[i] = 0.0


@inline
def add_unary(unary, at, planes, block, line, held, layout):
    """Turn the rows in `block`, of 16 points, into `planes`, with `sign` times the unary of the points added.

    Parameters
    ----------
    unary : Unary
    at : int, the first of the points, any; those behind the last point get nothing added
    planes : as in :mod:`classicseg.kernels.dense.planes`, filled
    block : (n_panels * 16 * len(lanes),) float32, panel after panel the rows of the points; changed
    line, held : of :func:`new_line`, kept from block to block: points that follow each other share a blend
    layout : RowLayout
    """
    lanes = layout.lanes
    _add_stretched(unary.stretch, unary.sign, unary.n, at, block, line, held, layout)
    for panel in range(layout.n_panels):
        base = panel * len(lanes) * PIXELS
        rows_to_planes(block, base, planes, base, lanes)
    _add_stored(unary.stretch, unary, at, layout.n_channels, planes, block)
    to_labels(planes, layout)


@kernel
def values_to_rows(sync, n_threads, values, rows, layout):
    """Make a row array of values that are stored label after label.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with 1 task counter
    n_threads : int
    values : (n_labels * n,) float32
    rows : (n_panels * n * len(lanes),) float32, filled
    layout : RowLayout
    """
    lanes = layout.lanes
    n = values.size // layout.n_channels
    block, planes = new_planes(layout), new_planes(layout)
    while True:
        start = claim(sync, 0) * _TASK
        if start >= n or aborted(sync):
            break
        for at in range(start, min(start + _TASK, n), PIXELS):
            read_block(values, n, at, layout.n_channels, planes)
            for panel in range(layout.n_panels):
                base = panel * len(lanes) * PIXELS
                planes_to_rows(planes, base, block, base, lanes)
                for p in range(min(PIXELS, n - at)):
                    row = load_row(block, base, PIXELS, p, lanes)
                    store_row(rows, panel * len(lanes) * n, n, at + p, row)


@kernel
def read_points(sync, n_threads, values, n, stretch, points, out):
    """Costs of scattered points.

    Parameters
    ----------
    sync : (m,) int64, what the threads share, with 1 task counter
    n_threads : int
    values : (n_labels * n,) float32, label after label: of the points, or of the small grid
    n : int, how many points or grid points there are
    stretch : Stretch, or None where costs are stored for every point
    points : (m,) int64
    out : (n_labels * m,) float32, filled
    """
    n_labels, m = values.size // n, points.size
    while True:
        start = claim(sync, 0) * _TASK
        if start >= m or aborted(sync):
            break
        for i in range(start, min(start + _TASK, m)):
            if stretch is None:
                for label in range(n_labels):
                    out[label * m + i] = values[label * n + points[i]]
            else:
                for label in range(n_labels):
                    out[label * m + i] = 0.0
                for corner in range(1 << stretch.shape.size):
                    at, weight = _corner_of(stretch, points[i], corner, stretch.shape.size)
                    for label in range(n_labels):
                        out[label * m + i] += weight * values[label * n + at]


@kernel
def read_unary(sync, n_threads, unary, begin, out, layout):
    """Fill `out` with `sign` times the unary of a run of points.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with 1 task counter
    n_threads : int
    unary : Unary
    begin : int, the first point
    out : (n_labels * m,) float32, label after label: points `begin` to ``begin + m - 1``
    layout : RowLayout
    """
    n_labels = layout.n_channels
    m = out.size // n_labels
    block, planes = new_planes(layout), new_planes(layout)
    line, held = new_line(unary.stretch, layout)
    while True:
        start = claim(sync, 0) * _TASK
        if start >= m or aborted(sync):
            break
        for at in range(start, min(start + _TASK, m), PIXELS):
            clear_rows(block)
            add_unary(unary, begin + at, planes, block, line, held, layout)
            write_block(planes, m, at, n_labels, out)
