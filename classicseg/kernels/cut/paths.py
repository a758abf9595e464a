"""Maximum flow on a grid by incremental breadth-first search (IBFS).

Goldberg, Hed, Kaplan, Tarjan, Werneck, "Maximum flows by incremental breadth-first search", ESA 2011,
doi:10.1007/978-3-642-23719-5_39. Two trees of shortest residual paths grow level by level: the source tree from the
pixels with an excess of flow (depths 1, 2, ...), the sink tree towards the pixels with a deficit (depths -1, -2, ...).
Where they touch, flow is pushed along the path. Pixels whose edge to the parent is then full become orphans: they look
for the parent of least depth, or leave the tree.

The grid is implicit. A pixel is a record of int32 words, and the records of its neighbours lie at fixed distances:

    residual capacity to each of the K neighbours | excess | depth | parent | link

Directions come in opposite pairs, ``k ^ 1`` is the reverse of k. Around the grid lies a border, one pixel wide, whose
capacities are 0, so that no pixel needs to know where it is. Excess may be positive or negative from the start: the
difference of the two unary costs, changed by whatever flow was pushed before.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, claim
from classicseg.machine.simd import pointer

EXTRA = 4
"""Words of a record besides the capacities."""

# Parents: 0 to K - 1 is the direction to go, then:
_ROOT, _FREE, _ORPHAN, _CODE = 128, 129, 130, 255
# Beside the parent, a flag of each tree: the pixel waits in the queue of its next level.
_QUEUED = 256

# Words of the state: head and tail of the two queues, the deepest bucket of orphans in use, orphans so far.
_HEAD, _TAIL, _DEEPEST, _ORPHANS = 0, 2, 4, 5

Net = namedtuple("Net", "g steps buckets source_queue sink_queue state n pairs")
"""What all parts of the algorithm share. Pointers, but for the number of pixels n and the tuple of K zeros."""


@inline
def _parent(net, node):
    return net.g[node + len(net.pairs) + 2] & _CODE


@inline
def _set_parent(net, node, code):
    at = node + len(net.pairs) + 2
    net.g[at] = np.int32((net.g[at] & ~_CODE) | code)


@inline
def _room(net, node, other, k, sign):
    """Residual capacity of the tree edge if `other`, in direction k, is the parent of `node`."""
    return net.g[other + (k ^ 1)] if sign > 0 else net.g[node + k]


@inline
def _enqueue(net, node, sign):
    """Let the pixel wait for the growth of its level, unless it waits already."""
    side = 0 if sign > 0 else 1
    at = node + len(net.pairs) + 2
    word = net.g[at]
    if word & (_QUEUED << side) == 0:
        net.g[at] = np.int32(word | (_QUEUED << side))
        queue = net.source_queue if sign > 0 else net.sink_queue
        tail = net.state[_TAIL + side]
        queue[tail] = np.int32(node)
        net.state[_TAIL + side] = tail + 1 if tail + 1 < net.n else 0


@inline
def _dequeue(net, sign):
    side = 0 if sign > 0 else 1
    queue = net.source_queue if sign > 0 else net.sink_queue
    head = net.state[_HEAD + side]
    node = np.int64(queue[head])
    net.state[_HEAD + side] = head + 1 if head + 1 < net.n else 0
    at = node + len(net.pairs) + 2
    net.g[at] = np.int32(net.g[at] & ~(_QUEUED << side))
    return node


@inline
def _waiting(net, sign):
    side = 0 if sign > 0 else 1
    count = net.state[_TAIL + side] - net.state[_HEAD + side]
    return count + net.n if count < 0 else count


@inline
def _orphan(net, node, depth):
    """Cut the pixel from its parent and put it into the bucket of its depth."""
    _set_parent(net, node, _ORPHAN)
    net.g[node + len(net.pairs) + 3] = net.buckets[depth]
    net.buckets[depth] = np.int32(node)
    if depth > net.state[_DEEPEST]:
        net.state[_DEEPEST] = depth


@inline
def _room_to_root(net, node, amount, sign):
    """How much of `amount` fits between a pixel and its root, the root's own excess included."""
    while True:
        k = np.int64(_parent(net, node))
        if k >= len(net.pairs):
            break
        other = node + net.steps[k]
        room = _room(net, node, other, k, sign)
        amount = room if room < amount else amount
        node = other
    room = np.int32(sign) * net.g[node + len(net.pairs)]
    return room if room < amount else amount


