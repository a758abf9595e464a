"""How well borders lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.machine.memory import check_memory
from classicseg.metrics.pairs import counted, image_pair

_TOLERANCE = 0.0075
"""Default distance at which borders still agree, as a share of the diagonal: that of the paper."""


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
    given, true, scored, n = image_pair(labels, truth, n_labels, ignore_label)
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
    given, true, scored, n = image_pair(labels, truth, n_labels, ignore_label)
    reach = inputs.as_count(width, "width", 1)
    band = scored & (_distance_to_border(true, scored) < reach)
    return counted(true[band], given[band], n)


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
