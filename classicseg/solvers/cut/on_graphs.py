"""Minimum cuts and roof duality of energies of 2 labels on graphs."""

from __future__ import annotations

import numpy as np

from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.energies.points import only_inside
from classicseg.solvers.cut.integers import WHOLE, is_whole
from classicseg.solvers.cut.pairs import cut_between_labels, quadratic_of_labels
from classicseg.solvers.cut.probing import Proven, improve, probe, roof
from classicseg.solvers.cut.quadratic import UNKNOWN, Roof
from classicseg.solvers.cut.remainders import GAP
from classicseg.solvers.run import Run
from classicseg.types import Result

_ROUNDING = 2.0**-46  # NumPy sums in pairs, so that the roundings on the way of a term are a few dozen


def minimum_of_graph(energy: GraphCRF, run: Run) -> Result:
    """The minimum, by one cut."""
    cut, bound = cut_between_labels(energy)
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
    dual, bits = Roof(*quadratic_of_labels(energy)).solve()
    proven = bits != UNKNOWN
    where = only_inside(proven, energy.mask)
    labels = np.where(proven, bits, start).astype(np.int32)
    marginals = _as_marginals(bits)
    value = energy.energy(labels)
    bound = min(dual - _rounding(energy), value)
    run.record(energy=value, lower_bound=bound, labels=lambda: labels, marginals=lambda: marginals)
    run.stop(_left_over(where), converged=bool(where.all()) and _is_proven(value, bound))
    return run.result(labels, energy=value, lower_bound=bound, marginals=marginals)


def extended_roof(energy: GridCRF | GraphCRF, run: Run, *, weak: bool, probing: bool, rounds: int) -> Result:
    """What more can be proven, and labels that are improved: those of :func:`classicseg.solvers.cut.qpbo.qpbo`."""
    graph = energy if isinstance(energy, GraphCRF) else GraphCRF.from_grid(energy)
    start = run.labels()
    function, only = quadratic_of_labels(graph)
    if graph.mask is not None:
        only[~graph.mask] = 0
    proven, loss = Proven(function, only), 8 * _rounding(graph)
    best = start.reshape(-1)
    value = graph.energy(best)

    def better(left: np.ndarray) -> tuple[np.ndarray, float]:
        """Labels with these bits that are left, or the best ones; the iteration goes down in the history."""
        labels = proven.of_all(left).astype(np.int32)
        found = graph.energy(labels)
        labels, found = (labels, found) if found <= value else (best, value)
        bound = min(proven.bound - loss, found)
        run.record(energy=found, lower_bound=bound, labels=lambda: labels.reshape(energy.shape))
        return labels, found

    while roof(proven, weak=weak) > 0:
        pass
    best, value = better(proven.of_left(best))
    for _ in range(rounds):
        if proven.is_solved or run.stopped:
            break
        best, value = better(improve(proven.function, proven.of_left(best), run.rng))
    while probing and not proven.is_solved and not run.stopped and probe(proven, value + loss):
        while roof(proven, weak=weak) > 0:
            pass
        best, value = better(proven.of_left(best))
    bits = proven.bits.reshape(energy.shape)
    where = only_inside(bits != UNKNOWN, energy.mask)
    bound = min(proven.bound - loss, value)
    run.stop(_left_over(where), converged=_is_proven(value, bound))
    labels = best.reshape(energy.shape)
    return run.result(labels, energy=value, lower_bound=bound, marginals=_as_marginals(bits))


def _as_marginals(bits: np.ndarray) -> np.ndarray:
    """0.5 where nothing is known."""
    one = np.where(bits == UNKNOWN, 0.5, bits).astype(np.float32)
    return np.stack([1 - one, one])


def _left_over(proven: np.ndarray) -> str:
    return f"{int(proven.size - proven.sum())} of {proven.size} nodes unlabelled"


def _is_proven(value: float, bound: float) -> bool:
    return value == bound or value - bound <= GAP * max(1.0, abs(value))


def _rounding(energy: GraphCRF) -> float:
    """How far float64 can have moved a bound; 0 for whole numbers that sum up to less than 50 bits."""
    tables = energy.tables()
    size = float(np.abs(energy.unary).sum(where=np.isfinite(energy.unary), dtype=np.float64) + np.abs(tables).sum())
    return 0.0 if size < WHOLE and is_whole(energy.unary) and is_whole(tables) else _ROUNDING * size
