"""Belief propagation on a graph, the message that would change most sent first.

Elidan, McGraw, Koller, "Residual belief propagation: informed scheduling for asynchronous message passing", UAI 2006.

A message has a number, twice that of its edge, and one more if it leads to the smaller node. All are composed ahead of
time; by how much they differ from those that were sent is their key in a heap.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.messages.graph_belief import belief, compose
from classicseg.kernels.sites.graph import PART, with_pointers
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted
from classicseg.machine.simd import pointer


@inline
def _swap(heap, place, a, b):
    """Let the messages at places `a` and `b` of the `heap` change places; `place` tells where each message is."""
    first, second = heap[a], heap[b]
    heap[a], heap[b] = second, first
    place[first], place[second] = b, a


@inline
def _move(heap, place, keys, message):
    """Move a `message` whose key has changed to where it belongs in the `heap`: the largest of the `keys` comes first.

    `place` tells where each message is.
    """
    at = place[message]
    while at > 0 and keys[heap[(at - 1) >> 1]] < keys[message]:
        _swap(heap, place, at, (at - 1) >> 1)
        at = (at - 1) >> 1
    while 2 * at + 1 < heap.size:
        child = 2 * at + 1
        if child + 1 < heap.size and keys[heap[child + 1]] > keys[heap[child]]:
            child += 1
        if keys[heap[child]] <= keys[message]:
            break
        _swap(heap, place, at, child)
        at = child


@kernel
def send_by_residual(sync, n_threads, given, later, earlier, temperature, damping, changes):
    """Send as many messages as a graph has, both ways over each edge, always the one that changes most.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`.
    n_threads : int
        1: each message waits for the one before.
    given : Graph
    later, earlier : float64, (E, L)
        Messages, which are replaced.
    temperature : float
        0 for min-sum, else sum-product.
    damping : float
        Share of the old message in the new one.
    changes : float64, (1,)
        Raised to the largest change of an entry that the next message would make.
    """
    g = with_pointers(given)
    room, n_messages = np.empty(3 * g.n_labels), 2 * len(later)
    work = pointer(room)
    to_later, to_earlier = np.empty_like(later), np.empty_like(earlier)
    keys, heap, place = np.zeros(n_messages), np.arange(n_messages), np.arange(n_messages)
    for step in range(g.n_nodes + n_messages):
        if step % PART == 0 and aborted(sync):
            return
        node, over = step, np.int64(-1)
        if step >= g.n_nodes:
            message = heap[0]
            if keys[message] == 0:
                break
            over = message >> 1
            if message & 1 == 0:
                later[over] = to_later[over]
                node = np.int64(g.high[over])
            else:
                earlier[over] = to_earlier[over]
                node = np.int64(g.low[over])
            keys[message] = 0.0
            _move(heap, place, keys, message)
        belief(g, node, later, earlier, work)
        for e in range(g.later[node], g.later[node + 1]):
            if e != over:
                keys[2 * e] = compose(g, e, True, earlier, later, temperature, damping, work, to_later)
                _move(heap, place, keys, 2 * e)
        for a in range(g.earlier[node], g.earlier[node + 1]):
            e = np.int64(g.arriving[a])
            if e != over:
                keys[2 * e + 1] = compose(g, e, False, later, earlier, temperature, damping, work, to_earlier)
                _move(heap, place, keys, 2 * e + 1)
    if n_messages > 0:
        changes[0] = max(changes[0], keys[heap[0]])
    room[0] = 0.0  # what is pointed at must live until here
