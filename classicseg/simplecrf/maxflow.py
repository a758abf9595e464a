r"""The module ``maxflow`` of SimpleCRF: minimum cuts of images and volumes.

.. math:: E(x) = -\sum_i \log p_i(x_i) + \lambda \sum_{(i,j):\, x_i \ne x_j} \exp(-|I_i - I_j|^2 / 2\sigma^2)

over pairs of direct neighbours. Of several minima, that with the most foreground is returned.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.compatibility import Potts
from classicseg.energies.contrast import contrast_weights
from classicseg.energies.grid import NEIGHBOURHOODS
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError
from classicseg.simplecrf.results import as_bytes, costs_of
from classicseg.solvers.minimize import minimize

__all__ = ["interactive_maxflow2d", "interactive_maxflow3d", "maxflow2d", "maxflow3d"]


def maxflow2d(I: ArrayLike, P: ArrayLike, param: Sequence[float]) -> np.ndarray:
    """Segment an image into background and foreground.

    Parameters
    ----------
    I : array_like, (H, W) or (H, W, C)
        Any real dtype.
    P : array_like, (H, W, 2)
        Probabilities of background and foreground. A label of probability 0 is ruled out.
    param : (lambda, sigma)
        Weight of the smoothing, at least 0, and standard deviation of the differences of neighbours, in the units of
        the image.

    Returns
    -------
    ndarray, (H, W), int8
        0 and 1.

    Raises
    ------
    ValueError
        If shapes do not fit, a value is not finite, or a parameter is missing or out of its range.
    TypeError
        If something does not hold real numbers.

    References
    ----------
    .. [1] Y. Boykov, V. Kolmogorov, "An experimental comparison of min-cut/max-flow algorithms for energy minimization
       in vision", IEEE TPAMI 26(9), 2004. doi:10.1109/TPAMI.2004.60

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.simplecrf import maxflow
    >>> image, foreground = np.array([[0.0, 0, 0, 9, 9]]), np.array([[0.1, 0.6, 0.1, 0.4, 0.9]])
    >>> maxflow.maxflow2d(image, np.stack([1 - foreground, foreground], -1), (1.0, 2.0))
    array([[0, 0, 0, 1, 1]], dtype=int8)
    """
    return _cut(I, P, None, param, 2)


def interactive_maxflow2d(I: ArrayLike, P: ArrayLike, S: ArrayLike, param: Sequence[float]) -> np.ndarray:
    """The same with pixels that a user has marked.

    Parameters
    ----------
    I, P, param
        As in :func:`maxflow2d`.
    S : array_like, (H, W, 2)
        Above 0 where a pixel is marked as background (first channel, which wins) or foreground (second): it is that
        then, whatever its probabilities are.

    Returns
    -------
    ndarray, (H, W), int8

    Raises
    ------
    ValueError, TypeError
        As :func:`maxflow2d` does.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.simplecrf import maxflow
    >>> marks = np.zeros((1, 5, 2))
    >>> marks[0, 0, 1] = 1
    >>> maxflow.interactive_maxflow2d(np.zeros((1, 5)), np.full((1, 5, 2), 0.5), marks, (1.0, 2.0))
    array([[1, 1, 1, 1, 1]], dtype=int8)
    """
    return _cut(I, P, S, param, 2)


def maxflow3d(I: ArrayLike, P: ArrayLike, param: Sequence[float]) -> np.ndarray:
    """Segment a volume into background and foreground: (D, H, W) or (D, H, W, C), and :func:`maxflow2d` otherwise.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.simplecrf import maxflow
    >>> maxflow.maxflow3d(np.zeros((2, 3, 4)), np.ones((2, 3, 4, 2)) * [0.7, 0.3], (1.0, 2.0)).sum()
    np.int64(0)
    """
    return _cut(I, P, None, param, 3)


def interactive_maxflow3d(I: ArrayLike, P: ArrayLike, S: ArrayLike, param: Sequence[float]) -> np.ndarray:
    """The same with voxels that a user has marked, (D, H, W, 2), and :func:`interactive_maxflow2d` otherwise.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.simplecrf import maxflow
    >>> marks = np.zeros((2, 3, 4, 2))
    >>> marks[0, 0, 0, 1] = 1
    >>> maxflow.interactive_maxflow3d(np.zeros((2, 3, 4)), np.full((2, 3, 4, 2), 0.5), marks, (1.0, 2.0)).sum()
    np.int64(24)
    """
    return _cut(I, P, S, param, 3)


def _cut(image: ArrayLike, P: ArrayLike, S: ArrayLike | None, param: Sequence[float], n_axes: int) -> np.ndarray:
    numbers = inputs.as_sequence(param, "param", "numbers")
    if len(numbers) != 2:
        raise InputError(f"param must be (lambda, sigma), got {len(numbers)} numbers: {param!r}")
    smoothing = inputs.as_weight(numbers[0], "lambda of param", at_least=0)
    beta = 0.5 / inputs.as_scale(numbers[1], "sigma of param", 1)[0] ** 2
    p = _of_two(P, "P", n_axes)
    seeds: np.ndarray = np.zeros(p.shape, bool) if S is None else _of_two(S, "S", n_axes) > 0
    if seeds.shape != p.shape:
        raise InputError(f"S must have the shape of P, {p.shape}, got {seeds.shape}")
    costs = costs_of(p, seeds[..., 0] | seeds[..., 1])
    # SimpleCRF makes the other label of a seed a thousand times as dear as the strongest edge: nothing outvotes it.
    costs[:, seeds[..., 1]] = [[np.inf], [0]]
    costs[:, seeds[..., 0]] = [[0], [np.inf]]
    axis = None if inputs.read(image, "I").ndim == n_axes else -1
    channels = inputs.as_image(image, p.shape[:-1], axis, name="I")
    neighbours = NEIGHBOURHOODS[n_axes][0]
    weights = contrast_weights(channels, beta=beta, connectivity=neighbours, channel_axis=0)
    energy = GridCRF(costs[::-1], Potts(smoothing), weights, connectivity=neighbours)  # foreground first, for ties
    return as_bytes(1 - minimize(energy, "graph_cut").labels, 2)


def _of_two(array: ArrayLike, name: str, n_axes: int) -> np.ndarray:
    """A channel for background and one for foreground, behind the axes of an image."""
    numbers = inputs.as_numbers(array, name, (n_axes + 1,))
    if numbers.shape[-1] != 2:
        raise InputError(f"{name} must have a channel for background and one for foreground, got {numbers.shape}")
    return numbers
