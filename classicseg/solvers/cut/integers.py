"""Grid energies as whole numbers, which is what maximum flows are computed in.

Whole numbers make the flow exact: no order of additions and no number of threads changes it, and moves that should not
raise the energy do not. Costs that are whole already are taken as they are. Others are multiplied by a power of two,
as large as 32 bits allow, and rounded; what that can change is known and reported. Before that the least cost of each
pixel is subtracted from all, and what is dearer than all edges of a pixel together is cut off there: no labelling of
least energy uses such a label, and one huge cost does not make the others coarse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from classicseg.energies.compatibility import Potts, TruncatedLinear, TruncatedQuadratic
from classicseg.energies.grid_crf import GridCRF

_LIMIT = 2**30
"""Largest excess that a pixel may ever have: its own, and three times what its edges can cost."""

_MATRIX_STEPS = 4096
"""A matrix that is no multiple of whole numbers is rounded to multiples of this part of its largest entry."""


@dataclass(frozen=True, eq=False)
class IntegerGrid:
    """A grid energy times `scale`, rounded.

    Attributes
    ----------
    unary : ndarray, (L, n), int32
    cost : ndarray, (L, L), int32
    weights : list of ndarray, int32
        For each direction one number for each edge, or a single one. A pair of labels costs ``weight * cost``.
    scale : float
    exact : bool
        Whether nothing was rounded.
    error : float
        How far energies (not scaled) can be off.
    ceiling : float or None
        Where costs above the least one of their pixel were cut off; None if costs are as they were.
    """

    unary: np.ndarray
    cost: np.ndarray
    weights: list[np.ndarray]
    scale: float
    exact: bool
    error: float
    ceiling: float | None

    @property
    def accuracy(self) -> str:
        """What to tell the user."""
        if self.exact:
            return "in exact whole numbers"
        return f"costs rounded to multiples of {1 / self.scale:.3g}, energies within {self.error:.3g}"


def as_integers(crf: GridCRF) -> IntegerGrid:
    """Round a grid energy to whole numbers that 32 bits can sum up at every pixel."""
    unit, cost, cost_is_exact = _as_multiples(crf)
    unary = crf.flat_unary.reshape(crf.n_labels, -1)
    flat = [crf.flat_weights[name] for name in crf.directions]
    heaviest = max((float(weights.max()) for weights in flat if weights.size), default=0.0)
    edges_at_most = 2 * len(flat) * heaviest * unit * float(cost.max() - cost.min())  # of one pixel
    whole = _is_whole(unary) and unit == round(unit) and cost_is_exact and all(map(_is_whole, flat))
    ceiling, scale = None, 1.0
    if not (whole and 2 * _largest(unary) + 3 * edges_at_most < _LIMIT):
        ceiling = 2 * edges_at_most if edges_at_most > 0 else 1.0
        scale = float(2.0 ** np.floor(np.log2(_LIMIT / (ceiling + 3 * edges_at_most))))
        scale = min(scale, 1.0) if whole else scale
    exact = whole and scale == 1
    n_terms = unary.shape[1] + sum(w.size for w in crf.weights.values()) * float(np.abs(cost).max())
    return IntegerGrid(
        _rounded_unary(unary, scale, ceiling),
        np.ascontiguousarray(cost, np.int32),
        [_rounded(weights, scale * unit) for weights in flat],
        scale,
        exact,
        0.0 if exact else 0.5 * n_terms / scale,
        ceiling,
    )


def with_unary(grid: IntegerGrid, unary: np.ndarray) -> IntegerGrid | None:
    """The same energy with other unary costs, (L, n); None if that needs another scale."""
    whole = _is_whole(unary)
    if grid.ceiling is None and not (whole and _largest(unary) <= _largest(grid.unary)):
        return None
    exact = grid.exact and whole
    if grid.exact and not exact:
        return None
    return replace(grid, unary=_rounded_unary(unary, grid.scale, grid.ceiling))


def _as_multiples(crf: GridCRF) -> tuple[float, np.ndarray, bool]:
    """The compatibility as (unit, whole numbers), and whether that is what it was."""
    mu = crf.compatibility
    cost = crf.cost
    if isinstance(mu, (Potts, TruncatedLinear, TruncatedQuadratic)) and mu.weight != 0:
        steps = cost / mu.weight
        if np.array_equal(steps, np.rint(steps)):
            sign = np.sign(mu.weight)
            return abs(mu.weight), sign * np.rint(steps), True
    if np.array_equal(cost, np.rint(cost)) and np.abs(cost).max() < 2**24:
        return 1.0, cost, True
    unit = float(np.abs(cost).max()) / _MATRIX_STEPS
    return unit, np.rint(cost / unit), False


def _largest(unary: np.ndarray) -> float:
    """Largest size of a cost; infinite if a label is forbidden."""
    return max(-float(unary.min()), float(unary.max()))


def _is_whole(values: np.ndarray) -> bool:
    if values.dtype == np.int32:
        return True
    return bool(np.array_equal(values, np.rint(values)))


def _rounded(values: np.ndarray, scale: float) -> np.ndarray:
    if values.dtype == np.int32 and scale == 1:
        return values
    return np.rint(values * np.float64(scale)).astype(np.int32)


def _rounded_unary(unary: np.ndarray, scale: float, ceiling: float | None) -> np.ndarray:
    if ceiling is None:
        return _rounded(unary, scale)
    above = unary.astype(np.float64)
    above -= unary.min(axis=0)
    np.minimum(above, ceiling, out=above)
    return _rounded(above, scale)
