"""Losses that are sums over pixels: cross-entropy, and focal loss for when one class has nearly all pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from classicseg import inputs
from classicseg.io import VOID
from classicseg.torch.losses._inputs import REDUCTIONS, SegmentationLoss, reduce
from classicseg.torch.losses._softmax import log_probability


class FocalLoss(SegmentationLoss):
    r"""Focal loss of Lin et al. [1]_: cross-entropy times :math:`(1 - p)^\gamma`, which mutes what is right already.

    Parameters
    ----------
    gamma : float
        0 is cross-entropy.
    activation : {"softmax", "sigmoid"}
        "sigmoid" is the published form: each label against the rest, summed over labels.
    class_weights, ignore_index
        See :class:`CrossEntropy`.
    reduction : {"mean", "sum", "none"}
        Over pixels, never over labels; "mean" divides by the weights of the pixels that count.

    Raises
    ------
    ValueError, TypeError
        If a parameter, or later the tensors, do not fit.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, "Focal loss for dense object detection", ICCV 2017.
       :arxiv:`1708.02002`

    Examples
    --------
    >>> import torch
    >>> from classicseg.torch import losses
    >>> logits, labels = torch.log(torch.tensor([[[0.8], [0.2]]])), torch.tensor([[0]])
    >>> round(losses.FocalLoss(gamma=2)(logits, labels).item(), 4)  # 0.2^2 * 0.2231
    0.0089
    """

    def __init__(
        self,
        gamma: float = 2.0,
        *,
        activation: str = "softmax",
        class_weights: Sequence[float] | Tensor | None = None,
        ignore_index: int = VOID,
        reduction: str = "mean",
    ) -> None:
        super().__init__(class_weights, ignore_index)
        self.gamma = inputs.as_weight(gamma, "gamma", at_least=0)
        self.activation: str = inputs.choice(activation, "activation", ("softmax", "sigmoid"))
        self.reduction: str = inputs.choice(reduction, "reduction", REDUCTIONS)

    def of(self, z: Tensor, y: Tensor, valid: Tensor) -> Tensor:
        """A number, or (B, *spatial) with "none"."""
        weights = self.weights(z)
        if self.activation == "softmax":
            weight = weights[y] * valid
            counts = valid if self.class_weights is None else weight > 0  # the rest may be forbidden: infinite
            log_p = log_probability(z.flatten(2), y.flatten(1), counts.flatten(1)).reshape(y.shape)
            return reduce(self._focus(log_p), weight, self.reduction)
        sign = torch.full_like(z, -1).scatter_(1, y[:, None], 1.0)
        counts = valid[:, None] & (weights > 0).reshape(-1, *(1,) * (z.dim() - 2))
        each = self._focus(F.logsigmoid((sign * z).masked_fill(~counts, 0))).movedim(1, -1) @ weights
        return reduce(each, valid.to(z.dtype), self.reduction)

    def _focus(self, log_p: Tensor) -> Tensor:
        if self.gamma == 0:
            return -log_p
        # 1 - p = -expm1(log p); kept off 0, where the power has no derivative for gamma < 1.
        return -log_p * (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).tiny) ** self.gamma


class CrossEntropy(FocalLoss):
    """Softmax and cross-entropy: minus the logarithm of the probability of the right label.

    Parameters
    ----------
    class_weights : sequence of float, optional
        Weight of the pixels of each label.
    ignore_index : int
        Label of pixels that do not count.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the weights of the pixels that count, as PyTorch does; it is 0 if there are none.

    Raises
    ------
    ValueError, TypeError
        If a parameter, or later the tensors, do not fit.

    Examples
    --------
    >>> import torch
    >>> from classicseg.torch import losses
    >>> round(losses.CrossEntropy()(torch.zeros(1, 4, 5, 6), torch.zeros(1, 5, 6, dtype=torch.long)).item(), 4)  # ln 4
    1.3863
    """

    def __init__(
        self,
        *,
        class_weights: Sequence[float] | Tensor | None = None,
        ignore_index: int = VOID,
        reduction: str = "mean",
    ) -> None:
        super().__init__(0.0, class_weights=class_weights, ignore_index=ignore_index, reduction=reduction)
