"""The same grid energies in SciPy and classicseg; those in other libraries are in classicseg/bench/peers.

Each function takes a GridCRF with integer costs and weights and returns a call without arguments: what the call does
is timed, from arrays in the layout that the library wants (made beforehand, so it costs a peer nothing) to labels.
Building the graph is part of it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import classicseg as cs
from classicseg.bench.peers.common import ends_of, offset_of

Call = Callable[[], np.ndarray]


def classicseg(crf: cs.GridCRF, method: str, n_threads: int = 1, **options: object) -> Call:
    return lambda: cs.minimize(crf, method, n_threads=n_threads, **options).labels


def scipy(crf: cs.GridCRF) -> Call:
    """Maximum flow of SciPy (Dinic), and the cut by a search in what is left."""
    import scipy.sparse
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    n = crf.n_points
    nodes = np.arange(n).reshape(crf.shape)
    more = (crf.unary[1].astype(np.int64) - crf.unary[0]).reshape(-1)  # what label 1 costs more

    def call() -> np.ndarray:
        rows, columns, capacities = [], [], []
        for name, weights in crf.weights.items():
            first, second = ends_of(offset_of(name, len(crf.shape)))
            a, b, w = nodes[first].ravel(), nodes[second].ravel(), weights.ravel()
            rows += [a, b]
            columns += [b, a]
            capacities += [w, w]
        for here, costs in ((np.flatnonzero(more < 0), -more), (np.flatnonzero(more > 0), more)):
            source = costs is not more
            rows.append(np.full(len(here), n) if source else here)
            columns.append(here if source else np.full(len(here), n + 1))
            capacities.append(costs[here])
        triple = (np.concatenate(capacities).astype(np.int32), (np.concatenate(rows), np.concatenate(columns)))
        graph = scipy.sparse.csr_matrix(triple, shape=(n + 2, n + 2))
        left = graph - maximum_flow(graph, n, n + 1).flow
        left.data[left.data < 0] = 0
        left.eliminate_zeros()
        labels = np.zeros(n + 2, np.int32)
        labels[breadth_first_order(left, n, return_predecessors=False)] = 1
        return labels[:n].reshape(crf.shape)

    return call
