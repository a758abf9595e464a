"""Rewards of labels as what the rows of vertices are multiplied by."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def matrices_of(rewards: Tensor, gains: Sequence[float]) -> Tensor:
    """Rewards with the gains of the kernels.

    What a label adds to all others alike does not change the softmax. It is taken away, or the large sums of the rows
    would cancel in float32; of Potts costs only the diagonal is left.
    """
    n_labels = rewards.shape[1]
    another = torch.arange(1, n_labels + 1, device=rewards.device) % n_labels
    common = rewards.gather(2, another[None, :, None].expand(len(rewards), -1, 1))
    return torch.stack([own * gain for own, gain in zip(rewards - common, gains, strict=True)])


def diagonals_of(matrices: Tensor) -> Tensor:
    """The diagonals (K, L) of matrices that are said to have nothing else; NaN if they do: no one waits for a GPU."""
    diagonal = matrices.diagonal(dim1=1, dim2=2)
    has_more = (matrices != 0).sum() != (diagonal != 0).sum()
    return diagonal.masked_fill(has_more, torch.nan)
