"""Masks that may overlap, each against its own background, in one image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from classicseg import inputs
from classicseg.energies.unary import unary_from_sigmoid
from classicseg.errors import InputError, InputTypeError
from classicseg.pipelines.refinement import Prepared
from classicseg.solvers.minimize import minimize


def as_masks(scores: np.ndarray, name: str, label_axis: int) -> np.ndarray:
    """Scores of N masks, (N, *spatial) float32: finite logits, or probabilities in [0, 1], as `name` says.

    Raises
    ------
    ValueError
        If there is no axis of masks, or a value is out of range.
    TypeError
        If they are costs.
    """
    if name == "unary":
        raise InputTypeError("independent=True takes logits or probabilities, one for each mask; got unary")
    axis = inputs.as_axis(label_axis, scores.ndim, "label_axis", name)
    if scores.ndim < 2:
        raise InputError(f"{name} must have shape (N, *spatial) with independent=True, got {scores.shape}")
    if name == "logits":
        checked = inputs.as_numbers(scores, name)
    else:
        checked = inputs.as_fractions(scores, name=name, otherwise="pass logits= for logits")
    return np.moveaxis(checked, axis, 0)


def refine_masks(
    masks: np.ndarray, name: str, prepare: Callable[[np.ndarray], Prepared], **settings: Any
) -> np.ndarray:
    """Refine (N, *spatial) scores of masks one after the other.

    `prepare` makes the CRF of the costs of background and foreground; `settings` are those of :func:`minimize`. What
    comes back is 0 and 1, (N, *spatial) uint8; pixels that take no part are 0.
    """
    refined = []
    for mask in masks:
        prepared = prepare(unary_from_sigmoid(mask, from_logits=name == "logits"))
        steps = prepared.preset.max_iter
        found = minimize(prepared.crf, "mean_field", max_iter=steps, marginals=False, **settings)
        refined.append((found.labels == 1).astype(np.uint8))
    return np.stack(refined)
