"""Sequential tree-reweighted message passing (TRW-S) on graphs.

Kolmogorov, "Convergent tree-reweighted message passing for energy minimization", IEEE TPAMI 28(10), 2006,
doi:10.1109/TPAMI.2006.200. :func:`classicseg.reference.graph.trws` is the same in a few lines.

Nodes are visited in the order of their numbers, then in the opposite one. Each edge has room for one message: forward
passes read those that lead to earlier nodes and replace them by those that lead to later ones, backward passes the
other way. All is float64, so that the bound can be summed on the way of any backward pass.
"""

from __future__ import annotations

import numpy as np

from classicseg.kernels.messages.told import tell
from classicseg.kernels.sites.graph import PART, with_pointers
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted
from classicseg.machine.simd import pointer


@inline
def _gather(g, i, messages, total):
    """Write to `total` (L,) what the labels of node `i` of `g` cost with all `messages` (E L,) to it."""
    n = g.n_labels
    for label in range(n):
        total[label] = g.unary[i * n + label]
    for e in range(g.later[i], g.later[i + 1]):
        for label in range(n):
            total[label] += messages[e * n + label]
    for a in range(g.earlier[i], g.earlier[i + 1]):
        at = np.int64(g.arriving[a]) * n
        for label in range(n):
            total[label] += messages[at + label]


@inline
def _send(g, e, forward, messages, total, share, costs, out):
    """Replace the message of edge `e` of `g` by the one that the node with the costs `total` sends; returns its least.

    `share` is the part of the costs that a chain gets, `forward` whether the node is the smaller one, `costs` (L,) and
    `out` (L,) are work space, `messages` those of :func:`_gather`.
    """
    at = np.int64(e) * g.n_labels
    for label in range(g.n_labels):
        costs[label] = share * total[label] - messages[at + label]
    least = tell(g, e, forward, costs, out)
    for label in range(g.n_labels):
        messages[at + label] = out[label] - least
    return least


@kernel
def iterate(sync, n_threads, given, told, n_iter, sums):
    """Run iterations: forward and backward passes.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`.
    n_threads : int
        1: each node waits for the one before.
    given : Graph
    told : float64, (E L,)
        Messages, which are replaced.
    n_iter : int
    sums : float64, (2,)
        Set to the bound of the last iteration, and to the sum of the sizes of its terms.
    """
    g, messages = with_pointers(given), pointer(told)
    work = np.empty(3 * g.n_labels)
    total, costs, out = pointer(work), pointer(work[g.n_labels :]), pointer(work[2 * g.n_labels :])
    bound, size = 0.0, 0.0
    for _ in range(n_iter):
        for i in range(g.n_nodes):
            if i % PART == 0 and aborted(sync):
                return
            n_later, n_earlier = g.later[i + 1] - g.later[i], g.earlier[i + 1] - g.earlier[i]
            if n_later > 0:
                _gather(g, i, messages, total)
                share = 1.0 / max(n_later, n_earlier)
                for e in range(g.later[i], g.later[i + 1]):
                    _send(g, e, True, messages, total, share, costs, out)
        bound, size = 0.0, 0.0
        for i in range(g.n_nodes - 1, -1, -1):
            if i % PART == 0 and aborted(sync):
                return
            n_later, n_earlier = g.later[i + 1] - g.later[i], g.earlier[i + 1] - g.earlier[i]
            n_chains = max(1, n_later, n_earlier)
            _gather(g, i, messages, total)
            share = 1.0 / n_chains
            for a in range(g.earlier[i], g.earlier[i + 1]):
                least = _send(g, g.arriving[a], False, messages, total, share, costs, out)
                bound += least
                size += abs(least)
            if n_chains > n_earlier:  # chains that end here
                least = np.inf
                for label in range(g.n_labels):
                    least = min(least, total[label])
                least *= (n_chains - n_earlier) * share
                bound += least
                size += abs(least)
    sums[0], sums[1] = bound, size


@kernel
def decode(sync, n_threads, given, told, labels):
    """Label node after node: each the best for the labels before and the messages from behind.

    Parameters
    ----------
    sync, n_threads, given
        As in :func:`iterate`.
    told : float64, (E L,)
        Messages to earlier nodes.
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
                costs[label] += messages[e * n + label]
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
