"""Losses that compare regions: Dice, generalised Dice, Tversky. Small classes count as much as large ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.io import VOID
from classicseg.torch.losses._inputs import SegmentationLoss
from classicseg.torch.losses._softmax import region_sums


class Overlap(SegmentationLoss):
    """A loss of each class, and how classes and images are put together."""

    takes_probabilities: ClassVar[bool] = True

    def __init__(
        self,
        *,
        over: str = "batch",
        absent: str = "skip",
        class_weights: Sequence[float] | Tensor | None = None,
        ignore_index: int = VOID,
    ) -> None:
        super().__init__(class_weights, ignore_index)
        self.over: str = inputs.choice(over, "over", ("batch", "image"))
        self.absent: str = inputs.choice(absent, "absent", ("skip", "count"))

    def regions(self, z: Tensor, y: Tensor, valid: Tensor, power: int = 1) -> tuple[Tensor, Tensor, Tensor]:
        """Soft sizes of what is right, of what is found (to a power) and of the truth, (groups, L)."""
        z, valid = z.flatten(2), valid.flatten(1)
        if y.is_floating_point():
            q = y.flatten(2)
            p = z.masked_fill(~valid[:, None], 0).softmax(1) * valid[:, None]
            # Whoever says q must lose nothing. For 0 and 1 both are the product.
            shared = p * q if power == 2 else torch.minimum(p, q)
            both, found, size = shared.sum(2), (p**power).sum(2), (q**power).sum(2)
        else:
            y = y.flatten(1)
            both, found = region_sums(z, y, valid, power)
            size = sizes(y, valid, z.shape[1]).to(z.dtype)
        return self.grouped(both), self.grouped(found), self.grouped(size)

    def grouped(self, of_images: Tensor) -> Tensor:
        """Sums over the pixels of a group, an image or the batch, from those of images (B, L)."""
        return of_images.sum(0, keepdim=True) if self.over == "batch" else of_images

    def average(self, losses: Tensor, sizes: Tensor) -> Tensor:
        """Mean of losses (groups, L) over the classes that count, then over the groups that have any."""
        weights = self.weights(sizes).expand_as(losses)
        if self.absent == "skip":
            weights = weights * (sizes > 0)
        total = weights.sum(1)
        means = (weights * losses).sum(1) / total.clamp_min(torch.finfo(losses.dtype).tiny)
        return means.sum() / (total > 0).sum().clamp_min(1)


class TverskyLoss(Overlap):
    r"""One minus the index of Tversky: :math:`TP / (TP + \alpha FP + \beta FN)` of soft counts (Salehi et al. [1]_).

    Parameters
    ----------
    alpha, beta : float
        Cost of false positives and of false negatives. Both 0.5 is Dice, both 1 Jaccard.
    smooth : float
        Added to numerator and denominator, so that an empty class that is found empty costs nothing.
    over, absent, class_weights, ignore_index
        See :class:`DiceLoss`.

    Raises
    ------
    ValueError, TypeError
        If a parameter, or later the tensors, do not fit.

    References
    ----------
    .. [1] S. S. M. Salehi, D. Erdogmus, A. Gholipour, "Tversky loss function for image segmentation using 3D fully
       convolutional deep networks", MLMI 2017. :arxiv:`1706.05721`

    Examples
    --------
    >>> import torch
    >>> from classicseg.torch import losses
    >>> labels = torch.tensor([[0, 0, 0, 1]])
    >>> logits = torch.log(torch.tensor([[[0.9, 0.9, 0.9, 0.5], [0.1, 0.1, 0.1, 0.5]]]))
    >>> round(losses.TverskyLoss(0.3, 0.7, smooth=0, class_weights=[0, 1])(logits, labels).item(), 4)
    0.4681
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        *,
        smooth: float = 1e-5,
        over: str = "batch",
        absent: str = "skip",
        class_weights: Sequence[float] | Tensor | None = None,
        ignore_index: int = VOID,
    ) -> None:
        super().__init__(over=over, absent=absent, class_weights=class_weights, ignore_index=ignore_index)
        self.alpha = inputs.as_weight(alpha, "alpha", at_least=0)
        self.beta = inputs.as_weight(beta, "beta", at_least=0)
        self.smooth = inputs.as_weight(smooth, "smooth", at_least=0)
        if self.alpha == self.beta == 0:
            raise InputError("alpha and beta must not both be 0: no error would cost anything")

    def of(self, z: Tensor, y: Tensor, valid: Tensor) -> Tensor:
        """A number."""
        both, found, size = self.regions(z, y, valid)
        wrong = self.alpha * (found - both) + self.beta * (size - both)
        return self.average(1 - ratio(both, both + wrong, self.smooth), size)


