"""How good a segmentation is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from classicseg import _validate
from classicseg.errors import InputError


@dataclass(frozen=True)
class Scores:
    """Agreement of a labelling with the truth.

    Attributes
    ----------
    accuracy : float
        Share of the scored pixels that are right.
    mean_iou : float
        Mean of `iou` over the labels that occur in the truth.
    iou : tuple of float
        Intersection over union of each label; NaN where neither has it.
    dice : tuple of float
        ``2 |A and B| / (|A| + |B|)`` of each label; NaN where neither has it.

    Examples
    --------
    >>> from classicseg import metrics
    >>> metrics.scores([0, 1, 1, 0], [0, 1, 1, 1]).accuracy
    0.75
    """

    accuracy: float
    mean_iou: float
    iou: tuple[float, ...]
    dice: tuple[float, ...]


def confusion_matrix(
    labels: ArrayLike, truth: ArrayLike, n_labels: int, *, ignore_label: int | None = None
) -> np.ndarray:
    """Count pixels by true label (row) and given label (column).

    Parameters
    ----------
    labels : array_like of int, any shape
        0 to L - 1.
    truth : array_like of int, same shape
        0 to L - 1, or `ignore_label` where nothing is scored.
    n_labels : int
        Number of labels L.
    ignore_label : int, optional

    Returns
    -------
    ndarray, (L, L), int64
        Matrices of several images can be added and given to :func:`scores_of`.

    Raises
    ------
    ValueError
        If the shapes differ or a label is out of range.

    Examples
    --------
    >>> from classicseg import metrics
    >>> metrics.confusion_matrix([0, 1, 1], [0, 0, 1], 2).tolist()
    [[1, 1], [0, 1]]
    """
    n = _validate.as_count(n_labels, "n_labels", 1)
    true = _validate.as_labels(truth, None, n, ignore_label, name="truth")
    given = _validate.as_labels(labels, true.shape, n)
    if ignore_label is not None:
        scored = true != ignore_label
        true, given = true[scored], given[scored]
    pairs = true.ravel().astype(np.int64) * n + given.ravel()
    return np.bincount(pairs, minlength=n * n).reshape(n, n)


def scores_of(confusion: np.ndarray) -> Scores:
    """Scores of a confusion matrix.

    Parameters
    ----------
    confusion : ndarray, (L, L)
        As :func:`confusion_matrix` counts.

    Raises
    ------
    ValueError
        If no pixel was scored.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg import metrics
    >>> metrics.scores_of(np.array([[3, 1], [0, 4]])).accuracy
    0.875
    """
    total = int(confusion.sum())
    if total == 0:
        raise InputError("truth has no scored pixel")
    right = np.diag(confusion).astype(float)
    in_truth, given = confusion.sum(1), confusion.sum(0)
    with np.errstate(invalid="ignore"):
        iou = right / (in_truth + given - right)
        dice = 2 * right / (in_truth + given)
    return Scores(
        accuracy=float(right.sum() / total),
        mean_iou=float(iou[in_truth > 0].mean()),
        iou=tuple(iou.tolist()),
        dice=tuple(dice.tolist()),
    )


def scores(
    labels: ArrayLike, truth: ArrayLike, n_labels: int | None = None, *, ignore_label: int | None = None
) -> Scores:
    """Scores of a labelling.

    Parameters
    ----------
    labels, truth, ignore_label
        As in :func:`confusion_matrix`.
    n_labels : int, optional
        Number of labels; by default one more than the largest of both.

    Returns
    -------
    Scores

    Raises
    ------
    ValueError
        If the shapes differ, a label is out of range or no pixel is scored.

    Examples
    --------
    >>> from classicseg import metrics
    >>> metrics.scores([0, 1, 255], [0, 1, 255], n_labels=256, ignore_label=255).mean_iou
    1.0
    """
    if n_labels is None:
        true = np.asarray(truth)
        kept = true if ignore_label is None else true[true != ignore_label]
        n_labels = 1 + max(int(np.max(labels)), int(kept.max(initial=0)))
    return scores_of(confusion_matrix(labels, truth, n_labels, ignore_label=ignore_label))
