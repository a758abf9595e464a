"""What :func:`cutout` makes of an image once, for all rounds and all strokes."""

from __future__ import annotations

import threading
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.contrast import contrast_weights
from classicseg.energies.grid_crf import GridCRF
from classicseg.energies.points import spread
from classicseg.errors import InputError
from classicseg.pipelines.image import eight_bit_unit, find_channel_axis
from classicseg.solvers.cut.graph_cut import GraphCut
from classicseg.solvers.minimize import minimize

Region = tuple[slice, ...]

_STEPS = 1024
"""In a cost of 1. What is likely is known far less well; and cuts of whole numbers of steps need no second round."""


_LIGHTEST = 2.0**-100  # weights of less are not rounded: float32 could not count the steps


def in_steps(values: np.ndarray, typical: float) -> None:
    """Round float32 values, of which some are about as large as the typical one, to whole steps, in place."""
    steps = np.float32(_STEPS * 2.0 ** -np.floor(np.log2(typical)))
    values *= steps
    np.rint(values, out=values)
    values /= steps


class PreparedImage:
    """What depends on the image alone and serves all calls for it, and the flow of the last cut.

    Attributes
    ----------
    colors : ndarray, (C, N), float32
        In the units of an 8-bit image, of mean 0; 0 where pixels do not take part.
    weights : dict of str to ndarray
    image : ndarray, (C, *spatial)
        As it was given; outside of the mask filled with the colour of the first pixel inside.
    shape : tuple of int
    mask : ndarray, spatial shape, bool, or None
        None if all pixels take part.
    spacing : tuple of float
    units : ndarray, (1 + C,), float32
        What a step of `colors` is in the image, and what 0 is in each channel.
    shown : tuple of float
        The values of the image that are black and white: 0 and 255 of one of 8 bits, else the ends of its range.
    """

    def __init__(
        self,
        colors: np.ndarray,
        weights: dict[str, np.ndarray],
        image: np.ndarray,
        mask: np.ndarray | None,
        spacing: tuple[float, ...],
        units: np.ndarray,
        shown: tuple[float, float],
        contrast: dict[str, Any],
    ) -> None:
        self.units, self.shown, self._contrast = units, shown, contrast
        self.weights, self.image, self.shape, self.mask, self.spacing = weights, image, image.shape[1:], mask, spacing
        self.colors = colors if mask is None else np.ascontiguousarray(spread(colors, mask).reshape(len(colors), -1))
        self._cut: GraphCut | None = None
        self._weight, self._owner = 0.0, None  # of the last cut
        self._lock = threading.Lock()  # results that share this may be gone on from by several threads

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_cut": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    def at(self, pixels: np.ndarray) -> PreparedImage:
        """A small image of some of the pixels, flat numbers in its shape, with contrasts of its own."""
        channels = self.image.reshape(len(self.image), -1)[:, pixels]
        mask = None if self.mask is None else self.mask.reshape(-1)[pixels]
        colors = self.colors[:, pixels.reshape(-1) if mask is None else pixels[mask]]
        weights = _weights(channels, mask, self._contrast)
        return PreparedImage(colors, weights, channels, mask, self.spacing, self.units, self.shown, self._contrast)

    def minimum(self, crf: GridCRF, weight: float, start: np.ndarray, n_threads: int, owner: Any) -> np.ndarray:
        """Labels of least energy; for 2 labels the flow of the last cut is the start, which changes no label.

        `owner` may go on from its flow with :meth:`minimum_within`, until another takes over.
        """
        if crf.n_labels > 2:
            init = np.where(np.isinf(np.take_along_axis(crf.unary, start[None], 0)[0]), crf.unary.argmin(axis=0), start)
            return minimize(crf, "expansion", init=init, n_threads=n_threads).labels
        with self._lock:
            cut, self._cut = self._cut, None  # a flow that was interrupted is not gone on from
            if cut is None or self._weight != weight:
                cut = GraphCut(crf, n_threads=n_threads)
            else:
                cut.set_unary(crf.unary)
            labels = cut.solve().labels
            self._cut, self._weight, self._owner = cut, weight, owner
            return labels

    def minimum_within(
        self, region: Region, unary: np.ndarray, labels: np.ndarray, owner: Any
    ) -> tuple[float, Region | None] | None:
        """Cut again with other costs in a region, and write the labels that change.

        Returns the energy and where labels changed; None if the last cut was not the owner's.
        """
        with self._lock:
            if self._cut is None or self._owner is not owner:
                return None
            cut, self._cut = self._cut, None
            cut.set_unary(unary, region)
            energy = cut.solve(out=labels).energy
            assert energy is not None
            self._cut = cut
            return energy, cut.changed


