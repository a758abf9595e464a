"""CRFs on any graph: a table of costs for each edge, and what that makes of the energy, TRW-S and belief propagation.

An edge is a triple (i, j, table): labels k of node i and l of node j cost ``table[k, l]``. Costs are (L, n) as always;
a label that a node does not have costs infinity.

Kolmogorov, "Convergent tree-reweighted message passing for energy minimization", IEEE TPAMI 28(10), 2006,
doi:10.1109/TPAMI.2006.200. Pearl, "Probabilistic reasoning in intelligent systems", Morgan Kaufmann, 1988.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from classicseg.reference.belief_propagation import least
from classicseg.reference.mean_field import gibbs

Edge = tuple[int, int, np.ndarray]


def energy(
    labels: np.ndarray, unary: np.ndarray, edges: Iterable[Edge], label_costs: np.ndarray | None = None
) -> float:
    """Energy of labels (n,); each label that is used costs its `label_costs`, if there are any.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference import graph
    >>> graph.energy(np.array([0, 1]), np.array([[1, 9], [9, 2]]), [(0, 1, np.array([[0, 3], [4, 0]]))])
    6.0
    """
    total = sum(float(unary[label, node]) for node, label in enumerate(labels))
    total += sum(float(table[labels[i], labels[j]]) for i, j, table in edges)
    if label_costs is not None:
        total += sum(float(label_costs[label]) for label in set(np.asarray(labels).tolist()))
    return total


def energy_of_arrays(
    labels: np.ndarray,
    unary: np.ndarray,
    edges: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    cost: np.ndarray | None = None,
    tables: np.ndarray | None = None,
    label_costs: np.ndarray | None = None,
) -> float:
    """The same from arrays, for graphs of any size: edges (E, 2), `weights` (E,) times `cost` (L, L), or tables.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference import graph
    >>> unary, edges = np.array([[1, 9], [9, 2]]), np.array([[0, 1]])
    >>> graph.energy_of_arrays(np.array([0, 1]), unary, edges, weights=np.array([3]), cost=1 - np.eye(2))
    6.0
    """
    total = unary[labels, np.arange(len(labels))].sum(dtype=float)
    first, second = labels[edges[:, 0]], labels[edges[:, 1]]
    if tables is not None:
        total += tables[np.arange(len(edges)), first, second].sum(dtype=float)
    elif weights is not None and cost is not None:
        apart = cost[first, second]
        total += (weights[apart != 0] * apart[apart != 0]).sum(dtype=float)  # an infinite weight of 0 costs nothing
    if label_costs is not None:
        total += label_costs[np.unique(labels)].sum(dtype=float)
    return float(total)


def minimum(
    unary: np.ndarray, edges: Sequence[Edge], label_costs: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """Least energy and a labelling that has it, by trying all L**n."""
    n_labels, n = unary.shape
    every = (np.array(candidate) for candidate in itertools.product(range(n_labels), repeat=n))
    values = ((energy(labels, unary, edges, label_costs), labels) for labels in every)
    return min(values, key=lambda pair: pair[0])


def icm(labels: np.ndarray, unary: np.ndarray, edges: Sequence[Edge], n_sweeps: int) -> np.ndarray:
    """Sweep over the nodes in their order; a node keeps its label unless another is cheaper."""
    labels = np.array(labels)
    for _ in range(n_sweeps):
        for node in range(labels.size):
            costs = np.array(unary[:, node], float)
            for i, j, table in edges:
                if i == node:
                    costs += table[:, labels[j]]
                elif j == node:
                    costs += table[labels[i], :]
            if costs.min() < costs[labels[node]]:
                labels[node] = costs.argmin()
    return labels


def trws(unary: np.ndarray, edges: Sequence[Edge], n_iter: int) -> Iterator[tuple[float, np.ndarray]]:
    """Yield the lower bound and the decoded labels (n,) after each iteration of TRW-S.

    The graph is seen as chains along which node numbers grow. As many chains run through a node as it has later
    neighbours, or earlier ones if those are more; each gets the same share of its costs.

    Parameters
    ----------
    unary : ndarray, (L, n)
    edges : sequence of (i, j, table)
        With i < j.
    n_iter : int
        An iteration is a forward and a backward pass.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference import graph
    >>> potts = 2 * (1 - np.eye(2))
    >>> (bound, labels), = graph.trws(np.array([[0, 5, 0], [3, 0, 3]]), [(0, 1, potts), (1, 2, potts)], 1)
    >>> bound, labels.tolist()
    (4.0, [0, 1, 0])
    """
    n_labels, n = unary.shape
    later = [[e for e, (i, _, _) in enumerate(edges) if i == node] for node in range(n)]
    earlier = [[e for e, (_, j, _) in enumerate(edges) if j == node] for node in range(n)]
    n_chains = [max(1, len(later[node]), len(earlier[node])) for node in range(n)]
    costs = unary.T.astype(float)
    message = np.zeros((len(edges), n_labels))  # the last one sent over each edge, whichever way

    for _ in range(n_iter):
        for s in range(n):
            share = (costs[s] + message[earlier[s] + later[s]].sum(axis=0)) / n_chains[s]
            for e in later[s]:
                sent = ((share - message[e])[:, None] + edges[e][2]).min(axis=0)
                message[e] = sent - sent.min()
        bound = 0.0
        for s in reversed(range(n)):
            share = (costs[s] + message[earlier[s] + later[s]].sum(axis=0)) / n_chains[s]
            for e in earlier[s]:
                sent = ((share - message[e])[None, :] + edges[e][2]).min(axis=1)
                message[e] = sent - sent.min()
                bound += sent.min()
            bound += (n_chains[s] - len(earlier[s])) * share.min()  # chains that end here
        labels = np.zeros(n, np.int32)
        for s in range(n):  # the best for the labels before and the messages from behind
            score = costs[s] + message[later[s]].sum(axis=0)
            for e in earlier[s]:
                score = score + edges[e][2][labels[edges[e][0]]]
            labels[s] = score.argmin()
        yield float(bound), labels


def belief_propagation(unary: np.ndarray, edges: Sequence[Edge], n_iter: int, temperature: float = 0.0) -> np.ndarray:
    """Send messages over all edges at once, `n_iter` times; on a tree they are exact after as many as it has nodes.

    Returns beliefs as costs, (L, n), the least of each node being 0: min-marginals, or ``-T log p``.
    """
    messages = {way: np.zeros(len(unary)) for i, j, _ in edges for way in ((i, j), (j, i))}
    for turn in range(n_iter + 1):
        beliefs = np.array(unary, float)
        for (_, receiver), message in messages.items():
            beliefs[:, receiver] += message
        if turn == n_iter:
            break
        sent = {}
        for i, j, table in edges:
            for sender, receiver, together in ((i, j, table), (j, i, table.T)):
                without = beliefs[:, sender] - messages[receiver, sender]
                told = least(without[:, None] + together, temperature)
                sent[sender, receiver] = told - told.min()
        messages = sent
    return beliefs - beliefs.min(axis=0)


def mean_field(unary: np.ndarray, edges: Sequence[Edge], n_sweeps: int) -> np.ndarray:
    """Update the marginals (L, n) of one node after the other, while those of its neighbours stay."""
    q = gibbs(np.asarray(unary, float))
    for _ in range(n_sweeps):
        for node in range(q.shape[1]):
            costs = np.array(unary[:, node], float)
            for i, j, table in edges:
                if i == node:
                    costs += table @ q[:, j]
                elif j == node:
                    costs += table.T @ q[:, i]
            q[:, node] = gibbs(costs)
    return q
