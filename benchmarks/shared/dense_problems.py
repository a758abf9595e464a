"""Photos and outputs of a network of any size, to time dense CRFs with."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage import data

CASES = {
    "240x320-L2": (240, 320, 2),
    "240x320-L21": (240, 320, 21),
    "375x500-L21": (375, 500, 21),
    "1080p-L5": (1080, 1920, 5),
    "1080p-L21": (1080, 1920, 21),
}
"""Height, width and labels."""
TINY = {"48x64-L2": (48, 64, 2)}


def photo(height: int, width: int) -> np.ndarray:
    """A crop of one photo; of a mosaic of photos and their mirror images where one is too small."""
    coffee = data.coffee()
    if (height, width) <= coffee.shape[:2]:
        return np.ascontiguousarray(coffee[:height, 40 : 40 + width])
    rows = []
    for flip in (1, -1):
        tiles = [data.astronaut()[:, ::flip], data.rocket()[:, ::flip], coffee[:, ::flip], data.chelsea()[:, ::flip]]
        strip = np.zeros((540, 0, 3), np.uint8)
        for tile in tiles:
            fold = np.concatenate([tile, tile[::-1]])[:540]  # mirrored below, so that no border is sharp
            strip = np.concatenate([strip, fold], axis=1)
        rows.append(strip[:, :width])
    return np.ascontiguousarray(np.concatenate(rows)[:height])


def network(n_labels: int, height: int, width: int) -> np.ndarray:
    """Costs as of a network: smooth regions with some noise."""
    rng = np.random.default_rng(0)
    logits = np.empty((n_labels, height, width), np.float32)
    for logit in logits:
        smooth = gaussian_filter(rng.standard_normal((height, width)).astype(np.float32), 8)
        logit[:] = 2 * smooth / smooth.std() + 0.5 * rng.standard_normal((height, width))
    logits -= logits.max(axis=0)
    return np.minimum(np.log(np.exp(logits).sum(axis=0)) - logits, -np.log(np.float32(1e-5)))


def network_of_many(n_labels: int, n_alive: int, height: int, width: int) -> np.ndarray:
    """Costs as of a network that knows many labels, of which an image shows few, in regions as large as objects.

    It is sure of its labels about as often as one for street scenes: of 3 in 4 pixels to more than 0.9.
    """
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((n_labels, height, width), np.float32) - 12
    for logit in logits[:: -(-n_labels // n_alive)]:
        smooth = gaussian_filter(rng.standard_normal((height, width)).astype(np.float32), height / 12)
        logit += 12 + 4 * smooth / smooth.std()
    logits -= logits.max(axis=0)
    return np.minimum(np.log(np.exp(logits).sum(axis=0)) - logits, -np.log(np.float32(1e-5)))
