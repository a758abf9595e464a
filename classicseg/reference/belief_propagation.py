"""Belief propagation: neighbours tell each other what each label would cost, until the messages rest.

A message is what the cheapest labels of the sender, given all that it was told by others, cost together with each label
of the receiver; on a chain or tree that is exact, elsewhere an approximation.

Pearl, "Probabilistic reasoning in intelligent systems", Morgan Kaufmann, 1988.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classicseg.reference.grid import Edge


def least(costs: np.ndarray, temperature: float) -> np.ndarray:
    """Minimum over the first axis; above temperature 0 the smoothed one, ``-T log sum exp(-costs / T)``."""
    lowest = costs.min(axis=0)
    if temperature == 0:
        return lowest
    return lowest - temperature * np.log(np.exp((lowest - costs) / temperature).sum(axis=0))


def belief_propagation(
    unary: np.ndarray, edges: Sequence[Edge], cost: np.ndarray, n_iter: int, temperature: float = 0.0
) -> np.ndarray:
    """Send messages over all edges at once, `n_iter` times; on a chain they are exact after as many as it has pixels.

    Parameters
    ----------
    unary : ndarray, (L, n)
        Costs.
    edges : sequence of (i, j, weight)
    cost : ndarray, (L, L)
    n_iter : int
    temperature : float
        0 for min-sum, else sum-product.

    Returns
    -------
    ndarray, (L, n), float64
        Beliefs as costs, the least of each pixel being 0: min-marginals, or ``-T log p``.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference.belief_propagation import belief_propagation
    >>> unary = np.array([[0.0, 2, 0], [3, 0, 3]])
    >>> belief_propagation(unary, [(0, 1, 2.0), (1, 2, 2.0)], 1 - np.eye(2), n_iter=3).tolist()
    [[0.0, 0.0, 0.0], [3.0, 2.0, 3.0]]
    """
    messages = {(a, b): np.zeros(len(unary)) for i, j, _ in edges for a, b in ((i, j), (j, i))}
    for _ in range(n_iter):
        sent = {}
        beliefs = _beliefs(unary, messages)
        for i, j, weight in edges:
            for sender, receiver, together in ((i, j, weight * cost), (j, i, weight * cost.T)):
                without = beliefs[:, sender] - messages[receiver, sender]
                message = least(without[:, None] + together, temperature)
                sent[sender, receiver] = message - message.min()
        messages = sent
    beliefs = _beliefs(unary, messages)
    return beliefs - beliefs.min(axis=0)


def _beliefs(unary: np.ndarray, messages: dict[tuple[int, int], np.ndarray]) -> np.ndarray:
    """Own costs of all pixels and all messages to them."""
    beliefs = np.array(unary, float)
    for (_, receiver), message in messages.items():
        beliefs[:, receiver] += message
    return beliefs
