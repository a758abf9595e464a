"""A minimum cut of an image: its records as bits, waves in strips and in all, and the sides of the cut.

Each thread pushes a maximum flow in a strip of its own first, as if there were no edges between strips. What it pushed
is pushed for good; then one thread goes over the whole image. Which strips there are changes the flow, but not the cut,
which is the same for every maximum flow.

Liu, Sun, "Parallel graph-cuts by adaptive bottom-up merging", CVPR 2010, doi:10.1109/CVPR.2010.5539898.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from classicseg.kernels.cut.paths import EXTRA
from classicseg.kernels.cut.tiles import BOTTOM, SIDE, TOP
from classicseg.kernels.cut.waves import SHORES, Net, flow_in_waves, list_shore, run_down
from classicseg.machine.bits import NONE, positive, transposed
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import barrier, claim
from classicseg.machine.simd import pointer

TILES = 2
"""Numbers that are kept for each tile."""

LISTS = 3
"""Lists of tiles that each strip needs."""

STATE = 32
"""Words for the state of each strip, far more than it has: threads that write to one cache line wait for each other."""

_BYTE, _ONE = np.uint64(255), np.uint64(1)


@inline
def _read_row(net, node, width):
    """Which edges have room (a byte for each direction), which excess is negative, and which positive."""
    rooms, below, above = NONE, NONE, NONE
    for x in range(width):
        rooms |= positive(net.g, node, net.pairs) << np.uint64(SIDE * x)
        excess = net.g[node + len(net.pairs)]
        below |= np.uint64(excess < 0) << np.uint64(x)
        above |= np.uint64(excess > 0) << np.uint64(x)
        node += len(net.pairs) + EXTRA
    return transposed(rooms), below, above


@inline
def _read_tile(net, t, node, row, height, width):
    """Set the bits of a tile that begins at a record and has so many rows and columns."""
    for k in range(len(net.pairs)):
        net.rooms[k * net.n + t] = NONE
    sinks, sources, inside = NONE, NONE, NONE
    for y in range(height):
        if width == SIDE:  # the usual case, with a length that the compiler knows
            rooms, below, above = _read_row(net, node + y * row, SIDE)
        else:
            rooms, below, above = _read_row(net, node + y * row, width)
        for k in range(len(net.pairs)):
            net.rooms[k * net.n + t] |= (rooms >> np.uint64(SIDE * k) & _BYTE) << np.uint64(SIDE * y)
        sinks |= below << np.uint64(SIDE * y)
        sources |= above << np.uint64(SIDE * y)
        inside |= (_BYTE >> np.uint64(SIDE - width)) << np.uint64(SIDE * y)
    net.low[t], net.sources[t], net.dry[t], net.entering[t] = sinks, sources, inside & ~sinks, NONE
    net.base[t] = np.int32(node)


@inline
def _read_tiles(net, first, row, height, width, begin, end):
    """Read the tiles of some rows of tiles."""
    for y in range(begin * SIDE, min(end * SIDE, height), SIDE):
        for x in range(0, width, SIDE):
            t = _tile_of(net, y, x)
            node = first + y * row + x * (len(net.pairs) + EXTRA)
            _read_tile(net, t, node, row, min(SIDE, height - y), min(SIDE, width - x))
            list_shore(net, t)


@inline
def _tile_of(net, y, x):
    return (y // SIDE + 1) * net.row + x // SIDE + 1


@inline
def _hide_edges(net, y, width, up):
    """Hide the edges that lead up, or down, out of a row of tiles."""
    for x in range(0, width, SIDE):
        t = _tile_of(net, y * SIDE, x)
        for k in range(3 if up else 2, len(net.pairs), 2):  # from the third on, even directions lead down, odd ones up
            net.rooms[k * net.n + t] &= ~(TOP if up else BOTTOM)


@inline
def _write_sides(net, side, height, width, begin, end):
    """Write 1 for the pixels of some rows of tiles that are on the side of the sink, else 0."""
    for y in range(begin * SIDE, min(end * SIDE, height)):
        for x in range(0, width, SIDE):
            wet = ~net.dry[_tile_of(net, y, x)] >> np.uint64(SIDE * (y % SIDE))
            if x + SIDE <= width:
                for i in range(SIDE):
                    side[y * width + x + i] = np.uint8(wet >> np.uint64(i) & _ONE)
            else:
                for i in range(width - x):
                    side[y * width + x + i] = np.uint8(wet >> np.uint64(i) & _ONE)


Space = namedtuple("Space", "steps inner jumps words tiles lists step_tiles step_bits spilled states")
"""What a cut needs, for K directions, n tiles, S strips and up to c steps.

