"""How good a segmentation is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.machine.memory import check_memory

_TOLERANCE = 0.0075
"""Default distance at which borders still agree, as a share of the diagonal: that of the paper."""


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
    given, true, scored, n = _scored_pair(labels, truth, inputs.as_count(n_labels, "n_labels", 1), ignore_label)
    return _counted(true[scored], given[scored], n)


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
    labels: ArrayLike, truth: ArrayLike, n_labels: int | None = None, *, ignore_label: int | None = None
) -> Scores:
    """Scores of a labelling.

    Parameters
    ----------
    labels, truth, ignore_label
        As in :func:`confusion_matrix`.
    n_labels : int, optional
        Number of labels; by default one more than the largest that is scored.

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
    given, true, scored, n = _scored_pair(labels, truth, n_labels, ignore_label)
    return scores_of(_counted(true[scored], given[scored], n))


def boundary_f_score(
    labels: ArrayLike,
    truth: ArrayLike,
    n_labels: int | None = None,
    *,
    tolerance: float | None = None,
    ignore_label: int | None = None,
) -> float:
    """How well the borders of a labelling lie: boundary F1 of one image, the mean over the labels in the truth [1]_.

    The border of a label is made of its pixels that touch another label. Precision is the share of the given border
    with true border of that label within `tolerance`, recall the share of the true border with given border within it.

    Parameters
    ----------
    labels, truth, n_labels, ignore_label
        As in :func:`scores`, of an image. Touching `ignore_label` makes no border.
    tolerance : float, optional
        Distance in pixels, positive; by default 0.75 % of the diagonal as in the paper, but at least 1.

    Returns
    -------
    float
        0 to 1; a label without border in both counts as 1, without border in one of them as 0.

    Raises
    ------
    ValueError
        If shapes are not those of one image, a label is out of range, or no pixel is scored.

    References
    ----------
    .. [1] G. Csurka, D. Larlus, F. Perronnin, "What is a good evaluation measure for semantic segmentation?",
       BMVC 2013. doi:10.5244/C.27.32

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg import metrics
    >>> truth = np.zeros((9, 9), int); truth[3:6, 3:6] = 1
    >>> metrics.boundary_f_score(np.roll(truth, 1, axis=1), truth, tolerance=1)
    1.0
    """
    given, true, scored, n = _image_pair(labels, truth, n_labels, ignore_label)
    check_memory(80.0 * n, f"the counts of n_labels={n} labels")
    diagonal = float(np.hypot(*true.shape))
    reach = max(1.0, _TOLERANCE * diagonal) if tolerance is None else inputs.as_positive_number(tolerance, "tolerance")
    borders = [_border(x, scored) for x in (given, true)]
    near = [np.zeros(true.shape, bool), np.zeros(true.shape, bool)]
    for here, there in _shifted_windows(true.shape, reach):
        for mine, other, met in ((*borders, near[0]), (*borders[::-1], near[1])):
            met[here] |= mine[here] == other[there]
    counts = [np.bincount(border[border >= 0], minlength=n) for border in borders]
    hits = [np.bincount(border[(border >= 0) & met], minlength=n) for border, met in zip(borders, near, strict=True)]
    in_truth = np.bincount(true[scored], minlength=n) > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = (hit / count for hit, count in zip(hits, counts, strict=True))
        f = 2 * precision * recall / (precision + recall)
    f = np.where(counts[0] + counts[1] == 0, 1.0, np.nan_to_num(f))
    return float(f[in_truth].mean())


def trimap_confusion(
    labels: ArrayLike, truth: ArrayLike, n_labels: int, width: int, *, ignore_label: int | None = None
) -> np.ndarray:
    """Confusion matrix of the pixels near the true borders of one image [1]_.

    Parameters
    ----------
    labels, truth, n_labels, ignore_label
        As in :func:`confusion_matrix`, of an image. Touching `ignore_label` makes no border.
    width : int
        Pixels on either side of the border, at least 1.

    Returns
    -------
    ndarray, (L, L), int64
        Matrices of several images can be added and given to :func:`scores_of`, whose ``mean_iou`` is the trimap IoU.

    Raises
    ------
    ValueError
        As :func:`boundary_f_score`.

    References
    ----------
    .. [1] P. Kohli, L. Ladický, P. Torr, "Robust higher order potentials for enforcing label consistency", IJCV 2009.
       doi:10.1007/s11263-008-0202-0

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg import metrics
    >>> truth = np.repeat([0, 0, 0, 1, 1, 1], 4).reshape(6, 4)
    >>> metrics.trimap_confusion(truth, truth, 2, width=1).tolist()
    [[4, 0], [0, 4]]
    """
    given, true, scored, n = _image_pair(labels, truth, n_labels, ignore_label)
    reach = inputs.as_count(width, "width", 1)
    band = scored & (_distance_to_border(true, scored) < reach)
    return _counted(true[band], given[band], n)