@inline
def _push_to_root(net, node, amount, sign):
    """Push flow between a pixel and its root; what gets full makes orphans. Returns the least depth of an orphan."""
    g = net.g
    shallowest = np.int64(1 << 40)
    while True:
        k = np.int64(_parent(net, node))
        if k >= len(net.pairs):
            break
        other = node + net.steps[k]
        down, up = (other + (k ^ 1), node + k) if sign > 0 else (node + k, other + (k ^ 1))
        left = g[down] - amount
        g[down] = np.int32(left)
        g[up] = np.int32(g[up] + amount)
        if left == 0:
            shallowest = np.int64(sign * g[node + len(net.pairs) + 1])
            _orphan(net, node, shallowest)
        node = other
    left = g[node + len(net.pairs)] - np.int32(sign) * amount
    g[node + len(net.pairs)] = np.int32(left)
    if left == 0:
        shallowest = np.int64(1)
        _orphan(net, node, shallowest)
    return shallowest


@inline
def _adopt(net, depth, limit, sign):
    """Give each orphan of depth `depth` or more the parent of least depth below `limit`, or let it go."""
    g, depth_at = net.g, len(net.pairs) + 1
    while depth <= net.state[_DEEPEST]:
        node = np.int64(net.buckets[depth])
        if node == 0:
            depth += 1
            continue
        net.buckets[depth] = g[node + depth_at + 2]
        net.state[_ORPHANS] += 1
        above = np.int32(sign * (depth - 1))
        best, best_k = limit, np.int64(-1)
        if depth > 1:
            for k in range(len(net.pairs)):
                other = node + net.steps[k]
                if g[other + depth_at] == above and _room(net, node, other, k, sign) > 0:
                    best, best_k = depth - 1, np.int64(k)
                    break
        if best_k < 0:
            for k in range(len(net.pairs)):
                other = node + net.steps[k]
                theirs = np.int64(sign * g[other + depth_at])
                if theirs < depth:
                    continue
                if _parent(net, other) == (k ^ 1):
                    _orphan(net, other, theirs)
                if theirs < best and _room(net, node, other, k, sign) > 0:
                    best, best_k = theirs, np.int64(k)
            if best_k < 0:
                g[node + depth_at] = np.int32(0)
                _set_parent(net, node, _FREE)
                continue
            g[node + depth_at] = np.int32(sign * (best + 1))
            if best > depth or _parent(net, node + net.steps[best_k]) == _ORPHAN:
                _orphan(net, node, best + 1)  # until the depth of its parent is settled
                continue
        _set_parent(net, node, best_k)
        if best + 1 == limit:
            _enqueue(net, node, sign)
    net.state[_DEEPEST] = 0


@inline
def _augment(net, node, other, k, depth, other_limit, sign):
    """Push flow over the edge in direction k between a pixel and a neighbour in the other tree."""
    forward, backward = (node + k, other + (k ^ 1)) if sign > 0 else (other + (k ^ 1), node + k)
    amount = _room_to_root(net, node, net.g[forward], sign)
    amount = _room_to_root(net, other, amount, -sign)
    net.g[forward] = np.int32(net.g[forward] - amount)
    net.g[backward] = np.int32(net.g[backward] + amount)
    least = _push_to_root(net, node, amount, sign)
    _adopt(net, least, depth + 1, sign)
    least = _push_to_root(net, other, amount, -sign)
    _adopt(net, least, other_limit, -sign)


@inline
def _grow(net, node, depth, other_limit, sign):
    """Let a pixel of the last level claim free neighbours, and push flow wherever it touches the other tree."""
    g, depth_at = net.g, len(net.pairs) + 1
    mine = np.int32(sign * depth)
    for k in range(len(net.pairs)):
        other = node + net.steps[k]
        while (g[node + k] if sign > 0 else g[other + (k ^ 1)]) > 0:
            theirs = np.int64(sign * g[other + depth_at])
            if theirs > 0:
                break
            if theirs == 0:
                g[other + depth_at] = np.int32(sign * (depth + 1))
                _set_parent(net, other, k ^ 1)
                _enqueue(net, other, sign)
                break
            _augment(net, node, other, k, depth, other_limit, sign)
            if g[node + depth_at] != mine:
                return  # it became an orphan and lost its level


