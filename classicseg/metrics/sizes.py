"""How large what was found is: millilitres of a volume, hectares of a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.machine.memory import check_memory
from classicseg.metrics.labels import scores_of
from classicseg.metrics.pairs import counted, scored_pair
from classicseg.metrics.surfaces import surface_distances

_MILLILITRE = 1000.0  # cubic millimetres
_HECTARE = 10_000.0  # square metres
_PIECE = 2**22  # pixels that are counted at once, so that a map on disk is not read into memory as a whole
_ANY_LABEL = 2**31  # one more than the largest int32


@dataclass(frozen=True)
class Volumes:
    """Volumes of the labels of a scan, and how well they agree with the truth, if that was given.

    Attributes
    ----------
    millilitres : tuple of float
        Volume of each label; 0 if there is none.
    dice : tuple of float or None
        ``2 |A and B| / (|A| + |B|)`` of each label; NaN where neither has it.
    hd95 : tuple of float or None
        95th percentile of the distances, in millimetres, from one surface of each label to the other, and back: the
        larger of the two. NaN where neither has the label, infinite where only one has it.
    mean_surface_distance : tuple of float or None
        Mean, in millimetres, of all these distances. NaN and infinite as `hd95`.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg import metrics
    >>> metrics.volumes(np.ones((10, 10, 10), bool), spacing=1).millilitres
    (0.0, 1.0)
    """

    millilitres: tuple[float, ...]
    dice: tuple[float, ...] | None = None
    hd95: tuple[float, ...] | None = None
    mean_surface_distance: tuple[float, ...] | None = None


def volumes(
    labels: ArrayLike,
    spacing: float | Sequence[float],
    truth: ArrayLike | None = None,
    n_labels: int | None = None,
    *,
    ignore_label: int | None = None,
) -> Volumes:
    """Volume of each label of a scan in millilitres; with a truth, Dice and distances of surfaces as well.

    Parameters
    ----------
    labels : array_like of int, (D, H, W)
        0 to L - 1, or `ignore_label` for voxels that have no volume.
    spacing : float or sequence of 3 floats
        Distance of neighbouring voxels along each axis in millimetres.
    truth : array_like of int, (D, H, W), optional
        0 to L - 1, or `ignore_label` where nothing is scored: these voxels belong to no label then, in neither of the
        two. What is scored has a label in `labels`.
    n_labels : int, optional
        Number of labels L; by default one more than the largest.
    ignore_label : int, optional
        Such as 255, or the -1 that :func:`refine` writes outside of a mask.

    Returns
    -------
    Volumes

    Raises
    ------
    ValueError
        If labels are no volume, shapes differ, a label is out of range, no voxel of the truth is scored, or the spacing
        is not positive and of 1 or 3 numbers.
    BudgetError
        If distances need more memory than is free: 24 bytes for each voxel of the box around a label.

    Notes
    -----
    The surface of a label is made of its voxels with a face that touches another label, a voxel that is not scored, or
    the end of the array. Distances are those of voxels' middles. With :math:`d(a, B)` from a surface voxel of A to the
    nearest of B, `hd95` is the larger 95th percentile, linearly interpolated, of :math:`d(a, B)` and :math:`d(b, A)`,
    after the partial distances of [1]_, and `mean_surface_distance` is the mean of both together, the average symmetric
    surface distance of [2]_. Other programs take the percentile of both together: figures are to be compared only
    within one definition [3]_.

    References
    ----------
    .. [1] D. P. Huttenlocher, G. A. Klanderman, W. J. Rucklidge, "Comparing images using the Hausdorff distance", IEEE
       TPAMI 15(9), 1993. doi:10.1109/34.232073
    .. [2] T. Heimann et al., "Comparison and evaluation of methods for liver segmentation from CT datasets", IEEE
       Transactions on Medical Imaging 28(8), 2009. doi:10.1109/TMI.2009.2013851
    .. [3] L. Maier-Hein, A. Reinke et al., "Metrics reloaded: recommendations for image analysis validation", Nature
       Methods 21, 2024. doi:10.1038/s41592-023-02151-z

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg import metrics
    >>> truth = np.zeros((4, 20, 20), int); truth[1:3, 5:15, 5:15] = 1
    >>> found = metrics.volumes(np.roll(truth, 1, axis=0), spacing=(5, 1, 1), truth=truth)
    >>> found.millilitres, found.dice[1], found.hd95[1]
    ((7.0, 1.0), 0.5, 5.0)
    """
    given = inputs.read(labels, "labels")
    if given.ndim != 3:
        raise InputError(f"labels must be a volume, (D, H, W), got shape {given.shape}")
    steps = inputs.as_scale(spacing, "spacing", 3)
    counts = _counts(given, "labels", n_labels, ignore_label)
    if truth is None:
        return Volumes(_millilitres(counts, steps))
    true = inputs.read(truth, "truth")
    if true.shape != given.shape:
        raise InputError(f"truth must have shape {given.shape}, that of labels, got {true.shape}")
    n = max(len(counts), len(_counts(true, "truth", n_labels, ignore_label)))
    given, true, scored, n = scored_pair(given, true, n, ignore_label)
    if not scored.any():
        raise InputError("truth has no scored voxel")
    dice = scores_of(counted(true[scored], given[scored], n)).dice
    hd95, mean = surface_distances(np.where(scored, given, -1), np.where(scored, true, -1), n, steps)
    millilitres = _millilitres(np.pad(counts, (0, n - len(counts))), steps)
    return Volumes(millilitres, dice, tuple(hd95.tolist()), tuple(mean.tolist()))


def areas(
    labels: ArrayLike,
    pixel_size: float | Sequence[float],
    n_labels: int | None = None,
    *,
    ignore_label: int | None = None,
) -> np.ndarray:
    """Area of each label of a map in hectares, which are 10000 square metres.

    Parameters
    ----------
    labels : array_like of int, (H, W)
        0 to L - 1, or `ignore_label` where there are no data. Memory maps are counted piece by piece.
    pixel_size : float or sequence of 2 floats
        Height and width of a pixel in metres on the ground, as a projected system of coordinates has it; degrees of
        longitude are no length.
    n_labels : int, optional
        Number of labels L; by default one more than the largest.
    ignore_label : int, optional
        Such as 255, or the -1 that :func:`refine` writes outside of a mask.

    Returns
    -------
    ndarray, (L,), float64
        Areas of tiles can be added, if `n_labels` is given.

    Raises
    ------
    ValueError
        If labels are no image, a label is out of range, or the size is not positive and of 1 or 2 numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg import metrics
    >>> cover = np.zeros((200, 300), np.uint8); cover[:100] = 1; cover[:, 200:] = 255
    >>> metrics.areas(cover, pixel_size=10, ignore_label=255).tolist()
    [200.0, 200.0]
    """
    given = inputs.read(labels, "labels")
    if given.ndim != 2:
        raise InputError(f"labels must be an image, (H, W), got shape {given.shape}")
    size = inputs.as_scale(pixel_size, "pixel_size", 2)
    return _counts(given, "labels", n_labels, ignore_label) * (float(np.prod(size)) / _HECTARE)


def _millilitres(counts: np.ndarray, spacing: tuple[float, ...]) -> tuple[float, ...]:
    return tuple((counts * (float(np.prod(spacing)) / _MILLILITRE)).tolist())


def _counts(labels: np.ndarray, name: str, n_labels: int | None, ignore_label: int | None) -> np.ndarray:
    """How often each label occurs, (L,) int64, counted in pieces of the first axis."""
    most = _ANY_LABEL if n_labels is None else inputs.as_count(n_labels, "n_labels", 1)
    counts = np.zeros(1, np.int64)
    step = max(1, _PIECE * len(labels) // max(1, labels.size))
    for start in range(0, max(1, len(labels)), step):
        try:
            piece = inputs.as_labels(labels[start : start + step], None, most, ignore_label, name=name)
        except InputError:
            inputs.as_labels(labels, None, most, ignore_label, name=name)  # says where in the whole it is
            raise
        kept = piece.ravel() if ignore_label is None else piece[piece != ignore_label]
        n = max(len(counts), 1 + int(kept.max(initial=0)) if n_labels is None else most)
        check_memory(16.0 * n, f"the counts of {n} labels")
        more = np.bincount(kept, minlength=n)
        more[: len(counts)] += counts
        counts = more
    return counts
