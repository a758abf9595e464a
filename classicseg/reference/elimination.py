"""Variable elimination: replace a node by what its best label costs its neighbours, until none is left.

A table says what each choice of labels of some nodes costs. To eliminate a node is to add up the tables that it is in,
and to keep the least cost over its labels: a new table over its neighbours. The last one is a number, the least energy;
on the way back each node takes the label that was best for those of its neighbours.

Bertelè, Brioschi, "Nonserial dynamic programming", Academic Press, 1972. Dechter, "Bucket elimination: a unifying
framework for reasoning", Artificial Intelligence 113(1-2), 1999, doi:10.1016/S0004-3702(99)00059-4.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from classicseg.reference.graph import Edge

Table = tuple[tuple[int, ...], dict[tuple[int, ...], float]]
"""Nodes, and what each choice of their labels costs."""


def elimination(unary: np.ndarray, edges: Sequence[Edge], order: Sequence[int]) -> tuple[float, np.ndarray]:
    """The least energy and labels of it; `order` names each node once.

    Parameters
    ----------
    unary : ndarray, (L, n)
        Costs, infinite for labels that a node does not have.
    edges : sequence of (i, j, table)
        Labels k of node i and l of node j cost ``table[k, l]``.
    order : sequence of int
        In which nodes are eliminated; the result does not depend on it, but the size of tables does.

    Returns
    -------
    float
    ndarray, (n,), int

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference.elimination import elimination
    >>> unary = np.array([[0.0, 2, 0], [3, 0, 3]])
    >>> least, labels = elimination(unary, [(0, 1, 1 - np.eye(2)), (1, 2, 1 - np.eye(2))], [0, 1, 2])
    >>> least, labels.tolist()
    (2.0, [0, 0, 0])
    """
    n_labels, n = unary.shape
    tables: list[Table] = [((node,), {(k,): float(unary[k, node]) for k in range(n_labels)}) for node in range(n)]
    for i, j, costs in edges:
        pairs = itertools.product(range(len(costs)), range(len(costs[0])))
        tables.append(((i, j), {(k, m): float(costs[k, m]) for k, m in pairs}))
    least, choices = 0.0, []
    for node in order:
        mine = [table for table in tables if node in table[0]]
        tables = [table for table in tables if node not in table[0]]
        near = tuple(sorted({other for nodes, _ in mine for other in nodes} - {node}))
        least_of: dict[tuple[int, ...], float] = {}
        best: dict[tuple[int, ...], int] = {}
        for labels in itertools.product(range(n_labels), repeat=len(near)):
            given = dict(zip(near, labels, strict=True))
            total = [_sum(mine, given | {node: k}) for k in range(n_labels)]
            least_of[labels], best[labels] = min(total), int(np.argmin(total))
        choices.append((node, near, best))
        if near:
            tables.append((near, least_of))
        else:
            least += least_of[()]
    found = np.zeros(n, int)
    for node, near, best in reversed(choices):
        found[node] = best[tuple(found[list(near)].tolist())]
    return least, found


def _sum(tables: list[Table], labels: dict[int, int]) -> float:
    """What labels cost by all tables together; a pair that a table does not have cannot be."""
    return sum(costs.get(tuple(labels[node] for node in nodes), np.inf) for nodes, costs in tables)