@inline
def _has_other_neighbours(net, node, sign):
    """Whether a pixel has neighbours outside its tree: most roots have none. No branch for each, to be fast."""
    outside = False
    for k in range(len(net.pairs)):
        outside |= sign * net.g[node + net.steps[k] + len(net.pairs) + 1] <= 0
    return outside


@inline
def _grow_level(net, first, last, depth, other_limit, sign):
    """Grow one tree by one level. The roots are level 1; they are found by looking at all pixels."""
    depth_at = len(net.pairs) + 1
    if depth == 1:
        for node in range(first, last, len(net.pairs) + EXTRA):
            if net.g[node + depth_at] == sign and _has_other_neighbours(net, node, sign):
                _grow(net, node, depth, other_limit, sign)
        return
    for _ in range(_waiting(net, sign)):
        node = _dequeue(net, sign)
        now = np.int64(sign * net.g[node + depth_at])
        if now == depth:
            _grow(net, node, depth, other_limit, sign)
        elif now == depth + 1:  # it was adopted one level deeper while it waited
            _enqueue(net, node, sign)


@kernel
def max_flow(sync, g, first, last, steps, buckets, queues, pairs):
    """Push a maximum flow; afterwards depth < 0 marks the pixels from which a deficit can still be reached.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`; if it says so, the search ends early, with a flow that is not
        maximal.
    g : int32, flat
        Records; on return residual capacities and the excess that is left.
    first, last : int
        Offsets of the first record of the grid and past its last.
    steps : int64, (K,)
        Distances in `g` to the records of the neighbours.
    buckets : int32, (n,)
        Zeros; heads of the lists of orphans by depth. n is at least the number of pixels plus 2.
    queues : int32, (2 n,)
        Work space.
    pairs : tuple
        K zeros.

    Returns
    -------
    int
        How many orphans looked for a parent: what most of the time was spent on.

    Notes
    -----
    The marked pixels are the same for every maximum flow: the smallest set that a minimum cut can put on the side of
    the sink. So the sink tree is grown to its end, also when no flow can be pushed any more.
    """
    state = np.zeros(8, np.int64)
    n = queues.size // 2
    net = Net(
        pointer(g), pointer(steps), pointer(buckets), pointer(queues), pointer(queues[n:]), pointer(state), n, pairs
    )
    for node in range(first, last, len(pairs) + EXTRA):
        at = node + len(pairs)
        excess = net.g[at]
        net.g[at + 1] = np.int32(1 if excess > 0 else (-1 if excess < 0 else 0))
        net.g[at + 2] = np.int32(_FREE if excess == 0 else _ROOT)
    source_depth, sink_depth = 1, 1
    source_grows, sink_grows = True, True
    while sink_grows and not aborted(sync):
        if source_grows and source_depth <= sink_depth:
            _grow_level(net, first, last, source_depth, sink_depth, 1)
            source_depth += 1
        else:
            _grow_level(net, first, last, sink_depth, source_depth, -1)
            sink_depth += 1
        source_grows = source_depth == 1 or _waiting(net, 1) > 0
        sink_grows = sink_depth == 1 or _waiting(net, -1) > 0
    return net.state[_ORPHANS]


@kernel
def search_strips(sync, n_threads, g, first, pitch, strips, steps, buckets, queues, pairs):
    """Push a maximum flow inside each strip of a grid, cut along its first axis.

    `strips` holds the first slice (or row) of each, and their number; `pitch` is the distance of two. `buckets` and
    `queues` have a number, and two, for each record of all slices (see `max_flow`).
    """
    words = len(pairs) + EXTRA
    while True:
        strip = claim(sync, 0)
        if strip >= strips.size - 1:
            break
        begin, end = first + strips[strip] * pitch, first + strips[strip + 1] * pitch - 2 * words
        low, n = strips[strip] * (pitch // words), (strips[strip + 1] - strips[strip]) * (pitch // words)
        max_flow(sync, g, begin, end, steps, buckets[low : low + n], queues[2 * low : 2 * (low + n)], pairs)
