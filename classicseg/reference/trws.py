"""Sequential tree-reweighted message passing (TRW-S): labels, and a bound that says how far they are from the best.

The grid is seen as chains along which pixel numbers grow; every edge lies in one chain, every pixel in `n_chains`, and
each of its chains gets the same share of its costs. Messages move costs between pixels and edges so that the sum of
the minima of all chains grows, a sum that is never above the energy of any labelling.

Kolmogorov, "Convergent tree-reweighted message passing for energy minimization", IEEE TPAMI 28(10), 2006,
doi:10.1109/TPAMI.2006.200.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from classicseg.reference.grid import Edge


def trws(
    unary: np.ndarray, edges: Sequence[Edge], cost: np.ndarray, n_iter: int, n_chains: int | None = None
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield the lower bound and the decoded labels (n,) after each iteration.

    Parameters
    ----------
    unary : ndarray, (L, n)
    edges : sequence of (i, j, weight)
        With i < j; labels k of i and l of j cost ``weight * cost[k, l]``.
    cost : ndarray, (L, L)
    n_iter : int
        An iteration is a forward and a backward pass.
    n_chains : int, optional
        At least the number of edges that lead forward from any pixel, and of those that lead backward; by default
        the largest of these.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference.trws import trws
    >>> (bound, labels), = trws(np.array([[0, 5, 0], [3, 0, 3]]), [(0, 1, 2.0), (1, 2, 2.0)], 1 - np.eye(2), 1)
    >>> bound, labels.tolist()
    (4.0, [0, 1, 0])
    """
    n_labels, n = unary.shape
    later: list[list[int]] = [[] for _ in range(n)]  # edges that lead from a pixel to later ones
    earlier: list[list[int]] = [[] for _ in range(n)]
    for e, (i, j, _) in enumerate(edges):
        later[i].append(e)
        earlier[j].append(e)
    if n_chains is None:
        n_chains = max(1, *map(len, later), *map(len, earlier))
    costs = unary.T.astype(float)
    together = [weight * cost for _, _, weight in edges]
    message = np.zeros((len(edges), n_labels))  # the last one sent over each edge, whichever way

    for _ in range(n_iter):
        for s in range(n):
            share = (costs[s] + message[earlier[s] + later[s]].sum(axis=0)) / n_chains
            for e in later[s]:
                sent = ((share - message[e])[:, None] + together[e]).min(axis=0)
                message[e] = sent - sent.min()
        bound = 0.0
        for s in reversed(range(n)):
            share = (costs[s] + message[earlier[s] + later[s]].sum(axis=0)) / n_chains
            for e in earlier[s]:
                sent = ((share - message[e])[None, :] + together[e]).min(axis=1)
                message[e] = sent - sent.min()
                bound += sent.min()
            bound += (n_chains - len(earlier[s])) * share.min()  # chains that begin here
        yield float(bound), _decode(costs, edges, together, message, earlier, later)


def _decode(
    costs: np.ndarray,
    edges: Sequence[Edge],
    together: list[np.ndarray],
    message: np.ndarray,
    earlier: list[list[int]],
    later: list[list[int]],
) -> np.ndarray:
    """Label after label in raster order, each the best for the labels before and the messages from behind."""
    labels = np.zeros(len(costs), np.int32)
    for s in range(len(costs)):
        score = costs[s] + message[later[s]].sum(axis=0)
        for e in earlier[s]:
            score = score + together[e][labels[edges[e][0]]]
        labels[s] = score.argmin()
    return labels
