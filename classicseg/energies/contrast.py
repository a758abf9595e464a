"""Edge weights that are small where the image has an edge."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.grid import NEIGHBOURHOODS, directions, edge_ends, edge_length
from classicseg.errors import InputError

_USUAL = 40  # powers of two: differences of a size from 2^-40 to 2^40 have squares that float32 holds
_LARGEST = float(np.finfo(np.float32).max)


def contrast_weights(
    image: ArrayLike,
    *,
    beta: float | None = None,
    connectivity: int | None = None,
    spacing: float | Sequence[float] = 1.0,
    channel_axis: int | None = -1,
    mask: ArrayLike | None = None,
) -> dict[str, np.ndarray]:
    r"""Weights of a grid CRF that let labels change where the image does.

    .. math:: w_{ij} = \frac{\exp(-\beta\, |I_i - I_j|^2)}{\mathrm{dist}(i, j)}

    Parameters
    ----------
    image : array_like, (*spatial, C) or spatial
        Any real dtype, any number of channels, one to three spatial axes.
    beta : float, optional
        At least 0, in units of one over the squared image values. By default ``1 / (2 mean |I_i - I_j|^2)`` over all
        edges, so that the exponent is 1/2 at an average edge; 0 for an image without contrast. Edges with a value far
        out of the range of all others, such as -9999 for no data, have no part in the mean.
    connectivity : int, optional
        Directions to weigh: 2 on a line, 4 or 8 in an image, 6, 18 or 26 in a volume; by default the most there are.
    spacing : float or sequence of float
        Distance of neighbouring pixels along each axis.
    channel_axis : int or None
        Where the channels are; None for an image without a channel axis.
    mask : array_like of bool, spatial shape, optional
        Pixels that take part. Edges with an end elsewhere have no part in the mean and a weight of 0; values elsewhere
        do not matter.

    Returns
    -------
    dict of str to ndarray, float32
        Weights of each direction, in [0, 1 / shortest distance]; see :class:`GridCRF` for names and shapes.

    Raises
    ------
    ValueError
        If the image is empty or not finite, `beta` is negative, a spacing is not positive, the connectivity does not
        exist, or the mask does not fit.
    TypeError
        If the image does not hold real numbers.

    References
    ----------
    .. [1] Y. Boykov, M.-P. Jolly, "Interactive graph cuts for optimal boundary and region segmentation of objects in
       N-D images", ICCV 2001. doi:10.1109/ICCV.2001.937505
    .. [2] C. Rother, V. Kolmogorov, A. Blake, "GrabCut: interactive foreground extraction using iterated graph cuts",
       SIGGRAPH 2004 (the automatic beta). doi:10.1145/1015706.1015720

    Examples
    --------
    >>> import classicseg as cs
    >>> weights = cs.contrast_weights([[0, 0, 9]], connectivity=4, channel_axis=None)
    >>> weights["right"].round(3).tolist(), weights["down"].shape
    ([[1.0, 0.368]], (0, 3))
    """
    channels = inputs.as_image(inputs.image_inside(image, mask, channel_axis), None, channel_axis)
    inside = None if mask is None else inputs.as_mask(mask, channels.shape[1:])
    n_axes = channels.ndim - 1
    if n_axes not in NEIGHBOURHOODS:
        raise InputError(f"image must have 1, 2 or 3 spatial axes, got {n_axes}")
    offsets = directions(n_axes, NEIGHBOURHOODS[n_axes][-1] if connectivity is None else connectivity)
    distances = inputs.as_scale(spacing, "spacing", n_axes)
    spread = float(channels.max()) - float(channels.min())
    if beta is None:
        low, high = inputs.value_range(channels if inside is None else channels[:, inside], 0)
        unit = unit_of(high - low or spread)
        squares = {name: squared_differences(channels, offset, unit) for name, offset in offsets.items()}
        rate = _automatic_rate(channels, low, high, offsets, squares, inside)
    else:
        rate, unit = given_rate(inputs.as_weight(beta, "beta", at_least=0), spread)
        squares = {name: squared_differences(channels, offset, unit) for name, offset in offsets.items()}
    for name, offset in offsets.items():
        weights = weigh(squares[name], rate, edge_length(offset, distances))
        if inside is not None:
            first, second = edge_ends(offset)
            weights *= inside[first] & inside[second]
    return squares


def given_rate(beta: float, spread: float) -> tuple[float, float]:
    """A given `beta` for an image whose values span `spread`, as (rate, unit): it is the rate over the squared unit."""
    unit = unit_of(spread)
    if beta > 0 and (unit != 1 or unit_of(beta) != 1):
        return 1.0, beta**-0.5  # differences whose squares overflow have no weight, those that vanish have 1
    return beta, unit


def weigh(squares: np.ndarray, rate: float, length: float) -> np.ndarray:
    """Make squared differences, float32, the weights of edges of that length, in place."""
    with np.errstate(over="ignore"):
        squares *= np.float32(-min(rate, _LARGEST))
    np.exp(squares, out=squares)
    squares /= np.float32(length)
    return squares


def unit_of(size: float) -> float:
    """A power of two that brings a number near 1, or 1 if squares of float32 can do without."""
    exponent = math.frexp(size)[1]
    return 1.0 if abs(exponent) <= _USUAL else math.ldexp(1.0, exponent)


def squared_differences(channels: np.ndarray, offset: tuple[int, ...], unit: float) -> np.ndarray:
    """Squared distance of the colours at both ends of each edge of a direction, in squared units, as float32."""
    first, second = edge_ends(offset)
    exact = channels.dtype if unit == 1 else np.dtype(np.float64)

    def square(channel: np.ndarray) -> np.ndarray:
        difference: np.ndarray = np.subtract(channel[first], channel[second], dtype=exact)
        if unit != 1:
            difference /= unit
        return np.square(difference, out=difference)

    with np.errstate(over="ignore"):
        total = square(channels[0])
        for channel in channels[1:]:
            total += square(channel)
        return total.astype(np.float32, copy=False)


def _automatic_rate(
    channels: np.ndarray,
    low: float,
    high: float,
    offsets: dict[str, tuple[int, ...]],
    squares: dict[str, np.ndarray],
    inside: np.ndarray | None,
) -> float:
    """One over twice the mean square, of edges without an end that is out of proportion, if these tell anything."""
    low, high = low - (high - low), high + (high - low)
    chosen = list(squares.values()) if inside is None else _within(squares, offsets, inside)
    if channels.min() < low or channels.max() > high:
        usual = np.asarray(((channels >= low) & (channels <= high)).all(axis=0))
        ordinary = _within(squares, offsets, usual if inside is None else usual & inside)
        chosen = ordinary if any(part.any() for part in ordinary) else chosen
    return rate_of(sum(float(part.sum(dtype=np.float64)) for part in chosen), sum(part.size for part in chosen))


def rate_of(total: float, n: int) -> float:
    """One over twice the mean of `n` squared differences of that `total`; 0 if all are."""
    return n / (2 * total) if total > 0 else 0.0


def _within(
    squares: dict[str, np.ndarray], offsets: dict[str, tuple[int, ...]], inside: np.ndarray
) -> list[np.ndarray]:
    """The squares of those edges of each direction that have both ends inside."""
    ends = {name: edge_ends(offset) for name, offset in offsets.items()}
    return [squares[name][inside[first] & inside[second]] for name, (first, second) in ends.items()]
