"""What a node of a graph tells a neighbour: the least, over its own labels, of their costs and those of the edge."""

from __future__ import annotations

import numpy as np

from classicseg.kernels.sites.graph import LINEAR, POTTS, UNIFORM
from classicseg.machine.jit import inline


@inline
def tell(g, e, forward, costs, out, work):
    """Write to ``work[out:]``, for each l, the least of ``costs[k] + weight * table[k, l]``; returns the least of all.

    Equal costs of different labels need one pass, and so do truncated linear ones: upwards, downwards, then the limit
    (Felzenszwalb and Huttenlocher 2006, doi:10.1007/s11263-006-7899-4). `g` is a Graph of pointers, `e` the edge; if
    `forward`, the smaller node tells the larger one. The costs of the sender are ``work[costs:]``, of a pointer.
    """
    n, weight, table = g.n_labels, g.weights[e], g.table_at[e]
    slope = weight * g.tables[table + 1]
    lowest = np.inf
    if g.kind == POTTS or g.kind == UNIFORM:
        least, second, which = np.inf, np.inf, 0
        for label in range(n):
            cost = work[costs + label]
            which = label if cost < least else which
            second = min(second, max(cost, least))
            least = min(least, cost)
        for label in range(n):
            others = second if label == which else least
            told = min(work[costs + label] + weight * g.tables[table + label * (n + 1)], others + slope)
            work[out + label] = told
            lowest = min(lowest, told)
    elif g.kind == LINEAR and slope >= 0:
        best = np.inf
        for label in range(n):
            best = min(work[costs + label], best + slope)
            lowest = min(lowest, best)
            work[out + label] = best
        limit = lowest + weight * g.tables[table + n - 1]
        for label in range(n - 1, -1, -1):
            best = min(work[out + label], best + slope)
            work[out + label] = min(best, limit)
    elif forward:
        for label in range(n):
            work[out + label] = np.inf
        for near in range(n):
            for label in range(n):
                told = work[costs + near] + weight * g.tables[table + near * n + label]
                work[out + label] = (
                    told if told < work[out + label] else work[out + label]
                )  # vectorises, min() does not
        for label in range(n):
            lowest = min(lowest, work[out + label])
    else:
        for label in range(n):
            least = np.inf
            for near in range(n):
                told = work[costs + near] + weight * g.tables[table + label * n + near]
                least = told if told < least else least
            work[out + label] = least
            lowest = min(lowest, least)
    return lowest


@inline
def tell_smoothly(g, e, forward, temperature, costs, out, work):
    """The same with ``-T log sum exp(-cost / T)``, where T is the `temperature`, in place of the least.

    The other arguments, `g`, `e`, `forward`, `costs`, `out` and `work`, and what is returned, are as in :func:`tell`.
    """
    n, weight, table = g.n_labels, g.weights[e], g.table_at[e]
    along, across = (1, n) if forward else (n, 1)
    lowest = np.inf
    for label in range(n):
        at, least, total = table + label * along, np.inf, 0.0
        for near in range(n):
            least = min(least, work[costs + near] + weight * g.tables[at + near * across])
        for near in range(n):
            total += np.exp((least - work[costs + near] - weight * g.tables[at + near * across]) / temperature)
        work[out + label] = least - temperature * np.log(total)
        lowest = min(lowest, work[out + label])
    return lowest
