"""Images that are easy and images that are hard for a lattice on a GPU, and outputs of a network, as tensors."""

from __future__ import annotations

import numpy as np
import torch
from skimage import data

from benchmarks.shared.dense_problems import network, photo


def flat(height: int, width: int) -> np.ndarray:
    """One colour: few vertices, each with thousands of pixels."""
    return np.full((height, width, 3), 230, np.uint8)


def page(height: int, width: int) -> np.ndarray:
    """A scanned page: letters on a background that is nearly white."""
    scan = data.page()
    rows, columns = (-(-n // m) for n, m in zip((height, width), scan.shape, strict=True))
    return np.repeat(np.tile(scan, (rows, columns))[:height, :width, None], 3, axis=2)


def noise(height: int, width: int) -> np.ndarray:
    """No two pixels alike: as many vertices as can be."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


KINDS = {"photo": photo, "flat": flat, "page": page, "noise": noise}


def image_of(kind: str, height: int, width: int, n_images: int = 1) -> torch.Tensor:
    """(B, 3, H, W) float32, 0 to 255; the images of a batch are shifted against each other."""
    pixels = np.moveaxis(KINDS[kind](height, width), -1, 0).astype(np.float32)
    return torch.from_numpy(np.stack([np.roll(pixels, 7 * b, axis=-1) for b in range(n_images)]))


def logits_of(n_labels: int, height: int, width: int, n_images: int = 1) -> torch.Tensor:
    """(B, L, H, W) float32."""
    scores = -network(n_labels, height, width)
    return torch.from_numpy(np.stack([np.roll(scores, 11 * b, axis=-1) for b in range(n_images)]))
