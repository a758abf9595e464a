"""All pairs of pixels: what the other backends approximate, and the oracle of their tests.

Nothing here but tensors and autograd, so every gradient is exact and of any order. Time and memory are quadratic.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from classicseg.errors import InputError

_LARGEST = 10_000  # points: the matrix of their pairs takes 400 MB in float32


def filters(features: Sequence[torch.Tensor], normalizations: Sequence[str]) -> list[torch.Tensor]:
    """The normalised kernel matrix of each kernel, (B, N, N), from (B, d, N) features."""
    return [_normalized(_gaussian(f), norm) for f, norm in zip(features, normalizations, strict=True)]


def _gaussian(features: torch.Tensor) -> torch.Tensor:
    n = features.shape[-1]
    if n > _LARGEST:
        raise InputError(f"backend='exact' is quadratic in the pixels and serves up to {_LARGEST}, got {n}")
    # Differences, not |f|^2 + |g|^2 - 2 f.g: the three large terms would cancel in float32.
    squared = features.new_zeros(features.shape[0], n, n)
    for axis in range(features.shape[1]):
        f = features[:, axis]
        squared = squared + (f[:, :, None] - f[:, None, :]) ** 2
    return torch.exp(-0.5 * squared)


def _normalized(matrix: torch.Tensor, normalization: str) -> torch.Tensor:
    sums = matrix.sum(2)
    if normalization == "symmetric":
        return matrix * torch.rsqrt(sums[:, :, None] * sums[:, None, :])
    if normalization == "before":
        return matrix / sums[:, None, :]
    return matrix / sums[:, :, None] if normalization == "after" else matrix


def mean_field(
    logits: torch.Tensor, rewards: torch.Tensor, matrices: Sequence[torch.Tensor], n_iter: int, marginals: bool
) -> torch.Tensor:
    """Marginals or their logarithms of `n_iter` updates, (B, L, N); `rewards` are (K, L, L), from label, to label."""
    a = logits
    for _ in range(n_iter):
        q = a.softmax(1)
        messages = [reward.T @ (q @ matrix.mT) for reward, matrix in zip(rewards, matrices, strict=True)]
        a = logits + torch.stack(messages).sum(0)
    return a.softmax(1) if marginals else a.log_softmax(1)
