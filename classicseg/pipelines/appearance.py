"""What a refinement sees of an image, and the kernels that a preset makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.kernels import BilateralKernel, GaussianKernel, PairwiseKernel
from classicseg.errors import InputError
from classicseg.pipelines import presets
from classicseg.pipelines.image import box_around, eight_bit_unit
from classicseg.pipelines.presets import Preset


@dataclass(frozen=True)
class Appearance:
    """Colours, and the units of the ranges.

    Attributes
    ----------
    channels : ndarray, (C, *spatial)
        Marks of no data and other far values are brought near.
    unit : float
        What a step of an 8-bit image is in this one.
    spacing : tuple of float
        Distance of neighbouring pixels along each axis.
    side : float
        Mean side of the whole image, in the unit of `spacing`; with a mask, of the smallest box around it.
    mask : ndarray, (*spatial), bool, or None
        Pixels that take part; None if all do.
    origin : tuple of int or None
        Where the image begins in a larger one.
    """

    channels: np.ndarray
    unit: float
    spacing: tuple[float, ...]
    side: float
    mask: np.ndarray | None = None
    origin: tuple[int, ...] | None = None

    @classmethod
    def of(
        cls,
        image: ArrayLike,
        spatial: tuple[int, ...],
        channel_axis: int | None,
        spacing: float | Sequence[float],
        mask: np.ndarray | None = None,
        like: ArrayLike | None = None,
    ) -> Appearance:
        """That of an image whose pixels have the shape `spatial`; `like` is a whole of which it is a tile."""
        steps = inputs.as_positive(spacing, "spacing", len(spatial))
        filled = inputs.image_inside(image, mask, channel_axis)
        channels = inputs.as_image(filled, spatial, channel_axis, keep_bytes=True)
        if like is None:
            low, high = inputs.value_range(channels if mask is None else channels[:, mask], 0)
            sides = spatial if mask is None else tuple(part.stop - part.start for part in box_around(mask))
        else:
            whole = _whole(like, len(spatial), channel_axis)
            (low, high), sides = inputs.value_range(whole, 0), whole.shape[1:]
        side = float(np.prod([n * step for n, step in zip(sides, steps, strict=True)]) ** (1 / len(sides)))
        return cls(inputs.without_far_values(channels, low, high), eight_bit_unit(low, high), tuple(steps), side, mask)

    def thinned(self, counts: Sequence[int]) -> Appearance:
        """The colours at the middles of that many blocks along each axis, which become the pixels."""
        spatial = self.channels.shape[1:]
        seen, inside = at_middles(self.channels, counts), None if self.mask is None else at_middles(self.mask, counts)
        spacing = tuple(s * n / m for s, n, m in zip(self.spacing, spatial, counts, strict=True))
        return replace(self, channels=seen, spacing=spacing, mask=inside, origin=None)

    def in_units(self, preset: Preset, changes: dict[str, Any]) -> Preset:
        """A preset in pixels and in the units of the image, with `changes`, which are given in these."""
        chosen = preset.in_pixels(self.side)
        if "color_sigma" not in changes:
            chosen = chosen.replace(color_sigma=presets.scaled(chosen.color_sigma, self.unit, "color_sigma"))
            inputs.as_scale(chosen.color_sigma, "color_sigma, which follows the range of image,", None)
        chosen = chosen.replace(spacing=self.spacing, **{k: v for k, v in changes.items() if k != "spacing"})
        for weight in ("weight", "bilateral_weight"):
            inputs.as_weight(getattr(chosen, weight), weight)
        inputs.as_scale(chosen.bilateral_sigma, "bilateral_sigma", len(self.spacing))  # the kernel calls it sigma
        return chosen

    def kernels(self, chosen: Preset) -> list[PairwiseKernel]:
        """The kernels of a preset that is in pixels and in the units of the image; one of weight 0 is left out."""
        kernels: list[PairwiseKernel] = []
        if chosen.weight != 0:
            kernels.append(GaussianKernel(chosen.sigma, chosen.weight, spacing=self.spacing, origin=self.origin))
        if chosen.bilateral_weight != 0:
            ranges = chosen.bilateral_sigma, chosen.color_sigma, chosen.bilateral_weight
            where: dict[str, Any] = {"spacing": self.spacing, "origin": self.origin}
            kernels.append(BilateralKernel(self.channels, *ranges, **where, channel_axis=0))
        return kernels


def at_middles(values: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """Values (..., *spatial) at the middles of that many blocks along each spatial axis."""
    spatial = values.shape[values.ndim - len(counts) :]
    middles = [((np.arange(m) + 0.5) * (n / m)).astype(int) for n, m in zip(spatial, counts, strict=True)]
    return values[(..., *np.ix_(*middles))]


def _whole(like: ArrayLike, n_axes: int, channel_axis: int | None) -> np.ndarray:
    """The channels of the image that a tile is of, (C, *spatial)."""
    shape = inputs.read(like, "like").shape
    expected = n_axes + (channel_axis is not None)
    if len(shape) != expected:
        raise InputError(f"like must have {expected} axes, as image has, got shape {shape}")
    axis = None if channel_axis is None else inputs.as_axis(channel_axis, expected, "channel_axis", "like")
    spatial = shape if axis is None else (*shape[:axis], *shape[axis + 1 :])
    return inputs.as_image(like, spatial, channel_axis, name="like", keep_bytes=True)
