"""What holds for every result of a solver."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import classicseg as cs

TINY = 2000  # labellings that are worth enumerating


def least_energy(energy: cs.GridCRF | cs.GraphCRF) -> float | None:
    """Of all labellings; None if there are too many."""
    if energy.n_labels**energy.n_points > TINY:
        return None
    where = np.ones(energy.shape, bool) if energy.mask is None else energy.mask
    grid, least = np.zeros(energy.shape, np.int32), np.inf
    for labels in itertools.product(range(energy.n_labels), repeat=energy.n_points):
        grid[where] = labels
        least = min(least, energy.energy(grid))
    return least


def check_result(result: cs.Result, energy: Any, **_: Any) -> None:
    assert result.labels.shape == energy.shape, "shape of labels"
    assert result.labels.dtype == np.int32 and result.labels.flags.c_contiguous, "dtype and order of labels"
    inside = np.ones(energy.shape, bool) if energy.mask is None else energy.mask
    assert (result.labels[~inside] == -1).all(), "labels outside"
    labels = result.labels[inside]
    assert labels.min() >= 0 and labels.max() < energy.n_labels, "labels that do not exist"
    assert result.n_iter == len(result.history) or not result.history, "rows of the history"
    if result.marginals is not None:
        shape = (energy.n_labels, *energy.shape)
        assert result.marginals.shape == shape and result.marginals.dtype == np.float32, "marginals"
        assert np.abs(result.marginals.sum(axis=0) - inside).max() < 1e-3, "marginals do not sum to 1, or to 0 outside"
    true = energy.energy(result.labels)
    assert result.energy is not None and not np.isnan(result.energy), "the energy is not a number"
    scale = _scale(energy)
    assert _close(result.energy, true, 1e-9 * scale), f"energy {result.energy!r}, of its labels {true!r}"
    if result.lower_bound is not None:
        assert result.lower_bound <= result.energy + 1e-9 * scale, f"bound {result.lower_bound!r} > {result.energy!r}"
        assert result.gap is not None and result.gap >= -1e-9 * scale, "the gap is negative"
    if isinstance(energy, cs.GridCRF | cs.GraphCRF) and (least := least_energy(energy)) is not None:
        assert result.energy >= least - 1e-9 * scale, f"energy {result.energy!r} below the least, {least!r}"
        if result.lower_bound is not None:
            assert result.lower_bound <= least + 1e-9 * scale, f"bound {result.lower_bound!r} above {least!r}"
        if result.method == "graph_cut":
            assert _close(result.energy, least, 1e-9 * scale), f"energy {result.energy!r}, the least is {least!r}"


def _scale(energy: Any) -> float:
    finite = np.where(np.isfinite(energy.unary), np.abs(energy.unary.astype(np.float64)), 0)
    size = float(finite.max(axis=0).sum())
    if isinstance(energy, cs.GridCRF):
        for weights in energy.weights.values():
            heavy = np.where(np.isfinite(weights), weights, 0).astype(np.float64)
            size += float(heavy.sum() * np.abs(energy.cost).max())
        size += 0.0 if energy.label_costs is None else float(energy.label_costs.sum())
    if isinstance(energy, cs.GraphCRF):
        size += float(np.abs(energy.tables()).max(axis=(1, 2)).sum())
        size += 0.0 if energy.label_costs is None else float(energy.label_costs.sum())
    return max(1.0, size) if np.isfinite(size) else np.inf


def _close(a: float, b: float, tolerance: float) -> bool:
    return a == b or abs(a - b) <= tolerance
