"""Pairwise kernels of a dense CRF: Gaussians of position, of position and colour, or of any features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.frozen import Frozen
from classicseg.errors import InputError
from classicseg.filters.base import NORMALIZATIONS, Normalization
from classicseg.filters.features import Column

_Scale = float | Sequence[float]


class PairwiseKernel(Frozen, ABC):
    """What all kernels share: a weight, an own compatibility if wanted, and a normalisation. Kernels never change."""

    weight: float
    compatibility: Any
    normalization: Normalization

    def __init__(self, weight: float, compatibility: Any, normalization: Normalization) -> None:
        inputs.choice(normalization, "normalization", NORMALIZATIONS)
        self._set(weight=inputs.as_weight(weight, "weight"), compatibility=compatibility, normalization=normalization)

    @abstractmethod
    def columns(self, shape: tuple[int, ...]) -> list[Column]:
        """Feature columns of the points of a grid.

        Raises
        ------
        ValueError
            If the kernel was made for another shape.
        """


class GaussianKernel(PairwiseKernel):
    """Smoothness kernel ``weight * exp(-|p_i - p_j|^2 / (2 sigma^2))`` of the positions on the grid.

    Parameters
    ----------
    sigma : float or sequence of float
        Standard deviation, one for each spatial axis (rows first) or one for all, in pixels times `spacing`.
    weight : float
        Positive smooths.
    spacing : float or sequence of float
        Distance of neighbouring pixels along each axis.
    origin : sequence of int, optional
        Where the first pixel lies in a larger image, of which this one is a tile: positions count from there. Lattices
        are not the same everywhere, so that tiles agree only with it.
    compatibility : Potts, Diagonal, Matrix or (L, L) array_like, optional
        Label compatibility of this kernel; that of the CRF if None.
    normalization : {"symmetric", "none", "before", "after"}
        How the filter is normalised, see :meth:`PermutohedralLattice.filter`.

    Raises
    ------
    ValueError
        If a sigma or spacing is not positive or the weight is not finite.

    References
    ----------
    .. [1] P. Krähenbühl, V. Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials",
       NeurIPS 2011. :arxiv:`1210.5644`

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.GaussianKernel(sigma=3, weight=3)
    GaussianKernel(sigma=3, weight=3, spacing=1, normalization='symmetric')
    """

    sigma: _Scale
    spacing: _Scale
    origin: tuple[int, ...] | None

    def __init__(
        self,
        sigma: _Scale = 3.0,
        weight: float = 3.0,
        *,
        spacing: _Scale = 1.0,
        origin: Sequence[int] | None = None,
        compatibility: Any = None,
        normalization: Normalization = "symmetric",
    ) -> None:
        super().__init__(weight, compatibility, normalization)
        self._set(sigma=_checked(sigma, "sigma", None), spacing=_checked(spacing, "spacing", None))
        self._set(origin=None if origin is None else inputs.as_origin(origin, None))

    def __repr__(self) -> str:
        return (
            f"GaussianKernel(sigma={_text(self.sigma)}, weight={self.weight:g}, spacing={_text(self.spacing)}, "
            f"normalization={self.normalization!r})"
        )

    def columns(self, shape: tuple[int, ...]) -> list[Column]:
        """See :meth:`PairwiseKernel.columns`: x first, then y and z."""
        return position_columns(shape, self.sigma, self.spacing, self.origin)


class BilateralKernel(PairwiseKernel):
    """Appearance kernel ``weight * exp(-|p_i - p_j|^2 / (2 sigma^2) - |I_i - I_j|^2 / (2 color_sigma^2))``.

    Parameters
    ----------
    image : array_like, (*spatial, C) or spatial
        Image on the grid of the unary, any real dtype, any number of channels. Values are used as they are.
    sigma : float or sequence of float
        Standard deviation of the position, in pixels times `spacing`.
    color_sigma : float or sequence of float
        Standard deviation of the colour in the units of the image, one for each channel or one for all.
    weight, spacing, origin, compatibility, normalization
        As in :class:`GaussianKernel`.
    channel_axis : int or None
        Where the channels are; None for an image without a channel axis.
    mask : array_like of bool, spatial shape, optional
        Where the image holds anything, for a :class:`DenseCRF` with this mask: NaN and marks of no data elsewhere do
        not matter.

    Raises
    ------
    ValueError
        If a sigma or spacing is not positive, the image is empty or not finite, or the mask does not fit.
    TypeError
        If the image does not hold real numbers.

    References
    ----------
    .. [1] P. Krähenbühl, V. Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials",
       NeurIPS 2011. :arxiv:`1210.5644`

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> cs.BilateralKernel(np.zeros((4, 6, 3)), sigma=60, color_sigma=10, weight=5)
    BilateralKernel(4x6 image of 3 channels, sigma=60, color_sigma=10, weight=5, normalization='symmetric')
    """

    image: np.ndarray  # (C, *spatial)
    sigma: _Scale
    color_sigma: _Scale
    spacing: _Scale
    origin: tuple[int, ...] | None

    def __init__(
        self,
        image: ArrayLike,
        sigma: _Scale = 80.0,
        color_sigma: _Scale = 13.0,
        weight: float = 10.0,
        *,
        spacing: _Scale = 1.0,
        origin: Sequence[int] | None = None,
        channel_axis: int | None = -1,
        compatibility: Any = None,
        normalization: Normalization = "symmetric",
        mask: ArrayLike | None = None,
    ) -> None:
        super().__init__(weight, compatibility, normalization)
        channels = inputs.as_image(inputs.image_inside(image, mask, channel_axis), None, channel_axis, keep_bytes=True)
        n_axes = channels.ndim - 1
        self._set(
            image=channels,
            color_sigma=_checked(color_sigma, "color_sigma", len(channels)),
            sigma=_checked(sigma, "sigma", n_axes),
            spacing=_checked(spacing, "spacing", n_axes),
            origin=None if origin is None else inputs.as_origin(origin, n_axes),
        )

    def __repr__(self) -> str:
        size = "x".join(map(str, self.image.shape[1:]))
        return (
            f"BilateralKernel({size} image of {self.image.shape[0]} channels, sigma={_text(self.sigma)}, "
            f"color_sigma={_text(self.color_sigma)}, weight={self.weight:g}, normalization={self.normalization!r})"
        )

    def columns(self, shape: tuple[int, ...]) -> list[Column]:
        """See :meth:`PairwiseKernel.columns`: x, y and z, then the channels."""
        if self.image.shape[1:] != shape:
            raise InputError(f"image covers {self.image.shape[1:]} pixels, but the unary covers {shape}")
        sigmas = inputs.as_scale(self.color_sigma, "color_sigma", len(self.image))
        colors = [Column(channel, sigma) for channel, sigma in zip(self.image, sigmas, strict=True)]
        return position_columns(shape, self.sigma, self.spacing, self.origin) + colors


class FeatureKernel(PairwiseKernel):
    """Kernel ``weight * exp(-|f_i - f_j|^2 / 2)`` of features of your own.

    Parameters
    ----------
    features : array_like, (F, *spatial)
        Features of each point in standard deviations.
    weight, compatibility, normalization
        As in :class:`GaussianKernel`.

    Raises
    ------
    ValueError
        If the features are empty or not finite.
    TypeError
        If they are not real numbers.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> cs.FeatureKernel(np.zeros((6, 4, 5)), weight=2)
    FeatureKernel(6 features of 4x5 points, weight=2, normalization='symmetric')
    """

    features: np.ndarray  # (F, *spatial)

    def __init__(
        self,
        features: ArrayLike,
        weight: float = 1.0,
        *,
        compatibility: Any = None,
        normalization: Normalization = "symmetric",
    ) -> None:
        super().__init__(weight, compatibility, normalization)
        self._set(features=inputs.as_features(features))

    def __repr__(self) -> str:
        size = "x".join(map(str, self.features.shape[1:]))
        return (
            f"FeatureKernel({self.features.shape[0]} features of {size} points, weight={self.weight:g}, "
            f"normalization={self.normalization!r})"
        )

    def columns(self, shape: tuple[int, ...]) -> list[Column]:
        """See :meth:`PairwiseKernel.columns`: the features in their order."""
        if self.features.shape[1:] != shape:
            raise InputError(f"features cover {self.features.shape[1:]} points, but the unary covers {shape}")
        return [Column(feature, 1.0) for feature in self.features]


def position_columns(
    shape: tuple[int, ...], sigma: _Scale, spacing: _Scale, origin: tuple[int, ...] | None
) -> list[Column]:
    """Coordinates of the grid points, fastest axis first."""
    sigmas = inputs.as_scale(sigma, "sigma", len(shape))
    spacings = inputs.as_scale(spacing, "spacing", len(shape))
    first = (0,) * len(shape) if origin is None else inputs.as_origin(origin, len(shape))
    columns = []
    for axis in reversed(range(len(shape))):
        line = np.arange(first[axis], first[axis] + shape[axis]).astype(np.float32) * np.float32(spacings[axis])
        along = [1] * len(shape)
        along[axis] = shape[axis]
        columns.append(Column(np.broadcast_to(line.reshape(along), shape), sigmas[axis]))
    return columns


def _checked(scale: _Scale, name: str, n_axes: int | None) -> _Scale:
    """The same scale, as a number or a tuple, if it is a valid one."""
    inputs.as_scale(scale, name, n_axes)
    return scale if np.ndim(scale) == 0 else tuple(scale)  # type: ignore[arg-type]


def _text(scale: _Scale) -> str:
    return f"{scale:g}" if isinstance(scale, (int, float)) else str(scale)
