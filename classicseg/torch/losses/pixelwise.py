"""Losses that are sums over pixels: cross-entropy, of all or the hardest, and focal loss for rare classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional as F

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.io import VOID
from classicseg.torch import tensors
from classicseg.torch.losses._inputs import REDUCTIONS, SegmentationLoss, reduce
from classicseg.torch.losses._softmax import log_probability


class FocalLoss(SegmentationLoss):
    r"""Focal loss of Lin et al. [1]_: cross-entropy times :math:`(1 - p)^\gamma`, which mutes what is right already.

    Parameters
    ----------
    gamma : float
        0 is cross-entropy.
    label_smoothing : float
        See :class:`CrossEntropy`.
    activation : {"softmax", "sigmoid"}
        "sigmoid" is the published form: each label against the rest, summed over labels. It is the same as "softmax"
        where logits have one channel.
    class_weights, ignore_index
        See :class:`CrossEntropy`. :func:`class_balanced_weights` gives those of Cui et al.
    reduction : {"mean", "sum", "none"}
        Over pixels, never over labels; "mean" divides by the weights of the pixels that count.

    Raises
    ------
    ValueError, TypeError
        If a parameter, or later the tensors, do not fit.

    Notes
    -----
    Labels may be probabilities q, as for :class:`CrossEntropy`, which give
    :math:`-\sum_l q_l (1 - p_l)^\gamma \ln p_l`.

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

    takes_probabilities: ClassVar[bool] = True
    takes_one_channel: ClassVar[bool] = True

    def __init__(
        self,
        gamma: float = 2.0,
        *,
        label_smoothing: float = 0.0,
        activation: str = "softmax",
        class_weights: Sequence[float] | Tensor | None = None,
        ignore_index: int = VOID,
        reduction: str = "mean",
    ) -> None:
        super().__init__(class_weights, ignore_index)
        self.gamma = inputs.as_weight(gamma, "gamma", at_least=0)
        self.label_smoothing = inputs.as_probability(label_smoothing, "label_smoothing")
        self.activation: str = inputs.choice(activation, "activation", ("softmax", "sigmoid"))
        self.reduction: str = inputs.choice(reduction, "reduction", REDUCTIONS)

    def of(self, z: Tensor, y: Tensor, valid: Tensor) -> Tensor:
        """A number, or (B, *spatial) with "none"."""
        is_softmax = self.activation == "softmax" or z.shape[1] == 1
        z = tensors.two_labels(z)
        weights = self.weights(z)
        if y.is_floating_point() or self.label_smoothing:
            return self._of_soft(z, y, valid, is_softmax=is_softmax)
        if is_softmax:
            weight = weights[y] * valid
            counts = valid if self.class_weights is None else weight > 0  # the rest may be forbidden: infinite
            log_p = log_probability(z.flatten(2), y.flatten(1), counts.flatten(1)).reshape(y.shape)
            return reduce(weight * self._focus(log_p), weight, self.reduction)
        sign = torch.full_like(z, -1).scatter_(1, y[:, None], 1.0)
        counts = valid[:, None] & of_labels(weights > 0, z)
        each = self._focus(F.logsigmoid((sign * z).masked_fill(~counts, 0))).movedim(1, -1) @ weights
        return reduce(each * valid, valid.to(z.dtype), self.reduction)

    def _of_soft(self, z: Tensor, y: Tensor, valid: Tensor, *, is_softmax: bool) -> Tensor:
        """The loss for probabilities, which labels become by smoothing."""
        weights = self.weights(z)
        q = y if y.is_floating_point() else torch.zeros_like(z).scatter_(1, y[:, None], 1.0)
        weight = q.movedim(1, -1) @ weights if is_softmax else torch.ones_like(z[:, 0])
        q = (1 - self.label_smoothing) * q + self.label_smoothing / z.shape[1]
        counts = valid[:, None] & of_labels(weights > 0, z)
        if is_softmax:  # what is not asked for may be forbidden: infinite
            log_p = z.masked_fill(~valid[:, None], 0).log_softmax(1)
            costs = q * self._focus(log_p.masked_fill(~counts | (q == 0), 0))
        else:
            z = z.masked_fill(~counts, 0)
            costs = q * self._focus(F.logsigmoid(z)) + (1 - q) * self._focus(F.logsigmoid(-z))
        return reduce(costs.movedim(1, -1) @ weights * valid, weight * valid, self.reduction)

    def _focus(self, log_p: Tensor) -> Tensor:
        if self.gamma == 0:
            return -log_p
        # 1 - p = -expm1(log p); kept off 0, where the power has no derivative for gamma < 1.
        return -log_p * (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).tiny) ** self.gamma


