"""Sequential tree-reweighted message passing (TRW-S) on graphs.

Kolmogorov, "Convergent tree-reweighted message passing for energy minimization", IEEE TPAMI 28(10), 2006,
doi:10.1109/TPAMI.2006.200. :func:`classicseg.reference.graph.trws` is the same in a few lines.

Nodes are visited in the order of their numbers, then in the opposite one. Each edge has room for one message: forward
passes read those that lead to earlier nodes and replace them by those that lead to later ones, backward passes the
other way. The bound is found in float64. Messages, which are at least 0, may be float32, and are then rounded down: an
edge passes on no more than it has, and the bound holds. Passes that are not asked for it are float32 throughout.

Nodes that do not wait for each other are best visited one after the other: the processor then works on several at a
time. So the nodes are first numbered anew, layer by layer (:func:`find_layers`), which changes nothing else.

Labels lie in the lanes of packs. Their number is filled up to whole packs with labels of infinite cost.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.messages.told import tell
from classicseg.kernels.sites.graph import LINEAR, PART, POTTS, QUADRATIC, UNIFORM, with_pointers
from classicseg.machine.jit import inline, kernel
from classicseg.machine.lanes import any_above, cone, fill_doubles, least_of
from classicseg.machine.parallel import aborted
from classicseg.machine.simd import (
    add,
    choose,
    convert,
    fill,
    less,
    load,
    minimum,
    multiply,
    pointer,
    spread,
    store,
    subtract,
)

_BELOW = np.float32(1 - 2.0**-23)  # times a number: the next one below, or the one below that


class Passing(NamedTuple):
    """The memory of a run; P labels with those that fill up packs.

    Attributes
    ----------
    unary : ndarray, (N P,), float32 or float64
        Of the precision of `work`.
    messages : ndarray, (E P,), float32 or float64
        The last one that was sent over each edge, whichever way.
    work : ndarray, float32 or float64
        Room for the costs of a node, and, with margins of infinity, twice for those of a message: 3 P + 4 margins.
    n_padded : int
        P.
    margin : int
        At least the reach of the costs.
    in_registers : bool
        Whether a pack holds all labels, and all edges have Potts or linear costs that are at least 0.
    """

    unary: np.ndarray
    messages: np.ndarray
    work: np.ndarray
    n_padded: int
    margin: int
    in_registers: bool


@inline
def _pointing(memory):
    """The same `memory`, with pointers in place of arrays."""
    unary, messages, work = pointer(memory.unary), pointer(memory.messages), pointer(memory.work)
    return Passing(unary, messages, work, memory.n_padded, memory.margin, memory.in_registers)


@inline
def _gather(g, m, i, lanes):
    """Write what the labels of node `i` of `g` cost, with all messages of `m` to it, to the begin of the work space.

    Returns the least of them. `lanes` has a zero for each label of a pack.
    """
    step, n = len(lanes), m.n_padded
    least = convert(fill_doubles(np.inf, lanes), m.work)
    for label in range(0, n, step):
        total = load(m.unary, i * n + label, lanes)
        for e in range(g.later[i], g.later[i + 1]):
            total = add(total, convert(load(m.messages, e * n + label, lanes), m.work))
        for a in range(g.earlier[i], g.earlier[i + 1]):
            at = np.int64(g.arriving[a]) * n + label
            total = add(total, convert(load(m.messages, at, lanes), m.work))
        store(m.work, label, total)
        least = minimum(total, least)
    return np.float64(least_of(least))


@inline
def _widen(g, m, slope, source, spare, lanes):
    """Let costs at `source` in the work space of `m` grow by `slope` per label, up to the reach of `g`.

    By steps of 1, 2, 4 … labels every distance is reached. `spare` is room for as many; returns where the result is.
    `lanes` has a zero for each label of a pack.
    """
    reached, stride = 0, 1
    while reached < g.reach:
        rise = convert(fill_doubles(slope * stride, lanes), m.work)
        for label in range(0, m.n_padded, len(lanes)):
            near = minimum(load(m.work, source + label - stride, lanes), load(m.work, source + label + stride, lanes))
            store(m.work, spare + label, minimum(load(m.work, source + label, lanes), add(near, rise)))
        source, spare = spare, source
        reached += stride
        stride = min(2 * stride, g.reach - reached)
    return source


@inline
def _bend(g, m, slope, source, spare, least, lanes):
    """The same for costs that grow by `slope` times the square of the distance, distance by distance.

    `least` is the least of them in all lanes: from where even that would not be worth the way, no label is looked at.
    The other arguments, `g`, `m`, `source`, `spare` and `lanes`, are those of :func:`_widen`.
    """
    for label in range(0, m.n_padded, len(lanes)):
        best = load(m.work, source + label, lanes)
        for away in range(1, g.reach + 1):
            rise = convert(fill_doubles(slope * (away * away), lanes), m.work)
            if not any_above(best, add(least, rise)):
                break
            near = minimum(load(m.work, source + label - away, lanes), load(m.work, source + label + away, lanes))
            best = minimum(best, add(near, rise))
        store(m.work, spare + label, best)
    return spare


@inline
def _tell_by_table(g, m, e, forward, source, spare, lanes):
    """Write what a node with the costs at `source` tells over edge `e` of `g`, by its table, to `spare`.

    Both are places in the work space of `m`. Loads go beyond the end of a row: only what fills up packs reads that.
    Returns the least that is told; `forward` and `lanes` are those of :func:`_send`.
    """
    step, table, n = len(lanes), g.table_at[e], g.n_labels
    along_rows = forward or g.in_both
    if along_rows and not forward:
        table = n * n - table
    weight = convert(fill_doubles(g.weights[e], lanes), m.work)
    infinity = convert(fill_doubles(np.inf, lanes), m.work)
    lowest = np.inf
    if along_rows:
        for label in range(0, m.n_padded, step):
            told = infinity
            for near in range(n):
                row = multiply(weight, convert(load(g.tables, table + near * n + label, lanes), m.work))
                told = minimum(add(spread(m.work, source + near, lanes), row), told)
            store(m.work, spare + label, told)
        for label in range(n):
            lowest = min(lowest, np.float64(m.work[spare + label]))
    else:
        for label in range(n):
            told = infinity
            for near in range(0, m.n_padded, step):
                row = multiply(weight, convert(load(g.tables, table + label * n + near, lanes), m.work))
                told = minimum(add(load(m.work, source + near, lanes), row), told)
            m.work[spare + label] = least_of(told)
            lowest = min(lowest, np.float64(m.work[spare + label]))
    return lowest


@inline
def _tell_down(m, at, exact, lanes):
    """Write a pack of the costs `exact` to the messages of `m`, from `at` on, rounded down; `lanes` as ever."""
    near = convert(exact, m.messages)
    too_much = less(exact, convert(near, m.work))
    below = multiply(near, convert(fill(_BELOW, lanes), m.messages))
    store(m.messages, at, choose(convert(too_much, m.messages), below, near))


@inline
def _send(g, m, e, forward, share, lanes):
    """Replace the message of edge `e` of `g` by one from the node whose costs are gathered; returns its least.

    `share` is the part of the costs that a chain gets, `forward` whether the node is the smaller one; `m` is the
    memory, `lanes` has a zero for each label of a pack.
    """
    step, n = len(lanes), m.n_padded
    at, source = np.int64(e) * n, n + m.margin
    part = convert(fill_doubles(share, lanes), m.work)
    slope = g.weights[e] * g.tables[1]  # the same in all tables of the kinds that it matters to
    spare = source + n + 2 * m.margin
    least = convert(fill_doubles(np.inf, lanes), m.work)
    for label in range(0, n, step):
        told = convert(load(m.messages, at + label, lanes), m.work)
        cost = subtract(multiply(part, load(m.work, label, lanes)), told)
        store(m.work, source + label, cost)
        least = minimum(cost, least)
    lowest, limit = np.float64(least_of(least)), np.inf
    if g.kind <= QUADRATIC and slope >= 0:
        limit = g.weights[e] * g.tables[g.n_labels - 1]
        if g.kind == LINEAR:
            source = _widen(g, m, slope, source, spare, lanes)
        elif g.kind == QUADRATIC:
            source = _bend(g, m, slope, source, spare, convert(fill_doubles(lowest, lanes), m.work), lanes)
    else:
        if g.kind == UNIFORM or g.kind == POTTS:
            lowest = tell(g, e, forward, source, spare, m.work)
        else:
            lowest = _tell_by_table(g, m, e, forward, source, spare, lanes)
        source = spare
        for label in range(g.n_labels, n):  # else what fills up packs would become infinity less infinity
            m.work[source + label] = lowest
    low, most = convert(fill_doubles(lowest, lanes), m.work), convert(fill_doubles(limit, lanes), m.work)
    for label in range(0, n, step):
        _tell_down(m, at + label, minimum(subtract(load(m.work, source + label, lanes), low), most), lanes)
    return lowest


@inline
def _total(g, m, i, lanes):
    """What the labels of node `i` of `g` cost, with all messages of `m` to it: one pack of as many `lanes`."""
    n = len(lanes)
    total = load(m.unary, i * n, lanes)
    for e in range(g.later[i], g.later[i + 1]):
        total = add(total, convert(load(m.messages, e * n, lanes), m.work))
    for a in range(g.earlier[i], g.earlier[i + 1]):
        total = add(total, convert(load(m.messages, np.int64(g.arriving[a]) * n, lanes), m.work))
    return total


@inline
def _pass_on(g, m, e, own, slope, limit, lanes):
    """Replace the message of edge `e` of `g` in `m` by one from a node whose chains have the costs `own`, a pack.

    `slope` and `limit` are of an edge of weight 1; returns the least cost. `lanes` has a zero for each label.
    """
    at, weight = np.int64(e) * len(lanes), g.weights[e]
    cost = subtract(own, convert(load(m.messages, at, lanes), m.work))
    least = np.float64(least_of(cost))
    if g.kind == LINEAR:
        cost = cone(cost, convert(fill_doubles(weight * slope, lanes), m.work))
    low, most = convert(fill_doubles(least, lanes), m.work), convert(fill_doubles(weight * limit, lanes), m.work)
    _tell_down(m, at, minimum(subtract(cost, low), most), lanes)
    return least


@inline
def _iterate_in_registers(sync, g, m, sums, lanes):
    """An iteration where a pack holds all labels; `sync`, `sums` and `lanes` are those of :func:`iterate`.

    Nothing is written but the messages of `m`: what follows for `g` need not wait for the work space.
    """
    slope, limit = g.tables[1], g.tables[g.n_labels - 1]
    for i in range(g.n_nodes):
        if i % PART == 0 and aborted(sync):
            return
        n_later, n_earlier = g.later[i + 1] - g.later[i], g.earlier[i + 1] - g.earlier[i]
        if n_later > 0:
            part = convert(fill_doubles(1.0 / max(n_later, n_earlier), lanes), m.work)
            own = multiply(part, _total(g, m, i, lanes))
            for e in range(g.later[i], g.later[i + 1]):
                _pass_on(g, m, e, own, slope, limit, lanes)
    bound, size = 0.0, 0.0
    for i in range(g.n_nodes - 1, -1, -1):
        if i % PART == 0 and aborted(sync):
            return
        n_later, n_earlier = g.later[i + 1] - g.later[i], g.earlier[i + 1] - g.earlier[i]
        n_chains = max(1, n_later, n_earlier)
        share, total = 1.0 / n_chains, _total(g, m, i, lanes)
        least = np.float64(least_of(total)) * (share * (n_chains - n_earlier))  # of the chains that end here
        bound += least
        size += abs(least)
        own = multiply(convert(fill_doubles(share, lanes), m.work), total)
        for a in range(g.earlier[i], g.earlier[i + 1]):
            least = _pass_on(g, m, g.arriving[a], own, slope, limit, lanes)
            bound += least
            size += abs(least)
    sums[0], sums[1] = bound, size


@kernel
def find_layers(given, layers):
    """Find how many nodes come before each one on the longest way to it along which numbers grow.

    Parameters
    ----------
    given : Graph
    layers : int32, (N,)
        Zeros, which are replaced.
    """
    g = with_pointers(given)
    for i in range(g.n_nodes):
        for e in range(g.later[i], g.later[i + 1]):
            layers[g.high[e]] = max(layers[g.high[e]], layers[i] + 1)


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
        Behind its tables as many numbers follow as a pack has lanes.
    memory : Passing
        Its messages are replaced.
    n_iter : int
    sums : float64, (2,)
        Set to the bound of the last iteration, and to the sum of the sizes of its terms.
    lanes : tuple
        A zero for each label of a pack.
    """
    g = with_pointers(given)
    m = _pointing(memory)
    for _ in range(n_iter):
        if m.in_registers:
            _iterate_in_registers(sync, g, m, sums, lanes)
            continue
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
def decode(sync, n_threads, given, unary, told, n_padded, labels, lanes):
    """Label node after node: each the best for the labels before and the messages from behind.

    Parameters
    ----------
    sync, n_threads, given, lanes
        As in :func:`iterate`.
    unary : float64, (N P,)
    told : float32 or float64, (E P,)
        Messages to earlier nodes.
    n_padded : int
        P, the number of labels or more: whole packs.
    labels : int32, (N,)
        Written.
    """
    g, cost, messages, out = with_pointers(given), pointer(unary), pointer(told), pointer(labels)
    step, n, costs = len(lanes), g.n_labels, np.empty(n_padded)
    for i in range(g.n_nodes):
        if i % PART == 0 and aborted(sync):
            break
        for label in range(0, n_padded, step):
            total = load(cost, i * n_padded + label, lanes)
            for e in range(g.later[i], g.later[i + 1]):
                total = add(total, convert(load(messages, e * n_padded + label, lanes), costs))
            store(costs, label, total)
        for a in range(g.earlier[i], g.earlier[i + 1]):
            e = g.arriving[a]
            near, weight = np.int64(out[g.low[e]]), g.weights[e]
            if g.kind == POTTS:  # all labels but one cost the same more
                costs[near] -= weight * g.tables[1]
                continue
            at = g.table_at[e] + near * n
            for label in range(n):
                costs[label] += weight * g.tables[at + label]
        best, least = 0, costs[0]
        for label in range(1, n):  # without a branch: nobody can foretell which label is the best
            is_better = costs[label] < least
            best = label if is_better else best
            least = costs[label] if is_better else least
        out[i] = np.int32(best)
