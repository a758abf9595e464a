"""Labels and truth, checked: the pairs of labels that are compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.machine.memory import check_memory


def counted(true: np.ndarray, given: np.ndarray, n_labels: int) -> np.ndarray:
    """The confusion matrix of labels (n,)."""
    check_memory(24.0 * n_labels**2, f"the confusion of n_labels={n_labels} labels")
    codes = true.astype(np.int64) * n_labels + given
    return np.bincount(codes, minlength=n_labels**2).reshape(n_labels, n_labels)


def image_pair(
    labels: ArrayLike, truth: ArrayLike, n_labels: int | None, ignore_label: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """As :func:`scored_pair`, of one image with something to score."""
    if len(shape := inputs.read(truth, "truth").shape) != 2:
        raise InputError(f"truth must be an image, (H, W), got shape {shape}")
    given, true, scored, n = scored_pair(labels, truth, n_labels, ignore_label)
    if not scored.any():
        raise InputError("truth has no scored pixel")
    return given, true, scored, n


def scored_pair(
    labels: ArrayLike, truth: ArrayLike, n_labels: int | None, ignore_label: int | None, mask: ArrayLike | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Labels, truth, what is scored, and the number of labels. Where nothing is scored, the labels are 0."""
    true, given = inputs.read(truth, "truth"), inputs.read(labels, "labels")
    if given.shape != true.shape:
        raise InputError(f"labels must have shape {true.shape}, that of truth, got {given.shape}")
    scored = _scored(true, ignore_label, mask)
    given = np.where(scored, given, given.dtype.type(0))
    if n_labels is None:
        for array, name in ((true, "truth"), (given, "labels")):
            if array.dtype.kind == "f":
                raise InputTypeError(f"{name} must hold integers, got dtype {array.dtype}; convert with .astype(int)")
        n_labels = 1 + max(int(given.max(initial=0)), int(true[scored].max(initial=0)))
    n = inputs.as_count(n_labels, "n_labels", 1)
    true, scored = scored_truth(true, n, ignore_label, mask)
    return inputs.as_labels(given, None, n), true, scored, n


def scored_truth(
    truth: ArrayLike, n_labels: int, ignore_label: int | None, mask: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray]:
    """The truth, and what is scored of it."""
    true = inputs.read(truth, "truth")
    scored = _scored(true, ignore_label, mask)
    inside = None if mask is None else scored
    return inputs.as_labels(true, None, n_labels, ignore_label, name="truth", mask=inside), scored


def _scored(true: np.ndarray, ignore_label: int | None, mask: ArrayLike | None) -> np.ndarray:
    if ignore_label is None:
        scored = np.ones(true.shape, bool)
    else:
        scored = np.asarray(true != inputs.as_integer(ignore_label, "ignore_label"))
    inside = None if mask is None else inputs.as_mask(mask, true.shape)
    return scored if inside is None else scored & inside
