"""Writing the arcs of a graph (see :mod:`classicseg.kernels.cut.graph`), and reading its cut."""

from __future__ import annotations

import numpy as np

from classicseg.kernels.cut.graph import ARC_WORDS, BACK, DEPTH, FIRST, HEAD, NODE_WORDS, OPPOSITE, ROOM
from classicseg.machine.jit import kernel
from classicseg.machine.simd import pointer


@kernel
def link_edges(ends, forward, backward, arcs, nodes, where, work):
    """Write the lists of arcs of a graph.

    Parameters
    ----------
    ends : int32, (E, 2)
    forward, backward : as `arcs`, (E,)
        Capacities from the first end to the second, and back.
    arcs, nodes
        As in :func:`classicseg.kernels.cut.graph.graph_flow`; of `nodes` first arcs are written.
    where : int32, (E,)
        Set to the arc of each edge that leads from the first end to the second.
    work : int32, (n,) or more
        Work space. The places in the lists lie closer together there than in `nodes`.
    """
    record, n, at, place = pointer(nodes), nodes.size // NODE_WORDS - 1, pointer(ends), pointer(work)
    for node in range(n):
        place[node] = 0
    for edge in range(2 * len(ends)):
        place[np.int64(at[edge])] += 1
    total = 0
    for node in range(n):
        count = np.int64(place[node])
        record[NODE_WORDS * node + FIRST] = place[node] = np.int32(total)
        total += count
    record[NODE_WORDS * n + FIRST] = np.int32(total)
    arc, of_edge, one_way, other_way = pointer(arcs), pointer(where), pointer(forward), pointer(backward)
    for edge in range(len(ends)):
        a, b = np.int64(at[2 * edge]), np.int64(at[2 * edge + 1])
        forth, back = one_way[edge], other_way[edge]  # once: as far as the compiler knows, any store may change them
        out, home = np.int64(place[a]), np.int64(place[b])
        place[a] = np.int32(out + 1)
        place[b] = np.int32(home + 1)
        mine, theirs = ARC_WORDS * out, ARC_WORDS * home
        arc[mine + HEAD], arc[mine + OPPOSITE] = b, home
        arc[mine + ROOM], arc[mine + BACK] = forth, back
        arc[theirs + HEAD], arc[theirs + OPPOSITE] = a, out
        arc[theirs + ROOM], arc[theirs + BACK] = back, forth
        of_edge[edge] = np.int32(out)


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
