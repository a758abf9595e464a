"""A maximum flow found again near a change: pushed and relabelled in a region that grows as far as it has to.

In a minimum cut no pixel on the side of the source has a deficit, none on that of the sink an excess, and no edge from
the one side to the other has room. New unary costs break the first two only, and only where they are new. From pixels
with a deficit on the side of the source, the roots, a search goes on that side, level by level, against the edges that
have room. Whenever it has found a tenth of the excess that can arrive, this is pushed to neighbours of lower label,
from the highest label down; a pixel that cannot get rid of its excess gets a higher label. Excess whose label is above
all that were given waits for more levels. After many pushes all labels are found anew. When a search from the roots
comes to its end without excess, what it reached belongs to the side of the sink: it has nothing to give, and no edge
with room leads to it. Excess on the side of the sink is the same with all turned round.

Nothing but what is reached is ever looked at, whatever the size of the grid. Capacities are whole or real: an edge or a
pixel that gives all it has is left with exactly nothing.

Goldberg, Tarjan, "A new approach to the maximum-flow problem", Journal of the ACM 35(4), 1988,
doi:10.1145/48014.61051; Cherkassky, Goldberg, "On implementing the push-relabel method for the maximum flow problem",
Algorithmica 19, 1997, doi:10.1007/PL00009180; Kohli, Torr, "Dynamic graph cuts for efficient inference in Markov random
fields", IEEE TPAMI 29(12), 2007, doi:10.1109/TPAMI.2007.1128 (flows that outlive a change of costs).

Single augmenting paths of a tree that grows from the roots take 10 times as long where the excess lies far away: each
edge that fills up near a root makes orphans of much of the tree.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.machine.jit import inline, kernel
from classicseg.machine.simd import pointer

_SHARE = 0.1  # of the excess that can arrive: with so much, pushes begin; with more, much of it would have to turn back
_WORK = 2  # pushes for each pixel that was reached, until labels are found anew


class Residual(NamedTuple):
    """What is left of a flow network, whose pixels are slots from 0 to n - 1.

    The capacity of slot p in direction k is ``room[each * p + plane * k]``, its excess ``excess[each * p]``. What leads
    off the grid has no capacity.
    """

    room: np.ndarray  # flat, int32 or float64
    excess: np.ndarray  # flat, of the same dtype
    each: int
    plane: int
    steps: np.ndarray  # (K,) int64: distances to the slots of the neighbours
    side: np.ndarray  # (n,) uint8: 1 on the side of the sink, 0 on that of the source


class Space(NamedTuple):
    """Work space for n slots: zeros at first; a search leaves labels and piles as it found them."""

    label: np.ndarray  # (n,) int32: at most the number of edges to the next root, plus 1; 0 if not reached
    reached: np.ndarray  # (n,) int32: slots in the order in which they were reached
    link: np.ndarray  # (n,) int32: the next slot with excess of the same label, plus 1
    piles: np.ndarray  # (n + 3,) int32: the first slot with excess of each label, plus 1


class Net(NamedTuple):
    """What all parts share; they get pointers, because handing on an array costs time.

    `sign` is -1 where flow arrives at the roots, which have a deficit. Where it is 1, it leaves them, and what is said
    of excess holds for deficits.
    """

    room: np.ndarray
    excess: np.ndarray
    each: int
    plane: int
    steps: np.ndarray
    side: np.ndarray
    label: np.ndarray
    reached: np.ndarray
    link: np.ndarray
    piles: np.ndarray
    n: int
    sign: int
    degree: int  # K


@inline
def _excess(net, p):
    """Excess of pixel `p` of `net` that is to go to the roots; below 0 for roots that want some."""
    return -net.sign * net.excess[net.each * p]


@inline
def _rooms(net, p, k, q):
    """Where `net` has the room for flow towards the roots from pixel `p` to `q`, its neighbour in direction `k`.

    Then that of the way back.
    """
    here, there = net.each * p + net.plane * k, net.each * q + net.plane * (k ^ 1)
    return (here, there) if net.sign < 0 else (there, here)


@inline
def _wait(net, p, label):
    """Let pixel `p` of `net`, which has excess, wait for its turn among those of its `label`."""
    net.link[p] = net.piles[label]
    net.piles[label] = np.int32(p + 1)


@inline
def _begin(net, roots):
    """Reach those `roots` of `net` that are on the wrong side; returns how many, and how much they want."""
    count, demand = 0, 0.0
    for p in roots:
        excess = _excess(net, p)
        if excess < 0 and net.side[p] == (net.sign > 0):
            net.reached[count] = np.int32(p)
            net.label[p] = np.int32(1)
            count += 1
            demand -= excess
    return count, demand


@inline
def _extend(net, begin, count, label, demand):
    """Reach more levels of `net`, until a share of the excess that can arrive is found, or nothing is left to reach.

    There are `count` pixels so far, those from `begin` on in the last level, which had this `label`. No more than
    `demand` can arrive; all that goes through one level limits it. Returns the new numbers, and what was found.
    """
    own, found = np.uint8(net.sign > 0), 0.0
    while begin < count and found < _SHARE * demand:
        end, arriving = count, 0.0
        label += 1
        for i in range(begin, end):
            p = np.int64(net.reached[i])
            for k in range(net.degree):
                q = p + net.steps[k]
                if not 0 <= q < net.n:
                    continue
                before = net.label[q]
                if before == label or (before == 0 and net.side[q] == own):
                    room = net.room[_rooms(net, q, k ^ 1, p)[0]]
                    arriving += room
                    if before == 0 and room > 0:
                        net.reached[count] = np.int32(q)
                        net.label[q] = np.int32(label)
                        count += 1
                        excess = _excess(net, q)
                        if excess > 0:
                            found += excess
                            _wait(net, q, label)
        demand, begin = min(demand, arriving + found), end
    return begin, count, label, demand, found


@inline
def _discharge(net, p, label, limit):
    """Push the excess of pixel `p` of `net` to neighbours below its `label`, or raise that, to `limit` at most.

    Returns its new label, what is left of its excess, and the sum of the sizes of all numbers that were written.
    """
    excess, least, size = _excess(net, p), limit - 1, 0.0
    for k in range(net.degree):
        q = p + net.steps[k]
        if not 0 <= q < net.n or net.label[q] == 0:
            continue
        down, up = _rooms(net, p, k, q)
        room = net.room[down]
        if room <= 0:
            continue
        if net.label[q] >= label:
            least = min(least, np.int64(net.label[q]))
            continue
        flow, before = min(room, excess), _excess(net, q)
        net.room[down] = room - flow
        net.room[up] += flow
        net.excess[net.each * q] -= net.sign * flow
        excess -= flow
        size += room + net.room[up] + abs(before) + flow + excess
        if before <= 0 and before + flow > 0:
            _wait(net, q, np.int64(net.label[q]))
        if excess == 0:
            break
    net.excess[net.each * p] = -net.sign * excess
    if excess > 0:
        label = least + 1
        net.label[p] = np.int32(label)
        _wait(net, p, label)
    return label, excess, size


@inline
def _push(net, top, most):
    """Push all excess that waits in `net` with labels up to `top`, in `most` steps at most.

    Returns how many were taken, how much excess waits above, and the sum of the sizes of all numbers that were written.
    """
    label, work, held, size = top, 0, 0.0, 0.0
    while label > 0 and work <= most:
        p = np.int64(net.piles[label]) - 1
        if p < 0:
            label -= 1
            continue
        net.piles[label] = net.link[p]
        raised, left, written = _discharge(net, p, label, top + 1)
        if left > 0 and raised <= top:
            label = raised
        elif left > 0:
            held += left
        work += 1
        size += written
    return work, held, size


@inline
def _forget(net, count, top):
    """Clear the labels of the `count` pixels of `net` that were reached, and the piles up to label `top`."""
    for i in range(count):
        net.label[np.int64(net.reached[i])] = np.int32(0)
    for label in range(top + 2):
        net.piles[label] = np.int32(0)


@kernel
def flow_near(residual, space, roots, sign, patience):
    """Push a maximum flow between pixels of the wrong side and all others of that side.

    Parameters
    ----------
    residual : Residual
        Capacities and excess are those that are left, also on return.
    space : Space
    roots : int64, (m,)
        Slots that may be on the wrong side.
    sign : int
        1 for those with an excess on the side of the sink, -1 for those with a deficit on that of the source.
    patience : int
        How many steps that may take.

    Returns
    -------
    int
        How many slots have to change their side, the first in ``space.reached``; -1 if the flow is not maximal, because
        that would take too many steps.
    float
        Sum of the sizes of all numbers that were written.
    """
    net = Net(
        pointer(residual.room), pointer(residual.excess), residual.each, residual.plane, pointer(residual.steps),
        pointer(residual.side), pointer(space.label), pointer(space.reached), pointer(space.link), pointer(space.piles),
        space.label.size, sign, residual.steps.size,
    )  # fmt: skip
    begin, count, label, work, steps = 0, 0, np.int64(1), 0, 0
    demand, held, size, anew = 0.0, 0.0, 0.0, True
    while steps <= patience:
        if anew:
            _forget(net, count, label)
            count, demand = _begin(net, roots)
            begin, label, work, held = 0, np.int64(1), 0, 0.0
        before = begin
        begin, count, label, demand, found = _extend(net, begin, count, label, demand)
        steps += count - before
        if found == 0:
            if anew:
                break
            anew = True
            continue
        taken, still, written = _push(net, label, _WORK * count - work)
        demand -= found + held - still
        work, held, size, steps = work + taken, still, size + written, steps + taken
        anew = work > _WORK * count
    _forget(net, count, label)
    return (count if steps <= patience else -1), size
