"""Dense CRFs that differ in their costs alone share their lattices."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from classicseg import inputs
from classicseg.energies.dense_crf import DenseCRF
from classicseg.errors import InputError

_OF_FEATURES = ("_lattices", "_all_pairs")  # what a CRF keeps that does not depend on costs


def with_unary(crf: DenseCRF, unary: np.ndarray) -> DenseCRF:
    """The same CRF with other costs, in the shape of its own. It shares the lattices that are built already.

    Raises
    ------
    ValueError
        If the shape does not fit, or a cost is NaN, -inf, or finite and above 1e30 in size.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> from classicseg.energies.sharing import with_unary
    >>> crf = cs.DenseCRF(np.zeros((2, 4, 5)), cs.GaussianKernel())
    >>> labels = cs.minimize(crf).labels
    >>> other = with_unary(crf, np.ones((2, 4, 5)))
    """
    cleaned, _ = inputs.without_outside(unary, crf.mask, 0, name="unary")
    costs, has_forbidden = inputs.as_unary_and_forbidden(cleaned)
    costs = costs.view()
    if costs.shape != crf.unary.shape:
        raise InputError(f"unary must have shape {crf.unary.shape}, as before, got {costs.shape}")
    costs.setflags(write=False)
    other = copy.copy(crf)  # without what is kept
    vars(other).update(unary=costs, has_forbidden=has_forbidden, **_of_features(crf))
    points = vars(crf).get("_inside")
    if points is not None:
        vars(other.inside).update(_of_features(points))
    return other


def _of_features(crf: DenseCRF) -> dict[str, Any]:
    return {name: value for name, value in vars(crf).items() if name in _OF_FEATURES}
