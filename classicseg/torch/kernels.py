"""Pairwise kernels whose weights and sigmas can be learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.filters.base import NORMALIZATIONS
from classicseg.torch import tensors
from classicseg.torch.functional import bilateral_features, position_features

_Numbers: TypeAlias = float | Sequence[float] | Tensor


class PairwiseKernel(nn.Module):
    """What both kernels share: a weight, scales that stay positive when they are learned, and a normalisation.

    A scale is its initial value times the exponential of a parameter that begins at 0. It is float32 in modules of half
    precision too, where positions beyond 256 pixels would be rounded.
    """

    def __init__(self, weight: _Numbers, spacing: float | Sequence[float], normalization: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(tensors.as_weights(weight, "weight"))
        self.spacing = tensors.as_scales(spacing, "spacing").tolist()
        self.normalization: str = inputs.choice(normalization, "normalization", NORMALIZATIONS)

    def _add_scale(self, name: str, value: _Numbers) -> None:
        start = tensors.as_scales(value, name)
        self.register_buffer(f"initial_{name}", start)
        self.register_parameter(f"log_{name}", nn.Parameter(torch.zeros_like(start)))

    def _scale(self, name: str) -> Tensor:
        start, log = getattr(self, f"initial_{name}"), getattr(self, f"log_{name}")
        scale: Tensor = tensors.not_half(start) * tensors.not_half(log).exp()
        return scale

    def scale_parameters(self) -> list[nn.Parameter]:
        """The parameters from which the sigmas come."""
        return [parameter for name, parameter in self.named_parameters() if name.startswith("log_")]

    @property
    def sigma(self) -> Tensor:
        """Standard deviation of the position as it is now."""
        return self._scale("sigma")

    def features(self, shape: Sequence[int], image: Tensor | None, n_images: int) -> Tensor:
        """Features of the pixels, (B, d, *shape)."""
        raise NotImplementedError


class GaussianKernel(PairwiseKernel):
    """Smoothness kernel ``weight * exp(-|p_i - p_j|^2 / (2 sigma^2))`` of the positions.

    Parameters
    ----------
    sigma : float or sequence of float
        Standard deviation, one for each spatial axis (rows first) or one for all, in pixels times `spacing`.
    weight : float or sequence of float
        Positive smooths. One for all labels, or one for each.
    spacing : float or sequence of float
        Distance of neighbouring pixels along each axis.
    normalization : {"symmetric", "none", "before", "after"}
        How the filter is normalised, see :meth:`classicseg.PermutohedralLattice.filter`.

    Raises
    ------
    ValueError
        If a sigma or spacing is not positive or a weight is not finite.

    Examples
    --------
    >>> import classicseg.torch as ct
    >>> ct.GaussianKernel(sigma=3, weight=3)
    GaussianKernel(sigma=3, weight=3)
    """

    def __init__(
        self,
        sigma: _Numbers = 3.0,
        weight: _Numbers = 3.0,
        *,
        spacing: float | Sequence[float] = 1.0,
        normalization: str = "symmetric",
    ) -> None:
        super().__init__(weight, spacing, normalization)
        self._add_scale("sigma", sigma)

    def features(self, shape: Sequence[int], image: Tensor | None, n_images: int) -> Tensor:
        """See :meth:`PairwiseKernel.features`; the image is not looked at."""
        return position_features(shape, self.sigma, self.spacing, n_images)

    def extra_repr(self) -> str:
        """Numbers for ``repr``."""
        return f"sigma={_text(self.sigma)}, weight={_text(self.weight)}"


class BilateralKernel(PairwiseKernel):
    """Appearance kernel ``weight * exp(-|p_i - p_j|^2 / (2 sigma^2) - |I_i - I_j|^2 / (2 color_sigma^2))``.

    Parameters
    ----------
    sigma : float or sequence of float
        Standard deviation of the position, in pixels times `spacing`.
    color_sigma : float or sequence of float
        Standard deviation of the colour in the units of the image, one for each channel or one for all.
    weight, spacing, normalization
        As in :class:`GaussianKernel`.

    Raises
    ------
    ValueError
        If a sigma or spacing is not positive or a weight is not finite.

    Examples
    --------
    >>> import classicseg.torch as ct
    >>> ct.BilateralKernel(sigma=80, color_sigma=13, weight=10)
    BilateralKernel(sigma=80, color_sigma=13, weight=10)
    """

    def __init__(
        self,
        sigma: _Numbers = 80.0,
        color_sigma: _Numbers = 13.0,
        weight: _Numbers = 10.0,
        *,
        spacing: float | Sequence[float] = 1.0,
        normalization: str = "symmetric",
    ) -> None:
        super().__init__(weight, spacing, normalization)
        self._add_scale("sigma", sigma)
        self._add_scale("color_sigma", color_sigma)
        self.has_seen_unit = False

    @property
    def color_sigma(self) -> Tensor:
        """Standard deviation of the colour as it is now."""
        return self._scale("color_sigma")

    def features(self, shape: Sequence[int], image: Tensor | None, n_images: int) -> Tensor:
        """See :meth:`PairwiseKernel.features`."""
        if image is None:
            raise InputError("image must be given: a BilateralKernel compares its colours")
        if not (torch.compiler.is_compiling() or self.has_seen_unit):  # a graph would depend on the second
            self.has_seen_unit = tensors.warn_of_color_unit(image, self.color_sigma)
        return bilateral_features(image, self.sigma, self.color_sigma, self.spacing)

    def extra_repr(self) -> str:
        """Numbers for ``repr``."""
        return f"sigma={_text(self.sigma)}, color_sigma={_text(self.color_sigma)}, weight={_text(self.weight)}"


def _text(values: Tensor) -> str:
    numbers = [f"{value:.4g}" for value in values.detach().reshape(-1).tolist()]
    return numbers[0] if len(numbers) == 1 else f"({', '.join(numbers)})"
