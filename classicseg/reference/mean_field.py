"""Dense CRFs: every pixel interacts with every other, through kernels that are matrices or filters here.

Mean field approximates the joint distribution of all labels by independent pixels. All pixels are updated at once, from
a filtered version of all marginals, which is what makes such large neighbourhoods possible.

Krähenbühl, Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials", NeurIPS 2011,
arXiv:1210.5644.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Term = tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]
"""A filter on (L, n) values and the (L, L) cost of labels under it, its weight included."""


def gibbs(costs: np.ndarray) -> np.ndarray:
    """Probabilities in proportion to ``exp(-costs)`` over the first axis; infinite costs get none."""
    e = np.exp(costs.min(axis=0) - costs)
    return e / e.sum(axis=0)


def message(marginals: np.ndarray, terms: Sequence[Term]) -> np.ndarray:
    """Cost that all pixels put on each label of each pixel, (L, n)."""
    total = np.zeros(marginals.shape)
    for apply, cost in terms:
        total += cost @ apply(marginals)
    return total


def mean_field(unary: np.ndarray, terms: Sequence[Term], n_iter: int, start: np.ndarray | None = None) -> np.ndarray:
    """Run parallel mean-field updates.

    Parameters
    ----------
    unary : ndarray, (L, n)
        Costs.
    terms : sequence of (filter, cost matrix)
    n_iter : int
    start : ndarray, (L, n), optional
        First marginals, ``gibbs(unary)`` by default.

    Returns
    -------
    ndarray, (L, n), float64

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference.mean_field import mean_field
    >>> k = np.exp(-0.5 * np.subtract.outer(np.arange(5), np.arange(5)) ** 2)
    >>> u = np.array([[0, 0, 1, 0, 0], [1, 1, 0, 1, 1]], float)
    >>> mean_field(u, [(lambda q: q @ k, 1.0 - np.eye(2))], 10).argmax(axis=0).tolist()
    [0, 0, 0, 0, 0]
    """
    unary = np.asarray(unary, float)
    q = gibbs(unary) if start is None else start
    for _ in range(n_iter):
        q = gibbs(unary + message(q, terms))
    return q


def energy(labels: np.ndarray, unary: np.ndarray, matrices: Sequence[np.ndarray], costs: Sequence[np.ndarray]) -> float:
    """Energy of labels (n,), summed over all pairs, with (n, n) kernel matrices and (L, L) costs."""
    points = np.arange(labels.size)
    total = float(unary[labels, points].sum())
    for matrix, cost in zip(matrices, costs, strict=True):
        terms = matrix * cost[np.ix_(labels, labels)]
        total += float(terms.sum() - np.trace(terms)) / 2
    return total


def free_energy(marginals: np.ndarray, unary: np.ndarray, terms: Sequence[Term]) -> float:
    """Mean-field free energy: the expected cost minus the entropy; every pair counts once."""
    log_q = np.log(np.maximum(marginals, 1e-300))
    return float((marginals * (log_q + unary + message(marginals, terms) / 2)).sum())
