"""Labels to start expansions from on a graph whose edges cost the same for all pairs of different labels (Potts).

One iteration of sequential tree-reweighted message passing (see :mod:`classicseg.kernels.messages.graph_trws`), on the
arcs of the flow network and in the order in which nodes are numbered. It needs no memory for messages: what a node
passes on in the forward pass follows from what is kept of its costs, and what arrives is summed at once.

Labels lie in the lanes of packs. What fills the last one up costs infinitely much.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.cut.graph import ARC_WORDS, FIRST, HEAD, NODE_WORDS
from classicseg.machine.jit import inline, kernel
from classicseg.machine.lanes import least_of
from classicseg.machine.simd import add, fill, load, minimum, multiply, pointer, store, subtract

LANES = 8
"""Labels of a pack."""


@inline
def _share(arcs, begin, end, node):
    """What part of its costs a `node` gives each chain: one over as many as there are `arcs` from it to one side.

    They are those from `begin` to `end`.
    """
    n_later = 0
    for arc in range(begin, end):
        n_later += np.int64(arcs[ARC_WORDS * arc + HEAD] > node)
    return np.float32(1.0) / np.float32(max(n_later, end - begin - n_later, 1))


@kernel
def guess_labels(costs, passed, told, weights, arcs, nodes, n_labels, labels, lanes):
    """Label each node as is best for the labels of those before it and the messages from those behind it.

    Parameters
    ----------
    costs : float32, (n, P)
        What labels cost, doubled, of which P - `n_labels` fill up packs. Is changed.
    passed : float32, (n, P)
        The same. Is changed.
    told : float32, (n, P)
        Zeros, which are replaced.
    weights : int32 or int64, (2 E,)
        Of each arc, not doubled.
    arcs, nodes
        As in :func:`classicseg.kernels.cut.graph.graph_flow`: heads and first arcs are read.
    n_labels : int
    labels : int32, (n,)
        Is written.
    lanes : tuple
        A zero for each label of a pack.
    """
    n, size = costs.shape
    cost, over, sums = pointer(costs), pointer(passed), pointer(told)
    arc, record, weight, out = pointer(arcs), pointer(nodes), pointer(weights), pointer(labels)
    step, infinity = len(lanes), fill(np.float32(np.inf), lanes)
    for node in range(n):
        begin, end = np.int64(record[NODE_WORDS * node + FIRST]), np.int64(record[NODE_WORDS * (node + 1) + FIRST])
        part, least = fill(_share(arc, begin, end, node), lanes), infinity
        for label in range(size * node, size * (node + 1), step):
            least = minimum(least, load(over, label, lanes))
        low = fill(least_of(least), lanes)
        for label in range(size * node, size * (node + 1), step):
            store(over, label, multiply(part, subtract(load(over, label, lanes), low)))
        for a in range(begin, end):
            other = np.int64(arc[ARC_WORDS * a + HEAD])
            if other > node:
                most = fill(np.float32(2.0) * np.float32(weight[a]), lanes)
                for label in range(0, size, step):
                    message = minimum(load(over, size * node + label, lanes), most)
                    store(over, size * other + label, add(load(over, size * other + label, lanes), message))
    for node in range(n - 1, -1, -1):
        begin, end = np.int64(record[NODE_WORDS * node + FIRST]), np.int64(record[NODE_WORDS * (node + 1) + FIRST])
        part = fill(_share(arc, begin, end, node), lanes)
        for label in range(size * node, size * (node + 1), step):
            from_behind = load(sums, label, lanes)
            store(cost, label, add(load(cost, label, lanes), from_behind))
            store(over, label, add(load(over, label, lanes), multiply(part, from_behind)))
        for a in range(begin, end):
            other = np.int64(arc[ARC_WORDS * a + HEAD])
            if other < node:
                most, least = fill(np.float32(2.0) * np.float32(weight[a]), lanes), infinity
                for label in range(0, size, step):
                    had = minimum(load(over, size * other + label, lanes), most)
                    least = minimum(least, subtract(load(over, size * node + label, lanes), had))
                low = fill(least_of(least), lanes)
                for label in range(0, size, step):
                    had = minimum(load(over, size * other + label, lanes), most)
                    sent = subtract(subtract(load(over, size * node + label, lanes), had), low)
                    at = size * other + label
                    store(sums, at, add(load(sums, at, lanes), minimum(sent, most)))
    for node in range(n):
        at, best = size * node, np.int64(0)
        for a in range(np.int64(record[NODE_WORDS * node + FIRST]), np.int64(record[NODE_WORDS * (node + 1) + FIRST])):
            other = np.int64(arc[ARC_WORDS * a + HEAD])
            if other < node:
                cost[at + np.int64(out[other])] -= np.float32(2.0) * np.float32(weight[a])
        for label in range(1, n_labels):
            best = label if cost[at + label] < cost[at + best] else best
        out[node] = np.int32(best)
