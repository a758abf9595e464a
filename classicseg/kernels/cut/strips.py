"""A minimum cut of an image: its records as bits, waves in strips and in all, and the sides of the cut.

Each thread pushes a maximum flow in a strip of its own first, as if there were no edges between strips. What it pushed
is pushed for good; then one thread goes over the whole image. Which strips there are changes the flow, but not the cut,
which is the same for every maximum flow.

Liu, Sun, "Parallel graph-cuts by adaptive bottom-up merging", CVPR 2010, doi:10.1109/CVPR.2010.5539898.
"""

from __future__ import annotations

from typing import NamedTuple

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
"""Words for the state of a strip: more than it needs, as threads that write to one cache line wait for each other."""

_BYTE, _ONE = np.uint64(255), np.uint64(1)


class Space(NamedTuple):
    """What a cut needs, for K directions, n tiles, S strips and up to c steps."""

    steps: np.ndarray  # (K,) int64: distances in the records to those of the neighbours
    inner: np.ndarray  # (64,) int64: distances in the records of the pixels of a tile from its first
    jumps: np.ndarray  # (64 K,) int64: distances from place to place, for each direction and each pixel of a tile
    words: np.ndarray  # ((K + SETS) n,) uint64: zeros
    tiles: np.ndarray  # (TILES n,) int32: zeros
    lists: np.ndarray  # (S, LISTS n) int32: work space
    step_tiles: np.ndarray  # (S, c) int32: work space
    step_bits: np.ndarray  # (S, c) uint64: work space
    spilled: np.ndarray  # (S, c) int64: work space
    states: np.ndarray  # (S, STATE) int64: zeros
    tile_row: int  # number of tiles from one row of tiles to the next


@inline
def _read_row(net, node, width):
    """Read a row of `width` pixels of a tile, the first of which has the record `node` in `net`.

    Returns which edges have room (a byte for each direction), which pixels have a deficit, and which an excess.
    """
    rooms, below, above = NONE, NONE, NONE
    for x in range(width):
        rooms |= positive(net.g, node, net.directions) << np.uint64(SIDE * x)
        excess = net.g[node + len(net.directions)]
        below |= np.uint64(excess < 0) << np.uint64(x)
        above |= np.uint64(excess > 0) << np.uint64(x)
        node += len(net.directions) + EXTRA
    return transposed(rooms), below, above


@inline
def _read_tile(net, t, node, row, height, width):
    """Set the bits of tile `t` of `net`, of `height` rows and `width` columns.

    Its first record is `node`; `row` is the distance of the records of two rows.
    """
    for k in range(len(net.directions)):
        net.rooms[k * net.n + t] = NONE
    sinks, sources, inside = NONE, NONE, NONE
    for y in range(height):
        if width == SIDE:  # the usual case, with a length that the compiler knows
            rooms, below, above = _read_row(net, node + y * row, SIDE)
        else:
            rooms, below, above = _read_row(net, node + y * row, width)
        for k in range(len(net.directions)):
            net.rooms[k * net.n + t] |= (rooms >> np.uint64(SIDE * k) & _BYTE) << np.uint64(SIDE * y)
        sinks |= below << np.uint64(SIDE * y)
        sources |= above << np.uint64(SIDE * y)
        inside |= (_BYTE >> np.uint64(SIDE - width)) << np.uint64(SIDE * y)
    net.low[t], net.sources[t], net.dry[t], net.entering[t] = sinks, sources, inside & ~sinks, NONE
    net.base[t] = np.int32(node)


@inline
def _read_tiles(net, layout, begin, end):
    """Read the rows of tiles from `begin` to `end` of the records of `net`, which have the given `layout`."""
    row, height, width = layout.row, layout.height, layout.width
    for y in range(begin * SIDE, min(end * SIDE, height), SIDE):
        for x in range(0, width, SIDE):
            t = _tile_of(net, y, x)
            node = layout.first + y * row + x * (len(net.directions) + EXTRA)
            _read_tile(net, t, node, row, min(SIDE, height - y), min(SIDE, width - x))
            list_shore(net, t)


