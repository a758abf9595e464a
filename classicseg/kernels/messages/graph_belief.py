"""Belief propagation on a graph: messages between neighbours, in the order of the nodes, and what is read from them.

``later[e]`` is the message of edge e to its larger node, ``earlier[e]`` the one to its smaller node; both are (E, L)
float64. See :mod:`classicseg.kernels.messages.belief` for grids.

Pearl, "Probabilistic reasoning in intelligent systems", 1988.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.messages.told import tell, tell_smoothly
from classicseg.kernels.sites.graph import PART, with_pointers
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted
from classicseg.machine.simd import pointer


@inline
def belief(g, i, later, earlier, out):
    """Write to `out` (L,) what node `i` of `g` costs, with all messages to it, `later` and `earlier`."""
    n = g.n_labels
    for label in range(n):
        out[label] = g.unary[i * n + label]
    for e in range(g.later[i], g.later[i + 1]):
        for label in range(n):
            out[label] += earlier[e, label]
    for a in range(g.earlier[i], g.earlier[i + 1]):
        e = g.arriving[a]
        for label in range(n):
            out[label] += later[e, label]


@inline
def compose(g, e, forward, incoming, message, temperature, damping, work, out):
    """Write to `out` what follows the `message` of edge `e` of `g`; returns the largest change of an entry.

    The belief of the sender is at the begin of `work` (3 L,); `incoming` is the message that came over the edge;
    `forward`, `temperature` and `damping` as in :func:`tell` and :func:`send_in_order`. `out` may be `message`.
    """
    n = g.n_labels
    for label in range(n):
        work[n + label] = work[label] - incoming[e, label]
    if temperature > 0:
        least = tell_smoothly(g, e, forward, temperature, n, 2 * n, work)
    else:
        least = tell(g, e, forward, n, 2 * n, work)
    change = 0.0
    for label in range(n):
        new = (1 - damping) * (work[2 * n + label] - least) + damping * message[e, label]
        change = max(change, abs(new - message[e, label]))
        out[e, label] = new
    return change


@kernel
def send_in_order(sync, n_threads, given, later, earlier, temperature, damping, changes):
    """Send messages to later neighbours from the first node on, then to earlier ones from the last node back.

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
        Raised to the largest change of an entry.
    """
    g = with_pointers(given)
    room = np.empty(3 * g.n_labels)
    work = pointer(room)
    change = 0.0
    for i in range(g.n_nodes):
        if i % PART == 0 and aborted(sync):
            return
        belief(g, i, later, earlier, work)
        for e in range(g.later[i], g.later[i + 1]):
            change = max(change, compose(g, e, True, earlier, later, temperature, damping, work, later))
    for i in range(g.n_nodes - 1, -1, -1):
        if i % PART == 0 and aborted(sync):
            return
        belief(g, i, later, earlier, work)
        for a in range(g.earlier[i], g.earlier[i + 1]):
            e = g.arriving[a]
            change = max(change, compose(g, e, False, later, earlier, temperature, damping, work, earlier))
    changes[0] = max(changes[0], change)
    room[0] = 0.0  # what is pointed at must live until here


@kernel
def beliefs(sync, n_threads, given, later, earlier, out):
    """Write the beliefs of all nodes, as costs.

    Parameters
    ----------
    sync, n_threads, given, later, earlier
        As in :func:`send_in_order`.
    out : float64, (N, L)
    """
    g = with_pointers(given)
    for i in range(g.n_nodes):
        belief(g, i, later, earlier, out[i])
