"""The flow network of a choice between two labels at each node of a graph, without the nodes that have none.

Most nodes cannot gain by a move, whatever their neighbours do: they keep their first label. That their neighbours know
it settles others. This is the elimination of dead ends of

Goldstein, "Efficient rotamer elimination applied to protein side-chains and related spin glasses", Biophysical Journal
66(5), 1994, doi:10.1016/S0006-3495(94)80923-3.

Of the rest the network is written anew for each move; the costs of a pair become capacities and excess as in
:mod:`classicseg.kernels.cut.records`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.cut.graph import NODE_WORDS
from classicseg.machine.jit import inline, kernel
from classicseg.machine.simd import pointer

_KEEPS, _MAY, _WAITS = 0, 1, 2  # states of a node: keeps its first label, may choose, will keep but nobody knows it yet


class GraphCosts(NamedTuple):
    """An energy of a graph, multiplied by a power of two that leaves little to round."""

    unary: np.ndarray  # (L n,) int64
    tables: np.ndarray  # float64: (L L) that all edges share, or (E L L)
    weights: np.ndarray  # float64, (E,): what tables are multiplied by, or (1,)
    n_labels: int
    reach: np.ndarray  # (n,) int64: by how much edges can change what a label costs a node


class Arcs(NamedTuple):
    """All arcs of a graph, sorted by node."""

    first: np.ndarray  # (n + 1,) int32: the first arc of each node
    links: np.ndarray  # (4 E,) int32: head and opposite of each arc
    edges: np.ndarray  # (2 E,) int32: twice its edge, and one more if it leads from the second end to the first


class Chosen(NamedTuple):
    """What is written: the network of the nodes that may choose (see :mod:`classicseg.kernels.cut.graph`)."""

    node: np.ndarray  # (n,) int32: which nodes they are
    nodes: np.ndarray  # (4 (n + 1),) int32
    links: np.ndarray  # (4 E,) int32
    room: np.ndarray  # (4 E,) int64
    excess: np.ndarray  # (n,) int64


class Room(NamedTuple):
    """Work space."""

    low: np.ndarray  # (n,) int64: the least by which choosing the second label can raise the energy
    state: np.ndarray  # (n,) uint8
    number: np.ndarray  # (n,) int32: nodes that wait; then the numbers of nodes in the network
    place: np.ndarray  # (2 E,) int32: of arcs in the network


@inline
def _raise(costs, at, old, new, other):
    """By how much an edge raises the energy if one end goes from label `old` to `new`, and the other one has `other`.

    `at` is what ``Arcs.edges`` tells of the edge, `costs` a :class:`GraphCosts`.
    """
    size, edge = costs.n_labels * costs.n_labels, at >> 1
    weight = pointer(costs.weights)[edge if costs.weights.size > 1 else 0]
    along, across = (1, costs.n_labels) if at & 1 else (costs.n_labels, 1)
    first = (edge * size if costs.tables.size > size else 0) + across * other
    table = pointer(costs.tables)
    return np.int64((table[first + along * new] - table[first + along * old]) * weight)


@kernel
def settle(costs, arcs, zero, one, room):
    """Find the nodes that keep their first label.

    Parameters
    ----------
    costs : GraphCosts
    arcs : Arcs
    zero, one : int32, (n,)
        The first label of each node, and the second.
    room : Room
        ``state`` and ``low`` are filled.

    Returns
    -------
    int
        How many may choose.
    """
    n, n_waiting, n_left = zero.size, 0, 0
    first, links, edges = pointer(arcs.first), pointer(arcs.links), pointer(arcs.edges)
    low, state, waiting, unary = pointer(room.low), pointer(room.state), pointer(room.number), pointer(costs.unary)
    zeros, ones, reach = pointer(zero), pointer(one), pointer(costs.reach)
    for node in range(n):
        low[node] = unary[np.int64(ones[node]) * n + node] - unary[np.int64(zeros[node]) * n + node]
        state[node] = np.uint8(_MAY if zeros[node] != ones[node] and low[node] < reach[node] else _KEEPS)
    for node in range(n):
        if state[node] == _KEEPS:
            continue
        n_left += 1
        old, new, least = np.int64(zeros[node]), np.int64(ones[node]), low[node]
        for arc in range(np.int64(first[node]), np.int64(first[node + 1])):
            other, at = np.int64(links[2 * arc]), np.int64(edges[arc])
            change = _raise(costs, at, old, new, np.int64(zeros[other]))
            if state[other] != _KEEPS:
                change = min(change, _raise(costs, at, old, new, np.int64(ones[other])))
            least += change
        low[node] = least
        if least >= 0:
            state[node] = np.uint8(_WAITS)
            waiting[n_waiting] = np.int32(node)
            n_waiting += 1
    while n_waiting > 0:
        n_waiting -= 1
        n_left -= 1
        node = np.int64(waiting[n_waiting])
        state[node] = np.uint8(_KEEPS)
        for arc in range(np.int64(first[node]), np.int64(first[node + 1])):
            other, at = np.int64(links[2 * arc]), np.int64(edges[arc]) ^ 1
            if state[other] != _MAY:
                continue
            old, new = np.int64(zeros[other]), np.int64(ones[other])
            kept = _raise(costs, at, old, new, np.int64(zeros[node]))
            low[other] += kept - min(kept, _raise(costs, at, old, new, np.int64(ones[node])))
            if low[other] >= 0:
                state[other] = np.uint8(_WAITS)
                waiting[n_waiting] = np.int32(other)
                n_waiting += 1
    return n_left


@kernel
def write_choice_of_graph(costs, arcs, zero, one, room, chosen):
    """Write the network of the nodes that may choose.

    Parameters
    ----------
    costs, arcs, zero, one, room
        As in :func:`settle`, which must have been called.
    chosen : Chosen
        Is written. Where pairs are not submodular, a cut costs at least as much as the labelling that it stands for,
        and exactly as much if that is `zero` everywhere.

    Returns
    -------
    int
        How many arcs the network has.
    """
    n, n_nodes, n_arcs = zero.size, 0, np.int64(0)
    first, links, edges, unary = pointer(arcs.first), pointer(arcs.links), pointer(arcs.edges), pointer(costs.unary)
    state, number, place = pointer(room.state), pointer(room.number), pointer(room.place)
    zeros, ones, record, excess = pointer(zero), pointer(one), pointer(chosen.nodes), pointer(chosen.excess)
    link, left = pointer(chosen.links), pointer(chosen.room)
    for node in range(n):
        if state[node] == _KEEPS:
            continue
        chosen.node[n_nodes] = node
        number[node] = np.int32(n_nodes)
        record[NODE_WORDS * n_nodes] = np.int32(n_arcs)
        excess[n_nodes] = 0
        for arc in range(np.int64(first[node]), np.int64(first[node + 1])):
            if state[links[2 * arc]] != _KEEPS:
                place[arc] = np.int32(n_arcs)
                n_arcs += 1
        n_nodes += 1
    record[NODE_WORDS * n_nodes] = np.int32(n_arcs)
    for mine in range(n_nodes):
        node = np.int64(chosen.node[mine])
        old, new = np.int64(zeros[node]), np.int64(ones[node])
        excess[mine] += unary[new * n + node] - unary[old * n + node]
        for arc in range(np.int64(first[node]), np.int64(first[node + 1])):
            other, at = np.int64(links[2 * arc]), np.int64(edges[arc])
            if state[other] == _KEEPS:
                excess[mine] += _raise(costs, at, old, new, np.int64(zeros[other]))
            elif at & 1 == 0:
                old_other, new_other = np.int64(zeros[other]), np.int64(ones[other])
                alone = _raise(costs, at, old, new, old_other)  # c10 - c00
                both = _raise(costs, at, old, new, new_other)  # c11 - c01
                forward = _raise(costs, at ^ 1, old_other, new_other, old)  # c01 - c00
                last = both + forward
                backward = alone - last  # c10 - c11
                forward = max(forward, -backward)  # what makes the pair submodular, if it is not
                flow = (forward - backward) >> 1
                forward, backward = forward - flow, backward + flow
                excess[mine] += last - flow
                theirs, out, home = np.int64(number[other]), np.int64(place[arc]), np.int64(place[links[2 * arc + 1]])
                excess[theirs] += flow
                link[2 * out], link[2 * out + 1] = np.int32(theirs), np.int32(home)
                link[2 * home], link[2 * home + 1] = np.int32(mine), np.int32(out)
                left[2 * out], left[2 * out + 1] = forward, backward
                left[2 * home], left[2 * home + 1] = backward, forward
    return n_arcs
