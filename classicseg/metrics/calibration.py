"""How far probabilities are to be believed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.metrics.pairs import scored_truth

_BINS = 15  # of the paper's tables
_COLUMNS = 3  # how many, how sure, how many are right


def reliability(
    probabilities: ArrayLike,
    truth: ArrayLike,
    n_bins: int = _BINS,
    *,
    ignore_label: int | None = None,
    mask: ArrayLike | None = None,
) -> np.ndarray:
    """How often the likeliest label is right, by how likely it is said to be: the table of a reliability diagram [1]_.

    Parameters
    ----------
    probabilities : array_like, (L, *spatial)
        Of a network, or marginals of a CRF; they sum to 1 at pixels that are scored, and may be anything elsewhere.
    truth : array_like of int, spatial shape
        0 to L - 1, or `ignore_label` where nothing is scored.
    n_bins : int
        Intervals of equal width between 0 and 1; each includes its upper end.
    ignore_label : int, optional
    mask : array_like of bool, spatial shape, optional
        Pixels that are scored.

    Returns
    -------
    ndarray, (n_bins, 3), float64
        Pixels in each bin, the sum of their largest probabilities, and how many of them are right. Tables of several
        images can be added and given to :func:`calibration_error`.

    Raises
    ------
    ValueError
        If shapes do not fit, a label is out of range, or probabilities do not sum to 1.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017.
       :arxiv:`1706.04599`

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg import metrics
    >>> p = np.array([[0.75, 0.75, 0.25], [0.25, 0.25, 0.75]])  # 2 labels, 3 pixels
    >>> metrics.reliability(p, [0, 1, 1], n_bins=2).tolist()
    [[0.0, 0.0, 0.0], [3.0, 2.25, 2.0]]
    """
    n = inputs.as_count(n_bins, "n_bins", 1)
    given = inputs.read(probabilities, "probabilities", booleans=False)
    shape = inputs.read(truth, "truth").shape
    if given.shape[1:] != shape or given.ndim == 0:
        raise InputError(f"probabilities must have shape (L, *{shape}), the latter that of truth, got {given.shape}")
    true, scored = scored_truth(truth, len(given), ignore_label, mask)
    p = inputs.as_marginals(np.where(scored, given, 1 / len(given)), given.shape, name="probabilities")[:, scored]
    sure = p.max(axis=0, initial=0).astype(np.float64)
    right = p.argmax(axis=0) == true[scored]
    group = np.searchsorted(np.linspace(0, 1, n + 1), sure).clip(1, n) - 1
    columns = [np.bincount(group, weights, n) for weights in (None, sure, right.astype(np.float64))]
    return np.stack(columns, axis=1).astype(np.float64)


def calibration_error(table: np.ndarray) -> float:
    r"""Expected calibration error (ECE) [1]_.

    The mean, over all pixels, of the distance between how sure and how often right their bin is,

    .. math:: \sum_b \frac{n_b}{n} \left| \mathrm{acc}_b - \mathrm{conf}_b \right|

    Parameters
    ----------
    table : ndarray, (n_bins, 3)
        As :func:`reliability` counts.

    Returns
    -------
    float
        0 to 1; 0 if probabilities are right as often as they say, in each bin on the whole.

    Raises
    ------
    ValueError
        If no pixel was scored.

    References
    ----------
    .. [1] M. Pakdaman Naeini, G. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
       binning", AAAI 2015. doi:10.1609/aaai.v29i1.9602

    Examples
    --------
    >>> from classicseg import metrics
    >>> round(metrics.calibration_error([[0, 0, 0], [3, 2.25, 2]]), 4)  # 75 % sure, 2 of 3 right
    0.0833
    """
    counts = inputs.as_numbers(table, "table", axes=(2,), dtype=np.float64)
    if counts.shape[1] != _COLUMNS or counts.min(initial=0) < 0:
        raise InputError(f"table must hold three columns as `reliability` counts them, got shape {counts.shape}")
    n, sure, right = counts.T
    if n.sum() == 0:
        raise InputError("truth has no scored pixel: table is 0")
    return float(np.abs(right - sure).sum() / n.sum())
