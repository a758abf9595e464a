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

from typing import NamedTuple

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

# Words of the state: heads and tails of the two queues, the deepest bucket of orphans in use, orphans so far.
_HEAD, _TAIL, _DEEPEST, _ORPHANS = 0, 2, 4, 5


class Net(NamedTuple):
    """What all parts of the algorithm share; they get pointers, because handing on an array costs time.

    A pixel, called `node`, is where its record begins. Most parts serve both trees: `sign` is 1 for that of the source
    and -1 for that of the sink, so that ``sign * depth`` is positive in the tree at hand.
    """

    g: np.ndarray  # int32: all records
    steps: np.ndarray  # (K,) int64: distances to the records of the neighbours
    buckets: np.ndarray  # int32: the first orphan of each depth; its link leads to the next
    source_queue: np.ndarray  # (n,) int32: a ring of pixels that wait for the growth of their level
    sink_queue: np.ndarray  # (n,) int32
    state: np.ndarray  # int64: see above
    n: int  # length of the rings
    degree: int  # K
    directions: tuple[int, ...]  # K zeros, or empty


@inline
def _degree(net):
    """Neighbours of a pixel of `net`, a number for the compiler where the length of its directions tells."""
    return len(net.directions) if len(net.directions) > 0 else net.degree


@inline
def _parent(net, node):
    """Direction of the parent of pixel `node` in `net`, or one of the codes above."""
    return net.g[node + _degree(net) + 2] & _CODE


@inline
def _set_parent(net, node, code):
    """Make `code`, a direction or one of the codes above, the parent of pixel `node` in `net`."""
    at = node + _degree(net) + 2
    net.g[at] = np.int32((net.g[at] & ~_CODE) | code)


@inline
def _room(net, node, other, k, sign):
    """Residual capacity in `net` of the tree edge if `other`, in direction `k`, is the parent of `node`.

    `sign` says in which tree.
    """
    return net.g[other + (k ^ 1)] if sign > 0 else net.g[node + k]


@inline
def _enqueue(net, node, sign):
    """Let pixel `node` wait for the next level of the tree `sign` of `net` to grow, unless it waits already."""
    side = 0 if sign > 0 else 1
    at = node + _degree(net) + 2
    word = net.g[at]
    if word & (_QUEUED << side) == 0:
        net.g[at] = np.int32(word | (_QUEUED << side))
        queue = net.source_queue if sign > 0 else net.sink_queue
        tail = net.state[_TAIL + side]
        queue[tail] = np.int32(node)
        net.state[_TAIL + side] = tail + 1 if tail + 1 < net.n else 0


@inline
def _dequeue(net, sign):
    """The pixel that has waited longest for the tree `sign` of `net` to grow; it waits no more."""
    side = 0 if sign > 0 else 1
    queue = net.source_queue if sign > 0 else net.sink_queue
    head = net.state[_HEAD + side]
    node = np.int64(queue[head])
    net.state[_HEAD + side] = head + 1 if head + 1 < net.n else 0
    at = node + _degree(net) + 2
    net.g[at] = np.int32(net.g[at] & ~(_QUEUED << side))
    return node


@inline
def _waiting(net, sign):
    """How many pixels wait for the tree `sign` of `net` to grow."""
    side = 0 if sign > 0 else 1
    count = net.state[_TAIL + side] - net.state[_HEAD + side]
    return count + net.n if count < 0 else count


@inline
def _orphan(net, node, depth):
    """Cut pixel `node` of `net` from its parent and put it into the bucket of its `depth`."""
    _set_parent(net, node, _ORPHAN)
    net.g[node + _degree(net) + 3] = net.buckets[depth]
    net.buckets[depth] = np.int32(node)
    if depth > net.state[_DEEPEST]:
        net.state[_DEEPEST] = depth


@inline
def _room_to_root(net, node, amount, sign):
    """How much of `amount` fits between pixel `node` of `net` and its root in the tree `sign`.

    The excess of the root limits it as well.
    """
    while True:
        k = np.int64(_parent(net, node))
        if k >= _degree(net):
            break
        other = node + net.steps[k]
        room = _room(net, node, other, k, sign)
        amount = room if room < amount else amount
        node = other
    room = np.int32(sign) * net.g[node + _degree(net)]
    return room if room < amount else amount


@inline
def _push_to_root(net, node, amount, sign):
    """Push `amount` between pixel `node` of `net` and its root in the tree `sign`.

    Pixels whose edge to the parent is then full become orphans; returns the least depth of one.
    """
    g = net.g
    shallowest = np.int64(1 << 40)
    while True:
        k = np.int64(_parent(net, node))
        if k >= _degree(net):
            break
        other = node + net.steps[k]
        down, up = (other + (k ^ 1), node + k) if sign > 0 else (node + k, other + (k ^ 1))
        left = g[down] - amount
        g[down] = np.int32(left)
        g[up] = np.int32(g[up] + amount)
        if left == 0:
            shallowest = np.int64(sign * g[node + _degree(net) + 1])
            _orphan(net, node, shallowest)
        node = other
    left = g[node + _degree(net)] - np.int32(sign) * amount
    g[node + _degree(net)] = np.int32(left)
    if left == 0:
        shallowest = np.int64(1)
        _orphan(net, node, shallowest)
    return shallowest


