"""Which labels are right: confusion, accuracy, IoU, Dice."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.metrics.calibration import calibration_error, reliability
from classicseg.metrics.pairs import counted, scored_pair


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
    calibration_error : float or None
        Expected calibration error of probabilities, if they were given, see :func:`calibration_error`.

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
    calibration_error: float | None = None


def confusion_matrix(
    labels: ArrayLike, truth: ArrayLike, n_labels: int, *, ignore_label: int | None = None
) -> np.ndarray:
    """Count pixels by true label (row) and given label (column).

    Parameters
    ----------
    labels : array_like of int, any shape
        0 to L - 1; anything where nothing is scored.
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
    given, true, scored, n = scored_pair(labels, truth, inputs.as_count(n_labels, "n_labels", 1), ignore_label)
    return counted(true[scored], given[scored], n)


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
    counts = inputs.as_numbers(confusion, "confusion", axes=(2,), dtype=np.float64)
    if counts.shape[0] != counts.shape[1] or counts.min() < 0:
        raise InputError(
            f"confusion must be a square matrix of counts, got shape {counts.shape} and values from {counts.min():g}"
        )
    total = float(counts.sum())
    if total == 0:
        raise InputError("truth has no scored pixel: confusion is 0")
    right = np.diag(counts)
    in_truth, given = counts.sum(1), counts.sum(0)
    with np.errstate(invalid="ignore", over="ignore"):
        iou = right / (in_truth + given - right)
        dice = 2 * right / (in_truth + given)
    return Scores(
        accuracy=float(right.sum() / total),
        mean_iou=float(iou[in_truth > 0].mean()),
        iou=tuple(iou.tolist()),
        dice=tuple(dice.tolist()),
    )


def scores(
    labels: ArrayLike,
    truth: ArrayLike,
    n_labels: int | None = None,
    *,
    ignore_label: int | None = None,
    mask: ArrayLike | None = None,
    probabilities: ArrayLike | None = None,
) -> Scores:
    """Scores of a labelling.

    Parameters
    ----------
    labels, truth, ignore_label
        As in :func:`confusion_matrix`.
    n_labels : int, optional
        Number of labels; by default that of the probabilities, or one more than the largest that is scored.
    mask : array_like of bool, the shape of the truth, optional
        Pixels that are scored.
    probabilities : array_like, (L, ...), optional
        Of a network, or marginals of a CRF: how far they are to be believed is scored as well.

    Returns
    -------
    Scores

    Raises
    ------
    ValueError
        If the shapes differ, a label is out of range, probabilities do not sum to 1, or no pixel is scored.

    Examples
    --------
    >>> from classicseg import metrics
    >>> metrics.scores([0, 1, 255], [0, 1, 255], n_labels=256, ignore_label=255).mean_iou
    1.0
    >>> round(metrics.scores([0, 1], [0, 1], probabilities=[[0.75, 0.25], [0.25, 0.75]]).calibration_error, 4)
    0.25
    """
    if probabilities is not None and n_labels is None:
        n_labels = len(inputs.read(probabilities, "probabilities"))
    given, true, scored, n = scored_pair(labels, truth, n_labels, ignore_label, mask)
    found = scores_of(counted(true[scored], given[scored], n))
    if probabilities is None:
        return found
    table = reliability(probabilities, truth, ignore_label=ignore_label, mask=mask)
    return replace(found, calibration_error=calibration_error(table))