@inline
def _tile_of(net, y, x):
    """The tile of `net` that holds pixel (`y`, `x`)."""
    return (y // SIDE + 1) * net.row + x // SIDE + 1


@inline
def _hide_edges(net, y, width, up):
    """Hide the edges of `net` that lead upwards if `up`, else downwards, out of row `y` of tiles, of `width` pixels."""
    for x in range(0, width, SIDE):
        t = _tile_of(net, y * SIDE, x)
        for k in range(
            3 if up else 2, len(net.directions), 2
        ):  # from the third on, even directions lead down, odd ones up
            net.rooms[k * net.n + t] &= ~(TOP if up else BOTTOM)


@inline
def _write_sides(net, side, height, width, begin, end):
    """Write to `side`, for the rows of tiles from `begin` to `end`, 1 on the side of the sink in `net`, else 0.

    The image has `height` rows and `width` columns.
    """
    for y in range(begin * SIDE, min(end * SIDE, height)):
        for x in range(0, width, SIDE):
            wet = ~net.dry[_tile_of(net, y, x)] >> np.uint64(SIDE * (y % SIDE))
            if x + SIDE <= width:
                for i in range(SIDE):
                    side[y * width + x + i] = np.uint8(wet >> np.uint64(i) & _ONE)
            else:
                for i in range(width - x):
                    side[y * width + x + i] = np.uint8(wet >> np.uint64(i) & _ONE)


@inline
def _net(g, space, i, directions):
    """What strip `i` of `space`, or the whole image, works with; `g` and `directions` as in :func:`cut_image`."""
    words, tiles, lists = space.words, space.tiles, space.lists[i]
    n = tiles.size // TILES
    low = len(directions) * n
    return Net(
        pointer(g), pointer(space.steps), pointer(space.inner), pointer(space.jumps), pointer(tiles),
        pointer(words), pointer(words[low:]), pointer(words[low + n :]), pointer(words[low + 2 * n :]),
        pointer(words[low + 3 * n :]), pointer(tiles[n:]), pointer(lists), pointer(lists[n:]), pointer(lists[2 * n :]),
        pointer(space.step_tiles[i]), pointer(space.step_bits[i]), pointer(space.spilled[i]), pointer(space.states[i]),
        space.spilled.shape[1], space.tile_row, n, directions,
    )  # fmt: skip


@kernel
def cut_image(sync, n_threads, g, layout, strips, space, patience, side, maximal, directions):
    """Push a maximum flow.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`, with four counters.
    n_threads : int
    g : int32, flat
        Records, see :mod:`classicseg.kernels.cut.paths`; on return the residual network.
    layout : Layout
        Where the records lie, in one slice.
    strips : int64, (S + 1,)
        First row of tiles of each strip, and the end of the last.
    space : Space
    patience : int
        How many steps searches may take, for each pixel.
    side : uint8, (height * width,)
        If the flow is maximal, set to 1 on the side of the sink, 0 on that of the source.
    maximal : uint8, (1,)
        Set to whether it is.
    directions : tuple
        K zeros, 4 or 8.
    """
    height, width = layout.height, layout.width
    n_strips = strips.size - 1
    while True:
        i = claim(sync, 0)
        if i >= n_strips:
            break
        net = _net(g, space, i, directions)
        _read_tiles(net, layout, strips[i], strips[i + 1])
        if i > 0:
            _hide_edges(net, strips[i], width, True)
        if i < n_strips - 1:
            _hide_edges(net, strips[i + 1] - 1, width, False)
    barrier(sync, n_threads)  # a search reads the edges on the other side of its borders, too
    while n_strips > 1:
        i = claim(sync, 1)
        if i >= n_strips:
            break
        net = _net(g, space, i, directions)
        _, count = flow_in_waves(sync, net, (strips[i + 1] - strips[i]) * SIDE * width, patience)
        run_down(net, count)  # nothing is left to push, but what was reached must be forgotten
    barrier(sync, n_threads)
    if claim(sync, 2) == 0:
        net = _net(g, space, np.int64(0), directions)
        for i in range(1, n_strips):
            for j in range(space.states[i, SHORES]):
                net.shores[net.state[SHORES]] = space.lists[i, j]
                net.state[SHORES] += 1
            _read_tiles(net, layout, strips[i] - 1, strips[i] + 1)
        found, _ = flow_in_waves(sync, net, height * width, patience)
        maximal[0] = found
    barrier(sync, n_threads)
    while True:
        i = claim(sync, 3)
        if i >= n_strips:
            break
        _write_sides(_net(g, space, i, directions), side, height, width, strips[i], strips[i + 1])
