"""A graph energy as kernels read it, and what methods that change one node at a time do with it.

Nodes are visited in the order of their numbers, so that every node has *earlier* and *later* neighbours. The edges that
lead to later ones lie together, those to earlier ones are listed.

Besag, "On the statistical analysis of dirty pictures", J. R. Stat. Soc. B 48(3), 1986,
doi:10.1111/j.2517-6161.1986.tb01412.x. Geman, Geman, "Stochastic relaxation, Gibbs distributions, and the Bayesian
restoration of images", IEEE TPAMI 6(6), 1984, doi:10.1109/TPAMI.1984.4767596.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.sites.sites import _add_costs_of_use, _relabel
from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted
from classicseg.machine.simd import pointer

POTTS, LINEAR, QUADRATIC, UNIFORM, MATRIX = range(5)
"""Kinds of tables.

All pairs of different labels cost the same, equal ones nothing; a multiple of the distance of labels, or of its square,
up to a limit; all pairs of different labels cost the same; any.
"""

PART = 1024
"""Nodes between two looks at whether the run is to end; edges whose costs are summed on their own, to round less."""


class Graph(NamedTuple):
    """A graph energy; N nodes, E edges, L labels.

    Attributes
    ----------
    unary : ndarray, (N L,), float64
    low, high : ndarray, (E,), int32
        The two nodes of each edge, the smaller one first; edges are sorted by the smaller one.
    later : ndarray, (N + 1,), int64
        Where the edges from each node to later ones begin.
    earlier : ndarray, (N + 1,), int64
        Where its edges to earlier ones begin in `arriving`.
    arriving : ndarray, (E,), int32
        Numbers of edges, sorted by the larger node.
    weights : ndarray, (E,), float64
    table_at : ndarray, (E,), int64
        Where the table of each edge begins in `tables`.
    tables : ndarray, flat, float64
        Tables (L, L): row, the label of the smaller node.
    in_both : bool
        Whether there are two tables, which are each other's transposes.
    kind : int
        That of all tables.
    reach : int
        The largest distance of labels up to which linear or quadratic costs grow.
    n_nodes, n_labels : int
    """

    unary: np.ndarray
    low: np.ndarray
    high: np.ndarray
    later: np.ndarray
    earlier: np.ndarray
    arriving: np.ndarray
    weights: np.ndarray
    table_at: np.ndarray
    tables: np.ndarray
    in_both: bool
    kind: int
    reach: int
    n_nodes: int
    n_labels: int


@inline
def with_pointers(graph):
    """The same `graph`, with pointers in place of arrays: to hand on an array would count its references."""
    return Graph(
        pointer(graph.unary),
        pointer(graph.low),
        pointer(graph.high),
        pointer(graph.later),
        pointer(graph.earlier),
        pointer(graph.arriving),
        pointer(graph.weights),
        pointer(graph.table_at),
        pointer(graph.tables),
        graph.in_both,
        graph.kind,
        graph.reach,
        graph.n_nodes,
        graph.n_labels,
    )


@inline
def _label_costs_at(g, i, labels, out):
    """Write to `out` (L,) what each label costs at node `i` of `g` while its neighbours keep their `labels`."""
    n = g.n_labels
    for label in range(n):
        out[label] = g.unary[i * n + label]
    for e in range(g.later[i], g.later[i + 1]):
        weight, at = g.weights[e], g.table_at[e] + labels[g.high[e]]
        for label in range(n):
            out[label] += weight * g.tables[at + label * n]
    for a in range(g.earlier[i], g.earlier[i + 1]):
        e = g.arriving[a]
        weight, at = g.weights[e], g.table_at[e] + labels[g.low[e]] * n
        for label in range(n):
            out[label] += weight * g.tables[at + label]


@inline
def _mark_neighbours(g, i, stale):
    """Mark the neighbours of node `i` of `g` as `stale` (N,)."""
    for e in range(g.later[i], g.later[i + 1]):
        stale[g.high[e]] = 1
    for a in range(g.earlier[i], g.earlier[i + 1]):
        stale[g.low[g.arriving[a]]] = 1


@kernel
def edge_energy(labels, edges, weights, cost):
    """Sum of ``weight * cost[first label, second label]`` over the edges of a graph.

    Parameters
    ----------
    labels : int32, (n,)
    edges : int32, (E, 2)
    weights : float64, (E,)
    cost : float64, (L, L)

    Returns
    -------
    float
        NaN if an infinite weight meets a cost of 0.
    """
    given, ends, values, table = pointer(labels), pointer(edges), pointer(weights), pointer(cost)
    n_edges, n_labels, total = weights.size, cost.shape[0], 0.0
    for begin in range(0, n_edges, PART):
        in_part = 0.0
        for edge in range(begin, min(begin + PART, n_edges)):
            first, second = np.int64(given[ends[2 * edge]]), np.int64(given[ends[2 * edge + 1]])
            in_part += values[edge] * table[first * n_labels + second]
        total += in_part
    return total


@kernel
def descend(sync, n_threads, given, labels, stale, counts, of_use, changed):
    """Give each node that is stale the label of least cost, or leave it its own if no other is cheaper.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`.
    n_threads : int
        1: each node waits for the one before.
    given : Graph
    labels : int32, (N,)
        Replaced.
    stale : uint8, (N,)
        1 for nodes to visit: at first all, later those with a neighbour that has changed.
    counts : int64, (L,)
        How many nodes have each label; empty if labels cost nothing to use.
    of_use : float64, (L,)
        What using each label costs; empty if it costs nothing.
    changed : int64, (1,)
        The number of changes is added.
    """
    g = with_pointers(given)
    costs = np.empty(g.n_labels)
    for i in range(g.n_nodes):
        if i % PART == 0 and aborted(sync):
            break
        if stale[i] == 0:
            continue
        stale[i] = 0
        _label_costs_at(g, i, labels, costs)
        old = labels[i]
        _add_costs_of_use(costs, old, counts, of_use)
        best = old
        for label in range(costs.size):
            if costs[label] < costs[best]:
                best = label
        if best != old:
            _relabel(i, best, labels, counts)
            _mark_neighbours(g, i, stale)
            changed[0] += 1


@kernel
def sample(sync, n_threads, given, labels, temperature, uniform, counts, of_use):
    """Draw the label of each node from its distribution given all others.

    Parameters
    ----------
    sync, n_threads, given, labels, counts, of_use
        As in :func:`descend`.
    temperature : float
        Labels are drawn in proportion to ``exp(-cost / temperature)``.
    uniform : float64, (N,)
        A random number in [0, 1) for each node; below 0 for those that keep their label.
    """
    g = with_pointers(given)
    costs = np.empty(g.n_labels)
    for i in range(g.n_nodes):
        if i % PART == 0 and aborted(sync):
            break
        if uniform[i] < 0:
            continue
        _label_costs_at(g, i, labels, costs)
        _add_costs_of_use(costs, labels[i], counts, of_use)
        least, total = np.inf, 0.0
        for label in range(costs.size):
            least = min(least, costs[label])
        for label in range(costs.size):
            total += np.exp((least - costs[label]) / temperature)
            costs[label] = total
        threshold, new = uniform[i] * total, 0
        while costs[new] <= threshold and new < costs.size - 1:  # labels of no probability are passed over
            new += 1
        _relabel(i, new, labels, counts)


@inline
def _add_expected(g, e, q, forward, costs):
    """Add to `costs` (L,) what each label is expected to cost over edge `e` of `g` next to the marginals `q` (N, L).

    If `forward`, the costs are of the later node of the edge.
    """
    n = g.n_labels
    weight, table = g.weights[e], g.table_at[e]
    other = g.low[e] if forward else g.high[e]
    if g.kind == POTTS or g.kind == UNIFORM:
        level = weight * g.tables[table + 1]
        for label in range(n):
            costs[label] += level + (weight * g.tables[table + label * (n + 1)] - level) * q[other, label]
    else:
        along, across = (1, n) if forward else (n, 1)
        for near in range(n):
            chance = weight * q[other, near]
            for label in range(n):
                costs[label] += chance * g.tables[table + near * across + label * along]


@kernel
def update(sync, n_threads, given, q, damping, changes):
    """Update the marginals of all nodes, one after the other, each the best there is while the others wait.

    Parameters
    ----------
    sync : int64
        Of :func:`classicseg.machine.parallel.new_sync`.
    n_threads : int
        1: each node waits for the one before.
    given : Graph
    q : float64, (N, L)
        Marginals, which are replaced.
    damping : float
        Weight of the old marginals in a geometric mean with the new ones.
    changes : float64, (1,)
        The sum of absolute changes is added.
    """
    g = with_pointers(given)
    costs = np.empty(g.n_labels)
    for i in range(g.n_nodes):
        if i % PART == 0 and aborted(sync):
            break
        for label in range(costs.size):
            costs[label] = g.unary[i * g.n_labels + label]
        for e in range(g.later[i], g.later[i + 1]):
            _add_expected(g, e, q, False, costs)
        for a in range(g.earlier[i], g.earlier[i + 1]):
            _add_expected(g, g.arriving[a], q, True, costs)
        least, total = np.inf, 0.0
        for label in range(costs.size):
            if damping > 0:
                costs[label] = (1 - damping) * costs[label] - damping * np.log(max(q[i, label], 1e-300))
            least = min(least, costs[label])
        for label in range(costs.size):
            costs[label] = np.exp(least - costs[label])
            total += costs[label]
        for label in range(costs.size):
            new = costs[label] / total
            changes[0] += abs(new - q[i, label])
            q[i, label] = new


@kernel
def free_energy(sync, n_threads, given, q, energies):
    """Find the expected energy of marginals, minus their entropy.

    Parameters
    ----------
    sync, n_threads, given, q
        As in :func:`update`.
    energies : float64, (1,)
        Set.
    """
    g = with_pointers(given)
    costs = np.empty(g.n_labels)
    energies[0] = 0.0
    for i in range(g.n_nodes):
        if i % PART == 0 and aborted(sync):
            break
        for label in range(costs.size):
            costs[label] = g.unary[i * g.n_labels + label]
        for e in range(g.later[i], g.later[i + 1]):
            _add_expected(g, e, q, False, costs)
        total = 0.0
        for label in range(costs.size):
            if q[i, label] > 0:  # a forbidden label has an infinite cost, but no probability
                total += q[i, label] * (costs[label] + np.log(q[i, label]))
        energies[0] += total
