"""Sequential tree-reweighted message passing (TRW-S) on graphs.

Kolmogorov, "Convergent tree-reweighted message passing for energy minimization", IEEE TPAMI 28(10), 2006,
doi:10.1109/TPAMI.2006.200. :func:`classicseg.reference.graph.trws` is the same in a few lines.

Nodes are visited in the order of their numbers, then in the opposite one. Each edge has room for one message: forward
passes read those that lead to earlier nodes and replace them by those that lead to later ones, backward passes the
other way. Sums are float64. Messages, which are at least 0, may be float32, and are then rounded down: an edge passes
on no more than it has, and the bound of any backward pass holds.

Labels lie in the lanes of packs. Their number is filled up to whole packs with labels of infinite cost.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.messages.told import tell
from classicseg.kernels.sites.graph import LINEAR, PART, QUADRATIC, with_pointers
from classicseg.machine.jit import inline, kernel
from classicseg.machine.lanes import fill_doubles, least_of
from classicseg.machine.parallel import aborted
from classicseg.machine.simd import add, choose, convert, fill, less, load, minimum, multiply, pointer, store, subtract

_BELOW = np.float32(1 - 2.0**-23)  # times a number: the next one below, or the one below that


class Passing(NamedTuple):
    """The memory of a run; P labels with those that fill up packs.

    Attributes
    ----------
    unary : ndarray, (N P,), float64
    messages : ndarray, (E P,), float32 or float64
        The last one that was sent over each edge, whichever way.
    work : ndarray, float64
        Room for the costs of a node, and, with margins of infinity, twice for those of a message: 3 P + 4 margins.
    n_padded : int
        P.
    margin : int
        At least the reach of the costs.
    """

    unary: np.ndarray
    messages: np.ndarray
    work: np.ndarray
    n_padded: int
    margin: int


@inline
def _gather(g, m, i, lanes):
    """Write what the labels of node `i` of `g` cost, with all messages of `m` to it, to the begin of the work space.

    Returns the least of them. `lanes` has a zero for each label of a pack.
    """
    step, n = len(lanes), m.n_padded
    least = fill_doubles(np.inf, lanes)
    for label in range(0, n, step):
        total = load(m.unary, i * n + label, lanes)
        for e in range(g.later[i], g.later[i + 1]):
            total = add(total, convert(load(m.messages, e * n + label, lanes), m.work))
        for a in range(g.earlier[i], g.earlier[i + 1]):
            at = np.int64(g.arriving[a]) * n + label
            total = add(total, convert(load(m.messages, at, lanes), m.work))
        store(m.work, label, total)
        least = minimum(total, least)
    return least_of(least)


@inline
def _widen(g, m, slope, source, spare, lanes):
    """Let costs at `source` in the work space of `m` grow by `slope` per label, up to the reach of `g`.

    By steps of 1, 2, 4 … labels every distance is reached. `spare` is room for as many; returns where the result is.
    `lanes` has a zero for each label of a pack.
    """
    reached, stride = 0, 1
    while reached < g.reach:
        rise = fill_doubles(slope * stride, lanes)
        for label in range(0, m.n_padded, len(lanes)):
            near = minimum(load(m.work, source + label - stride, lanes), load(m.work, source + label + stride, lanes))
            store(m.work, spare + label, minimum(load(m.work, source + label, lanes), add(near, rise)))
        source, spare = spare, source
        reached += stride
        stride = min(2 * stride, g.reach - reached)
    return source


@inline
def _bend(g, m, slope, source, spare, lanes):
    """The same for costs that grow by `slope` times the square of the distance, distance by distance.

    The other arguments, `g`, `m`, `source`, `spare` and `lanes`, are those of :func:`_widen`.
    """
    for label in range(0, m.n_padded, len(lanes)):
        best = load(m.work, source + label, lanes)
        for away in range(1, g.reach + 1):
            near = minimum(load(m.work, source + label - away, lanes), load(m.work, source + label + away, lanes))
            best = minimum(best, add(near, fill_doubles(slope * (away * away), lanes)))
        store(m.work, spare + label, best)
    return spare


@inline
def _send(g, m, e, forward, share, lanes):
    """Replace the message of edge `e` of `g` by one from the node whose costs are gathered; returns its least.

    `share` is the part of the costs that a chain gets, `forward` whether the node is the smaller one; `m` is the
    memory, `lanes` has a zero for each label of a pack.
    """
    step, n = len(lanes), m.n_padded
    at, source = np.int64(e) * n, n + m.margin
    spare = source + n + 2 * m.margin
    part, least = fill_doubles(share, lanes), fill_doubles(np.inf, lanes)
    for label in range(0, n, step):
        told = convert(load(m.messages, at + label, lanes), m.work)
        cost = subtract(multiply(part, load(m.work, label, lanes)), told)
        store(m.work, source + label, cost)
        least = minimum(cost, least)
    lowest, limit = least_of(least), np.inf
    slope = g.weights[e] * g.tables[g.table_at[e] + 1]
    if g.kind <= QUADRATIC and slope >= 0:
        limit = g.weights[e] * g.tables[g.table_at[e] + g.n_labels - 1]
        if g.kind == LINEAR:
            source = _widen(g, m, slope, source, spare, lanes)
        elif g.kind == QUADRATIC:
            source = _bend(g, m, slope, source, spare, lanes)
    else:
        lowest = tell(g, e, forward, source, spare, m.work)
        source = spare
        for label in range(g.n_labels, n):  # else what fills up packs would become infinity less infinity
            m.work[source + label] = lowest
    low, most, below = fill_doubles(lowest, lanes), fill_doubles(limit, lanes), convert(fill(_BELOW, lanes), m.messages)
    for label in range(0, n, step):
        exact = minimum(subtract(load(m.work, source + label, lanes), low), most)
        near = convert(exact, m.messages)
        store(m.messages, at + label, choose(less(exact, convert(near, m.work)), multiply(near, below), near))
    return lowest


@kernel
def iterate(sync, n_threads, given, memory, n_iter, sums, lanes):
    """Run iterations: forward and backward passes.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`.
    n_threads : int
        1: each node waits for the one before.
    given : Graph
    memory : Passing
        Its messages are replaced.
    n_iter : int
    sums : float64, (2,)
        Set to the bound of the last iteration, and to the sum of the sizes of its terms.
    lanes : tuple
        A zero for each label of a pack.
    """
    g = with_pointers(given)
    m = Passing(pointer(memory.unary), pointer(memory.messages), pointer(memory.work), memory.n_padded, memory.margin)
    for _ in range(n_iter):
        for i in range(g.n_nodes):
            if i % PART == 0 and aborted(sync):
                return
            n_later, n_earlier = g.later[i + 1] - g.later[i], g.earlier[i + 1] - g.earlier[i]
            if n_later > 0:
                _gather(g, m, i, lanes)
                share = 1.0 / max(n_later, n_earlier)
                for e in range(g.later[i], g.later[i + 1]):
                    _send(g, m, e, True, share, lanes)
        bound, size = 0.0, 0.0
        for i in range(g.n_nodes - 1, -1, -1):
            if i % PART == 0 and aborted(sync):
                return
            n_later, n_earlier = g.later[i + 1] - g.later[i], g.earlier[i + 1] - g.earlier[i]
            n_chains = max(1, n_later, n_earlier)
            least = _gather(g, m, i, lanes)
            share = 1.0 / n_chains
            least *= share * (n_chains - n_earlier)  # of the chains that end here
            bound += least
            size += abs(least)
            for a in range(g.earlier[i], g.earlier[i + 1]):
                least = _send(g, m, g.arriving[a], False, share, lanes)
                bound += least
                size += abs(least)
        sums[0], sums[1] = bound, size


@kernel
def decode(sync, n_threads, given, told, n_padded, labels):
    """Label node after node: each the best for the labels before and the messages from behind.

    Parameters
    ----------
    sync, n_threads, given
        As in :func:`iterate`.
    told : float32 or float64, (E P,)
        Messages to earlier nodes.
    n_padded : int
        P, the number of labels or more.
    labels : int32, (N,)
        Written.
    """
    g, messages = with_pointers(given), pointer(told)
    n = g.n_labels
    costs = np.empty(n)
    for i in range(g.n_nodes):
        if i % PART == 0 and aborted(sync):
            break
        for label in range(n):
            costs[label] = g.unary[i * n + label]
        for e in range(g.later[i], g.later[i + 1]):
            for label in range(n):
                costs[label] += messages[e * n_padded + label]
        for a in range(g.earlier[i], g.earlier[i + 1]):
            e = g.arriving[a]
            weight, at = g.weights[e], g.table_at[e] + labels[g.low[e]] * n
            for label in range(n):
                costs[label] += weight * g.tables[at + label]
        best = 0
        for label in range(1, n):
            if costs[label] < costs[best]:
                best = label
        labels[i] = best
