"""Maximum flow on any graph by incremental breadth-first search (IBFS).

The algorithm is that of :mod:`classicseg.kernels.cut.paths`, which explains it; here arcs are stored. Each edge is two
arcs, one in the list of each of its ends, and the arcs of a node lie together. An arc knows what can still flow over it
and over its opposite: trees of both kinds are grown by reading one list from its beginning to its end, and only pushing
flow has to visit the opposite arcs.

    arcs      head | opposite | capacity | capacity of the opposite  int32, or int64 if capacities need it
    nodes     first arc | depth | parent | link                      int32

What all arcs have is one record, so that whoever looks at an arc touches one line of the cache. Capacities are what is
left of them. There is one record of a node more than there are nodes; its first arc is the end. A parent is an arc that
leads to it, and the link is the node there: so the way to a root is one of nodes, and does not wait for arcs. Links of
orphans lead to other orphans. Excess is what the source offers a node less what the sink asks of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted
from classicseg.machine.simd import pointer

ARC_WORDS, NODE_WORDS = 4, 4

# Words of the record of an arc.
HEAD, OPPOSITE, ROOM, BACK = 0, 1, 2, 3
# Words of the record of a node.
FIRST, DEPTH, _PARENT, _LINK = 0, 1, 2, 3
# Parents that are no arcs. Orphans that had an arc remember it: the code is less than that of one without by the arc
# plus 1.
_ROOT, _FREE, _ORPHAN = -1, -2, -3
# Flags of a node: it is in the queue of the source tree (1), in that of the sink tree (2).
# Words of the state: fronts and tails of the two queues, the deepest bucket of orphans in use.
_FRONT, _TAIL, _DEEPEST = 0, 2, 4


class Net(NamedTuple):
    """What all parts of the algorithm share; pointers, because handing on an array costs time.

    `sign` is 1 for the tree of the source and -1 for that of the sink, so that ``sign * depth`` is positive in the tree
    at hand.
    """

    arcs: np.ndarray  # int32 or int64: see above
    nodes: np.ndarray  # int32
    excess: np.ndarray  # (n,), as `arcs`
    flags: np.ndarray  # (n,) uint8: see above
    buckets: np.ndarray  # (n + 2,) int32: the first orphan of each depth plus 1; its link leads to the next
    source_queue: np.ndarray  # (n + 1,) int32: a ring of nodes that wait for the growth of their level
    sink_queue: np.ndarray  # (n + 1,) int32
    children: np.ndarray  # (n,) int32: of the orphan at hand
    state: np.ndarray  # int64: see above
    ring: int  # length of the rings: one more than there are nodes, so that a full one does not look empty


@inline
def _enqueue(net, node, sign):
    """Let `node` wait for the next level of the tree `sign` of `net` to grow, unless it waits already."""
    side = 0 if sign > 0 else 1
    if net.flags[node] & (1 << side) == 0:
        net.flags[node] |= np.uint8(1 << side)
        queue = net.source_queue if sign > 0 else net.sink_queue
        tail = net.state[_TAIL + side]
        queue[tail] = np.int32(node)
        net.state[_TAIL + side] = tail + 1 if tail + 1 < net.ring else 0


@inline
def _dequeue(net, sign):
    """The node that has waited longest for the tree `sign` of `net` to grow; it waits no more."""
    side = 0 if sign > 0 else 1
    queue = net.source_queue if sign > 0 else net.sink_queue
    head = net.state[_FRONT + side]
    node = np.int64(queue[head])
    net.state[_FRONT + side] = head + 1 if head + 1 < net.ring else 0
    net.flags[node] &= np.uint8(~(1 << side))
    return node


@inline
def _waiting(net, sign):
    """How many nodes wait for the tree `sign` of `net` to grow."""
    side = 0 if sign > 0 else 1
    count = net.state[_TAIL + side] - net.state[_FRONT + side]
    return count + net.ring if count < 0 else count


@inline
def _orphan(net, node, depth):
    """Cut `node` of `net` from its parent and put it into the bucket of its `depth`."""
    at = NODE_WORDS * node
    net.nodes[at + _PARENT] = np.int32(_ORPHAN - 1 - max(net.nodes[at + _PARENT], -1))
    net.nodes[at + _LINK] = net.buckets[depth]
    net.buckets[depth] = np.int32(node + 1)
    if depth > net.state[_DEEPEST]:
        net.state[_DEEPEST] = depth


@inline
def _room_to_root(net, node, amount, sign):
    """How much of `amount` fits between `node` of `net` and its root in the tree `sign`, whose excess limits it too."""
    back = BACK if sign > 0 else ROOM
    while True:
        arc = np.int64(net.nodes[NODE_WORDS * node + _PARENT])
        if arc < 0:
            break
        room = np.int64(net.arcs[ARC_WORDS * arc + back])
        amount = room if room < amount else amount
        node = np.int64(net.nodes[NODE_WORDS * node + _LINK])
    room = sign * np.int64(net.excess[node])
    return room if room < amount else amount


@inline
def _push(net, arc, amount):
    """Let `amount` flow over the `arc` of `net`."""
    mine = ARC_WORDS * arc
    theirs = ARC_WORDS * np.int64(net.arcs[mine + OPPOSITE])
    left, right = np.int64(net.arcs[mine + ROOM]) - amount, np.int64(net.arcs[mine + BACK]) + amount
    net.arcs[mine + ROOM], net.arcs[mine + BACK] = left, right
    net.arcs[theirs + ROOM], net.arcs[theirs + BACK] = right, left


@inline
def _push_to_root(net, node, amount, sign):
    """Push `amount` between `node` of `net` and its root in the tree `sign`.

    Nodes whose arc to the parent is then full become orphans; returns the least depth of one.
    """
    shallowest = np.int64(1 << 40)
    while True:
        arc = np.int64(net.nodes[NODE_WORDS * node + _PARENT])
        if arc < 0:
            break
        parent = np.int64(net.nodes[NODE_WORDS * node + _LINK])
        _push(net, arc, -sign * amount)
        if net.arcs[ARC_WORDS * arc + (BACK if sign > 0 else ROOM)] == 0:
            shallowest = np.int64(sign * net.nodes[NODE_WORDS * node + DEPTH])
            _orphan(net, node, shallowest)
        node = parent
    net.excess[node] -= sign * amount
    if net.excess[node] == 0:
        shallowest = np.int64(1)
        _orphan(net, node, shallowest)
    return shallowest


@inline
def _adopt(net, depth, limit, sign):
    """Give each orphan of `net` of depth `depth` or more a parent in the tree `sign`, or let it go.

    The parent is the one of least depth, and not in the last level, `limit`. Arcs are tried in a ring, from that of the
    last parent on: those before it lead to no parent of the same depth. The loop has no branch but its ends, since
    nobody can foretell which arcs lead to parents and which to children.
    """
    nodes, arcs, back = net.nodes, net.arcs, BACK if sign > 0 else ROOM
    while depth <= net.state[_DEEPEST]:
        node = np.int64(net.buckets[depth]) - 1
        if node < 0:
            depth += 1
            continue
        at = NODE_WORDS * node
        net.buckets[depth] = nodes[at + _LINK]
        begin, end = np.int64(nodes[at + FIRST]), np.int64(nodes[at + NODE_WORDS + FIRST])
        arc = max(_ORPHAN - 1 - np.int64(nodes[at + _PARENT]), begin)
        best, parent, least, n_children = limit, np.int64(-1), max(depth - 1, 1), 0
        for _ in range(end - begin):
            record = ARC_WORDS * arc
            other = np.int64(arcs[record + HEAD])
            theirs = np.int64(sign * nodes[NODE_WORDS * other + DEPTH])
            net.children[n_children] = np.int32(other)
            n_children += np.int64(nodes[NODE_WORDS * other + _PARENT] == arcs[record + OPPOSITE])
            is_better = (theirs < best) & (theirs >= least) & (arcs[record + back] > 0)
            best = theirs if is_better else best
            parent = arc if is_better else parent
            if best < depth:
                break
            arc = arc + 1 if arc + 1 < end else begin
        if best >= depth:
            for i in range(n_children):
                child = np.int64(net.children[i])
                _orphan(net, child, np.int64(sign * nodes[NODE_WORDS * child + DEPTH]))
            if parent < 0:
                nodes[at + DEPTH] = np.int32(0)
                nodes[at + _PARENT] = np.int32(_FREE)
                continue
            nodes[at + DEPTH] = np.int32(sign * (best + 1))
            if best > depth or nodes[NODE_WORDS * np.int64(arcs[ARC_WORDS * parent + HEAD]) + _PARENT] <= _ORPHAN:
                nodes[at + _PARENT] = np.int32(parent)
                _orphan(net, node, best + 1)  # until the depth of its parent is settled
                continue
        nodes[at + _PARENT] = np.int32(parent)
        nodes[at + _LINK] = np.int32(arcs[ARC_WORDS * parent + HEAD])
        if best + 1 == limit:
            _enqueue(net, node, sign)
    net.state[_DEEPEST] = 0


@inline
def _augment(net, node, arc, depth, other_limit, sign):
    """Push flow over the `arc` of `net` that leads from `node` to the other tree.

    `node` is in the tree `sign` at `depth`, the level that grows; `other_limit` is the last level of the other tree.
    """
    other = np.int64(net.arcs[ARC_WORDS * arc + HEAD])
    amount = np.int64(net.arcs[ARC_WORDS * arc + (ROOM if sign > 0 else BACK)])
    amount = _room_to_root(net, node, amount, sign)
    amount = _room_to_root(net, other, amount, -sign)
    _push(net, arc, sign * amount)
    least = _push_to_root(net, node, amount, sign)
    _adopt(net, least, depth + 1, sign)
    least = _push_to_root(net, other, amount, -sign)
    _adopt(net, least, other_limit, -sign)


@inline
def _grow(net, node, depth, other_limit, sign):
    """Let `node` of `net` claim free neighbours, and push flow wherever it touches the other tree.

    `sign`, `depth` and `other_limit` are those of :func:`_augment`.
    """
    nodes, arcs, ahead = net.nodes, net.arcs, ROOM if sign > 0 else BACK
    at = NODE_WORDS * node
    for arc in range(np.int64(nodes[at + FIRST]), np.int64(nodes[at + NODE_WORDS + FIRST])):
        record = ARC_WORDS * arc
        while arcs[record + ahead] > 0:
            other = np.int64(arcs[record + HEAD])
            theirs = sign * nodes[NODE_WORDS * other + DEPTH]
            if theirs > 0:
                break
            if theirs == 0:
                nodes[NODE_WORDS * other + DEPTH] = np.int32(sign * (depth + 1))
                nodes[NODE_WORDS * other + _PARENT] = np.int32(arcs[record + OPPOSITE])
                nodes[NODE_WORDS * other + _LINK] = np.int32(node)
                _enqueue(net, other, sign)
                break
            _augment(net, node, arc, depth, other_limit, sign)
            if nodes[at + DEPTH] != sign * depth:
                return  # it became an orphan and lost its level


@inline
def _grow_level(net, depth, other_limit, sign):
    """Grow the tree `sign` of `net` from its level `depth`; `other_limit` is that of :func:`_augment`."""
    for _ in range(_waiting(net, sign)):
        node = _dequeue(net, sign)
        now = np.int64(sign * net.nodes[NODE_WORDS * node + DEPTH])
        if now == depth:
            _grow(net, node, depth, other_limit, sign)
        elif now == depth + 1:  # it was adopted one level deeper while it waited
            _enqueue(net, node, sign)


@inline
def _push_over_single_arcs(net):
    """Push from excess to deficit of `net` what a single arc can carry: much of all flow is that near.

    Arcs are looked at from nodes with a deficit, which moves have few of. Returns how many of them still have one.
    """
    arcs, n_left = net.arcs, 0
    for node in range(net.ring - 1):
        wanted = -np.int64(net.excess[node])
        if wanted <= 0:
            continue
        at = NODE_WORDS * node
        for arc in range(np.int64(net.nodes[at + FIRST]), np.int64(net.nodes[at + NODE_WORDS + FIRST])):
            record = ARC_WORDS * arc
            other, room = np.int64(arcs[record + HEAD]), np.int64(arcs[record + BACK])
            there = np.int64(net.excess[other])
            if there > 0 and room > 0:
                flow = min(there, wanted, room)
                _push(net, arc, -flow)
                net.excess[other] = there - flow
                wanted -= flow
                if wanted == 0:
                    break
        net.excess[node] = -wanted
        n_left += np.int64(wanted > 0)
    return n_left


@inline
def _push_over_pairs(net):
    """Push from excess to deficit of `net` what two arcs can carry, after single arcs have carried what they can.

    The node between them has neither, or single arcs would have carried it. Such nodes are few where all have costs. No
    push opens a new way of two arcs, so that each is looked at once.
    """
    arcs, excess = net.arcs, net.excess
    for node in range(net.ring - 1):
        if excess[node] != 0:
            continue
        at = NODE_WORDS * node
        giver, end = np.int64(net.nodes[at + FIRST]), np.int64(net.nodes[at + NODE_WORDS + FIRST])
        for taker in range(giver, end):
            to = np.int64(arcs[ARC_WORDS * taker + HEAD])
            most = min(np.int64(arcs[ARC_WORDS * taker + ROOM]), -np.int64(excess[to]))
            while most > 0 and giver < end:
                origin = np.int64(arcs[ARC_WORDS * giver + HEAD])
                flow = min(most, np.int64(arcs[ARC_WORDS * giver + BACK]), np.int64(excess[origin]))
                if flow > 0:
                    _push(net, giver, -flow)
                    _push(net, taker, flow)
                    excess[origin] -= flow
                    excess[to] += flow
                    most -= flow
                if most > 0:
                    giver += 1


@inline
def _plant(net):
    """Begin the trees of `net`: the roots, which have excess or a deficit, and the next level.

    As excess and deficits are more than two arcs apart, that level is all that growth from the roots would find, and no
    node could be of both trees. Nodes that are no roots are fewer.
    """
    nodes, arcs, excess = net.nodes, net.arcs, net.excess
    for node in range(net.ring - 1):
        here, at = excess[node], NODE_WORDS * node
        nodes[at + DEPTH] = np.int32(1 if here > 0 else (-1 if here < 0 else 0))
        nodes[at + _PARENT] = np.int32(_FREE if here == 0 else _ROOT)
        if here != 0:
            continue
        for arc in range(np.int64(nodes[at + FIRST]), np.int64(nodes[at + NODE_WORDS + FIRST])):
            record = ARC_WORDS * arc
            there = excess[np.int64(arcs[record + HEAD])]
            if (there > 0 and arcs[record + BACK] > 0) or (there < 0 and arcs[record + ROOM] > 0):
                sign = np.int64(1 if there > 0 else -1)
                nodes[at + DEPTH], nodes[at + _PARENT] = np.int32(2 * sign), np.int32(arc)
                nodes[at + _LINK] = np.int32(arcs[record + HEAD])
                _enqueue(net, node, sign)
                break


@kernel
def graph_flow(sync, n_threads, arcs, nodes, excess, work, flags, state):
    """Push a maximum flow; afterwards depth < 0 marks the nodes from which a deficit can still be reached.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`; if it says so, the search ends early, with a flow that is not
        maximal.
    n_threads : int
        1.
    arcs : int32 or int64, (8 E,)
        Records; on return with what is left of capacities.
    nodes : int32, (4 (n + 1),)
        Records; only first arcs have to be there.
    excess : as `arcs`, (n,)
        On return what is left of it.
    work : int32, (4 n + 4,)
        Work space.
    flags : uint8, (n,)
        Work space.
    state : int64, (5,)
        Work space. All three are the caller's: the compiler would free what is read by its address only.

    Notes
    -----
    The marked nodes are the same for every maximum flow: the smallest set that a minimum cut can put on the side of
    the sink. That is why the sink tree is grown to its end even when no flow can be pushed any more.
    """
    n = excess.size
    net = Net(
        pointer(arcs),
        pointer(nodes),
        pointer(excess),
        pointer(flags),
        pointer(work),
        pointer(work[n + 2 :]),
        pointer(work[2 * n + 3 :]),
        pointer(work[3 * n + 4 :]),
        pointer(state),
        n + 1,
    )
    flags[:] = 0
    state[:] = 0
    work[: n + 2] = 0
    if _push_over_single_arcs(net) == 0:  # as in many a move
        for node in range(n):
            net.nodes[NODE_WORDS * node + DEPTH] = np.int32(0)
        return
    _push_over_pairs(net)
    _plant(net)
    source_depth, sink_depth = 2, 2
    source_grows, sink_grows = _waiting(net, 1) > 0, _waiting(net, -1) > 0
    while sink_grows and not aborted(sync):
        if source_grows and source_depth <= sink_depth:
            _grow_level(net, source_depth, sink_depth, 1)
            source_depth += 1
        else:
            _grow_level(net, sink_depth, source_depth, -1)
            sink_depth += 1
        source_grows, sink_grows = _waiting(net, 1) > 0, _waiting(net, -1) > 0
