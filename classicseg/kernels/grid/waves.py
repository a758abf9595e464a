"""Maximum flow on an image in waves: excess runs downhill to the deficits, 64 pixels at a time.

Goldberg, Tarjan, "A new approach to the maximum-flow problem", Journal of the ACM 35(4), 1988,
doi:10.1145/48014.61051, with the distances of all pixels found anew for each wave ("global relabelling"; Cherkassky,
Goldberg, "On implementing the push-relabel method for the maximum flow problem", Algorithmica 19, 1997,
doi:10.1007/PL00009180). A wave has two halves:

1. Breadth-first search from all deficits, against the residual edges, up to a limit. Pixels are bits of words (see
   :mod:`classicseg.kernels.grid.tiles`), so that a step of the search takes a few instructions for a tile of 64 of
   them. It leaves a list of levels: tiles, and which of their pixels have that distance.
2. From the farthest level to the nearest, pixels with excess push it over all edges that lead one level down. What
   arrives at a deficit and is not used up there goes on to deficits beside it.

Excess that gets stuck waits for the next wave, whose distances know which edges are full. The limit begins low and is
doubled when little excess is left below it: most of it finds a deficit near by. Excess is never brought back; what
cannot reach a deficit stays where it is, and the cut is between the pixels that the last search reached and the rest.

The residual network is in the records of :mod:`classicseg.kernels.grid.maxflow`; the sets of bits only say which of
its numbers are positive.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from classicseg._jit import inline, kernel
from classicseg.kernels.bits import NONE, bit, count_bits, first_bit, has_bit, positive, transposed, without_first
from classicseg.kernels.grid.maxflow import EXTRA
from classicseg.kernels.grid.tiles import SIDE, neighbours_in, note, note_around
from classicseg.kernels.simd import pointer
from classicseg.kernels.threads import aborted, claim

SETS = 4
"""Sets of pixels besides the residual edges."""

LISTS = 5
"""Numbers that are kept for each tile; there must be room for one tile more."""

N_LEVELS = 2**15
"""Levels that a search can tell apart; beyond, it ends."""

_BYTE = np.uint64(255)

_NEAR = 4  # limit of the first waves
_FEW = 3e-4  # of the pixels: so few with excess below the limit are not worth a wave
_MOST = 16  # waves with one limit
_PATIENCE = 40  # steps of a tile for each pixel; then the search for augmenting paths takes over

# Words of the state: tiles beside deficits, pixels whose excess spilled, pixels with excess below the limit, steps.
_SHORES, _SPILLED, _ACTIVE, _STEPS, _STAMP = 0, 1, 2, 3, 4

Net = namedtuple(
    "Net",
    "g steps inner jumps base rooms sinks sources dry front stamps listed shores around level_tiles level_bits starts "
    "spilled state capacity row n pairs",
)
"""What all parts share. Pointers, but for `capacity` and what follows it.

