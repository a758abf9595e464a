"""thinqpbo: roof duality of two labels, with a bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from classicseg.bench.contender import Answer, Contender
from classicseg.bench.peers.common import are_whole, as_graph, reason_against_pairs
from classicseg.energies.graph_crf import GraphCRF


def roof(crf: GraphCRF) -> Callable[[], tuple[np.ndarray, float]]:
    """Labels, -1 where none is proven, and the lower bound; costs are handed over one by one, as it wants them."""
    import thinqpbo as library

    tables = crf.tables()
    whole = are_whole(crf.unary, tables)
    kind, number = (library.QPBOInt, int) if whole else (library.QPBODouble, float)
    unary = crf.unary.T.astype(number).tolist()
    pairs = list(zip(crf.edges.tolist(), tables.reshape(-1, 4).astype(number).tolist(), strict=True))

    def call() -> tuple[np.ndarray, float]:
        n = len(unary)
        graph = kind(n, len(pairs))
        graph.add_node(n)
        for node, (zero, one) in enumerate(unary):
            graph.add_unary_term(node, zero, one)
        for (i, j), table in pairs:
            graph.add_pairwise_term(i, j, *table)
        graph.solve()
        graph.compute_weak_persistencies()
        labels = np.array([graph.get_label(node) for node in range(n)])
        return labels, graph.compute_twice_lower_bound() / 2

    return call


def _refuses(instance: Any) -> str | None:
    reason = reason_against_pairs(instance)
    return f"it serves 2 labels, got {instance.n_labels}" if reason is None and instance.n_labels != 2 else reason


def _prepare(crf: Any, limits: Any) -> Callable[[], Answer]:
    call, cheapest = roof(as_graph(crf)), crf.unary.argmin(axis=0)

    def completed() -> Answer:
        labels, bound = call()
        labels = labels.reshape(crf.shape)
        proven = f"{100 * float((labels >= 0).mean()):.1f} % of the labels are proven"
        return Answer(np.where(labels < 0, cheapest, labels), bound, proven)

    return completed


CONTENDERS = (Contender("thinqpbo", _refuses, _prepare, package="thinqpbo", install="thinqpbo"),)
