"""Minimum cuts and roof duality of energies of 2 labels on graphs."""

from __future__ import annotations

import numpy as np

from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.points import only_inside
from classicseg.solvers.cut.integers import WHOLE, is_whole
from classicseg.solvers.cut.pairs import choice_between, cut_of, roof_of
from classicseg.solvers.cut.remainders import GAP
from classicseg.solvers.run import Run
from classicseg.types import Result

_ROUNDING = 2.0**-46  # NumPy sums in pairs, so that the roundings on the way of a term are a few dozen


def minimum_of_graph(energy: GraphCRF, run: Run) -> Result:
    """The minimum, by one cut."""
    choice = choice_between(energy, *_bits(energy), crossed=False)
    cut, bound = cut_of(choice)
    value, loss = energy.energy(cut.labels), _rounding(energy)
    if np.isinf(value):
        bound = value
    else:
        bound = value if loss == 0 else min(bound - loss, value)
    gap = 0.0 if value == bound else value - bound
    how = "in exact whole numbers" if gap == 0 else f"within {gap:.3g}"
    run.record(energy=value, lower_bound=bound, labels=lambda: cut.labels)
    run.stop(f"minimum found {how}", converged=gap <= GAP * max(1.0, abs(value)))
    return run.result(cut.labels, energy=value, lower_bound=bound)


def roof_of_graph(energy: GraphCRF, run: Run) -> Result:
    """What roof duality proves of the minimum."""
    start = run.labels()
    dual, first, second = roof_of(choice_between(energy, *_bits(energy), crossed=True))
    proven = first == second
    where = only_inside(proven, energy.mask)
    labels = np.where(proven, first, start).astype(np.int32)
    marginals = np.stack([2 - first - second, first + second]).astype(np.float32) / 2
    value = energy.energy(labels)
    bound = min(dual - _rounding(energy), value)
    run.record(energy=value, lower_bound=bound, labels=lambda: labels, marginals=lambda: marginals)
    proved = bool(where.all()) and (value == bound or value - bound <= GAP * max(1.0, abs(value)))
    run.stop(f"{int(where.size - where.sum())} of {where.size} nodes unlabelled", converged=proved)
    return run.result(labels, energy=value, lower_bound=bound, marginals=marginals)


def _bits(energy: GraphCRF) -> tuple[np.ndarray, np.ndarray]:
    """Labels 0 and labels 1 of all nodes."""
    return np.zeros(energy.shape, np.int32), np.ones(energy.shape, np.int32)


def _rounding(energy: GraphCRF) -> float:
    """How far float64 can have moved a bound; 0 for whole numbers that sum up to less than 50 bits."""
    tables = energy.tables()
    size = float(np.abs(energy.unary).sum(where=np.isfinite(energy.unary), dtype=np.float64) + np.abs(tables).sum())
    return 0.0 if size < WHOLE and is_whole(energy.unary) and is_whole(tables) else _ROUNDING * size
