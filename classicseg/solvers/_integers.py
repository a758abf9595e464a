"""Grid energies as whole numbers, which is what maximum flows are computed in.

Whole numbers make the flow exact: no order of additions and no number of threads changes it, and moves that should not
raise the energy do not. Costs that are whole already are taken as they are. Others are multiplied by a power of two,
as large as 32 bits allow, and rounded; what that can change is known and reported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from classicseg.energies.compatibility import Potts, TruncatedLinear, TruncatedQuadratic
from classicseg.energies.grid import directions
from classicseg.energies.grid_crf import GridCRF

_LIMIT = 2**29
"""No pixel may have more capacity and excess together: sums of two stay below 2**31."""

_MATRIX_STEPS = 4096
"""A matrix that is no multiple of whole numbers is rounded to so many steps."""


@dataclass(frozen=True, eq=False)
class IntegerGrid:
    """A grid energy times `scale`, rounded.

    Attributes
    ----------
    unary : ndarray, (L, n), int32
        Forbidden labels cost more than all that can be won by them.
    cost : ndarray, (L, L), int32
    weights : list of ndarray, int32
        For each direction one number for each edge, or a single one. A pair of labels costs ``weight * cost``.
    scale : float
    exact : bool
        Whether nothing was rounded.
    error : float
        How far energies (not scaled) can be off.
    """

    unary: np.ndarray
    cost: np.ndarray
    weights: list[np.ndarray]
    scale: float
    exact: bool
    error: float

    @property
    def accuracy(self) -> str:
        """What to tell the user."""
        if self.exact:
            return "in exact whole numbers"
        return f"costs rounded to multiples of {1 / self.scale:.3g}, energies within {self.error:.3g}"


def as_integers(crf: GridCRF) -> IntegerGrid:
    """Round a grid energy to whole numbers that 32 bits can sum up at every pixel."""
    unit, cost, cost_is_exact = _as_multiples(crf)
    unary = crf.unary.reshape(crf.n_labels, -1)
    low, high = _finite_range(unary)
    flat = [crf.flat_weights(name) for name in directions(len(crf.shape), crf.connectivity)]
    heaviest = max((float(weights.max()) for weights in flat if weights.size), default=0.0)
    pairs = 2 * len(flat) * heaviest * unit * float(np.abs(cost).max())
    needed = 2 * (high - low) + 2 * pairs + 4 * max(abs(low), abs(high))
    whole = _is_whole(unary) and unit == round(unit) and all(map(_is_whole, flat))
    if whole and needed < _LIMIT:
        scale = 1.0
    else:
        scale = 2.0 ** np.floor(np.log2(_LIMIT / needed)) if needed > 0 else 1.0
    exact = bool(whole and cost_is_exact and scale >= 1)
    if exact:
        scale = 1.0
    forbidden = int((high - low + pairs) * scale) + 1 + int(np.ceil(max(abs(low), abs(high)) * scale))
    n_terms = unary.shape[1] + sum(n_edges(crf)) * float(np.abs(cost).max())
    error = 0.0 if exact else 0.5 * n_terms / scale
    return IntegerGrid(
        _rounded_unary(unary, scale, forbidden),
        np.ascontiguousarray(cost, np.int32),
        [_rounded(weights, scale * unit) for weights in flat],
        scale,
        exact,
        error,
    )


def n_edges(crf: GridCRF) -> list[int]:
    """Number of edges of each direction."""
    return [weights.size for weights in crf.weights.values()]


def rounded_like(grid: IntegerGrid, unary: np.ndarray) -> np.ndarray | None:
    """Other unary costs of the same energy, (L, n), rounded in the same way; None if they do not fit."""
    low, high = _finite_range(unary)
    room = _LIMIT / 2 - 2 * len(grid.weights) * max((int(w.max()) for w in grid.weights if w.size), default=0) * int(
        np.abs(grid.cost).max()
    )
    forbidden = int(np.abs(grid.unary).max())
    if (high - low) * grid.scale > min(room, forbidden) or (grid.exact and not _is_whole(unary)):
        return None
    return _rounded_unary(unary, grid.scale, max(forbidden, int((high - low) * grid.scale) + 1))


def _as_multiples(crf: GridCRF) -> tuple[float, np.ndarray, bool]:
    """The compatibility as (unit, whole numbers), and whether that is what it was."""
    mu = crf.compatibility
    cost = crf.cost()
    if isinstance(mu, (Potts, TruncatedLinear, TruncatedQuadratic)) and mu.weight != 0:
        steps = cost / mu.weight
        if np.array_equal(steps, np.rint(steps)):
            sign = np.sign(mu.weight)
            return abs(mu.weight), sign * np.rint(steps), True
    if np.array_equal(cost, np.rint(cost)) and np.abs(cost).max() < 2**24:
        return 1.0, cost, True
    unit = float(np.abs(cost).max()) / _MATRIX_STEPS
    return unit, np.rint(cost / unit), False


def _finite_range(unary: np.ndarray) -> tuple[float, float]:
    low, high = float(unary.min()), float(unary.max())
    if not np.isfinite(high):
        high = float(unary[np.isfinite(unary)].max())
    return low, high


def _is_whole(values: np.ndarray) -> bool:
    if values.dtype == np.int32:
        return True
    finite = values[np.isfinite(values)] if values.size and not np.isfinite(values.max()) else values
    return bool(np.array_equal(finite, np.rint(finite)))


def _rounded(values: np.ndarray, scale: float) -> np.ndarray:
    if values.dtype == np.int32 and scale == 1:
        return values
    return np.rint(values * np.float64(scale)).astype(np.int32)


def _rounded_unary(unary: np.ndarray, scale: float, forbidden: int) -> np.ndarray:
    if unary.dtype == np.int32:
        return _rounded(unary, scale)
    scaled = np.where(np.isinf(unary), forbidden, unary * np.float64(scale))
    return np.rint(scaled).astype(np.int32)
