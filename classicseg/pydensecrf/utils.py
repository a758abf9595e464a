"""The module ``pydensecrf.utils``: unaries and features as scripts make them."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.machine.memory import check_memory

__all__ = [
    "compute_unary",
    "create_pairwise_bilateral",
    "create_pairwise_gaussian",
    "softmax_to_unary",
    "unary_from_labels",
    "unary_from_softmax",
]

log = logging.getLogger("classicseg")


def unary_from_labels(labels: ArrayLike, n_labels: int, gt_prob: float, zero_unsure: bool = True) -> np.ndarray:
    """Costs from a label map that is right with probability `gt_prob`.

    Parameters
    ----------
    labels : array_like of int, any shape
        With `zero_unsure` 1 to n_labels, and 0 where nothing is known; without 0 to n_labels - 1.
    n_labels : int
        Number of labels, the unsure 0 not counted. With one, an empty mask, costs are finite as well.
    gt_prob : float
        Between 0 and 1.
    zero_unsure : bool
        Whether 0 means "could be any".

    Returns
    -------
    ndarray, (n_labels, N), float32

    Raises
    ------
    ValueError
        If a label is out of range, or another argument.

    Examples
    --------
    >>> from classicseg.pydensecrf.utils import unary_from_labels
    >>> unary_from_labels([0, 1], 2, gt_prob=0.7).round(2).tolist()
    [[0.69, 0.36], [0.69, 1.20]]
    """
    n = inputs.as_count(n_labels, "n_labels", 1)
    inputs.as_weight(gt_prob, "gt_prob")
    if not 0 < gt_prob < 1:
        raise InputError(f"gt_prob must be above 0 and below 1, got {gt_prob!r}")
    array = inputs.read(labels, "labels").reshape(-1)
    zero_unsure = inputs.as_flag(zero_unsure, "zero_unsure")
    checked = inputs.as_labels(array, None, n + 1 if zero_unsure else n)
    row = checked - 1 if zero_unsure else checked
    check_memory(8.0 * n * row.size, f"costs of {n} labels at {row.size} variables")
    costs = np.full((n, row.size), -np.log((1 - gt_prob) / max(1, n - 1)), np.float32)
    sure = row >= 0
    costs[row[sure], np.flatnonzero(sure)] = -np.log(gt_prob)
    costs[:, ~sure] = np.log(n)
    return costs


def compute_unary(labels: ArrayLike, M: int, GT_PROB: float = 0.5) -> np.ndarray:  # noqa: N803
    """Old name of :func:`unary_from_labels`."""
    log.warning("compute_unary is deprecated, use unary_from_labels instead")
    return unary_from_labels(labels, M, GT_PROB)


def unary_from_softmax(sm: ArrayLike, scale: float | None = None, clip: float | None = 1e-5) -> np.ndarray:
    """Costs ``-log p`` of softmax outputs.

    Parameters
    ----------
    sm : array_like, (L, ...)
        Probabilities; they need not sum to 1, and with `clip` any number is taken. Where one is NaN, all labels cost
        the same, and a RuntimeWarning says so: one blank map need not end a batch.
    scale : float, optional
        In (0, 1]: mix with the uniform distribution, ``scale * p + (1 - scale) / L``.
    clip : float, optional
        Lower probabilities are raised to it; None leaves them, and a 0 then gives an infinite cost, which rules the
        label out.

    Returns
    -------
    ndarray, (L, N), float32

    Raises
    ------
    ValueError
        If `scale` is out of range, or a value is, unclipped, negative.
    TypeError
        If `sm` does not hold real numbers.

    Examples
    --------
    >>> from classicseg.pydensecrf.utils import unary_from_softmax
    >>> unary_from_softmax([[0.5, 1.0], [0.5, 0.0]]).round(2).tolist()
    [[0.69, 0.0], [0.69, 11.51]]
    """
    p = inputs.read(sm, "sm")
    if p.ndim == 0 or p.size == 0 or p.dtype.kind not in "biuf":
        raise InputTypeError(f"sm must be a non-empty array of real numbers, labels first, got {sm!r}")
    if scale is not None:
        trust = _number(scale, "scale")
        if not 0 < trust <= 1:
            raise InputError(f"scale must be above 0 and at most 1, got {scale!r}")
        p = trust * p + np.float64((1 - trust) * (1 / p.shape[0]))  # in float64, as pydensecrf computes it
    p = without_nan(p, 1 / p.shape[0], "sm")
    if clip is not None:
        with np.errstate(over="ignore"):
            p = np.clip(p, _number(clip, "clip"), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        costs = np.ascontiguousarray((-np.log(p)).reshape(p.shape[0], -1).astype(np.float32))
    wrong = np.isnan(costs)
    if wrong.any():
        label, variable = np.unravel_index(int(wrong.argmax()), costs.shape)
        raise InputError(
            f"sm must hold probabilities, got a negative number for label {label} at variable {variable} "
            f"({int(wrong.sum())} such values)"
        )
    return costs


def _number(value: Any, name: str) -> Any:
    """A number; one of NumPy keeps its dtype, which decides in which precision pydensecrf computes."""
    number = inputs.as_weight(value, name)
    return value if isinstance(value, (int, float, np.generic)) else number


def without_nan(values: np.ndarray, uniform: float, name: str) -> np.ndarray:
    """`values` of all labels, (L, ...), or a copy that is `uniform` wherever a label had NaN, with a warning."""
    if values.dtype.kind != "f":
        return values
    wrong = np.isnan(values).any(axis=0)
    if not wrong.any():
        return values
    message = f"{name} holds NaN at {int(wrong.sum())} variables: all labels are taken to be equally likely there"
    warnings.warn(message, RuntimeWarning, stacklevel=3)
    return np.where(wrong, values.dtype.type(uniform), values)


def softmax_to_unary(sm: ArrayLike, GT_PROB: float = 1) -> np.ndarray:  # noqa: N803
    """Old name of :func:`unary_from_softmax`, without clipping."""
    log.warning("softmax_to_unary is deprecated, use unary_from_softmax instead")
    scale = None if isinstance(GT_PROB, (int, float)) and GT_PROB == 1 else GT_PROB
    return unary_from_softmax(sm, scale, clip=None)


def create_pairwise_gaussian(sdims: Sequence[float], shape: Sequence[int]) -> np.ndarray:
    """Position features of a grid.

    Parameters
    ----------
    sdims : sequence of float
        Standard deviation along each axis, in the order of `shape`; too few scale the leading axes only.
    shape : sequence of int
        Shape of the grid.

    Returns
    -------
    ndarray, (len(shape), N), float32

    Raises
    ------
    ValueError
        If a standard deviation is not positive or there are more of them than axes.

    Examples
    --------
    >>> from classicseg.pydensecrf.utils import create_pairwise_gaussian
    >>> create_pairwise_gaussian((2, 1), (2, 2)).tolist()
    [[0.0, 0.0, 0.5, 0.5], [0.0, 1.0, 0.0, 1.0]]
    """
    checked = inputs.as_shape(shape, "shape")
    return _positions(sdims, checked).reshape(len(checked), -1)


def create_pairwise_bilateral(
    sdims: Sequence[float], schan: float | Sequence[float], img: ArrayLike, chdim: int = -1
) -> np.ndarray:
    """Position and intensity features of an image.

    Parameters
    ----------
    sdims : sequence of float
        Standard deviation along each spatial axis, in array order; too few scale the leading axes only.
    schan : float or sequence of float
        Standard deviation of the channels: one for all, or one each. A sequence that is too short scales the
        leading channels only, as it does in pydensecrf.
    img : array_like
        Image of any number of axes.
    chdim : int
        Where the channels are; -1 says that there is no such axis.

    Returns
    -------
    ndarray, (spatial axes + channels, N), float32

    Raises
    ------
    ValueError
        If a standard deviation is not positive or their number does not fit, if the image is not finite, or if it
        has no axis `chdim`.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.pydensecrf.utils import create_pairwise_bilateral
    >>> create_pairwise_bilateral((1, 1), (10,), np.full((2, 3), 5), chdim=-1).shape
    (3, 6)
    """
    image = inputs.as_numbers(img, "img")
    if not (isinstance(chdim, int | np.integer) and -image.ndim <= chdim < image.ndim):
        raise InputError(f"chdim must be an axis of img, which has shape {image.shape}, or -1 for none, got {chdim!r}")
    channels = (image[np.newaxis] if chdim == -1 else np.moveaxis(image, chdim, 0)).copy()
    scales = _scales(schan, "schan")
    if np.ndim(schan) == 0:
        channels /= scales[0]
    else:
        if len(scales) > len(channels):
            raise InputError(f"schan has {len(scales)} entries for {len(channels)} channels: {schan!r}")
        for channel, scale in zip(channels[: len(scales)], scales, strict=True):
            channel /= scale
    features = np.concatenate([_positions(sdims, channels.shape[1:]), channels])
    return features.reshape(features.shape[0], -1)


def _positions(sdims: Sequence[float], shape: tuple[int, ...]) -> np.ndarray:
    scales = _scales(sdims, "sdims")
    if len(scales) > len(shape):
        raise InputError(f"sdims must have at most {len(shape)} entries for the shape {shape}, got {sdims!r}")
    check_memory(4.0 * len(shape) * math.prod(shape), f"features of the shape {shape}")
    grid = np.indices(shape, np.float32)
    for axis, scale in zip(grid[: len(scales)], scales, strict=True):
        axis /= scale
    return grid


def _scales(values: Any, name: str) -> list[Any]:
    """Positive numbers, as they were given: their dtype decides how pydensecrf rounds the quotients."""
    inputs.as_scale(values, name, None)
    return [values] if np.ndim(values) == 0 else list(values)
