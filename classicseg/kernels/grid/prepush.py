"""Pushing most of the flow of a 2-D grid before the search for augmenting paths begins.

For two labels the messages of tree-reweighted message passing (Kolmogorov, "Convergent tree-reweighted message passing
for energy minimization", IEEE TPAMI 28(10), 2006, doi:10.1109/TPAMI.2006.200) are numbers between minus and plus the
weight of an edge, that is to say flows. A few sweeps of them move excess to where it can be absorbed, through any
number of pixels, at a fraction of a nanosecond for each pixel: 16 rows are worked on at once. What they leave is a
residual network with the same minimum cuts, in which little is left to do.

The image is cut into bands of 16 rows, one SIMD lane for each row. Lane r is shifted by 2 r columns, so that the
neighbours above a pixel, the diagonal ones too, lie in vectors that were done before:

    vector number of pixel (r, x) = x + 2 r      left: 1 before; up-right: 1, up: 2, up-left: 3 before, one lane less

Each band has its planes: the excess, the weight of the edge in each forward direction, and the messages that arrive
over these edges and over the backward ones. A band is swept several times while it is in the cache, and exchanges
messages with the bands above and below.
"""

from __future__ import annotations

import numpy as np

from classicseg._jit import inline, kernel
from classicseg.kernels.grid.maxflow import EXTRA
from classicseg.kernels.simd import (
    ACROSS,
    PIXELS,
    add,
    fill,
    lane,
    load,
    maximum,
    minimum,
    multiply,
    pointer,
    shift_down,
    shift_up,
    store,
    subtract,
)
from classicseg.kernels.threads import aborted

ROWS = PIXELS
"""Rows of a band."""

SKEW = 2
"""Columns by which a row lags behind the row above."""


@inline
def _clamp(message, weight):  # type: ignore[no-untyped-def]
    return maximum(minimum(message, weight), subtract(fill(np.float32(0.0), ACROSS), weight))


@inline
def _clamped(message, weight):  # type: ignore[no-untyped-def]
    return max(min(message, weight), -weight)


@inline
def _forward(planes, band, n_bands, n_vectors, share, pairs):  # type: ignore[no-untyped-def]
    """Messages to the right and down. Planes: excess, K/2 weights, K/2 messages from before, K/2 from behind."""
    half = len(pairs) // 2
    plane = n_vectors * PIXELS
    base = band * (3 * half + 1) * plane
    weight, before, behind = base + plane, base + (half + 1) * plane, base + (2 * half + 1) * plane
    below = before + (3 * half + 1) * plane  # the messages from before of the next band
    cells = pointer(planes)
    zero = fill(np.float32(0.0), ACROSS)
    scale = fill(np.float32(share), ACROSS)
    right, down, down2, slant, slant2, slant3, left = zero, zero, zero, zero, zero, zero, zero
    last = (ROWS - 1) * SKEW
    for d in range(n_vectors):
        at = d * PIXELS
        from_left = right
        from_up = shift_up(down2, cells[before + plane + at])
        store(planes, before + at, from_left)
        store(planes, before + plane + at, from_up)
        from_right = load(planes, behind + at, ACROSS)
        from_down = load(planes, behind + plane + at, ACROSS)
        total = add(load(planes, base + at, ACROSS), add(add(from_left, from_up), add(from_right, from_down)))
        if half == 4:
            from_up_left = shift_up(slant3, cells[before + 2 * plane + at])
            from_up_right = shift_up(left, cells[before + 3 * plane + at])
            store(planes, before + 2 * plane + at, from_up_left)
            store(planes, before + 3 * plane + at, from_up_right)
            from_down_right = load(planes, behind + 2 * plane + at, ACROSS)
            from_down_left = load(planes, behind + 3 * plane + at, ACROSS)
            total = add(total, add(add(from_up_left, from_up_right), add(from_down_right, from_down_left)))
            total = multiply(total, scale)
            slant3, slant2 = slant2, slant
            slant = _clamp(subtract(total, from_down_right), load(planes, weight + 2 * plane + at, ACROSS))
            left = _clamp(subtract(total, from_down_left), load(planes, weight + 3 * plane + at, ACROSS))
        else:
            total = multiply(total, scale)
        right = _clamp(subtract(total, from_right), load(planes, weight + at, ACROSS))
        down2 = down
        down = _clamp(subtract(total, from_down), load(planes, weight + plane + at, ACROSS))
        if band + 1 < n_bands and d >= last:
            x = (d - last) * PIXELS
            cells[below + plane + x] = lane(down, ROWS - 1)
            if half == 4:
                cells[below + 2 * plane + x + PIXELS] = lane(slant, ROWS - 1)
                if d > last:
                    cells[below + 3 * plane + x - PIXELS] = lane(left, ROWS - 1)