class CrossEntropy(FocalLoss):
    """Softmax and cross-entropy: minus the logarithm of the probability of the right label.

    Parameters
    ----------
    label_smoothing : float
        This share of the truth is spread over all labels alike (Szegedy et al. [1]_), against a network that is too
        sure of itself.
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

    Notes
    -----
    Labels may be probabilities, ``(B, L, *spatial)``, such as those of several annotators or of another network; a
    pixel whose probabilities are all 0 does not count. Its weight is the mean of those of the labels by its
    probabilities, so that probabilities of 0 and 1 are the same as labels.

    References
    ----------
    .. [1] C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, "Rethinking the Inception architecture for computer
       vision", CVPR 2016. :arxiv:`1512.00567`

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
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | Tensor | None = None,
        ignore_index: int = VOID,
        reduction: str = "mean",
    ) -> None:
        super().__init__(
            0.0,
            label_smoothing=label_smoothing,
            class_weights=class_weights,
            ignore_index=ignore_index,
            reduction=reduction,
        )


class OHEMCrossEntropy(SegmentationLoss):
    """Cross-entropy of the hardest pixels: online hard example mining by Shrivastava et al. [1]_.

    Parameters
    ----------
    threshold : float
        Pixels count whose right label has at most this probability,
    min_share : float
        but at least this share of those that could, the hardest.
    class_weights, ignore_index
        See :class:`CrossEntropy`. Weights do not decide which pixels are hard; those without a weight are not among
        them.

    Raises
    ------
    ValueError, TypeError
        If a parameter, or later the tensors, do not fit.

    Notes
    -----
    The share is of the batch, not a number of pixels: one that suits full images keeps all of small crops.

    References
    ----------
    .. [1] A. Shrivastava, A. Gupta, R. Girshick, "Training region-based object detectors with online hard example
       mining", CVPR 2016. :arxiv:`1604.03540`

    Examples
    --------
    >>> import torch
    >>> from classicseg.torch import losses
    >>> logits, labels = torch.log(torch.tensor([[[0.9, 0.2], [0.1, 0.8]]])), torch.tensor([[0, 0]])
    >>> round(losses.OHEMCrossEntropy()(logits, labels).item(), 4)  # -ln 0.2: the first pixel is right
    1.6094
    """

    def __init__(
        self,
        threshold: float = 0.7,
        min_share: float = 1 / 16,
        *,
        class_weights: Sequence[float] | Tensor | None = None,
        ignore_index: int = VOID,
    ) -> None:
        super().__init__(class_weights, ignore_index)
        self.threshold = inputs.as_probability(threshold, "threshold")
        self.min_share = inputs.as_probability(min_share, "min_share")

    def of(self, z: Tensor, y: Tensor, valid: Tensor) -> Tensor:
        """A number."""
        weight = self.weights(z)[y] * valid
        counts = weight > 0
        log_p = log_probability(z.flatten(2), y.flatten(1), counts.flatten(1)).reshape(y.shape)
        with torch.no_grad():
            rising = log_p.masked_fill(~counts, torch.inf).flatten().sort().values
            last = (counts.sum() * self.min_share).ceil().long().clamp_min(1) - 1
            bound = rising.gather(0, last[None]).clamp_min(math.log(self.threshold) if self.threshold else -math.inf)
            kept = weight * (log_p <= bound)
        return reduce(-log_p * kept, kept, "mean")


def class_balanced_weights(counts: ArrayLike, beta: float | None = None) -> list[float]:
    r"""Weights of classes by the effective numbers of their pixels, :math:`(1 - \beta) / (1 - \beta^n)`, by [1]_.

    Parameters
    ----------
    counts : array_like of int, (L,)
        Pixels of each class.
    beta : float, optional
        Between 0, where all weights are equal, and 1, where each is one over the number of pixels: up to about
        1 / (1 - beta) pixels of a class each tell something new. By default that is the median of the numbers.
        The published 0.9999 is for counts of images; nearly all classes have more pixels than 10,000, and then their
        weights would be equal.

    Returns
    -------
    list of float
        With the mean 1. A class without a pixel, of which nothing is learned, has a weight of 1.

    Raises
    ------
    ValueError, TypeError
        If there is no pixel, or an argument is out of its range.

    References
    ----------
    .. [1] Y. Cui, M. Jia, T.-Y. Lin, Y. Song, S. Belongie, "Class-balanced loss based on effective number of samples",
       CVPR 2019. :arxiv:`1901.05555`

    Examples
    --------
    >>> from classicseg.torch import losses
    >>> [round(weight, 3) for weight in losses.class_balanced_weights([9700, 300], beta=0.999)]
    [0.412, 1.588]
    """
    n = inputs.as_numbers(counts, "counts", (1,), np.float64)
    seen = n > 0
    if (n < 0).any() or not seen.any():
        raise InputError(f"counts must be at least 0 and not all 0, got {counts!r}")
    if beta is None:
        beta = 1 - 1 / float(np.median(n[seen]))
    beta = inputs.as_weight(beta, "beta", at_least=0, below=1)
    weights = np.ones(len(n))
    # 1 - beta^n, exact where beta is nearly 1.
    weights[seen] = 1 / -np.expm1(n[seen] * np.log(beta)) if beta else 1.0
    weights[seen] /= weights[seen].mean()
    return [float(weight) for weight in weights]


def of_labels(values: Tensor, like: Tensor) -> Tensor:
    """Values (L,) of labels for (B, L, *spatial)."""
    return values.reshape(-1, *(1,) * (like.dim() - 2))