@inline
def _adopt(net, depth, limit, sign):
    """Give each orphan of `net` of depth `depth` or more a parent in the tree `sign`, or let it go.

    The parent is the one of least depth, and not in the last level, `limit`.
    """
    g, depth_at = net.g, _degree(net) + 1
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
            for k in range(_degree(net)):
                other = node + net.steps[k]
                if g[other + depth_at] == above and _room(net, node, other, k, sign) > 0:
                    best, best_k = depth - 1, np.int64(k)
                    break
        if best_k < 0:
            for k in range(_degree(net)):
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
    """Push flow over the edge in direction `k` from pixel `node` of `net` to `other`, which is in the other tree.

    `node` is in the tree `sign` at `depth`, the level that grows; `other_limit` is the last level of the other tree.
    """
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
    """Let pixel `node` of `net` claim free neighbours, and push flow wherever it touches the other tree.

    `sign`, `depth` and `other_limit` are those of :func:`_augment`.
    """
    g, depth_at = net.g, _degree(net) + 1
    mine = np.int32(sign * depth)
    for k in range(_degree(net)):
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
    """Whether pixel `node` of `net` has neighbours outside the tree `sign`; most roots have none.

    Without a branch for each neighbour, which makes it fast.
    """
    outside = False
    for k in range(_degree(net)):
        outside |= sign * net.g[node + net.steps[k] + _degree(net) + 1] <= 0
    return outside


@inline
def _grow_level(net, first, last, depth, other_limit, sign):
    """Grow the tree `sign` of `net` from its level `depth`; `other_limit` is that of :func:`_augment`.

    The roots are level 1. They are found by looking at all pixels, whose records lie from `first` to `last`.
    """
    depth_at = _degree(net) + 1
    if depth == 1:
        for node in range(first, last, _degree(net) + EXTRA):
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
def max_flow(sync, g, first, last, steps, buckets, queues, directions):
    """Push a maximum flow; afterwards depth < 0 marks the pixels from which a deficit can still be reached.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`; if it says so, the search ends early, with a flow that is not
        maximal.
    g : int32, flat
        Records; on return residual capacities and the excess that is left.
    first, last : int
        Offset of the first record of the grid, and the end of its last.
    steps : int64, (K,)
        Distances in `g` to the records of the neighbours.
    buckets : int32, (n,)
        Zeros; the first orphan of each depth. n is at least the number of pixels plus 2.
    queues : int32, (2 n,)
        Work space.
    directions : tuple
        K zeros: the compiler knows the number of neighbours by the length. Empty: one kernel for any number.

    Returns
    -------
    int
        How many orphans looked for a parent, which is what takes most of the time.

    Notes
    -----
    The marked pixels are the same for every maximum flow: the smallest set that a minimum cut can put on the side of
    the sink. That is why the sink tree is grown to its end even when no flow can be pushed any more.
    """
    state = np.zeros(8, np.int64)
    n = queues.size // 2
    net = Net(
        pointer(g),
        pointer(steps),
        pointer(buckets),
        pointer(queues),
        pointer(queues[n:]),
        pointer(state),
        n,
        steps.size,
        directions,
    )
    for node in range(first, last, _degree(net) + EXTRA):
        at = node + _degree(net)
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
    return state[_ORPHANS]  # its address alone would not keep it


@kernel
def search_strips(sync, n_threads, g, first, pitch, strips, steps, buckets, queues, directions):
    """Push a maximum flow inside each strip of a grid, cut along its first axis.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`, with one counter.
    n_threads : int
    g, first, steps, directions
        As in :func:`max_flow`; edges between strips must have no capacity.
    pitch : int
        Distance in `g` of two slices, or of two rows where there is one slice.
    strips : int64, (S + 1,)
        First slice, or row, of each strip, and the end of the last.
    buckets : int32, (n,)
        Zeros, one for each record of all slices.
    queues : int32, (2 n,)
        Work space.
    """
    words = steps.size + EXTRA
    while True:
        strip = claim(sync, 0)
        if strip >= strips.size - 1:
            break
        begin, end = first + strips[strip] * pitch, first + strips[strip + 1] * pitch - 2 * words
        low, n = strips[strip] * (pitch // words), (strips[strip + 1] - strips[strip]) * (pitch // words)
        max_flow(sync, g, begin, end, steps, buckets[low : low + n], queues[2 * low : 2 * (low + n)], directions)
