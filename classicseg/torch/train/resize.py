"""Images and labels in another size."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F


def resize_image(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """An (H, W, C) uint8 image in another size, smoothed where it shrinks."""
    if image.shape[:2] == tuple(size):
        return image
    x = torch.from_numpy(np.array(image, np.float32, order="C")).permute(2, 0, 1)[None]
    y = F.interpolate(x, size=tuple(size), mode="bilinear", antialias=True, align_corners=False)
    resized: np.ndarray = y[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy()
    return resized


def resize_labels(labels: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Labels in another size, by the nearest pixel."""
    rows, columns = (
        np.minimum(((np.arange(m) + 0.5) * n / m).astype(int), n - 1) for n, m in zip(labels.shape, size, strict=True)
    )
    resized: np.ndarray = labels[rows[:, None], columns]
    return resized