def prepare(
    image: ArrayLike,
    mask: ArrayLike | None,
    scribbles: Any,
    box: Any,
    channel_axis: Any,
    *,
    beta: Any = None,
    connectivity: int | None = None,
    spacing: Any = 1.0,
) -> PreparedImage:
    """What depends on the image alone; where its channels are may follow from the scribbles or the box."""
    image = inputs.as_array(image, "image")
    axis = (
        _channel_axis(image, scribbles, box)
        if isinstance(channel_axis, str) and channel_axis == "infer"
        else channel_axis
    )
    channels = inputs.as_image(inputs.image_inside(image, mask, axis), None, axis)
    shape = channels.shape[1:]
    if len(shape) > 3:
        raise InputError(f"image must have 1 to 3 spatial axes, got shape {image.shape}")
    neighbours = {1: 2, 2: 8, 3: 6}[len(shape)] if connectivity is None else connectivity
    inside = None if mask is None else inputs.as_mask(mask, shape)
    contrast = {"beta": beta, "connectivity": neighbours, "spacing": spacing}
    weights = _weights(channels, inside, contrast)
    seen = channels.reshape(len(channels), -1) if inside is None else channels[:, inside]
    low, high = inputs.value_range(seen, 0)
    unit = eight_bit_unit(low, high)
    flat = inputs.without_far_values(seen, low, high)
    mean = flat.mean(axis=1, keepdims=True, dtype=np.float64)
    kept = channels.copy() if np.may_share_memory(channels, image) else channels
    distances = inputs.as_scale(spacing, "spacing", len(shape))
    units = np.array([unit, *mean[:, 0]], np.float32)
    shown = (0.0, 255.0) if image.dtype == np.uint8 else (low, high)
    colors = ((flat - mean) / unit).astype(np.float32)
    return PreparedImage(colors, weights, kept, inside, distances, units, shown, contrast)


def _weights(channels: np.ndarray, mask: np.ndarray | None, contrast: dict[str, Any]) -> dict[str, np.ndarray]:
    """Contrast weights in whole steps."""
    weights = contrast_weights(channels, channel_axis=0, mask=mask, **contrast)
    heaviest = max(float(w.max(initial=0)) for w in weights.values())
    for w in weights.values():
        if heaviest > _LIGHTEST:
            in_steps(w, heaviest)
    return weights


def _channel_axis(image: np.ndarray, scribbles: Any, box: Any) -> int | None:
    if scribbles is not None:
        return find_channel_axis(image, inputs.as_array(scribbles, "scribbles").shape, "scribbles")
    return None if image.ndim == len(inputs.as_sequence(box, "box", "whole numbers")) // 2 else -1


def check_same_image(prepared: PreparedImage, image: ArrayLike, channel_axis: int | Literal["infer"] | None) -> None:
    """Refuse another image than the one that this was prepared from."""
    known, image = prepared.image, inputs.as_array(image, "image")
    if image.size != known.size:
        raise InputError(
            f"previous must be a result for this image, got one of {known.shape[1:]} pixels for an image of shape "
            f"{image.shape}"
        )
    axis = (
        find_channel_axis(image, known.shape[1:], "previous")
        if isinstance(channel_axis, str) and channel_axis == "infer"
        else channel_axis
    )
    if not np.array_equal(
        inputs.as_image(inputs.image_inside(image, prepared.mask, axis), known.shape[1:], axis), known
    ):
        raise InputError(
            "previous must be a result for this image, got one for an image of the same size with other values; "
            "to begin anew with its strokes pass scribbles=previous.scribbles"
        )