@inline
def _backward(planes, band, n_vectors, share, pairs):  # type: ignore[no-untyped-def]
    """Messages to the left and up; what leaves a pixel is clamped where it arrives, by the weight that lies there."""
    half = len(pairs) // 2
    plane = n_vectors * PIXELS
    base = band * (3 * half + 1) * plane
    weight, before, behind = base + plane, base + (half + 1) * plane, base + (2 * half + 1) * plane
    above = base - (3 * half + 1) * plane
    cells = pointer(planes)
    zero = fill(np.float32(0.0), ACROSS)
    scale = fill(np.float32(share), ACROSS)
    left, up, up2, slant, slant2, slant3, right = zero, zero, zero, zero, zero, zero, zero
    last = (ROWS - 1) * SKEW
    end = ROWS - 1
    for d in range(n_vectors - 1, -1, -1):
        at = d * PIXELS
        from_right = _clamp(left, load(planes, weight + at, ACROSS))
        entering = cells[behind + plane + at + end]
        from_down = _clamp(shift_down(up2, entering), load(planes, weight + plane + at, ACROSS))
        store(planes, behind + at, from_right)
        store(planes, behind + plane + at, from_down)
        from_left = load(planes, before + at, ACROSS)
        from_up = load(planes, before + plane + at, ACROSS)
        total = add(load(planes, base + at, ACROSS), add(add(from_left, from_up), add(from_right, from_down)))
        if half == 4:
            entering = cells[behind + 2 * plane + at + end]
            weights = load(planes, weight + 2 * plane + at, ACROSS)
            from_down_right = _clamp(shift_down(slant3, entering), weights)
            entering = cells[behind + 3 * plane + at + end]
            weights = load(planes, weight + 3 * plane + at, ACROSS)
            from_down_left = _clamp(shift_down(right, entering), weights)
            store(planes, behind + 2 * plane + at, from_down_right)
            store(planes, behind + 3 * plane + at, from_down_left)
            from_up_left = load(planes, before + 2 * plane + at, ACROSS)
            from_up_right = load(planes, before + 3 * plane + at, ACROSS)
            total = add(total, add(add(from_up_left, from_up_right), add(from_down_right, from_down_left)))
            total = multiply(total, scale)
            slant3, slant2 = slant2, slant
            slant = subtract(total, from_up_left)
            right = subtract(total, from_up_right)
        else:
            total = multiply(total, scale)
        left = subtract(total, from_left)
        up2 = up
        up = subtract(total, from_up)
        if band > 0 and d + last < n_vectors:
            x = (d + last) * PIXELS + end
            to, weights = above + (2 * half + 1) * plane, above + plane
            cells[to + plane + x] = _clamped(lane(up, 0), cells[weights + plane + x])
            if half == 4:
                if d > 0:
                    y = x - PIXELS
                    cells[to + 2 * plane + y] = _clamped(lane(slant, 0), cells[weights + 2 * plane + y])
                if d + last + 1 < n_vectors:
                    y = x + PIXELS
                    cells[to + 3 * plane + y] = _clamped(lane(right, 0), cells[weights + 3 * plane + y])


@inline
def _slot(y, x, n_vectors, n_planes):  # type: ignore[no-untyped-def]
    """Where a pixel lies in the first plane of its band."""
    band, r = y // ROWS, y % ROWS
    return (band * n_planes * n_vectors + x + SKEW * r) * PIXELS + r


_COLUMNS = 64  # of a tile of 16 rows that is copied at a time: it fits the first cache


