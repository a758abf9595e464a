"""Pictures and costs of any shape, made of smooth random fields: the same on every machine."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter


@cache
def picture(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """(*shape, 3) uint8: patches of colour with soft and hard borders, and some noise."""
    rng = np.random.default_rng([seed, *shape])
    fields = np.stack([_smooth(rng, shape, 9) for _ in range(3)], axis=-1)
    steps = np.floor(2 * fields) / 2
    return np.clip(128 + 45 * steps + 4 * rng.standard_normal(fields.shape), 0, 255).astype(np.uint8)


@cache
def costs(n_labels: int, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """(L, *shape) float32, -log p: smooth regions with noise."""
    rng = np.random.default_rng([seed, n_labels, *shape])
    logits = np.stack([1.5 * _smooth(rng, shape, 6) + 0.7 * rng.standard_normal(shape) for _ in range(n_labels)])
    logits -= logits.max(axis=0)
    return np.minimum(np.log(np.exp(logits).sum(axis=0)) - logits, 11.5).astype(np.float32)


def _smooth(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    field = gaussian_filter(rng.standard_normal(shape), sigma)
    return field / field.std()
