"""Inputs and slow answers that several tests use."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter


def photo(height: int = 60, width: int = 80, seed: int = 0, channels: int = 3) -> np.ndarray:
    """A smooth uint8 image with edges, (height, width, channels)."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.standard_normal((channels, height, width)), (0, 5, 5))
    steps = np.sign(gaussian_filter(rng.standard_normal((height, width)), 8))
    values = 128 + 60 * smooth / smooth.std() + 40 * steps
    return np.ascontiguousarray(np.moveaxis(values.clip(0, 255), 0, -1).astype(np.uint8))


def costs(n_labels: int, shape: tuple[int, ...] = (60, 80), seed: int = 0) -> np.ndarray:
    """Costs of a noisy, smooth classifier, (L, *shape) float32."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.standard_normal((n_labels, *shape)), (0, *(4,) * len(shape)))
    logits = 2 * smooth / smooth.std() + 0.5 * rng.standard_normal(smooth.shape)
    p = softmax(logits)
    return -np.log(np.clip(p, 1e-5, 1)).astype(np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(axis=0))
    return e / e.sum(axis=0)


def gaussian_matrix(features: np.ndarray) -> np.ndarray:
    """``exp(-|f_i - f_j|^2 / 2)`` of (F, N) features, (N, N) float64."""
    f = np.asarray(features, np.float64)
    return np.exp(-0.5 * ((f[:, :, None] - f[:, None, :]) ** 2).sum(axis=0))


def normalized(matrix: np.ndarray, normalization: str) -> np.ndarray:
    sums = matrix.sum(axis=1)
    if normalization == "symmetric":
        return matrix / np.sqrt(np.outer(sums, sums))
    if normalization == "before":
        return matrix / sums
    if normalization == "after":
        return matrix / sums[:, None]
    return matrix


def position_features(shape: tuple[int, ...], sigma: float) -> np.ndarray:
    """(F, N), fastest axis first, as the library orders them."""
    return np.indices(shape, float).reshape(len(shape), -1)[::-1] / sigma


def bilateral_features(image: np.ndarray, sigma: float, color_sigma: float) -> np.ndarray:
    colors = np.moveaxis(image, -1, 0).reshape(image.shape[-1], -1) / color_sigma
    return np.concatenate([position_features(image.shape[:-1], sigma), colors])


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two label images cut the pixels into the same sets."""
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1).shape[1]
    return pairs == len(np.unique(a)) == len(np.unique(b))


def stretched(values: np.ndarray, shape: tuple[int, ...], align_corners: bool = False) -> np.ndarray:
    """(L, *small) values interpolated linearly at the pixels of a larger shape, axis by axis, float64."""
    for axis, n in enumerate(shape, start=1):
        m = values.shape[axis]
        at = np.arange(n) * (m - 1) / max(n - 1, 1) if align_corners else (np.arange(n) + 0.5) * m / n - 0.5
        values = np.apply_along_axis(lambda line, at=at, m=m: np.interp(at, np.arange(m), line), axis, values)
    return values
