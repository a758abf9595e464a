"""The flow network of an expansion on a graph whose edges cost the same for all pairs of different labels (Potts).

Nodes and arcs of the network are those of the graph (see :mod:`classicseg.kernels.cut.graph`). Writing all of it in one
stream takes less time than finding out which nodes need not be there, as
:mod:`classicseg.kernels.cut.graph_moves` does for any costs.

An edge of weight w costs nothing if both of its nodes switch. If they have one label now, it costs w when one of them
switches: it can carry w, either way. If they have two, it costs w unless both switch. That is w, less w / 2 for each
node that switches, and w / 2 more if only one does: it can carry w / 2, and each node gains w / 2. All costs are
doubled, so that halves of whole numbers are whole.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.cut.graph import ARC_WORDS, BACK, DEPTH, FIRST, HEAD, NODE_WORDS, ROOM
from classicseg.machine.jit import kernel
from classicseg.machine.simd import pointer


@kernel
def write_expansion(unary, weights, zero, label, arcs, nodes, excess):
    """Write the network of the choice between labels and one more.

    Parameters
    ----------
    unary : as `arcs`, (L n,)
        What labels cost, doubled.
    weights : as `arcs`, (2 E,)
        Of each arc, not doubled.
    zero : int32, (n,)
        The labels that nodes have.
    label : int
        The one that they may switch to.
    arcs : int32 or int64, (8 E,)
        Capacities are written; heads must be there.
    nodes : int32, (4 (n + 1),)
        First arcs.
    excess : as `arcs`, (n,)
        Is written.

    Returns
    -------
    int
        How many nodes have a deficit: without one, no cut gains.
    """
    n, n_wanting = zero.size, 0
    arc, record, own, weight, zeros = pointer(arcs), pointer(nodes), pointer(unary), pointer(weights), pointer(zero)
    for node in range(n):
        mine = np.int64(zeros[node])
        may = mine != label
        total = np.int64(own[label * n + node]) - np.int64(own[mine * n + node])
        for a in range(np.int64(record[NODE_WORDS * node + FIRST]), np.int64(record[NODE_WORDS * (node + 1) + FIRST])):
            at = ARC_WORDS * a
            theirs, half = np.int64(zeros[np.int64(arc[at + HEAD])]), np.int64(weight[a])
            is_same, is_there = theirs == mine, theirs == label
            room = half + half if is_same else half
            total -= half + half if is_there else (np.int64(0) if is_same else half)
            room = room if may & (not is_there) else np.int64(0)
            arc[at + ROOM] = room
            arc[at + BACK] = room
        total = total if may else np.int64(0)
        excess[node] = total
        n_wanting += np.int64(total < 0)
    return n_wanting


@kernel
def take_expansion(nodes, zero, label, labels):
    """Give the nodes on the side of the sink the `label`, and the others what they had.

    Parameters
    ----------
    nodes : int32, (4 (n + 1),)
        Records, after a search.
    zero : int32, (n,)
        The labels that nodes had.
    label : int
    labels : int32, (n,)
        Is written.

    Returns
    -------
    int
        How many nodes switched.
    """
    record, zeros, out, n_switched = pointer(nodes), pointer(zero), pointer(labels), 0
    for node in range(labels.size):
        switches = record[NODE_WORDS * node + DEPTH] < 0
        out[node] = np.int32(label) if switches else zeros[node]
        n_switched += np.int64(switches)
    return n_switched
