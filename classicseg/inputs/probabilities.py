"""Probabilities: numbers from 0 to 1 that sum to 1 over the labels, give or take what storing and resampling do."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike

from classicseg.errors import InputError
from classicseg.inputs.axes import labels_first
from classicseg.inputs.reading import finite, index_of, not_empty, of_shape, read, text

_ROUNDING = 1e-3  # below 0 and above 1: of softmax outputs stored as float16 or bfloat16
_OVERSHOOT = 0.25  # below 0 and above 1: of resampling with cubic splines or windowed sincs
_SUM_OF_MARGINALS = 0.01  # those stored as bfloat16 or as 8-bit numbers still pass
_SUM = 0.05  # many labels stored as 8-bit numbers


def as_probabilities(probabilities: ArrayLike, label_axis: int = 0, *, name: str = "probabilities") -> np.ndarray:
    """Probabilities as (L, *spatial) float32 in C order within [0, 1], L >= 2.

    Overshoot of resampling is clipped, and what sums to 1 along no axis is divided by its sums: both with a warning.
    """
    given = read(probabilities, name, booleans=False)
    p = finite(labels_first(given, label_axis, name), np.float32, name)
    sums = _sums(p)
    normal = _are_one(sums, _SUM)
    p = _clipped(p, name, normal, "unary_from_logits takes logits")
    if normal:
        return p
    other = next((axis for axis in range(1, p.ndim) if _are_one(p.sum(axis=axis), _SUM)), None)
    if other is not None:
        raise of_another_axis(given.shape, label_axis % p.ndim, other, name)
    warn_of_sums(float(sums.min()), float(sums.max()), name)
    return _divided(p)


def as_unnormalised(p: ArrayLike, *, name: str = "probabilities") -> np.ndarray:
    """A part of (L, *spatial) probabilities, of which others sum to 1 along no axis, divided by their sums."""
    finite_ones = finite(read(p, name, booleans=False), np.float32, name)
    return _divided(_clipped(finite_ones, name, False, "unary_from_logits takes logits"))


def are_one(low: float, high: float) -> bool:
    """Whether sums of probabilities from `low` to `high` count as 1."""
    return low >= 1 - _SUM and high <= 1 + _SUM


def of_another_axis(shape: tuple[int, ...], label_axis: int, other: int, name: str) -> InputError:
    """The error of probabilities of that shape that sum to 1 along the axis `other`, counted with the labels first."""
    original = [axis for axis in range(len(shape)) if axis != label_axis][other - 1]
    return InputError(
        f"{name} must sum to 1 over the labels, but those of shape {text(shape)} do so along axis "
        f"{original}: label_axis={label_axis} does not fit; pass label_axis={original}, or one image at a time "
        f"if axis {label_axis} counts the images of a batch"
    )


def warn_of_sums(low: float, high: float, name: str) -> None:
    """Warn that probabilities sum to other numbers than 1."""
    warnings.warn(
        f"{name} sum to {low:.3g} to {high:.3g} over the labels instead of 1; they are divided by their sums",
        stacklevel=4,
    )


def _divided(p: np.ndarray) -> np.ndarray:
    """Probabilities divided by their sums over the labels; equal ones where these are 0."""
    sums = p.sum(axis=0)
    return np.divide(p, sums, out=np.full_like(p, 1 / len(p)), where=sums > 0)


def as_fractions(p: ArrayLike, *, name: str = "p", otherwise: str) -> np.ndarray:
    """Probabilities of one label, each for itself, as float32 in C order within [0, 1]; `otherwise` helps if not."""
    return _clipped(finite(not_empty(read(p, name), name), np.float32, name), name, True, otherwise)


def as_marginals(marginals: ArrayLike, shape: tuple[int, ...], *, name: str = "marginals") -> np.ndarray:
    """Probabilities of the given (L, *spatial) shape, float32 in C order, that sum to 1 at each pixel within 0.01."""
    q = finite(of_shape(read(marginals, name), shape, name), np.float32, name)
    sums = _sums(q)
    if not _are_one(sums, _SUM_OF_MARGINALS):
        where = index_of(int(np.abs(sums - 1).argmax()), sums.shape)
        _clipped(q, name, False, "take a softmax of logits first")
        raise InputError(f"{name} must sum to 1 over the labels, got a sum of {sums[where]:g} at pixel {text(where)}")
    return _clipped(q, name, True, "take a softmax of logits first")


def _sums(p: np.ndarray) -> np.ndarray:
    """Over the labels; of anything."""
    with np.errstate(over="ignore", invalid="ignore"):
        return p.sum(axis=0)


def _are_one(sums: np.ndarray, tolerance: float) -> bool:
    return bool(sums.min() >= 1 - tolerance and sums.max() <= 1 + tolerance)


def _clipped(p: np.ndarray, name: str, may_overshoot: bool, otherwise: str) -> np.ndarray:
    """`p` within [0, 1], if it nearly is; itself where nothing is to be done."""
    low, high = float(p.min()), float(p.max())
    if low >= 0 and high <= 1:
        return p
    outside = max(-low, high - 1)
    if outside > (_OVERSHOOT if may_overshoot else _ROUNDING):
        raise InputError(
            f"{name} must be in [0, 1], neither negative nor larger, got values from {low:g} to {high:g}; {otherwise}"
        )
    if outside > _ROUNDING:
        warnings.warn(
            f"{name} has values from {low:.3g} to {high:.3g}, as resampling with cubic splines makes them; they are "
            "clipped to [0, 1]",
            stacklevel=4,
        )
    return p.clip(0, 1)