@inline
def _load_band(g, first, row, band, height, width, planes, n_vectors, words, pairs):  # type: ignore[no-untyped-def]
    """Copy excess and capacities of the records of a band into its planes."""
    half, excess = len(pairs) // 2, words - EXTRA
    n_planes = 3 * half + 1
    plane = n_vectors * PIXELS
    net, cells = pointer(g), pointer(planes)
    for i in range(band * n_planes * plane, (band + 1) * n_planes * plane):
        cells[i] = np.float32(0.0)
    rows = min(ROWS, height - band * ROWS)
    for start in range(0, width, _COLUMNS):
        for r in range(rows):
            node = first + (band * ROWS + r) * row + start * words
            at = _slot(band * ROWS + r, start, n_vectors, n_planes)
            for _ in range(start, min(start + _COLUMNS, width)):
                cells[at] = np.float32(net[node + excess])
                for k in range(half):
                    cells[at + (k + 1) * plane] = np.float32(net[node + 2 * k])
                node += words
                at += PIXELS


@inline
def _apply_band(g, first, row, band, height, width, steps, planes, n_vectors, words, pairs):  # type: ignore[no-untyped-def]
    """Push the flow that the messages stand for over the edges that begin in a band."""
    half, excess = len(pairs) // 2, words - EXTRA
    n_planes = 3 * half + 1
    plane = n_vectors * PIXELS
    net, cells, step = pointer(g), pointer(planes), pointer(steps)
    rows = min(ROWS, height - band * ROWS)
    for start in range(0, width, _COLUMNS):
        for r in range(rows):
            y = band * ROWS + r
            node = first + y * row + start * words
            at = _slot(y, start, n_vectors, n_planes)
            below = _slot(y + 1, start, n_vectors, n_planes)
            for _ in range(start, min(start + _COLUMNS, width)):
                kept = net[node + excess]
                for k in range(half):
                    room = net[node + 2 * k]
                    if room > 0:
                        other = node + step[2 * k]
                        to = at + PIXELS if k == 0 else below + (k - 1 if k < 3 else -1) * PIXELS
                        arriving = cells[to + (half + 1 + k) * plane]
                        flow = np.int32(np.rint((arriving - cells[at + (2 * half + 1 + k) * plane]) * np.float32(0.5)))
                        flow = max(min(flow, room), -net[other + 2 * k + 1])
                        kept -= flow
                        net[node + 2 * k] = np.int32(room - flow)
                        net[other + 2 * k + 1] += np.int32(flow)
                        net[other + excess] += np.int32(flow)
                net[node + excess] = np.int32(kept)
                node += words
                at += PIXELS
                below += PIXELS


@kernel
def prepush(sync, g, first, row, height, width, steps, planes, n_vectors, n_rounds, n_sweeps, words, pairs):  # type: ignore[no-untyped-def]
    """Push flow inside a rectangle of a 2-D grid whose edges have the same capacity in both directions.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg._jit.new_sync`; ends early if it says so.
    g : int32, flat
        Records of :mod:`classicseg.kernels.grid.maxflow`; capacities and excess are changed.
    first, row : int
        Offset of the first record and distance of two rows, in words.
    height, width : int
    steps : int64, (K,)
        Distances in `g` to the records of the neighbours.
    planes : float32, flat
        Work space: ``ceil(height / ROWS) * (3 K / 2 + 1) * n_vectors * PIXELS``.
    n_vectors : int
        ``width + SKEW * (ROWS - 1)``.
    n_rounds, n_sweeps : int
        Rounds over all bands, and sweeps of each band in a round.
    words : int
        Length of a record; it may have more directions than are used here.
    pairs : tuple
        K zeros for the first K directions, which must be those of a 4- or 8-connected image.
    """
    n_bands = (height + ROWS - 1) // ROWS
    share = 2.0 / len(pairs)
    for band in range(n_bands):
        _load_band(g, first, row, band, height, width, planes, n_vectors, words, pairs)
    for turn in range(n_rounds):
        for i in range(n_bands):
            if aborted(sync):
                return
            band = i if turn % 2 == 0 else n_bands - 1 - i
            for _ in range(n_sweeps):
                _forward(planes, band, n_bands, n_vectors, share, pairs)
                _backward(planes, band, n_vectors, share, pairs)
    for band in range(n_bands):
        _apply_band(g, first, row, band, height, width, steps, planes, n_vectors, words, pairs)