`rooms` holds the residual edges, one set for each direction; `sinks` pixels with a deficit, `sources` those with an
excess, `dry` those that the search has not reached and that have no deficit, `front` one level. A place is a tile times
64 plus the bit; `jumps` leads from place to place, `base` and `inner` from places to records.
"""


@inline
def _open(net, t, masks):  # type: ignore[no-untyped-def]
    """Keep of the pixels whose neighbour in each direction is in a set those with a residual edge there, in any."""
    found = NONE
    for k in range(len(net.pairs)):
        found |= masks[k] & net.rooms[k * net.n + t]
    return found


@inline
def _shore(net):  # type: ignore[no-untyped-def]
    """Level 1: pixels with a residual edge to a deficit. Returns how many tiles it has."""
    kept, count = 0, 0
    for i in range(net.state[_SHORES]):
        t = np.int64(net.shores[i])
        bits = net.dry[t] & _open(net, t, neighbours_in(net.sinks, t, net.row, net.pairs))
        net.listed[t] = np.int32(bits != NONE)
        if bits != NONE:
            net.shores[kept] = np.int32(t)
            kept += 1
            net.level_tiles[count] = np.int32(t)
            net.level_bits[count] = bits
            count += 1
    net.state[_SHORES] = kept
    return count


@inline
def _next_level(net, begin, end):  # type: ignore[no-untyped-def]
    """Append the level behind the one that is the front; returns the end of the list."""
    stamp = np.int32(net.state[_STAMP] + 1)
    net.state[_STAMP] = stamp
    n = np.int64(0)
    for i in range(begin, end):
        t = np.int64(net.level_tiles[i])
        n = note_around(net.around, n, net.stamps, stamp, t, net.level_bits[i], net.row, net.pairs)
    net.state[_STEPS] += n
    count = end
    for i in range(n):
        t = np.int64(net.around[i])
        bits = net.dry[t] & _open(net, t, neighbours_in(net.front, t, net.row, net.pairs))
        net.level_tiles[count] = np.int32(t)
        net.level_bits[count] = bits
        count += np.int64(bits != NONE)
    return count


@inline
def _search(net, limit):  # type: ignore[no-untyped-def]
    """Find the distances. Returns the number of levels, and whether there is none beyond the last."""
    begin, end = np.int64(0), _shore(net)
    level, active = 0, 0
    net.starts[0] = 0
    while end > begin:
        level += 1
        net.starts[level] = np.int32(end)
        for i in range(begin, end):
            t, bits = np.int64(net.level_tiles[i]), net.level_bits[i]
            net.dry[t] &= ~bits
            net.front[t] = bits
            active += count_bits(bits & net.sources[t])
        count = end
        stops = level == limit or end + net.n >= net.capacity
        if not stops:
            count = _next_level(net, begin, end)
        for i in range(begin, end):
            net.front[np.int64(net.level_tiles[i])] = NONE
        if stops:
            break
        begin, end = end, count
    net.state[_ACTIVE] = active
    return level, end == begin


@inline
def _push(net, node, place, k, excess, downhill_is_sink):  # type: ignore[no-untyped-def]
    """Push as much of the excess as fits over the edge in direction k; returns how much that is."""
    g, at = net.g, len(net.pairs)
    t, b = place >> 6, place & 63
    other, there = node + net.steps[k], place + net.jumps[64 * k + b]
    t2, bit2 = there >> 6, bit(there & 63)
    room = g[node + k]
    flow = min(room, excess)
    g[node + k] = np.int32(room - flow)
    if flow == room:
        net.rooms[k * net.n + t] &= ~bit(b)
    g[other + (k ^ 1)] = np.int32(g[other + (k ^ 1)] + flow)
    net.rooms[(k ^ 1) * net.n + t2] |= bit2
    before = g[other + at]
    after = before + flow
    g[other + at] = np.int32(after)
    if before < 0 and after >= 0:
        net.sinks[t2] &= ~bit2
        net.dry[t2] |= bit2
        net.state[_SHORES] = note(net.shores, net.state[_SHORES], net.listed, np.int32(1), t2, True)
    if after > 0:
        net.sources[t2] |= bit2
        if downhill_is_sink and before <= 0 and net.state[_SPILLED] < net.capacity:
            net.spilled[net.state[_SPILLED]] = there
            net.state[_SPILLED] += 1
    return flow


@inline
def _drain(net, t, b, masks, downhill_is_sink):  # type: ignore[no-untyped-def]
    """Push the excess of a pixel to the neighbours that are in a set."""
    node = np.int64(net.base[t]) + net.inner[b]
    excess = net.g[node + len(net.pairs)]
    for k in range(len(net.pairs)):
        if excess > 0 and has_bit(masks[k] & net.rooms[k * net.n + t], b):
            excess -= _push(net, node, 64 * t + b, np.int64(k), excess, downhill_is_sink)
    net.g[node + len(net.pairs)] = np.int32(excess)
    if excess == 0:
        net.sources[t] &= ~bit(b)


@inline
def _run_down(net, n_levels):  # type: ignore[no-untyped-def]
    """Push what excess there is from level to level, the farthest first."""
    net.state[_SPILLED] = 0
    for level in range(n_levels, 0, -1):
        begin, end = net.starts[level - 1], net.starts[level]
        below = net.starts[level - 2] if level > 1 else begin
        for i in range(below, begin):
            net.front[np.int64(net.level_tiles[i])] = net.level_bits[i]
        plane = net.front if level > 1 else net.sinks
        for i in range(begin, end):
            t = np.int64(net.level_tiles[i])
            moving = net.level_bits[i] & net.sources[t]
            if moving != NONE:
                masks = neighbours_in(plane, t, net.row, net.pairs)
                moving &= _open(net, t, masks)
                while moving != NONE:
                    _drain(net, t, first_bit(moving), masks, level == 1)
                    moving = without_first(moving)
        for i in range(below, begin):
            net.front[np.int64(net.level_tiles[i])] = NONE
    i = 0
    while i < net.state[_SPILLED]:
        t, b = net.spilled[i] >> 6, net.spilled[i] & 63
        _drain(net, t, b, neighbours_in(net.sinks, t, net.row, net.pairs), True)
        i += 1


@inline
def _wave(net, limit):  # type: ignore[no-untyped-def]
    """Search and push. Returns whether the search found all that can reach a deficit.

    If it did, and no excess among it, the flow is maximal, and `dry` is left without what was reached.
    """
    n_levels, complete = _search(net, limit)
    if complete and net.state[_ACTIVE] == 0:
        return complete
    if net.state[_ACTIVE] > 0:
        _run_down(net, n_levels)
    for i in range(net.starts[n_levels]):
        net.dry[np.int64(net.level_tiles[i])] |= net.level_bits[i]
    return complete


@inline
def _tile_of(net, y, x):  # type: ignore[no-untyped-def]
    return (y // SIDE + 1) * net.row + x // SIDE + 1


@inline
def _read_tile(net, t, node, row, height, width):  # type: ignore[no-untyped-def]
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
    net.sinks[t], net.sources[t], net.dry[t], net.front[t] = sinks, sources, inside & ~sinks, NONE
    net.base[t] = np.int32(node)


@inline
def _read_row(net, node, width):  # type: ignore[no-untyped-def]
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
def _write_sides(net, t, side, pixel, image_width, height, width):  # type: ignore[no-untyped-def]
    """Write 1 for the pixels of a tile that are on the side of the sink, else 0."""
    for y in range(height):
        dry = net.dry[t] >> np.uint64(SIDE * y)
        if width == SIDE:
            for x in range(SIDE):
                side[pixel + x] = np.uint8(~dry >> np.uint64(x) & np.uint64(1))
        else:
            for x in range(width):
                side[pixel + x] = np.uint8(~dry >> np.uint64(x) & np.uint64(1))
        pixel += image_width


@inline
def _flow(sync, net, first, row, height, width, side):  # type: ignore[no-untyped-def]
    """All waves of an image; returns whether the flow is maximal."""
    for y in range(0, height, SIDE):
        for x in range(0, width, SIDE):
            t = _tile_of(net, y, x)
            node = first + y * row + x * (len(net.pairs) + EXTRA)
            _read_tile(net, t, node, row, min(SIDE, height - y), min(SIDE, width - x))
            net.state[_SHORES] = note(net.shores, net.state[_SHORES], net.listed, np.int32(1), t, True)
    few, most_steps = _FEW * height * width, _PATIENCE * height * width
    limit, waves, complete = _NEAR, 0, False
    while not complete or net.state[_ACTIVE] > 0:
        if aborted(sync) or net.state[_STEPS] > most_steps:
            return False
        complete = _wave(net, limit)
        waves += 1
        if not complete and (waves == _MOST or net.state[_ACTIVE] <= few):
            if limit == N_LEVELS:
                return False
            limit, waves = 2 * limit, 0
    for y in range(0, height, SIDE):
        for x in range(0, width, SIDE):
            pixel = y * width + x
            _write_sides(net, _tile_of(net, y, x), side, pixel, width, min(SIDE, height - y), min(SIDE, width - x))
    return True


@kernel
def wave_strips(sync, n_threads, g, first, row, width, strips, steps, inner, jumps, tile_row, words, tiles, levels, level_bits, spilled, side, maximal, pairs):  # type: ignore[no-untyped-def]
    """Push a maximum flow inside each strip of some rows of an image.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg._jit.new_sync`, with one counter.
    g : int32, flat
        Records, see :mod:`classicseg.kernels.grid.maxflow`; on return the residual network.
    first, row, width : int
        Offset of the first record, distance between rows, columns.
    strips : int64, (S + 1,)
        First row of each strip, and their number.
    steps : int64, (K,)
        Distances in `g` to the records of the neighbours.
    inner : int64, (64,)
        Distances in `g` of the pixels of a tile from its first.
    jumps : int64, (64 K,)
        Distances from place to place, for each direction and each pixel of a tile.
    tile_row : int
        Distance between rows of tiles.
    words : uint64, (S, (K + SETS) n)
        Zeros; n is at least one tile, two rows of tiles, and what the largest strip has.
    tiles : int32, (S, LISTS (n + 1))
        Zeros.
    levels : int32, (S, c + 1 + N_LEVELS + 1), level_bits : uint64, (S, c + 1), spilled : int64, (S, c)
        Work space; c is at least 2 n.
    side : uint8, (height * width,)
        Set to 1 on the side of the sink, 0 on that of the source, in strips whose flow is maximal.
    maximal : uint8, (S,)
        Set to whether the flow of a strip is maximal: a search that is too long is left to another method.
    pairs : tuple
        K zeros.
    """
    n, capacity = tiles.shape[1] // LISTS - 1, spilled.shape[1]
    while True:
        strip = claim(sync, 0)
        if strip >= strips.size - 1:
            break
        sets, lists, own = words[strip], tiles[strip], levels[strip]
        after = len(pairs) * n
        state = np.zeros(8, np.int64)
        net = Net(
            pointer(g), pointer(steps), pointer(inner), pointer(jumps), pointer(lists[4 * (n + 1) :]),
            pointer(sets), pointer(sets[after:]), pointer(sets[after + n :]), pointer(sets[after + 2 * n :]),
            pointer(sets[after + 3 * n :]), pointer(lists), pointer(lists[n + 1 :]), pointer(lists[2 * (n + 1) :]),
            pointer(lists[3 * (n + 1) :]), pointer(own), pointer(level_bits[strip]), pointer(own[capacity + 1 :]),
            pointer(spilled[strip]), pointer(state), capacity, tile_row, n, pairs,
        )  # fmt: skip
        begin, end = strips[strip], strips[strip + 1]
        maximal[strip] = _flow(sync, net, first + begin * row, row, end - begin, width, pointer(side[begin * width :]))