steps : int64, (K,)
    Distances in the records to those of the neighbours.
inner : int64, (64,)
    Distances in the records of the pixels of a tile from its first.
jumps : int64, (64 K,)
    Distances from place to place, for each direction and each pixel of a tile.
words : uint64, ((K + SETS) n,), tiles : int32, (TILES n,), states : int64, (S, STATE)
    Zeros.
lists : int32, (S, LISTS n), step_tiles : int32, step_bits : uint64, spilled : int64, (S, c) each
    Anything.
"""


@inline
def _net(g, space, tile_row, i, pairs):
    """What strip i, or the whole image, works with."""
    words, tiles, lists = space.words, space.tiles, space.lists[i]
    n = tiles.size // TILES
    low = len(pairs) * n
    return Net(
        pointer(g), pointer(space.steps), pointer(space.inner), pointer(space.jumps), pointer(tiles),
        pointer(words), pointer(words[low:]), pointer(words[low + n :]), pointer(words[low + 2 * n :]),
        pointer(words[low + 3 * n :]), pointer(tiles[n:]), pointer(lists), pointer(lists[n:]), pointer(lists[2 * n :]),
        pointer(space.step_tiles[i]), pointer(space.step_bits[i]), pointer(space.spilled[i]), pointer(space.states[i]),
        space.spilled.shape[1], tile_row, n, pairs,
    )  # fmt: skip


@kernel
def cut_image(sync, n_threads, g, first, row, height, width, strips, tile_row, space, patience, side, maximal, pairs):
    """Push a maximum flow.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`, with four counters.
    g : int32, flat
        Records, see :mod:`classicseg.kernels.cut.paths`; on return the residual network.
    first, row, height, width : int
        Offset of the first record, distance between rows; rows and columns.
    strips : int64, (S + 1,)
        First row of tiles of each strip, and their number.
    tile_row : int
        Distance between rows of tiles.
    space : Space
    patience : int
        How many steps for each pixel searches may take.
    side : uint8, (height * width,)
        Set to 1 on the side of the sink, 0 on that of the source, if the flow is maximal.
    maximal : uint8, (1,)
        Set to whether it is.
    pairs : tuple
        K zeros, 4 or 8.
    """
    n_strips = strips.size - 1
    while True:
        i = claim(sync, 0)
        if i >= n_strips:
            break
        net = _net(g, space, tile_row, i, pairs)
        _read_tiles(net, first, row, height, width, strips[i], strips[i + 1])
        if i > 0:
            _hide_edges(net, strips[i], width, True)
        if i < n_strips - 1:
            _hide_edges(net, strips[i + 1] - 1, width, False)
    barrier(sync, n_threads)  # a search reads the edges on the other side of its borders, too
    while n_strips > 1:
        i = claim(sync, 1)
        if i >= n_strips:
            break
        net = _net(g, space, tile_row, i, pairs)
        _, count = flow_in_waves(sync, net, (strips[i + 1] - strips[i]) * SIDE * width, patience)
        run_down(net, count)  # there is nothing to push: it forgets what was reached
    barrier(sync, n_threads)
    if claim(sync, 2) == 0:
        net = _net(g, space, tile_row, np.int64(0), pairs)
        for i in range(1, n_strips):
            for j in range(space.states[i, SHORES]):
                net.shores[net.state[SHORES]] = space.lists[i, j]
                net.state[SHORES] += 1
            _read_tiles(net, first, row, height, width, strips[i] - 1, strips[i] + 1)
        found, _ = flow_in_waves(sync, net, height * width, patience)
        maximal[0] = found
    barrier(sync, n_threads)
    while True:
        i = claim(sync, 3)
        if i >= n_strips:
            break
        _write_sides(_net(g, space, tile_row, i, pairs), side, height, width, strips[i], strips[i + 1])
