"""Maximum flow on an image in waves: excess runs downhill to the deficits, 64 pixels at a time.

Goldberg, Tarjan, "A new approach to the maximum-flow problem", Journal of the ACM 35(4), 1988,
doi:10.1145/48014.61051, with the distances of all pixels found anew for each wave ("global relabelling"; Cherkassky,
Goldberg, "On implementing the push-relabel method for the maximum flow problem", Algorithmica 19, 1997,
doi:10.1007/PL00009180). A wave has two halves:

1. A search from all deficits, against the residual edges, up to a limit. Pixels are bits of words, a tile of 64 (see
   :mod:`classicseg.kernels.cut.tiles`), so that a step takes a few instructions for a whole tile. A tile is searched
   to its end before its neighbours are. What is found is kept as a list of steps, each a tile and the pixels of it that
   were reached. The rank of a pixel is the number of its step. Ranks are not the lengths of shortest paths, but every
   pixel that was reached has an edge to one of lower rank, or to a deficit.
2. From the last step to the first, pixels with excess push it to neighbours of lower rank. What arrives at a deficit
   and is not used up there goes on to deficits beside it.

Excess that gets stuck waits for the next wave, whose search knows which edges are full. At least one unit arrives with
each wave: the excess of lowest rank finds its edges as the search saw them. The limit begins low, because most excess
finds a deficit near by, and is doubled when little excess is left below it. Excess is never brought back; what cannot
reach a deficit stays where it is, and the cut is between the pixels that the last search reached and the rest.

The residual network is in the records of :mod:`classicseg.kernels.cut.paths`; the sets of bits only say which of its
numbers are positive.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.cut.tiles import (
    SIDE,
    at_bottom,
    at_left,
    at_right,
    at_top,
    moved,
    neighbours_in,
    neighbours_within,
)
from classicseg.machine.bits import NONE, bit, count_bits, first_bit, without_first
from classicseg.machine.jit import inline
from classicseg.machine.parallel import aborted

SETS = 4
"""Sets of pixels besides the residual edges."""

_ONE = np.uint64(1)

_FEW = 3e-4  # share of the pixels: fewer than that with excess below the limit are not worth a wave
_MOST = 32  # waves with one limit
_FARTHEST = 2**40  # the largest limit: no search takes as many rounds

# Words of the state, all of them counts: tiles beside deficits, tiles to be searched, deficits that received too much,
# pixels with excess that were reached, steps of all waves.
SHORES, _WAITING, _SPILLED, _ACTIVE, _STEPS = 0, 1, 2, 3, 4


class Net(NamedTuple):
    """What all parts share; they get pointers, because handing on an array costs time.

    A tile is called `t`. A place is a tile times 64 plus the bit of a pixel. Sets of pixels have a word for each of the
    n tiles, lists hold tiles or places.
    """

    g: np.ndarray  # int32: all records
    steps: np.ndarray  # (K,) int64: distances to the records of the neighbours
    inner: np.ndarray  # (64,) int64: distances of the records of a tile from its first
    jumps: np.ndarray  # (64 K,) int64: distances from the places of a tile to those of their neighbours
    base: np.ndarray  # (n,) int32: the first record of each tile
    rooms: np.ndarray  # (K n,) uint64: for each direction, the pixels with a residual edge
    low: np.ndarray  # (n,) uint64: pixels with a deficit and, during a wave, those of lower rank
    sources: np.ndarray  # (n,) uint64: pixels with an excess
    dry: np.ndarray  # (n,) uint64: pixels that have no deficit and were not reached
    entering: np.ndarray  # (n,) uint64: pixels by which the search is to enter a tile
    listed: np.ndarray  # (n,) int32: whether the tile is one of the shores
    shores: np.ndarray  # (n,) int32: tiles that may have pixels beside a deficit
    now: np.ndarray  # (n,) int32: tiles that are searched in this round
    next: np.ndarray  # (n,) int32: tiles to be searched in the next
    step_tiles: np.ndarray  # (capacity,) int32: tile of each step
    step_bits: np.ndarray  # (capacity,) uint64: pixels of each step
    spilled: np.ndarray  # (capacity,) int64: places of deficits that received more than they needed
    state: np.ndarray  # int64: see above
    capacity: int  # the largest number of steps
    row: int  # number of tiles from one row of tiles to the next
    n: int  # number of tiles
    directions: tuple[int, ...]  # K zeros


@inline
def _open(net, t, masks):
    """The pixels of tile `t` of `net` that have, for some direction k, an edge with room to a neighbour in a set.

    ``masks[k]`` holds the pixels whose neighbour there is in the set.
    """
    found = NONE
    for k in range(len(net.directions)):
        found |= masks[k] & net.rooms[k * net.n + t]
    return found


@inline
def list_shore(net, t):
    """Let searches of `net` look for pixels beside a deficit in tile `t`."""
    if net.listed[t] == 0:
        net.listed[t] = np.int32(1)
        net.shores[net.state[SHORES]] = np.int32(t)
        net.state[SHORES] += 1


@inline
def _enter(net, t, bits):
    """Let the search of `net` go on from those of `bits` in tile `t` that were not reached yet."""
    bits &= net.dry[t]
    if bits != NONE:
        if net.entering[t] == NONE:
            net.next[net.state[_WAITING]] = np.int32(t)
            net.state[_WAITING] += 1
        net.entering[t] |= bits


@inline
def _enter_shores(net):
    """Begin the search of `net` with the pixels that have a residual edge to a deficit."""
    kept = 0
    for i in range(net.state[SHORES]):
        t = np.int64(net.shores[i])
        bits = net.dry[t] & _open(net, t, neighbours_in(net.low, t, net.row, net.directions))
        _enter(net, t, bits)
        net.listed[t] = np.int32(bits != NONE)
        net.shores[kept] = np.int32(t)
        kept += np.int64(bits != NONE)
    net.state[SHORES] = kept


@inline
def _flood(net, t, count):
    """Search tile `t` of `net` to its end, and add the steps to the `count` that there are.

    Returns the number of steps, and the pixels that were reached.
    """
    bits, dry, reached = net.entering[t], net.dry[t], NONE
    while bits != NONE:
        net.step_tiles[count] = np.int32(t)
        net.step_bits[count] = bits
        count += 1
        reached |= bits
        dry &= ~bits
        bits = dry & _open(net, t, neighbours_within(bits, net.directions))
    net.entering[t] = NONE
    net.dry[t] = dry
    net.low[t] |= reached
    return count, reached


@inline
def _room(net, k, t):
    """The pixels of tile `t` of `net` whose edge in direction `k` has room."""
    return net.rooms[k * net.n + t]


@inline
def _leave(net, t, bits):
    """Let the search of `net` go on from the pixels `bits` of tile `t` in the tiles around it."""
    left, right, top, bottom = at_left(bits), at_right(bits), at_top(bits), at_bottom(bits)
    above, below = t - net.row, t + net.row
    to_left, to_right = left & _room(net, 0, t - 1), right & _room(net, 1, t + 1)
    to_top, to_bottom = top & _room(net, 2, above), bottom & _room(net, 3, below)
    if len(net.directions) == 8:
        to_left |= moved(left, 1, 0) & _room(net, 4, t - 1) | moved(left, -1, 0) & _room(net, 7, t - 1)
        to_right |= moved(right, -1, 0) & _room(net, 5, t + 1) | moved(right, 1, 0) & _room(net, 6, t + 1)
        to_top |= moved(top, 0, 1) & _room(net, 4, above) | moved(top, 0, -1) & _room(net, 6, above)
        to_bottom |= moved(bottom, 0, -1) & _room(net, 5, below) | moved(bottom, 0, 1) & _room(net, 7, below)
        _enter(net, above - 1, at_left(top) & _room(net, 4, above - 1))
        _enter(net, below + 1, at_right(bottom) & _room(net, 5, below + 1))
        _enter(net, above + 1, at_right(top) & _room(net, 6, above + 1))
        _enter(net, below - 1, at_left(bottom) & _room(net, 7, below - 1))
    _enter(net, t - 1, to_left)
    _enter(net, t + 1, to_right)
    _enter(net, above, to_top)
    _enter(net, below, to_bottom)


@inline
def _search(net, limit):
    """Search `net` from all deficits, at most `limit` tiles far and while there is room for steps.

    Returns the number of steps, and whether the search came to its end.
    """
    net.state[_WAITING], net.state[_ACTIVE] = 0, 0
    _enter_shores(net)
    count, far, full = 0, 0, False
    while net.state[_WAITING] > 0 and far < limit:
        n = net.state[_WAITING]
        net.state[_WAITING] = 0
        for i in range(n):
            net.now[i] = net.next[i]
        for i in range(n):
            t = np.int64(net.now[i])
            if count + SIDE * SIDE > net.capacity:
                net.entering[t], full = NONE, True
                continue
            count, reached = _flood(net, t, count)
            net.state[_ACTIVE] += count_bits(reached & net.sources[t])
            _leave(net, t, reached)
        far += 1
    for i in range(net.state[_WAITING]):
        net.entering[np.int64(net.next[i])] = NONE
    net.state[_STEPS] += count
    return count, net.state[_WAITING] == 0 and not full


@inline
def _push(net, node, place, k, excess):
    """Push what fits of `excess` over an edge of `net`, from the pixel at `place` in direction `k`.

    The record of the pixel is `node`. Returns how much was pushed.
    """
    g, at = net.g, len(net.directions)
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
        net.low[t2] &= ~bit2
        net.dry[t2] |= bit2
        list_shore(net, t2)
        if after > 0 and net.state[_SPILLED] < net.capacity:
            net.spilled[net.state[_SPILLED]] = there
            net.state[_SPILLED] += 1
    if after > 0:
        net.sources[t2] |= bit2
    return flow


@inline
def _drain(net, t, b, masks):
    """Push the excess of pixel `b` of tile `t` of `net` to neighbours in a set: those of lower rank.

    ``masks[k]`` holds the pixels whose neighbour in direction k is in the set.
    """
    node = np.int64(net.base[t]) + net.inner[b]
    excess = np.int64(net.g[node + len(net.directions)])
    ways = NONE
    for k in range(len(net.directions)):
        ways |= ((masks[k] & net.rooms[k * net.n + t]) >> np.uint64(b) & _ONE) << np.uint64(k)
    while ways != NONE and excess > 0:
        excess -= _push(net, node, 64 * t + b, first_bit(ways), excess)
        ways = without_first(ways)
    net.g[node + len(net.directions)] = np.int32(excess)
    if excess == 0:
        net.sources[t] &= ~bit(b)


@inline
def run_down(net, count):
    """Push the excess of `net` along the `count` steps, the last first, and forget them."""
    net.state[_SPILLED] = 0
    for i in range(count - 1, -1, -1):
        t, bits = np.int64(net.step_tiles[i]), net.step_bits[i]
        net.low[t] &= ~bits
        net.dry[t] |= bits
        moving = bits & net.sources[t]
        if moving != NONE:
            masks = neighbours_in(net.low, t, net.row, net.directions)
            moving &= _open(net, t, masks)
            while moving != NONE:
                _drain(net, t, first_bit(moving), masks)
                moving = without_first(moving)
    i = 0
    while i < net.state[_SPILLED]:
        t, b = net.spilled[i] >> 6, net.spilled[i] & 63
        _drain(net, t, b, neighbours_in(net.low, t, net.row, net.directions))
        i += 1


@inline
def flow_in_waves(sync, net, n_pixels, patience):
    """Push a maximum flow in `net`, into the deficits beside its shores.

    Returns whether the flow is maximal, and the number of steps of the last search. If it is, ``net.dry`` is left
    without the pixels on the side of the sink. It is not if the searches take more than `patience` steps for each of
    the `n_pixels`, or if the words in `sync` say that the run is to end.
    """
    few = _FEW * n_pixels
    limit, waves = np.int64(1), 0  # a plain 1 would be a type of its own, and the search compiled for it as well
    net.state[_STEPS] = 0
    while net.state[_STEPS] <= patience * n_pixels and not aborted(sync):
        count, complete = _search(net, limit)
        if net.state[_ACTIVE] == 0 and complete:
            return True, count
        run_down(net, count)
        waves += 1
        if not complete and (waves == _MOST or net.state[_ACTIVE] <= few):
            limit, waves = min(2 * limit, np.int64(_FARTHEST)), 0
    return False, 0