def _counted(true: np.ndarray, given: np.ndarray, n_labels: int) -> np.ndarray:
    """The confusion matrix of labels (n,)."""
    check_memory(24.0 * n_labels**2, f"the confusion of n_labels={n_labels} labels")
    codes = true.astype(np.int64) * n_labels + given
    return np.bincount(codes, minlength=n_labels**2).reshape(n_labels, n_labels)


def _image_pair(
    labels: ArrayLike, truth: ArrayLike, n_labels: int | None, ignore_label: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """As :func:`_scored_pair`, of one image with something to score."""
    if len(shape := inputs.read(truth, "truth").shape) != 2:
        raise InputError(f"truth must be an image, (H, W), got shape {shape}")
    given, true, scored, n = _scored_pair(labels, truth, n_labels, ignore_label)
    if not scored.any():
        raise InputError("truth has no scored pixel")
    return given, true, scored, n


def _scored_pair(
    labels: ArrayLike, truth: ArrayLike, n_labels: int | None, ignore_label: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Labels, truth, what is scored, and the number of labels. Where nothing is scored, the labels are 0."""
    true, given = inputs.read(truth, "truth"), inputs.read(labels, "labels")
    if given.shape != true.shape:
        raise InputError(f"labels must have shape {true.shape}, that of truth, got {given.shape}")
    if ignore_label is None:
        scored = np.ones(true.shape, bool)
    else:
        scored = np.asarray(true != inputs.as_integer(ignore_label, "ignore_label"))
    given = np.where(scored, given, given.dtype.type(0))
    if n_labels is None:
        for array, name in ((true, "truth"), (given, "labels")):
            if array.dtype.kind == "f":
                raise InputTypeError(f"{name} must hold integers, got dtype {array.dtype}; convert with .astype(int)")
        n_labels = 1 + max(int(given.max(initial=0)), int(true[scored].max(initial=0)))
    n = inputs.as_count(n_labels, "n_labels", 1)
    true = inputs.as_labels(true, None, n, ignore_label, name="truth")
    return inputs.as_labels(given, None, n), true, scored, n


def _border(labels: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """The label where a scored pixel touches a scored one of another label, -1 elsewhere."""
    touching = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        first, second = (
            tuple(cut if a == axis else slice(None) for a in (0, 1)) for cut in (slice(None, -1), slice(1, None))
        )
        differ = (labels[first] != labels[second]) & scored[first] & scored[second]
        touching[first] |= differ
        touching[second] |= differ
    return np.where(touching, labels, -1)


def _shifted_windows(shape: tuple[int, ...], reach: float) -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """For each step within `reach`: where it starts and where it ends, as far as both are in the image."""
    radius = int(reach)
    steps = [
        (dy, dx)
        for dy in range(-min(radius, shape[0] - 1), min(radius, shape[0] - 1) + 1)
        for dx in range(-min(radius, shape[1] - 1), min(radius, shape[1] - 1) + 1)
        if dy * dy + dx * dx <= reach * reach
    ]
    cut = [
        [(slice(max(0, -d), min(n, n - d)), slice(max(0, d), min(n, n + d))) for d, n in zip(step, shape, strict=True)]
        for step in steps
    ]
    return [(tuple(here for here, _ in axes), tuple(there for _, there in axes)) for axes in cut]


def _distance_to_border(true: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """Distance to the nearest pixel of the true border, infinite if there is none."""
    from scipy.ndimage import distance_transform_edt

    border = _border(true, scored) >= 0
    if not border.any():
        return np.full(true.shape, np.inf)
    distance: np.ndarray = distance_transform_edt(~border)
    return distance
