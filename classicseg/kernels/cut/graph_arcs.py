"""Writing the arcs of a graph (see :mod:`classicseg.kernels.cut.graph`), and reading its cut."""

from __future__ import annotations

import numpy as np

from classicseg.kernels.cut.graph import DEPTH, FIRST, NODE_WORDS
from classicseg.machine.jit import kernel
from classicseg.machine.simd import pointer


@kernel
def link_edges(ends, forward, backward, links, room, nodes, arcs):
    """Write the lists of arcs of a graph.

    Parameters
    ----------
    ends : int32, (E, 2)
    forward, backward : int32 or int64, (E,)
        Capacities from the first end to the second, and back.
    links, room, nodes
        As in :func:`classicseg.kernels.cut.graph.graph_flow`; all of `nodes` is zero.
    arcs : int32, (E,)
        Set to the arc of each edge that leads from the first end to the second.
    """
    record, n, at = pointer(nodes), nodes.size // NODE_WORDS - 1, pointer(ends)
    for edge in range(2 * len(ends)):
        record[NODE_WORDS * np.int64(at[edge]) + DEPTH] += 1
    total = 0
    for node in range(n):
        record[NODE_WORDS * node + FIRST] = total
        total += record[NODE_WORDS * node + DEPTH]
        record[NODE_WORDS * node + DEPTH] = record[NODE_WORDS * node + FIRST]  # the next place in the list
    record[NODE_WORDS * n + FIRST] = total
    link, left, there, back = pointer(links), pointer(room), pointer(forward), pointer(backward)
    where = pointer(arcs)
    for edge in range(len(ends)):
        a, b = np.int64(at[2 * edge]), np.int64(at[2 * edge + 1])
        out, home = np.int64(record[NODE_WORDS * a + DEPTH]), np.int64(record[NODE_WORDS * b + DEPTH])
        record[NODE_WORDS * a + DEPTH] = out + 1
        record[NODE_WORDS * b + DEPTH] = home + 1
        link[2 * out], link[2 * out + 1] = b, home
        link[2 * home], link[2 * home + 1] = a, out
        left[2 * out], left[2 * out + 1] = there[edge], back[edge]
        left[2 * home], left[2 * home + 1] = back[edge], there[edge]
        where[edge] = out


@kernel
def read_graph_cut(nodes, labels):
    """Write on which side of the cut nodes are.

    Parameters
    ----------
    nodes : int32, (4 (n + 1),)
        Records, after a search.
    labels : int32, (n,)
        Set to 1 on the side of the sink, to 0 on that of the source.
    """
    record, out = pointer(nodes), pointer(labels)
    for node in range(labels.size):
        out[node] = np.int32(record[NODE_WORDS * node + DEPTH] < 0)


@kernel
def cut_capacity(ends, forward, backward, labels):
    """What the edges over a cut can carry from the side of label 0 to that of label 1.

    Parameters
    ----------
    ends : int32, (E, 2)
    forward, backward : float64, (E,)
    labels : int32, (n,)

    Returns
    -------
    float
    """
    total = 0.0
    for edge in range(len(ends)):
        first, second = labels[ends[edge, 0]], labels[ends[edge, 1]]
        if first != second:
            total += backward[edge] if first == 1 else forward[edge]
    return total
