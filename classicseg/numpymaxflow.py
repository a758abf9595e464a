"""The interface of numpymaxflow, computed by classicseg: ``from classicseg import numpymaxflow``.

Names, argument orders and results are those of numpymaxflow; where it reads beyond its arrays, there is an error
instead. Arrays are never changed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.compatibility import Potts
from classicseg.energies.contrast import contrast_weights
from classicseg.energies.grid import directions, edge_length
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError
from classicseg.solvers.minimize import minimize

__all__ = ["maxflow", "maxflow_interactive"]

_SMALLEST = np.finfo(np.float32).eps
"""Smaller probabilities count as this, so that a seed is evidence that very strong smoothing could outvote."""
_CONNECTIVITIES = {2: (4, 8), 3: (6, 18, 26)}


def maxflow(image: ArrayLike, prob: ArrayLike, lamda: float, sigma: float, connectivity: int = 0) -> np.ndarray:
    r"""Segment an image into background and foreground by a minimum cut.

    .. math:: E(x) = -\sum_i \log p_i(x_i) + \lambda \sum_{(i,j):\, x_i \ne x_j} \exp(-|I_i - I_j|^2 / 2\sigma^2)

    Parameters
    ----------
    image : array_like, (C, H, W) or (C, D, H, W)
        Any real dtype.
    prob : array_like, (2, H, W) or (2, D, H, W)
        Probabilities of background and foreground; need not sum to 1.
    lamda : float
        Weight of the smoothing, at least 0.
    sigma : float
        Standard deviation of the differences of neighbours, in the units of the image.
    connectivity : int
        0 for 4 in images and 6 in volumes; or 4, 8, 6, 18 or 26. As in numpymaxflow, 8, 18 and 26 add only the
        diagonals that lead down and to the right, one of two in a plane, with the weight of straight edges.

    Returns
    -------
    ndarray, (1, H, W) or (1, D, H, W), float32
        0 and 1. Of several minima that with the most foreground.

    Raises
    ------
    ValueError
        If shapes do not fit, a probability is negative or not finite, or a parameter is out of its range.
    TypeError
        If something does not hold real numbers.

    References
    ----------
    .. [1] Y. Boykov, M.-P. Jolly, "Interactive graph cuts for optimal boundary and region segmentation of objects in
       N-D images", ICCV 2001. doi:10.1109/ICCV.2001.937505

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg import numpymaxflow
    >>> image = np.array([[[0, 0, 0, 9, 9]]])
    >>> foreground = np.array([[0.1, 0.6, 0.1, 0.4, 0.9]])
    >>> numpymaxflow.maxflow(image, np.stack([1 - foreground, foreground]), lamda=1.0, sigma=2.0)
    array([[[0., 0., 0., 1., 1.]]], dtype=float32)
    """
    return _cut(image, _checked(prob, "prob"), lamda, sigma, connectivity)


def maxflow_interactive(
    image: ArrayLike, prob: ArrayLike, seed: ArrayLike, lamda: float, sigma: float, connectivity: int = 0
) -> np.ndarray:
    """The same with pixels that a user has marked.

    Parameters
    ----------
    image, prob, lamda, sigma, connectivity
        As in :func:`maxflow`.
    seed : array_like, in the shape of `prob`
        Above 0 where a pixel is marked as background (first channel, which wins) or foreground (second). Its
        probabilities are then taken to be 1 and 0.

    Returns
    -------
    ndarray, (1, H, W) or (1, D, H, W), float32

    Raises
    ------
    ValueError, TypeError
        As :func:`maxflow` does.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg import numpymaxflow
    >>> image, seed = np.zeros((1, 1, 5)), np.zeros((2, 1, 5))
    >>> seed[0, 0, 0] = 1
    >>> numpymaxflow.maxflow_interactive(image, np.full((2, 1, 5), 0.5), seed, lamda=1.0, sigma=2.0)
    array([[[0., 0., 0., 0., 0.]]], dtype=float32)
    """
    p = _checked(prob, "prob").copy()
    marked = _checked(seed, "seed") > 0
    if marked.shape != p.shape:
        raise InputError(f"seed must have the shape of prob, {p.shape}, got {marked.shape}")
    p[:, marked[1]] = [[0], [1]]
    p[:, marked[0]] = [[1], [0]]
    return _cut(image, p, lamda, sigma, connectivity)


def _checked(array: ArrayLike, name: str) -> np.ndarray:
    """A channel for background and one for foreground, each of numbers of at least 0."""
    numbers = inputs.as_numbers(array, name, (3, 4))
    if numbers.shape[0] != 2:
        raise InputError(f"{name} must have shape (2, H, W) or (2, D, H, W), got {numbers.shape}")
    if numbers.min() < 0:
        raise InputError(f"{name} must not be negative, got {numbers.min():g}")
    return numbers


def _cut(image: ArrayLike, p: np.ndarray, lamda: float, sigma: float, connectivity: int) -> np.ndarray:
    n_axes = p.ndim - 1
    known = _CONNECTIVITIES[n_axes]
    if connectivity not in (0, *known):
        raise InputError(f"connectivity must be one of 0, {', '.join(map(str, known))}, got {connectivity!r}")
    neighbours = connectivity or known[0]
    smoothing = inputs.as_weight(lamda, "lamda", at_least=0)
    beta = 0.5 / inputs.as_scale(sigma, "sigma", 1)[0] ** 2
    channels = inputs.as_image(image, p.shape[1:], 0)
    weights = contrast_weights(channels, beta=beta, connectivity=neighbours, channel_axis=0)
    for name, offset in directions(n_axes, neighbours).items():
        weights[name] *= edge_length(offset, (1.0,) * n_axes) if min(offset) >= 0 else 0
    costs = -np.log(np.maximum(p, _SMALLEST))
    energy = GridCRF(costs[::-1], Potts(smoothing), weights, connectivity=neighbours)  # foreground first, for ties
    return (1 - minimize(energy, "graph_cut").labels[np.newaxis]).astype(np.float32)
