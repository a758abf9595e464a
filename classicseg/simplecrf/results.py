"""What the modules of SimpleCRF have in common: how they read probabilities and return labels."""

from __future__ import annotations

import numpy as np

from classicseg.errors import InputError

_MOST = np.iinfo(np.int8).max + 1


def costs_of(p: np.ndarray, decided: np.ndarray | None = None) -> np.ndarray:
    """Costs ``-log p`` of (*spatial, L) probabilities, labels first; infinite where they are 0.

    Raises
    ------
    ValueError
        If a probability is negative, or all of a pixel are 0 that is not `decided` otherwise.
    """
    if p.min() < 0:
        raise InputError(f"P must not be negative, got {p.min():g}")
    nothing = ~p.any(axis=-1)
    if decided is not None:
        nothing &= ~decided
    if nothing.any():
        where = tuple(int(i) for i in np.argwhere(nothing)[0])
        raise InputError(f"P must leave a label at each pixel, got probabilities of 0 for all at {where}")
    with np.errstate(divide="ignore"):
        return np.ascontiguousarray(-np.log(np.moveaxis(p, -1, 0)))


def as_bytes(labels: np.ndarray, n_labels: int) -> np.ndarray:
    """Labels as int8, if that holds them.

    Raises
    ------
    ValueError
        If there are too many.
    """
    if n_labels > _MOST:
        raise InputError(f"P must have at most {_MOST} labels, as SimpleCRF returns int8, got {n_labels}")
    return labels.astype(np.int8)
