"""What people take to bring scores of a network to the size of the image, instead of a CRF."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from classicseg.filters import PermutohedralLattice

EPSILON, COLORS = (
    1e-3,
    13.0,
)  # of the guided filter, for an image from 0 to 1; of joint bilateral upsampling, 8-bit units


def guided_filter(values: np.ndarray, image: np.ndarray, radius: int) -> np.ndarray:
    """Values (L, *spatial) as a linear function of the colours in each window, the functions in the mean [1]_.

    `image` is (*spatial, C), 0 to 255.

    .. [1] K. He, J. Sun, X. Tang, "Guided image filtering", ECCV 2010.
    """

    def box(x: np.ndarray) -> np.ndarray:
        return ndimage.uniform_filter(x, 2 * radius + 1, mode="nearest")

    colors = np.moveaxis(image.astype(np.float64) / 255, -1, 0)
    means = np.stack([box(c) for c in colors])
    covariance = np.array([[box(a * b) for b in colors] for a in colors]) - means[:, None] * means
    covariance += EPSILON * np.eye(len(colors)).reshape(len(colors), len(colors), *[1] * (image.ndim - 1))
    inverse = np.linalg.inv(np.moveaxis(covariance, (0, 1), (-2, -1)))
    out = []
    for p in values.astype(np.float64):
        mean = box(p)
        joint = np.stack([box(c * p) for c in colors], axis=-1) - np.moveaxis(means, 0, -1) * mean[..., None]
        slope = np.moveaxis(np.einsum("...ij,...j->...i", inverse, joint), -1, 0)
        offset = mean - (slope * means).sum(axis=0)
        out.append(sum(box(a) * c for a, c in zip(slope, colors, strict=True)) + box(offset))
    return np.stack(out)


def joint_bilateral(values: np.ndarray, image: np.ndarray, sigma: float) -> np.ndarray:
    """Values (L, *spatial) in the weighted mean over pixels that are near and of like colour [1]_.

    `image` is (*spatial, C) in 8-bit units.

    .. [1] J. Kopf, M. Cohen, D. Lischinski, M. Uyttendaele, "Joint bilateral upsampling", SIGGRAPH 2007.
    """
    places = np.indices(image.shape[:-1]) / sigma
    lattice = PermutohedralLattice(np.concatenate([places, np.moveaxis(image, -1, 0) / COLORS]))
    sums = lattice.filter(np.concatenate([values, np.ones((1, *values.shape[1:]))]).astype(np.float32))
    return sums[:-1] / sums[-1]
