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
def _belief(g, i, later, earlier, out):
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
def _send(g, e, forward, belief, incoming, message, temperature, damping, costs, out):
    """Replace the `message` of edge `e` of `g`, sent by the node with this `belief`; returns the largest change.

    `incoming` is the message that came over the edge; `costs` (L,) and `out` (L,) are work space; `forward`,
    `temperature` and `damping` as in :func:`tell` and :func:`send_in_order`.
    """
    for label in range(g.n_labels):
        costs[label] = belief[label] - incoming[e, label]
    if temperature > 0:
        least = tell_smoothly(g, e, forward, temperature, costs, out)
    else:
        least = tell(g, e, forward, costs, out)
    change = 0.0
    for label in range(g.n_labels):
        new = (1 - damping) * (out[label] - least) + damping * message[e, label]
        change = max(change, abs(new - message[e, label]))
        message[e, label] = new
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
    work = np.empty(3 * g.n_labels)
    belief, costs, out = pointer(work), pointer(work[g.n_labels :]), pointer(work[2 * g.n_labels :])
    change = 0.0
    for i in range(g.n_nodes):
        if i % PART == 0 and aborted(sync):
            return
        _belief(g, i, later, earlier, belief)
        for e in range(g.later[i], g.later[i + 1]):
            change = max(change, _send(g, e, True, belief, earlier, later, temperature, damping, costs, out))
    for i in range(g.n_nodes - 1, -1, -1):
        if i % PART == 0 and aborted(sync):
            return
        _belief(g, i, later, earlier, belief)
        for a in range(g.earlier[i], g.earlier[i + 1]):
            e = g.arriving[a]
            change = max(change, _send(g, e, False, belief, later, earlier, temperature, damping, costs, out))
    changes[0] = max(changes[0], change)


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
        _belief(g, i, later, earlier, out[i])
