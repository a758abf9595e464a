"""Unaries: the cost of each label at each pixel, from what networks, annotators and other tools give.

All functions return costs ``-log p`` as (L, *spatial) float32 in C order, and never change their input.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.machine.memory import check_memory

_TAKES_LOGITS = "from_logits=True takes logits"


def unary_from_probabilities(
    probabilities: ArrayLike, *, label_axis: int = 0, clip: float = 1e-5, scale: float | None = None
) -> np.ndarray:
    """Costs ``-log p`` of probabilities.

    Parameters
    ----------
    probabilities : array_like, (L, *spatial)
        In [0, 1], any real dtype, summing to 1 over the labels. Rounding errors are forgiven; overshoot of cubic
        resampling is clipped, and what sums to 1 along no axis, such as class activation maps, is divided by its
        sums: both with a warning.
    label_axis : int
        Where the labels are.
    clip : float
        Smaller probabilities are raised to this, so that no cost exceeds ``-log(clip)``. The default, 11.5 in costs,
        is below what usual pairwise weights sum to (3 + 10): a pixel of which a network is wrongly sure can still
        be outvoted by its surroundings. With 1e-8 it could not, and without a limit a single 0 would be final.
    scale : float, optional
        In (0, 1]: trust in the probabilities. They are mixed with the uniform distribution,
        ``scale * p + (1 - scale) / L``.

    Returns
    -------
    ndarray, (L, *spatial), float32

    Raises
    ------
    ValueError
        If values are not in [0, 1], not finite or sum to 1 along another axis than that of the labels, there are fewer
        than 2 labels, or `clip` or `scale` is out of range.
    TypeError
        If the values are not real numbers.

    See Also
    --------
    unary_from_logits : More precise where a network gives logits.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> p = np.array([[0.5, 1.0], [0.5, 0.0]])  # 2 labels, 2 pixels
    >>> cs.unary_from_probabilities(p).round(2).tolist()
    [[0.69, 0.0], [0.69, 11.51]]
    """
    smallest = _fraction(clip, "clip")
    p = inputs.as_probabilities(probabilities, label_axis)
    if scale is not None:
        trust = inputs.as_weight(scale, "scale")
        if not 0 < trust <= 1:
            raise InputError(f"scale must be above 0 and at most 1, got {scale!r}")
        p = p * np.float32(trust) + np.float32((1 - trust) / p.shape[0])
    return _cost(p, smallest)


def unary_from_logits(logits: ArrayLike, *, label_axis: int = 0, temperature: float = 1.0) -> np.ndarray:
    """Costs ``-log softmax(logits / temperature)``.

    Parameters
    ----------
    logits : array_like, (L, *spatial)
        Scores before the softmax, any real dtype; ``-np.inf`` forbids a label, which then costs ``np.inf``.
    label_axis : int
        Where the labels are.
    temperature : float
        Above 1 softens the probabilities of an overconfident network [1]_, below 1 sharpens them.

    Returns
    -------
    ndarray, (L, *spatial), float32
        Not clipped: costs are as large as the differences of the logits.

    Raises
    ------
    ValueError
        If a value is NaN or +inf, all labels of a pixel are forbidden, there are fewer than 2 labels, or the
        temperature is not positive.
    TypeError
        If the values are not real numbers.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017.
       :arxiv:`1706.04599`

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> cs.unary_from_logits(np.array([[0.0, 200.0], [0.0, 0.0]])).round(2).tolist()
    [[0.69, 0.0], [0.69, 200.0]]
    """
    divisor = inputs.as_positive_number(temperature, "temperature")
    scores = inputs.as_logits(logits, label_axis)
    cost = scores.max(axis=0) - scores  # shape: (L, *spatial)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # what becomes infinite is refused below
        if divisor != 1:
            cost /= np.float32(divisor)
        cost += np.log(np.exp(-cost).sum(axis=0))
    checked, has_forbidden = inputs.as_unary_and_forbidden(cost, name="logits / temperature")
    if has_forbidden and (np.isinf(cost) & np.isfinite(scores)).any():
        raise InputError(
            f"logits / temperature must be at most {inputs.LARGEST:g} in size, got logits of up to "
            f"{np.abs(scores[np.isfinite(scores)]).max():g} and a temperature of {temperature!r}"
        )
    return checked


def unary_from_sigmoid(p: ArrayLike, *, from_logits: bool = False, clip: float = 1e-5) -> np.ndarray:
    """Costs of background and foreground from one foreground channel.

    Parameters
    ----------
    p : array_like, spatial shape
        Probability of the foreground, in [0, 1]; or logits. All axes are spatial: drop a channel axis of length 1.
    from_logits : bool
        Whether `p` holds logits, to which no sigmoid has been applied.
    clip : float
        Probabilities are kept this far from 0 and 1, as in :func:`unary_from_probabilities`. Not used for logits.

    Returns
    -------
    ndarray, (2, *spatial), float32
        Label 0 is background, label 1 foreground.

    Raises
    ------
    ValueError
        If the array is empty, a value is not finite, or probabilities are not in [0, 1].
    TypeError
        If the values are not real numbers.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.unary_from_sigmoid([0.1, 0.5]).round(2).tolist()
    [[0.10, 0.69], [2.29, 0.69]]
    >>> cs.unary_from_sigmoid([0.0], from_logits=True).round(2).tolist()
    [[0.69], [0.69]]
    """
    smallest, from_logits = _fraction(clip, "clip"), inputs.as_flag(from_logits, "from_logits")
    foreground = inputs.as_numbers(p, "p") if from_logits else inputs.as_fractions(p, otherwise=_TAKES_LOGITS)
    if foreground.ndim == 0:
        raise InputError("p must have at least 1 spatial axis, got a single number")
    if from_logits:
        zero = np.float32(0)
        return np.stack([np.logaddexp(zero, foreground), np.logaddexp(zero, -foreground)])
    return _cost(np.stack([1 - foreground, foreground]), smallest)


def unary_from_labels(
    labels: ArrayLike, n_labels: int, *, confidence: float = 0.7, ignore_label: int | None = None
) -> np.ndarray:
    """Costs from a labelling that is right with a given probability.

    Parameters
    ----------
    labels : array_like of int, spatial shape
        0 to L - 1, any integer dtype; a mask of booleans has the labels 0 and 1.
    n_labels : int
        Number of labels L, at least 2.
    confidence : float
        Probability that a label is right, from 1 / L up to but not 1. The rest is shared by the other labels.
    ignore_label : int, optional
        Value of pixels with no evidence, such as 255 or -1: every label costs ``log L`` there. If it is one of 0 to
        L - 1, that label is never evidence.

    Returns
    -------
    ndarray, (L, *spatial), float32

    Raises
    ------
    ValueError
        If a label is neither 0 to L - 1 nor `ignore_label`, or an argument is out of range.
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> labels = np.array([1, 255], np.uint8)
    >>> cs.unary_from_labels(labels, 2, confidence=0.7, ignore_label=255).round(2).tolist()
    [[1.20, 0.69], [0.36, 0.69]]
    """
    n = inputs.as_count(n_labels, "n_labels", 2)
    right = inputs.as_weight(confidence, "confidence")
    if not 1 / n <= right < 1:
        raise InputError(f"confidence must be at least 1 / n_labels = {1 / n:.3g} and below 1, got {confidence!r}")
    array = inputs.as_labels(labels, None, n, ignore_label)
    check_memory(4.0 * n * array.size, f"a unary of {n} labels at {array.size} pixels")
    ignored = None if ignore_label is None else array == ignore_label
    evidence = array if ignored is None else np.where(ignored, 0, array)
    cost = np.full((n, *array.shape), -np.log((1 - right) / (n - 1)), np.float32)
    np.put_along_axis(cost, evidence[np.newaxis], np.float32(-np.log(right)), 0)
    if ignored is not None:
        cost[:, ignored] = np.log(n)
    return cost


def unary_from_scribbles(
    scribbles: ArrayLike, n_labels: int, *, unlabeled: int = -1, confidence: float = 0.99
) -> np.ndarray:
    """Costs from strokes of a user: nearly certain where drawn, no evidence elsewhere.

    Parameters
    ----------
    scribbles : array_like of int, spatial shape
        Label 0 to L - 1 where drawn, `unlabeled` elsewhere. Strokes that are drawn as 1 to L on 0, as in palette
        images, become that by ``scribbles.astype(int) - 1``.
    n_labels : int
        Number of labels L, at least 2.
    unlabeled : int
        Value of pixels without a stroke.
    confidence : float
        Probability that a stroke is right, as in :func:`unary_from_labels`. At 0.99 surroundings can correct stray
        pixels of a broad stroke.

    Returns
    -------
    ndarray, (L, *spatial), float32

    Raises
    ------
    ValueError
        If a value is neither 0 to L - 1 nor `unlabeled`, or an argument is out of range.
    TypeError
        If the scribbles are not integers.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.unary_from_scribbles([0, -1, 1], 2).round(2).tolist()
    [[0.0099, 0.69, 4.6], [4.6, 0.69, 0.0099]]
    """
    n = inputs.as_count(n_labels, "n_labels", 2)
    nothing = inputs.as_count(unlabeled, "unlabeled", -(2**31), 2**31 - 1)
    labels = inputs.as_strokes(scribbles, None, n, nothing)
    return unary_from_labels(labels, n, confidence=confidence, ignore_label=nothing)


def _cost(p: np.ndarray, smallest: float) -> np.ndarray:
    """``-log p`` of probabilities that are first brought into [smallest, 1]."""
    cost = np.clip(p, np.float32(smallest), np.float32(1))
    np.log(cost, out=cost)
    return np.subtract(np.float32(0), cost, out=cost)  # not negated: -log(1) is to be 0, not -0


def _fraction(value: float, name: str) -> float:
    number = inputs.as_weight(value, name)
    if not 1e-30 <= number < 0.5:
        raise InputError(f"{name} must be at least 1e-30 and below 0.5, got {value!r}")
    return number
