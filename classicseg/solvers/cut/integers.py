"""Grid energies as whole numbers, which is what maximum flows are computed in.

Whole numbers make the flow exact: no order of additions and no number of threads changes it. Costs that are whole, or
multiples of some power of two such as 1/1024, and small enough for 32 bits to sum them up at every pixel, are counted
in steps of that. For moves, others are multiplied by a power of two, as large as 32 bits allow, and rounded. Where that
is too coarse, because a few costs are far larger than most, and where a minimum is to be proven,
:mod:`classicseg.solvers.cut.remainders` takes over.

What two labels of a pixel cost may differ by more than 32 bits hold: the network cuts differences off where no edges
of the pixel can outweigh them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from classicseg.energies.compatibility import Potts, TruncatedLinear, TruncatedQuadratic
from classicseg.energies.grid_crf import GridCRF

_LIMIT = 2**30
"""Largest excess that a pixel may ever have: its own, and three times what its edges can cost."""

_BITS = 30
"""Of rounded weights, and of rounded costs of pairs: products fit into 64 bits, and are shifted down."""

_FINE = 2.0**18
"""Steps in a typical cost; where there are fewer, 32 bits are too coarse."""

_FINEST = 20
"""Bits behind the point of costs that are taken as they are; with more, 32 bits are soon full."""

WHOLE = 2.0**50
"""Sums of whole numbers, and of their halves, are exact up to there."""

_SAMPLE = 20_000  # of costs, to find their median; also the seed by which it is drawn

_PART = 2**15  # numbers: with what is made of them, they fit into a cache

_FORBIDDEN, _LARGEST = 2**61, 2**60
"""Unary costs of labels that are forbidden, and the largest of the others."""


@dataclass(frozen=True, eq=False)
class IntegerGrid:
    """A grid energy times `scale`, rounded.

    Attributes
    ----------
    unary : ndarray, (L, n), int32 or int64
    cost : ndarray, (L, L), int32
    weights : list of ndarray, int32
        For each direction one number for each edge, or a single one. A pair of labels costs ``weight * cost >> shift``.
    shift : int
    ceiling : int
        Differences of unary costs above that make no difference.
    scale : float
    largest : float
        The largest unary cost, times `scale`, that energies are exact with.
    exact : bool
        Whether nothing was rounded.
    coarse : bool
        Whether rounding has made typical costs coarse.
    """

    unary: np.ndarray
    cost: np.ndarray
    weights: list[np.ndarray]
    shift: int
    ceiling: int
    scale: float
    largest: float
    exact: bool
    coarse: bool

    @property
    def accuracy(self) -> str:
        """What to tell the user."""
        return "in exact whole numbers" if self.exact else f"costs rounded to multiples of {1 / self.scale:.3g}"


def as_integers(crf: GridCRF) -> IntegerGrid | None:
    """A grid energy in exact whole numbers that 32 bits can sum up at every pixel; None if it has no such."""
    unary, weights, edges_at_most = _parts(crf)
    unit, cost = _as_multiples(crf, crf.cost - crf.cost.min())
    if not is_whole(cost):
        return None
    of_unary, of_unit, *of_weights = (_bits_behind_point(x) for x in (unary, np.array([unit]), *weights))
    bits = max(of_unary, of_unit + max(of_weights))
    if bits > _FINEST or 5 * edges_at_most * 2.0**bits >= _LIMIT:
        return None
    scale = 2.0**bits
    small = 2 * _largest(unary) * scale + 3 * edges_at_most * scale < _LIMIT
    largest = _LARGEST if bits == 0 else WHOLE / crf.n_points - edges_at_most * scale
    if (bits > 0 or not small) and _largest_finite(unary) * scale > largest:
        return None
    return IntegerGrid(
        unary=_rounded(unary, scale, np.int32 if small else np.int64),
        cost=np.ascontiguousarray(cost if edges_at_most > 0 else 0 * cost, np.int32),
        weights=[_rounded(w, unit * scale, np.int32) for w in weights],
        shift=0,
        ceiling=int(2 * edges_at_most * scale) + 1,
        scale=scale,
        largest=largest,
        exact=True,
        coarse=False,
    )


def differences(unary: np.ndarray, grid: IntegerGrid) -> np.ndarray | None:
    """What label 1 costs more than label 0, int32, cut off at the ceiling, of other unary costs (2, ...) for a grid.

    None if those are no whole numbers in its scale, or too large.
    """
    if 2.0 ** _bits_behind_point(unary) > grid.scale or _largest_finite(unary) * grid.scale > grid.largest:
        return None
    zero, one = unary.reshape(2, -1)
    wanted, kind = np.empty(zero.size, np.int32), np.int64 if unary.dtype == np.int32 else np.float64
    for part in _parts_of(zero):
        more = np.subtract(one[part], zero[part], dtype=kind)
        more *= kind(grid.scale)
        wanted[part] = np.clip(more, -grid.ceiling, grid.ceiling, out=more)
    return wanted.reshape(unary.shape[1:])


def as_rounded(crf: GridCRF) -> IntegerGrid:
    """A grid energy, rounded to steps that depend on what edges cost, or on unary costs where edges cost nothing."""
    unary, weights, edges_at_most = _parts(crf)
    least = unary.min(axis=0)
    spread = np.subtract(unary, least, dtype=np.float64)
    finite = spread[np.isfinite(spread)]
    most = edges_at_most if edges_at_most > 0 else float(finite.max()) or 1.0
    with np.errstate(over="ignore"):
        scale = _power_of_two(_LIMIT / np.float64(5 * most))
    cost = crf.cost - crf.cost.min()
    dearest = float(cost.max()) or 1.0
    heaviest = max((float(w.max()) for w in weights if w.size), default=0.0) or 1.0
    of_cost, of_weight = _power_of_two(2.0**_BITS / dearest), _power_of_two(2.0**_BITS / heaviest)
    ceiling = int(2 * most * scale) + 1
    typical = [_typical(w) * dearest for w in weights if w.any()] if edges_at_most > 0 else []
    if finite.any():
        typical.append(min(_typical(finite), most))
    spread *= scale
    small = float(spread.max()) < _LIMIT / 2
    if not small:
        np.minimum(spread, _LARGEST, out=spread, where=np.isfinite(spread))
        spread[np.isinf(spread)] = _FORBIDDEN
    return IntegerGrid(
        unary=_rounded(spread, 1.0, np.int32 if small else np.int64),
        cost=_rounded(cost, of_cost, np.int32),
        weights=[_rounded(w, of_weight, np.int32) for w in weights],
        shift=round(np.log2(of_cost * of_weight / scale)) if edges_at_most > 0 else 0,
        ceiling=ceiling,
        scale=scale,
        largest=np.inf,
        exact=False,
        coarse=min(typical, default=np.inf) * scale < _FINE,
    )


def _parts(crf: GridCRF) -> tuple[np.ndarray, list[np.ndarray], float]:
    """Unary costs, (L, n), weights of each direction, and what all edges of a pixel can cost at most."""
    unary, weights = crf.flat_unary.reshape(crf.n_labels, -1), [crf.finite_weights[name] for name in crf.directions]
    heaviest = max((float(w.max()) for w in weights if w.size), default=0.0)
    edges_at_most = 2 * len(weights) * heaviest * float(crf.cost.max() - crf.cost.min())
    return unary, weights if edges_at_most > 0 else [np.zeros(1)] * len(weights), edges_at_most


def _power_of_two(number: float) -> float:
    """The largest that is not above `number`, but no larger than float64 can multiply twice by."""
    return float(2.0 ** min(np.floor(np.log2(number)), 500.0))


def _as_multiples(crf: GridCRF, cost: np.ndarray) -> tuple[float, np.ndarray]:
    """The compatibility, whose matrix less its least entry is `cost`, as (unit, multiples)."""
    mu = crf.compatibility
    if isinstance(mu, (Potts, TruncatedLinear, TruncatedQuadratic)) and mu.weight != 0:
        return abs(mu.weight), cost / abs(mu.weight)
    return 1.0, cost


def _typical(costs: np.ndarray) -> float:
    """Median of those of some thousand costs that are not 0."""
    flat = costs.reshape(-1)
    some = flat if flat.size <= _SAMPLE else flat[np.random.default_rng(_SAMPLE).integers(flat.size, size=_SAMPLE)]
    some = some[some > 0] if some.any() else flat[flat > 0]
    return float(np.median(some))


def _largest(unary: np.ndarray) -> float:
    """Largest size of a cost; infinite if a label is forbidden."""
    return max(-float(unary.min()), float(unary.max()))


def _largest_finite(unary: np.ndarray) -> float:
    return float(np.abs(unary).max(where=np.isfinite(unary), initial=0))


def is_whole(values: np.ndarray) -> bool:
    """Whether all values are whole numbers, or infinite."""
    return _bits_behind_point(values, 0) == 0


def _bits_behind_point(values: np.ndarray, finest: int = _FINEST) -> float:
    """The least number of bits behind the binary point that holds all finite values; infinite if above `finest`."""
    if values.dtype == np.int32:
        return 0
    flat = values.reshape(-1)
    wrong, bits = flat[:64], 0  # of most real costs, a few tell in no time
    while wrong.size:
        bits = max(bits, _bits_of(wrong[:64]))
        if bits > finest:
            return np.inf
        for part in _parts_of(flat):
            with np.errstate(over="ignore"):  # what becomes infinite was whole
                steps = flat[part] * flat.dtype.type(2.0**bits)
            wrong = flat[part][steps != np.rint(steps)]
            if wrong.size:
                break
    return bits


def _bits_of(values: np.ndarray) -> int:
    """The same of a few values, whatever they need."""
    mantissa, exponent = np.frexp(values[np.isfinite(values) & (values != 0)].astype(np.float64))
    digits = (mantissa * 2.0**53).astype(np.int64)
    behind = 53 - exponent - np.log2(digits & -digits).astype(int)
    return max(0, int(behind.max(initial=0)))


def _rounded(values: np.ndarray, scale: float, dtype: Any) -> np.ndarray:
    if values.dtype == dtype and scale == 1:
        return values
    rounded = np.empty(values.shape, dtype)
    flat, out = values.reshape(-1), rounded.reshape(-1)
    for part in _parts_of(flat):
        exact = np.rint(flat[part] * np.float64(scale))
        if dtype == np.int64:
            exact[np.isinf(exact)] = _FORBIDDEN
        out[part] = exact
    return rounded


def _parts_of(flat: np.ndarray) -> Iterator[slice]:
    """Slices that a cache holds, and what is made of them."""
    return (slice(start, start + _PART) for start in range(0, flat.size, _PART))
