"""Soft masks: alpha as a linear function of colour in windows of several sizes, and colours of the object behind it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def linear_models(
    image: np.ndarray, values: np.ndarray, radii: Sequence[int], epsilon: float, delta: float
) -> np.ndarray:
    """Slopes and constant, at each pixel, of a linear function of colour that explains the values around it.

    In each window of each size such a function is fitted; a pixel takes the mean of those of all windows that it lies
    in, weighted by one over `delta` plus the mean squared error.

    Parameters
    ----------
    image : ndarray, (C, H, W)
        Colours.
    values : ndarray, (H, W)
        A mask.
    radii : sequence of int
        Windows have ``2 radius + 1`` pixels along each axis, and end where the image does.
    epsilon : float
        Added to the variances of colours.
    delta : float
        Of the weights.

    Returns
    -------
    ndarray, (C + 1, H, W)

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference.matting import linear_models
    >>> image = np.array([[[0.0, 0.0, 5.0, 10.0, 10.0]]])
    >>> a, b = linear_models(image, np.array([[0, 0, 0, 1, 1]]), [2], 0.0, 1.0)
    >>> (a * image[0] + b).round(2).tolist()
    [[-0.06, -0.09, 0.22, 0.91, 0.94]]
    """
    n_channels, height, width = image.shape
    total, weights = np.zeros((n_channels + 1, height, width)), np.zeros((height, width))
    for radius in radii:
        for y in range(height):
            for x in range(width):
                window = (
                    slice(max(0, y - radius), y + radius + 1),
                    slice(max(0, x - radius), x + radius + 1),
                )
                colors, wanted = image[:, *window].reshape(n_channels, -1), values[window].reshape(-1)
                mean = colors.mean(axis=1)
                covariance = np.cov(colors, bias=True).reshape(n_channels, n_channels) + epsilon * np.eye(n_channels)
                with_values = ((colors - mean[:, None]) * (wanted - wanted.mean())).mean(axis=1)
                slopes = np.linalg.solve(covariance, with_values)
                error = max(0.0, wanted.var() - slopes @ with_values)
                model = np.array([*slopes, wanted.mean() - slopes @ mean])
                total[:, *window] += model[:, None, None] / (error + delta)
                weights[window] += 1 / (error + delta)
    averaged: np.ndarray = total / weights
    return averaged


def blended_colors(
    image: np.ndarray, alpha: np.ndarray, radii: Sequence[int], weights: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean colours around each pixel of what is surely of the object, and of what is surely not.

    Parameters
    ----------
    image : ndarray, (C, H, W)
    alpha : ndarray, (H, W)
    radii : sequence of int
        Of windows.
    weights : sequence of float
        What each pixel of a window counts: little in large ones, which matter where there is nothing nearer.

    Returns
    -------
    two ndarrays, (C, H, W)

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference.matting import blended_colors
    >>> image, alpha = np.array([[[9.0, 6.0, 3.0]]]), np.array([[1.0, 0.5, 0.0]])
    >>> [colors.round(1).tolist() for colors in blended_colors(image, alpha, [1], [1.0])]
    [[[[9.0, 9.0, 6.0]]], [[[6.0, 3.0, 3.0]]]]
    """
    height, width = alpha.shape
    found = []
    for share in (alpha**8, (1 - alpha) ** 8):
        colors = np.zeros(image.shape)
        for y in range(height):
            for x in range(width):
                total, counted = np.zeros(len(image)), 0.0
                for radius, weight in zip(radii, weights, strict=True):
                    window = slice(max(0, y - radius), y + radius + 1), slice(max(0, x - radius), x + radius + 1)
                    total += weight * (image[:, *window] * share[window]).sum(axis=(1, 2))
                    counted += weight * share[window].sum()
                colors[:, y, x] = total / max(counted, 1e-30)
        found.append(colors)
    return found[0], found[1]


def foreground(color: np.ndarray, alpha: np.ndarray, of_object: np.ndarray, of_rest: np.ndarray) -> np.ndarray:
    """Colours of the object: the smooth ones, and what the mixture of both leaves unexplained of the pixel.

    Parameters
    ----------
    color : ndarray, (C, H, W)
    alpha : ndarray, (H, W)
    of_object, of_rest : ndarray, (C, H, W)
        As :func:`blended_colors` finds them.

    Returns
    -------
    ndarray, (C, H, W)

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference.matting import foreground
    >>> foreground(np.array([[[5.0]]]), np.array([[0.5]]), np.array([[[8.0]]]), np.array([[[2.0]]])).tolist()
    [[[8.0]]]
    """
    found: np.ndarray = of_object + alpha * (color - alpha * of_object - (1 - alpha) * of_rest)
    return found
