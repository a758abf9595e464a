"""What pairs of pixels add to the energy of a labelling of a dense CRF."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

_VALUES = 2**25  # of labels at pixels: so many are filtered at once


def pairwise_terms(
    labels: np.ndarray,
    costs: Sequence[np.ndarray],
    filtered: Callable[[int, np.ndarray], np.ndarray],
    self_weight: Callable[[int], np.ndarray],
) -> list[float]:
    """The sum over all pairs of pixels under each kernel.

    Parameters
    ----------
    labels : ndarray, (n,), int32
    costs : sequence of ndarray, (L, L)
        Weighted compatibility of each kernel.
    filtered : callable
        ``filtered(k, values)`` applies kernel k, normalised, to (C, n) values.
    self_weight : callable
        ``self_weight(k)`` is what kernel k, normalised, gives a pixel with itself, (n,).
    """
    n_labels = len(costs[0]) if costs else 0
    sums = [np.zeros(labels.size) for _ in costs]
    step = max(1, _VALUES // labels.size)
    for first in range(0, n_labels, step):
        some = np.arange(first, min(first + step, n_labels))
        is_some = np.equal(labels, some[:, np.newaxis]).astype(np.float32)
        for k, (total, cost) in enumerate(zip(sums, costs, strict=True)):
            total += np.einsum("ln,ln->n", cost[:, some][labels].T, filtered(k, is_some), dtype=np.float64)
    for k, (total, cost) in enumerate(zip(sums, costs, strict=True)):
        self_cost = np.diag(cost)[labels]
        if self_cost.any():  # K includes the pair of a pixel with itself; the energy does not
            total -= self_cost * self_weight(k)
    return [float(total.sum()) / 2 for total in sums]
