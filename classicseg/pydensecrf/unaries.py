"""Unaries of pydensecrf: fixed costs, and those of a linear classifier."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.pydensecrf.utils import without_nan

_RULED_OUT = np.float32(1e30)  # stands for the infinite cost -log(0): no message outweighs it


class Unary:
    """Costs of all labels, (L, N)."""

    def __init__(self, costs: np.ndarray) -> None:
        self.costs = costs


class ConstUnary(Unary):
    """Fixed costs.

    Parameters
    ----------
    u : array_like, (L, N)
        Copied. ``+inf`` rules a label out; every variable needs a label that is not ruled out. Where a cost is NaN,
        all labels cost the same, and a RuntimeWarning says so.

    Raises
    ------
    ValueError
        If there are not two axes, or a value is ``-inf``, or all labels of a variable are ruled out.
    """

    def __init__(self, u: ArrayLike) -> None:
        if isinstance(u, np.ndarray) and u.dtype.kind == "f":
            u = np.minimum(without_nan(u, 0.0, "u"), _RULED_OUT)
        costs = inputs.as_numbers(u, "u", axes=(2,)).copy()
        hopeless = costs.min(axis=0) >= _RULED_OUT
        if hopeless.any():
            raise InputError(
                f"u must leave every variable a label of finite cost, got none at variable {int(hopeless.argmax())} "
                f"({int(hopeless.sum())} such variables)"
            )
        super().__init__(costs)


class LogisticUnary(Unary):
    """Costs ``L @ f`` of a linear classifier.

    Parameters
    ----------
    L : array_like, (L, F)
        Weights.
    f : array_like, (F, N)
        Features.
    """

    def __init__(self, L: ArrayLike, f: ArrayLike) -> None:
        weights, features = inputs.as_numbers(L, "L", axes=(2,)), inputs.as_numbers(f, "f", axes=(2,))
        if weights.shape[1] != features.shape[0]:
            raise InputError(f"L of shape {weights.shape} and f of shape {features.shape} cannot be multiplied")
        with np.errstate(over="ignore", invalid="ignore"):
            costs = weights @ features
        if not np.isfinite(costs).all():
            raise InputError("L and f are too large: their product is infinite in float32")
        super().__init__(costs)
