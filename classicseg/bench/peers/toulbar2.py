"""toulbar2: branch and bound, the referee that proves optima where it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from classicseg.bench.contender import Answer, Contender, Limits
from classicseg.bench.peers.common import are_whole, as_graph, reason_against_pairs

_MANY = 400_000  # numbers in tables, beyond which handing them over takes longer than solving
_DIGITS = 6  # decimals of costs that are no integers


def _refuses(instance: Any) -> str | None:
    reason = reason_against_pairs(instance)
    if reason is not None:
        return reason
    n_edges = instance.edges.shape[0] if hasattr(instance, "edges") else sum(w.size for w in instance.weights.values())
    size = instance.n_labels**2 * n_edges + instance.unary.size
    return f"its costs are handed over one by one, and {size:,} are too many" if size > _MANY else None


def _prepare(instance: Any, limits: Limits) -> Callable[[], Answer]:
    import pytoulbar2

    crf = as_graph(instance)
    tables = crf.tables()
    whole = are_whole(np.where(np.isfinite(crf.unary), crf.unary, 0), tables)
    n = crf.shape[0]
    counts = np.full(n, crf.n_labels) if crf.label_counts is None else crf.label_counts
    network = pytoulbar2.CFN(resolution=0 if whole else _DIGITS)
    for node, count in enumerate(counts.tolist()):
        network.AddVariable(f"x{node}", range(count))
        network.AddFunction([node], crf.unary[:count, node].astype(float).tolist())
    for (i, j), table in zip(crf.edges.tolist(), tables, strict=True):
        network.AddFunction([i, j], table[: counts[i], : counts[j]].astype(float).ravel().tolist())
    rounding = 0.0 if whole else (n + len(tables)) * 10.0**-_DIGITS

    def call() -> Answer:
        solution = network.Solve(timeLimit=max(1, int(limits.seconds)))
        bound = float(network.GetDDualBound()) - rounding
        if solution is None:
            return Answer(crf.unary.argmin(axis=0).reshape(instance.shape), bound, "found no labels in time", True)
        labels = np.asarray(solution[0]).reshape(instance.shape)
        proved = float(solution[1]) <= bound + 2 * rounding
        return Answer(labels, bound, "proved" if proved else "ran out of time", not proved)

    return call


CONTENDERS = (Contender("toulbar2", _refuses, _prepare, package="pytoulbar2", install="pytoulbar2"),)
