"""What networks put out: logits within an object, a batch of one image, labels behind the pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from classicseg.errors import InputError, InputTypeError
from classicseg.inputs.axes import as_axis
from classicseg.inputs.reading import as_array, read, text

_KEYS = ("logits", "out")  # of what transformers and torchvision return
_MOST_CHANNELS = 4  # a last axis of so many entries is rather that of channels than of pixels


def scores_of(value: Any, name: str, image: Any, label_axis: int, channel_axis: Any) -> np.ndarray:
    """Scores of one image as an array, not copied.

    Of an object that has logits, these; of a batch of one image, its scores, (1, L, *spatial) as (L, *spatial).
    `channel_axis` is that of the image, or "infer".

    Raises
    ------
    ValueError
        If there are several images, the labels come last and `label_axis` does not say so, or there is one channel for
        an image, without an axis of labels.
    TypeError
        If there are no numbers, or logits where probabilities or costs are expected.
    """
    held = _held(value)
    if held is not value and name != "logits":
        raise InputTypeError(f"{name} must be an array, got {type(value).__name__}, which holds logits; pass logits=")
    if getattr(held, "dtype", None) == np.bool_:
        raise InputTypeError(f"{name} must hold real numbers, got a mask of booleans; unary_from_labels takes masks")
    scores = read(held, name, booleans=False)
    if not isinstance(label_axis, (int, np.integer)) or label_axis != 0:
        return scores
    of_image = as_array(image, "image").shape
    is_plane = scores.shape == of_image and (channel_axis is None or isinstance(channel_axis, str))
    if scores.ndim == 2 and (len(of_image) == 3 or is_plane):
        raise InputError(
            f"{name} of shape {text(scores.shape)} lack the axis of labels, which comes first, (L, H, W); "
            "unary_from_sigmoid takes the foreground alone"
        )
    fitting = _spatial_shapes(of_image, channel_axis)
    is_batch = scores.ndim > 3 and _covers(scores.shape[2:], fitting) and not _covers(scores.shape[1:], fitting)
    if is_batch and scores.shape[0] > 1 and (scores.shape[2:] in fitting or of_image[-1] <= _MOST_CHANNELS):
        raise InputError(
            f"{name} of shape {text(scores.shape)} hold {scores.shape[0]} images, but image has shape "
            f"{text(of_image)}; give one image at a time"
        )
    if is_batch and scores.shape[0] == 1:
        return scores[0]
    if scores.ndim > 2 and scores.shape[1:] not in fitting and scores.shape[:-1] in fitting:
        also = scores.shape[1:] == of_image[1:]
        raise InputError(
            f"{name} of shape {text(scores.shape)} fit the image, of shape {text(of_image)}, with their labels last: "
            f"pass label_axis=-1"
            + (f", or channel_axis=0 if the image has {of_image[0]} channels in front" if also else "")
        )
    return scores


def _covers(grid: tuple[int, ...], spatial: list[tuple[int, ...]]) -> bool:
    """Whether a grid may lie on pixels of one of these shapes, or on fewer points that stand for them."""
    return any(len(grid) == len(s) and all(m <= n for m, n in zip(grid, s, strict=True)) for s in spatial)


def _held(value: Any) -> Any:
    """The logits of what a network returned; whatever is none of that stays."""
    if hasattr(value, "logits"):
        return value.logits
    if isinstance(value, Mapping):
        return next((value[key] for key in _KEYS if key in value), value)
    return value


def _spatial_shapes(image: tuple[int, ...], channel_axis: Any) -> list[tuple[int, ...]]:
    """The shapes that the pixels of an image may have."""
    if channel_axis is None:
        return [image]
    if not isinstance(channel_axis, str):
        axis = as_axis(channel_axis, len(image), "channel_axis", "image")
        return [(*image[:axis], *image[axis + 1 :])]
    first, last = image[1:], image[:-1]
    if len(image) > 2 and image[-1] <= _MOST_CHANNELS < image[0]:
        return [image, last]
    return [image, first, last]
