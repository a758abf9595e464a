"""Edge weights that are small where the image has an edge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.grid import NEIGHBOURHOODS, directions, edge_ends, edge_length


def contrast_weights(
    image: ArrayLike,
    *,
    beta: float | None = None,
    connectivity: int | None = None,
    spacing: float | Sequence[float] = 1.0,
    channel_axis: int | None = -1,
) -> dict[str, np.ndarray]:
    r"""Weights of a grid CRF that let labels change where the image does.

    .. math:: w_{ij} = \frac{\exp(-\beta\, |I_i - I_j|^2)}{\mathrm{dist}(i, j)}

    Parameters
    ----------
    image : array_like, (*spatial, C) or spatial
        Any real dtype, any number of channels, one to three spatial axes.
    beta : float, optional
        At least 0, in units of one over the squared image values. By default ``1 / (2 mean |I_i - I_j|^2)`` over all
        edges, so that the exponent is 1/2 at an average edge; 0 for an image without contrast.
    connectivity : int, optional
        Directions to weigh: 2 on a line, 4 or 8 in an image, 6, 18 or 26 in a volume; by default the most there are.
    spacing : float or sequence of float
        Distance of neighbouring pixels along each axis.
    channel_axis : int or None
        Where the channels are; None for an image without a channel axis.

    Returns
    -------
    dict of str to ndarray, float32
        Weights of each direction, in (0, 1 / shortest distance]; see :class:`GridCRF` for names and shapes.

    Raises
    ------
    ValueError
        If the image is empty or not finite, `beta` is negative, a spacing is not positive, or the connectivity does
        not exist.
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
    channels = inputs.as_image(image, None, channel_axis)
    n_axes = channels.ndim - 1
    largest = NEIGHBOURHOODS[n_axes][-1] if n_axes in NEIGHBOURHOODS else None
    offsets = directions(n_axes, largest if connectivity is None else connectivity)
    distances = inputs.as_positive(spacing, "spacing", n_axes)
    squares = {name: _squared_differences(channels, offset) for name, offset in offsets.items()}
    if beta is None:
        n_edges = sum(square.size for square in squares.values())
        total = sum(float(square.sum(dtype=np.float64)) for square in squares.values())
        rate = n_edges / (2 * total) if total > 0 else 0.0
    else:
        rate = inputs.as_weight(beta, "beta", at_least=0)
    for name, offset in offsets.items():
        weights = squares[name]
        weights *= np.float32(-rate)
        np.exp(weights, out=weights)
        weights /= np.float32(edge_length(offset, distances))
    return squares


def _squared_differences(channels: np.ndarray, offset: tuple[int, ...]) -> np.ndarray:
    """Squared distance of the colours at both ends of each edge of a direction."""
    first, second = edge_ends(offset)
    total: np.ndarray = np.square(channels[0][first] - channels[0][second])
    for channel in channels[1:]:
        total += np.square(channel[first] - channel[second])
    return total
