"""Losses of segmentation: of pixels, of regions, of boundaries, and of a CRF.

::

    from classicseg.torch import losses

    loss = losses.build("dice+ce", class_weights=[1, 5])
    loss(logits, labels).backward()  # (B, L, H, W) and (B, H, W)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.torch.losses._inputs import SegmentationLoss
from classicseg.torch.losses.boundary import BoundaryLoss
from classicseg.torch.losses.crf import DenseCRFLoss, GatedCRFLoss
from classicseg.torch.losses.lovasz import LovaszSoftmax
from classicseg.torch.losses.overlap import DiceLoss, GeneralizedDiceLoss, TverskyLoss
from classicseg.torch.losses.pixelwise import CrossEntropy, FocalLoss, OHEMCrossEntropy, class_balanced_weights

_BUILDERS: dict[str, Callable[..., SegmentationLoss]] = {
    "ce": CrossEntropy,
    "focal": FocalLoss,
    "sigmoid_focal": partial(FocalLoss, activation="sigmoid"),
    "ohem": OHEMCrossEntropy,
    "dice": DiceLoss,
    "squared_dice": partial(DiceLoss, squared=True),
    "generalized_dice": GeneralizedDiceLoss,
    "tversky": TverskyLoss,
    "lovasz": LovaszSoftmax,
    "boundary": BoundaryLoss,
}

NAMES = tuple(_BUILDERS)
"""What :func:`build` can build and add up."""


class SumOfLosses(nn.Module):
    """A weighted sum of losses of the same logits and labels.

    Parameters
    ----------
    losses : sequence of nn.Module
    factors : sequence of float, optional
        1 each by default.

    Raises
    ------
    ValueError
        If there is no loss or the numbers differ.
    """

    def __init__(self, losses: Sequence[nn.Module], factors: Sequence[float] | None = None) -> None:
        super().__init__()
        self.losses = nn.ModuleList(losses)
        given = [1.0] * len(self.losses) if factors is None else factors
        self.factors = [inputs.as_weight(factor, "factors", at_least=0) for factor in given]
        if not self.factors or len(self.factors) != len(self.losses):
            raise InputError(f"factors must be one for each loss, got {len(self.factors)} for {len(self.losses)}")

    def forward(self, logits: Tensor, labels: Tensor, distances: Tensor | None = None) -> Tensor:
        """The loss of logits (B, L, *spatial) for labels (B, *spatial).

        Distances are those of :meth:`BoundaryLoss.maps`, if it is one of the losses and they are known.
        """
        terms = [
            factor * (loss(logits, labels, distances) if takes_distances(loss) else loss(logits, labels))
            for factor, loss in zip(self.factors, self.losses, strict=True)
        ]
        total: Tensor = sum(terms[1:], terms[0])
        return total


def takes_distances(loss: object) -> bool:
    """Whether a loss takes those of :meth:`BoundaryLoss.maps`."""
    return isinstance(loss, BoundaryLoss) or (isinstance(loss, SumOfLosses) and any(map(takes_distances, loss.losses)))


def build(spec: str, **options: Any) -> nn.Module:
    """Build a loss by its name, or a sum such as ``"dice+ce"`` or ``"dice+0.5*focal"``.

    Parameters
    ----------
    spec : str
        Names of :data:`NAMES`, joined by ``+``, each after a factor and ``*`` if wanted.
    **options
        Handed to each loss that takes them, such as ``class_weights``, ``ignore_index`` or ``gamma``.

    Returns
    -------
    nn.Module
        Called with logits (B, L, *spatial) and labels (B, *spatial).

    Raises
    ------
    ValueError
        If a name is unknown or a value does not fit.
    TypeError
        If no loss takes an option.

    Examples
    --------
    >>> import torch
    >>> from classicseg.torch import losses
    >>> logits, labels = torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 1]])
    >>> round(losses.build("dice+0.5*ce")(logits, labels).item(), 4)  # 0.5 + ln(2) / 2
    0.8466
    """
    if not isinstance(spec, str):
        raise InputTypeError(f"spec must be a string such as 'dice+ce', got {spec!r}")
    terms, factors, taken = [], [], set()
    for term in spec.split("+"):
        factor, _, name = term.rpartition("*")
        name = name.strip()
        if name not in _BUILDERS:
            raise InputError(f"spec must be names of {', '.join(NAMES)} joined by '+', got {spec!r}")
        try:
            factors.append(float(factor) if factor else 1.0)
        except ValueError:
            raise InputError(f"spec must have numbers before '*', got {spec!r}") from None
        known = set(inspect.signature(_BUILDERS[name]).parameters)
        taken |= known & set(options)
        terms.append(_BUILDERS[name](**{key: value for key, value in options.items() if key in known}))
    if unknown := sorted(set(options) - taken):
        raise InputTypeError(f"{', '.join(unknown)}: no loss of {spec!r} takes it")
    return terms[0] if len(terms) == 1 and factors == [1.0] else SumOfLosses(terms, factors)


__all__ = [
    "NAMES",
    "BoundaryLoss",
    "CrossEntropy",
    "DenseCRFLoss",
    "DiceLoss",
    "FocalLoss",
    "GatedCRFLoss",
    "GeneralizedDiceLoss",
    "LovaszSoftmax",
    "OHEMCrossEntropy",
    "SegmentationLoss",
    "SumOfLosses",
    "TverskyLoss",
    "build",
    "class_balanced_weights",
]
