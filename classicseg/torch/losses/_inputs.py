"""The gate of losses, and what they share: weights, reductions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.io import VOID
from classicseg.torch import tensors

_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


class SegmentationLoss(nn.Module):
    """A loss of logits (B, L, *spatial) and labels (B, *spatial).

    Parameters
    ----------
    class_weights : sequence of float, optional
        Of each label; at least 0, not all 0.
    ignore_index : int
        Label of pixels that do not count.
    """

    def __init__(self, class_weights: Sequence[float] | Tensor | None = None, ignore_index: int = VOID) -> None:
        super().__init__()
        self.ignore_index = inputs.as_integer(ignore_index, "ignore_index")
        weights = None if class_weights is None else tensors.as_weights(class_weights, "class_weights").reshape(-1)
        if weights is not None and (bool((weights < 0).any()) or not bool(weights.any())):
            raise InputError(f"class_weights must be at least 0 and not all 0, got {class_weights!r}")
        self.register_buffer("class_weights", weights)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of logits (B, L, *spatial) for labels (B, *spatial).

        On a GPU the labels are not looked at, as that would wait for all its work: labels outside make the loss NaN.
        """
        z, y, valid = self.check(logits, labels)
        loss = self.of(z, y, valid)
        if z.device.type == "cpu":
            return loss
        outside = ((labels < 0) | (labels >= z.shape[1])) & valid
        return loss * one_or_nan(~outside.any())

    def of(self, z: Tensor, y: Tensor, valid: Tensor) -> Tensor:
        """The loss of what :meth:`check` returns: each loss's own part of :meth:`forward`."""
        raise NotImplementedError

    def check(self, logits: Any, labels: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Logits in float32 or more, labels as int64 with 0 where ignored, and which pixels count.

        Raises
        ------
        ValueError, TypeError
            If shapes, dtypes, devices or values do not fit.
        """
        z = tensors.as_logits(logits)
        if not isinstance(labels, Tensor):
            raise InputTypeError(f"labels must be a torch.Tensor, got {type(labels).__name__}")
        if labels.dtype not in _WHOLE:
            raise InputTypeError(f"labels must hold whole numbers, got dtype {labels.dtype}")
        wanted = (z.shape[0], *z.shape[2:])
        if tuple(labels.shape) != wanted:
            raise InputError(f"labels must have shape {wanted}, got {tuple(labels.shape)}")
        tensors.on_device(labels, z, "labels")
        if self.ignore_index == VOID and z.shape[1] > VOID:
            raise InputError(
                f"ignore_index={VOID} is one of the {z.shape[1]} labels; pass another one, such as -1, and give it to "
                "the pixels that do not count"
            )
        labels = labels.long()
        valid = labels != self.ignore_index
        y = torch.where(valid, labels, 0)
        if y.device.type != "cpu":
            y = y.clamp(0, z.shape[1] - 1)
        elif y.numel() and (int(y.min()) < 0 or int(y.max()) >= z.shape[1]):
            outside = y[(y < 0) | (y >= z.shape[1])]
            raise InputError(
                f"labels must be 0 to {z.shape[1] - 1} or ignore_index={self.ignore_index}, "
                f"got {int(outside[0])} ({len(outside)} such pixels)"
            )
        if self.class_weights is not None and self.class_weights.numel() != z.shape[1]:
            raise InputError(
                f"class_weights must be {z.shape[1]} numbers, one for each label, got {self.class_weights.numel()}"
            )
        # Sums over many pixels overflow in half precision.
        return z if z.dtype == torch.float64 else z.float(), y, valid

    def weights(self, like: Tensor) -> Tensor:
        """One weight for each label of logits."""
        n = like.shape[1]
        return like.new_ones(n) if self.class_weights is None else self.class_weights.to(like)


def one_or_nan(fits: Tensor) -> Tensor:
    """A factor that leaves a loss and its gradient as they are, or makes them NaN: what a GPU found, nobody reads."""
    return torch.where(fits, 1.0, torch.nan)


def reduce(values: Tensor, weights: Tensor, reduction: str) -> Tensor:
    """Values of pixels times their weights: "mean" divides by the sum of weights, "none" leaves them."""
    weighted = values * weights
    if reduction == "none":
        return weighted
    if reduction == "sum":
        return weighted.sum()
    return weighted.sum() / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)


REDUCTIONS = ("mean", "sum", "none")
