"""The gate of losses, and what they share: weights, reductions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.io import VOID
from classicseg.torch import tensors

_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
_ROUNDING = 0.02  # of sums of probabilities in half precision


class SegmentationLoss(nn.Module):
    """A loss of logits (B, L, *spatial) and labels (B, *spatial).

    One channel of logits tells label 1 from label 0, as for a sigmoid: two labels, and two class weights.

    Parameters
    ----------
    class_weights : sequence of float, optional
        Of each label; at least 0, not all 0.
    ignore_index : int
        Label of pixels that do not count.
    """

    takes_probabilities: ClassVar[bool] = False
    """Whether labels may be probabilities (B, L, *spatial)."""
    takes_one_channel: ClassVar[bool] = False
    """Whether :meth:`of` tells one channel from two."""

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
        z, y, valid, fits = self.check(logits, labels)
        value = self.of(z if self.takes_one_channel else tensors.two_labels(z), y, valid)
        return value if fits is None else value * one_or_nan(fits)

    def of(self, z: Tensor, y: Tensor, valid: Tensor) -> Tensor:
        """The loss of what :meth:`check` returns: each loss's own part of :meth:`forward`."""
        raise NotImplementedError

    def check(self, logits: Any, labels: Any) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Logits in float32 or more, labels, which pixels count, and what is known only on the GPU: whether all fits.

        Labels are int64, 0 where ignored, or probabilities (B, L, *spatial) in the dtype of the logits.

        Raises
        ------
        ValueError, TypeError
            If shapes, dtypes, devices or values do not fit.
        """
        z = tensors.as_logits(logits, at_least=1)
        n_labels = max(2, z.shape[1])
        if not isinstance(labels, Tensor):
            raise InputTypeError(f"labels must be a torch.Tensor, got {type(labels).__name__}")
        if self.class_weights is not None and self.class_weights.numel() != n_labels:
            raise InputError(
                f"class_weights must be {n_labels} numbers, one for each label, got {self.class_weights.numel()}"
            )
        # Sums over many pixels overflow in half precision.
        z = z if z.dtype == torch.float64 else z.float()
        if self.takes_probabilities and labels.is_floating_point() and labels.dim() == z.dim():
            return z, *_probabilities(labels, z, n_labels)
        if labels.dtype not in _WHOLE:
            hint = "" if not self.takes_probabilities else "; probabilities have shape (B, L, *spatial)"
            raise InputTypeError(f"labels must hold whole numbers, got dtype {labels.dtype}{hint}")
        wanted = (z.shape[0], *z.shape[2:])
        if tuple(labels.shape) != wanted:
            raise InputError(f"labels must have shape {wanted}, got {tuple(labels.shape)}")
        tensors.on_device(labels, z, "labels")
        return z, *self._whole(labels.long(), n_labels)

    def _whole(self, labels: Tensor, n_labels: int) -> tuple[Tensor, Tensor, Tensor | None]:
        if self.ignore_index == VOID and n_labels > VOID:
            raise InputError(
                f"ignore_index={VOID} is one of the {n_labels} labels; pass another one, such as -1, and give it to "
                "the pixels that do not count"
            )
        valid = labels != self.ignore_index
        y = torch.where(valid, labels, 0)
        if y.device.type != "cpu":
            return y.clamp(0, n_labels - 1), valid, ~((y < 0) | (y >= n_labels)).any()
        if y.numel() and (int(y.min()) < 0 or int(y.max()) >= n_labels):
            outside = y[(y < 0) | (y >= n_labels)]
            raise InputError(
                f"labels must be 0 to {n_labels - 1} or ignore_index={self.ignore_index}, "
                f"got {int(outside[0])} ({len(outside)} such pixels)"
            )
        return y, valid, None

    def weights(self, like: Tensor) -> Tensor:
        """One weight for each label of logits."""
        n = like.shape[1]
        return like.new_ones(n) if self.class_weights is None else self.class_weights.to(like)


def one_or_nan(fits: Tensor) -> Tensor:
    """A factor that leaves a loss and its gradient as they are, or makes them NaN: what a GPU found, nobody reads."""
    return torch.where(fits, 1.0, torch.nan)


def _probabilities(labels: Tensor, z: Tensor, n_labels: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Labels that are probabilities: all zeros where a pixel does not count, of label 1 where there is one channel."""
    wanted = (z.shape[0], n_labels, *z.shape[2:])
    if tuple(labels.shape) not in (wanted, tuple(z.shape)):
        raise InputError(f"labels must be probabilities of shape {wanted}, got {tuple(labels.shape)}")
    tensors.on_device(labels, z, "labels")
    q = labels.to(z.dtype)
    if q.shape[1] == 1:
        q = torch.cat([1 - q, q], 1)
    total = q.sum(1)
    valid = total != 0
    fits = (q >= 0).all() & ((total - 1).abs() <= _ROUNDING).logical_or(~valid).all()  # False for NaN
    if q.device.type != "cpu":
        return q, valid, fits
    if not bool(fits):
        raise InputError(
            "labels must be probabilities, at least 0 and with the sum 1 over the labels, or 0 where a pixel does not "
            f"count; got numbers from {float(q.min()):g} to {float(q.max()):g} with sums up to {float(total.max()):g}"
        )
    return q, valid, None


def reduce(weighted: Tensor, weights: Tensor, reduction: str) -> Tensor:
    """Losses of pixels times their weights: "mean" divides by the sum of weights, "none" leaves them."""
    if reduction == "none":
        return weighted
    if reduction == "sum":
        return weighted.sum()
    return weighted.sum() / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)


REDUCTIONS = ("mean", "sum", "none")
