"""The flow network of a choice between two labels at each node of a graph, without the nodes that have none.

Most nodes cannot gain by a move, whatever their neighbours do: they keep their first label. That their neighbours know
it settles others. This is the elimination of dead ends of

Goldstein, "Efficient rotamer elimination applied to protein side-chains and related spin glasses", Biophysical Journal
66(5), 1994, doi:10.1016/S0006-3495(94)80923-3.

The nodes that are left fall into parts that do not touch each other. If a move was the best one when it was last made,
it can only gain again in parts where something has changed since then: the others are not even looked at.

Of the rest the network is written anew for each move; the costs of a pair become capacities and excess as in
:mod:`classicseg.kernels.cut.records`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.cut.graph import ARC_WORDS, BACK, DEPTH, HEAD, NODE_WORDS, OPPOSITE, ROOM
from classicseg.machine.jit import inline, kernel
from classicseg.machine.simd import pointer

# States of a node: it keeps its first label; it may choose; it will keep its first label but nobody knows it yet; its
# own cost lets it choose and it is listed to be looked at; the same, but it is not listed; nothing is known.
_KEEPS, _MAY, _WAITS, _LISTED, _SEEN, _UNSEEN = 0, 1, 2, 3, 4, 5


class GraphCosts(NamedTuple):
    """An energy of a graph, multiplied by a power of two that leaves little to round."""

    unary: np.ndarray  # (L n,) int64
    tables: np.ndarray  # float64: (L L) that all edges share, or (E L L)
    weights: np.ndarray  # float64, (2 E,): what the tables of arcs are multiplied by, or (1,)
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
    arcs: np.ndarray  # (8 E,) int64
    excess: np.ndarray  # (n,) int64


class Room(NamedTuple):
    """Work space."""

    low: np.ndarray  # (n,) int64: the least by which choosing the second label can raise the energy
    state: np.ndarray  # (n,) uint8
    number: np.ndarray  # (n,) int32: nodes that wait; then the numbers of nodes in the network
    todo: np.ndarray  # (n,) int32: the list of nodes to look at
    place: np.ndarray  # (2 E,) int32: of arcs in the network


@inline
def _weight(costs, arc):
    """What the table of an `arc` is multiplied by in `costs`."""
    return pointer(costs.weights)[arc if costs.weights.size > 1 else 0]


@inline
def _raise(costs, at, weight, old, new, other):
    """By how much an edge raises the energy if one end goes from label `old` to `new`, and the other one has `other`.

    `at` is what ``Arcs.edges`` tells of the edge, `costs` a :class:`GraphCosts`, `weight` that of the edge.
    """
    size, edge = costs.n_labels * costs.n_labels, at >> 1
    along, across = (1, costs.n_labels) if at & 1 else (costs.n_labels, 1)
    first = (edge * size if costs.tables.size > size else 0) + across * other
    table = pointer(costs.tables)
    return np.int64((table[first + along * new] - table[first + along * old]) * weight)


@inline
def _see(costs, zeros, ones, low, state, node):
    """Note in `low` and `state` what a `node` tells by its own of the `costs`; its labels are in `zeros` and `ones`."""
    if state[node] == _UNSEEN:
        n, unary = costs.reach.size, pointer(costs.unary)
        low[node] = unary[np.int64(ones[node]) * n + node] - unary[np.int64(zeros[node]) * n + node]
        may = (zeros[node] != ones[node]) & (low[node] < pointer(costs.reach)[node])
        state[node] = np.uint8(_SEEN if may else _KEEPS)


@kernel
def settle(costs, arcs, zero, one, changed, room):
    """Find the nodes that keep their first label, and parts of the graph where a move cannot gain.

    Parameters
    ----------
    costs : GraphCosts
    arcs : Arcs
    zero, one : int32, (n,)
        The first label of each node, and the second.
    changed : bool, (n,), or (0,)
        Which nodes have changed since all nodes were to keep the labels that they had then. Nodes that are far from
        them keep their first label, too; without it, nothing is known.
    room : Room
        ``state`` and ``low`` are filled.

    Returns
    -------
    int
        How many may choose.
    """
    n, n_todo, n_waiting, n_left = zero.size, 0, 0, 0
    first, links, edges = pointer(arcs.first), pointer(arcs.links), pointer(arcs.edges)
    low, state, waiting, todo = pointer(room.low), pointer(room.state), pointer(room.number), pointer(room.todo)
    zeros, ones = pointer(zero), pointer(one)
    room.state[:] = _UNSEEN
    for node in range(n):
        if changed.size == 0:
            _see(costs, zeros, ones, low, state, node)
            if state[node] == _SEEN:
                state[node] = np.uint8(_LISTED)
                todo[n_todo] = np.int32(node)
                n_todo += 1
        elif changed[node]:
            for arc in range(np.int64(first[node]) - 1, np.int64(first[node + 1])):  # the node itself, and all around
                near = np.int64(links[2 * arc]) if arc >= np.int64(first[node]) else node
                _see(costs, zeros, ones, low, state, near)
                if state[near] == _SEEN:
                    state[near] = np.uint8(_LISTED)
                    todo[n_todo] = np.int32(near)
                    n_todo += 1
    i = 0
    while i < n_todo:
        node = np.int64(todo[i])
        i += 1
        old, new, least = np.int64(zeros[node]), np.int64(ones[node]), low[node]
        begin, end, n_seen = np.int64(first[node]), np.int64(first[node + 1]), 0
        for arc in range(begin, end):
            other, at, weight = np.int64(links[2 * arc]), np.int64(edges[arc]), _weight(costs, arc)
            change = _raise(costs, at, weight, old, new, np.int64(zeros[other]))
            _see(costs, zeros, ones, low, state, other)
            if state[other] != _KEEPS:
                change = min(change, _raise(costs, at, weight, old, new, np.int64(ones[other])))
                n_seen += np.int64(state[other] == _SEEN)
            least += change
        low[node] = least
        if least >= 0:
            state[node] = np.uint8(_WAITS)
            waiting[n_waiting] = np.int32(node)
            n_waiting += 1
            continue
        state[node] = np.uint8(_MAY)
        n_left += 1
        if n_seen > 0:
            for arc in range(begin, end):
                other = np.int64(links[2 * arc])
                if state[other] == _SEEN:
                    state[other] = np.uint8(_LISTED)
                    todo[n_todo] = np.int32(other)
                    n_todo += 1
    while n_waiting > 0:
        n_waiting -= 1
        node = np.int64(waiting[n_waiting])
        state[node] = np.uint8(_KEEPS)
        for arc in range(np.int64(first[node]), np.int64(first[node + 1])):
            other, at, weight = np.int64(links[2 * arc]), np.int64(edges[arc]) ^ 1, _weight(costs, arc)
            if state[other] != _MAY:
                continue
            old, new = np.int64(zeros[other]), np.int64(ones[other])
            kept = _raise(costs, at, weight, old, new, np.int64(zeros[node]))
            low[other] += kept - min(kept, _raise(costs, at, weight, old, new, np.int64(ones[node])))
            if low[other] >= 0:
                state[other] = np.uint8(_WAITS)
                n_left -= 1
                waiting[n_waiting] = np.int32(other)
                n_waiting += 1
    return n_left


@kernel
def write_choice_of_graph(costs, arcs, zero, one, room, chosen):
    """Write the network of the nodes that may choose.

    Parameters
    ----------
    costs, arcs, zero, one
        As in :func:`settle`, which must have been called.
    room : Room
        As it left it.
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
    written = pointer(chosen.arcs)
    for node in range(n):
        if state[node] != _MAY:
            continue
        chosen.node[n_nodes] = node
        number[node] = np.int32(n_nodes)
        record[NODE_WORDS * n_nodes] = np.int32(n_arcs)
        excess[n_nodes] = 0
        for arc in range(np.int64(first[node]), np.int64(first[node + 1])):
            if state[links[2 * arc]] == _MAY:
                place[arc] = np.int32(n_arcs)
                n_arcs += 1
        n_nodes += 1
    record[NODE_WORDS * n_nodes] = np.int32(n_arcs)
    for mine in range(n_nodes):
        node = np.int64(chosen.node[mine])
        old, new = np.int64(zeros[node]), np.int64(ones[node])
        excess[mine] += unary[new * n + node] - unary[old * n + node]
        for arc in range(np.int64(first[node]), np.int64(first[node + 1])):
            other, at, weight = np.int64(links[2 * arc]), np.int64(edges[arc]), _weight(costs, arc)
            if state[other] != _MAY:
                excess[mine] += _raise(costs, at, weight, old, new, np.int64(zeros[other]))
            elif at & 1 == 0:
                old_other, new_other = np.int64(zeros[other]), np.int64(ones[other])
                alone = _raise(costs, at, weight, old, new, old_other)  # c10 - c00
                both = _raise(costs, at, weight, old, new, new_other)  # c11 - c01
                forward = _raise(costs, at ^ 1, weight, old_other, new_other, old)  # c01 - c00
                last = both + forward
                backward = alone - last  # c10 - c11
                forward = max(forward, -backward)  # what makes the pair submodular, if it is not
                flow = (forward - backward) >> 1
                forward, backward = forward - flow, backward + flow
                excess[mine] += last - flow
                theirs, out, home = np.int64(number[other]), np.int64(place[arc]), np.int64(place[links[2 * arc + 1]])
                excess[theirs] += flow
                there, back = ARC_WORDS * out, ARC_WORDS * home
                written[there + HEAD], written[there + OPPOSITE] = theirs, home
                written[there + ROOM], written[there + BACK] = forward, backward
                written[back + HEAD], written[back + OPPOSITE] = mine, out
                written[back + ROOM], written[back + BACK] = backward, forward
    return n_arcs


@kernel
def take_choice(chosen, n, one, labels):
    """Give the nodes on the side of the sink their second label.

    Parameters
    ----------
    chosen : Chosen
        After a search.
    n : int
        How many nodes it has.
    one : int32, (all nodes,)
        The second label of each.
    labels : int32, (all nodes,)
        Are changed.
    """
    record = pointer(chosen.nodes)
    for mine in range(n):
        if record[NODE_WORDS * mine + DEPTH] < 0:
            labels[chosen.node[mine]] = one[chosen.node[mine]]