class DiceLoss(Overlap):
    r"""One minus the Dice coefficient of soft regions, :math:`2 \sum p g / (\sum p^q + \sum g^q)`, by [1]_.

    Parameters
    ----------
    squared : bool
        q = 2, published, instead of q = 1.
    smooth : float
        Added to numerator and denominator, so that an empty class that is found empty costs nothing.
    over : {"batch", "image"}
        One region per class in the whole batch, or one in each image and the mean over images.
    absent : {"skip", "count"}
        Whether a class without pixels there is left out, or whatever is found of it counts as an error.
    class_weights : sequence of float, optional
        Of the mean over classes.
    ignore_index : int
        Label of pixels that do not count.

    Raises
    ------
    ValueError, TypeError
        If a parameter, or later the tensors, do not fit.

    Notes
    -----
    0 if nothing counts, such as a batch that is ignored throughout. Of one channel of logits, class_weights=[0, 1]
    is the loss of the object alone.

    Labels may be probabilities, ``(B, L, *spatial)``; a pixel whose probabilities are all 0 does not count. Then, for
    q = 1, the smaller one of p and g takes the place of their product [2]_, so that p = g costs nothing; for 0 and 1
    these are the same.

    References
    ----------
    .. [1] F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net: fully convolutional neural networks for volumetric medical
       image segmentation", 3DV 2016. :arxiv:`1606.04797`
    .. [2] Z. Wang, T. Popordanoska, J. Bertels, R. Lemmens, M. B. Blaschko, "Dice semimetric losses: optimizing the
       Dice score with soft labels", MICCAI 2023. :arxiv:`2303.16296`

    Examples
    --------
    >>> import torch
    >>> from classicseg.torch import losses
    >>> labels = torch.tensor([[0, 0, 1, 1]])
    >>> round(losses.DiceLoss()(torch.zeros(1, 2, 4), labels).item(), 4)  # p = 0.5 everywhere
    0.5
    """

    def __init__(
        self,
        *,
        squared: bool = False,
        smooth: float = 1e-5,
        over: str = "batch",
        absent: str = "skip",
        class_weights: Sequence[float] | Tensor | None = None,
        ignore_index: int = VOID,
    ) -> None:
        super().__init__(over=over, absent=absent, class_weights=class_weights, ignore_index=ignore_index)
        self.squared = bool(squared)
        self.smooth = inputs.as_weight(smooth, "smooth", at_least=0)

    def of(self, z: Tensor, y: Tensor, valid: Tensor) -> Tensor:
        """A number."""
        both, found, size = self.regions(z, y, valid, power=2 if self.squared else 1)
        return self.average(1 - ratio(both, (found + size) / 2, self.smooth), size)


class GeneralizedDiceLoss(Overlap):
    """Dice of all classes at once, each weighed by one over its squared size (Sudre et al. [1]_).

    Parameters
    ----------
    smooth, over, class_weights, ignore_index
        See :class:`DiceLoss`. Absent classes have no weight.

    Raises
    ------
    ValueError, TypeError
        If a parameter, or later the tensors, do not fit.

    References
    ----------
    .. [1] C. H. Sudre, W. Li, T. Vercauteren, S. Ourselin, M. J. Cardoso, "Generalised Dice overlap as a deep learning
       loss function for highly unbalanced segmentations", DLMIA 2017. :arxiv:`1707.03237`

    Examples
    --------
    >>> import torch
    >>> from classicseg.torch import losses
    >>> round(losses.GeneralizedDiceLoss()(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 1]])).item(), 4)
    0.5
    """

    def __init__(
        self,
        *,
        smooth: float = 1e-5,
        over: str = "batch",
        class_weights: Sequence[float] | Tensor | None = None,
        ignore_index: int = VOID,
    ) -> None:
        super().__init__(over=over, class_weights=class_weights, ignore_index=ignore_index)
        self.smooth = inputs.as_weight(smooth, "smooth", at_least=0)

    def of(self, z: Tensor, y: Tensor, valid: Tensor) -> Tensor:
        """A number."""
        both, found, size = self.regions(z, y, valid)
        weights = self.weights(size) * (size > 0) / size.clamp_min(1).square()
        both, either = (weights * both).sum(1), (weights * (found + size) / 2).sum(1)
        present = weights.sum(1) > 0
        return ((1 - ratio(both, either, self.smooth * weights.sum(1))) * present).sum() / present.sum().clamp_min(1)


def sizes(labels: Tensor, valid: Tensor, n_labels: int) -> Tensor:
    """Pixels of each label in each image, (B, L), int64."""
    return labels.new_zeros(len(labels), n_labels).scatter_add_(1, labels, valid.long())


def ratio(numerator: Tensor, denominator: Tensor, smooth: float | Tensor) -> Tensor:
    """A ratio that is 1, not NaN, at 0 / 0."""
    empty = denominator + smooth == 0
    result: Tensor = (numerator + smooth + empty) / (denominator + smooth + empty)
    return result
