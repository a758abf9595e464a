"""Dense CRFs in a few lines: energies and mean field with kernels as matrices or functions.

Krähenbühl, Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials", NeurIPS 2011,
arXiv:1210.5644.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Term = tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]
"""A filter on (L, n) values and the (L, L) cost of labels under it, its weight included."""


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (L, n) of logits (L, n)."""
    e = np.exp(logits - logits.max(axis=0))
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
        First marginals, ``softmax(-unary)`` by default.

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
    q = softmax(-unary) if start is None else start
    for _ in range(n_iter):
        q = softmax(-unary - message(q, terms))
    return q


def energy(labels: np.ndarray, unary: np.ndarray, matrices: Sequence[np.ndarray], costs: Sequence[np.ndarray]) -> float:
    """Energy of labels (n,), summed over all pairs, with (n, n) kernel matrices and (L, L) costs."""
    points = np.arange(labels.size)
    total = float(unary[labels, points].sum())
    for matrix, cost in zip(matrices, costs, strict=True):
        pairs = matrix * cost[np.ix_(labels, labels)]
        total += float(pairs.sum() - np.trace(pairs)) / 2
    return total


def free_energy(marginals: np.ndarray, unary: np.ndarray, terms: Sequence[Term]) -> float:
    """Mean-field free energy: the expected cost minus the entropy; every pair counts once."""
    log_q = np.log(np.maximum(marginals, 1e-300))
    return float((marginals * (log_q + unary + message(marginals, terms) / 2)).sum())
