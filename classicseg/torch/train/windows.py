"""Windows that overlap: a photo too large for a network, or for the memory, in parts without seams."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def blended(scores: Callable[[Tensor], Tensor], image: Tensor, window: tuple[int, int]) -> Tensor:
    """Logarithms of the probabilities that windows agree on.

    Parameters
    ----------
    scores : callable
        Logits (1, L, h, w) of a part (1, C, h, w).
    image : Tensor, (1, C, H, W)
        The whole.
    window : (int, int)
        Height and width of the parts; those of the image where it is smaller.

    Returns
    -------
    Tensor, (1, L, H, W)
        Each window counts most at its middle and least at its border, where the network sees little around a pixel.
    """
    height, width = image.shape[2:]
    h, w = min(window[0], height), min(window[1], width)
    weight = _tent(h, image)[:, None] * _tent(w, image)
    total, weights = None, image.new_zeros(1, 1, height, width)
    for top in _starts(height, h):
        for left in _starts(width, w):
            part = (slice(None), slice(None), slice(top, top + h), slice(left, left + w))
            probabilities = scores(image[part]).softmax(1)
            if total is None:
                total = probabilities.new_zeros(1, probabilities.shape[1], height, width)
            total[part] += weight * probabilities
            weights[part] += weight
    assert total is not None
    return (total / weights).clamp(min=torch.finfo(total.dtype).tiny).log()


def _starts(n: int, m: int) -> list[int]:
    """Where windows of m begin in n, evenly and so that each covers at least half of the next."""
    last = n - m
    count = -(-last // max(1, m // 2)) + 1
    return [round(i * last / max(1, count - 1)) for i in range(count)]


def _tent(n: int, like: Tensor) -> Tensor:
    """Weights that rise from the border to the middle."""
    distance = torch.arange(1, n + 1, dtype=torch.float32, device=like.device)
    return torch.minimum(distance, distance.flip(0))
