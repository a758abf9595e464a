"""Which axes of an image are its pixels, where scores say what they are: of each pixel, or of fewer points."""

from __future__ import annotations

from typing import Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.pipelines.image import find_channel_axis

Shape: TypeAlias = "tuple[int, ...]"
Way: TypeAlias = "tuple[int | None, Shape]"  # a channel axis, and the spatial shape that it leaves

_MOST_CHANNELS = 4  # an axis of so many entries at either end is rather that of channels than of pixels
_ROUGHER = 1.5  # labels differ at least so much more than points that lie side by side
_IF_MEANT = "; if it is meant as it is, pass channel_axis"


def fit_scores(image: ArrayLike, scores: np.ndarray, name: str, channel_axis: Any) -> Way:
    """The channel axis of an image, and its spatial shape, given (L, *grid) scores of its pixels or of fewer points.

    `channel_axis` is what the user says of the image, or "infer", and then a shape that fits exactly is taken first;
    `name` is what the user calls the scores. Raises InputError if nothing fits, or if something else may be meant:
    other axes of channels, axes in reverse, labels that come last.
    """
    grid, shape = scores.shape[1:], inputs.read(image, "image").shape
    if not (isinstance(channel_axis, str) and channel_axis == "infer"):
        spatial = _without(shape, channel_axis)
        if not is_within(grid, spatial):
            inputs.as_image(image, grid, channel_axis)  # says what does not fit
        return channel_axis, spatial
    ways: list[Way] = [(axis, _without(shape, axis)) for axis in (None, -1, 0)]
    if any(spatial == grid for _, spatial in ways):
        return find_channel_axis(image, grid, name), grid
    fitting = [(axis, spatial) for axis, spatial in ways if is_within(grid, spatial)]
    if not fitting:
        _refuse_unfit(image, shape, grid, name)
    axis, spatial = _likeliest(fitting, shape, grid, name)
    _refuse_other_orders(scores, shape, spatial, name)
    return axis, spatial


def is_within(grid: Shape, spatial: Shape) -> bool:
    """Whether a grid has as many axes as an image of this spatial shape, and nowhere more points than it has pixels."""
    return len(grid) == len(spatial) > 0 and all(m <= n for m, n in zip(grid, spatial, strict=True))


def pixels_by_point(spatial: Shape, grid: Shape) -> float:
    """How many pixels of an image there are for each point of a grid along an axis, in the mean over the axes."""
    return float(np.prod([n / m for n, m in zip(spatial, grid, strict=True)]) ** (1 / len(grid)))


def _likeliest(fitting: list[Way], shape: Shape, grid: Shape, name: str) -> Way:
    """The one way that is meant, of those that fit."""
    channels = {axis: 1 if axis is None else shape[axis] for axis, _ in fitting}
    few = [way for way in fitting if channels[way[0]] <= _MOST_CHANNELS]
    even = [way for way in fitting if _is_even(way[1], grid)]
    chosen = next((ways for ways in (few, even) if len(ways) == 1), fitting)
    axis, spatial = chosen[0]
    looks_colored = axis is None and len(shape) > 2 and shape[-1] <= _MOST_CHANNELS
    if len(chosen) > 1 or (not few and min(shape[0], shape[-1]) <= _MOST_CHANNELS) or looks_colored:
        raise InputError(
            f"image of shape {shape} with {name} of {_text(grid)} points may have several axes of channels, or none; "
            "pass channel_axis, None if it has no channels"
        )
    return axis, spatial


def _refuse_unfit(image: ArrayLike, shape: Shape, grid: Shape, name: str) -> NoReturn:
    reverse = grid[::-1]
    if len(grid) in (len(shape), len(shape) - 1) and reverse not in (shape, shape[:-1]):
        raise InputError(
            f"image of shape {shape} does not fit {name} of {_text(grid)} points; expected {grid}, {(*grid, 'C')}, or a"
            " larger image: one at least as large as what the network saw"
        )
    find_channel_axis(image, grid, name)
    raise AssertionError("unreachable: nothing fits")


def _refuse_other_orders(scores: np.ndarray, shape: Shape, spatial: Shape, name: str) -> None:
    """Raise if scores on a smaller grid fit as they are, but would fit better with their axes in another order."""
    grid = scores.shape[1:]
    if not _is_even(spatial, grid) and grid != grid[::-1] and _is_even(spatial, grid[::-1]):
        raise InputError(
            f"image of shape {shape} and {name} of {_text(grid)} points seem to have their axes in reverse orders, see "
            f"np.transpose{_IF_MEANT}"
        )
    before = scores.shape[:-1]
    if is_within(before, spatial) and _unevenness(spatial, before) < _unevenness(spatial, grid) and grid[-1] > 1:
        along_first, along_last = (float(np.abs(np.diff(scores, axis=axis)).mean()) for axis in (0, -1))
        if along_last > _ROUGHER * along_first:
            raise InputError(
                f"{name} of shape {scores.shape} seem to have their labels last, as the image has shape {shape}; "
                f"pass label_axis=-1{_IF_MEANT}"
            )


def _without(shape: Shape, axis: Any) -> Shape:
    if axis is None:
        return shape
    n = inputs.as_axis(axis, len(shape), "channel_axis", "image") if len(shape) else 0
    return (*shape[:n], *shape[n + 1 :])


def _is_even(spatial: Shape, grid: Shape) -> bool:
    """Whether one ratio, rounded up or down, leads from the pixels to the points of all axes."""
    pairs = list(zip(spatial, grid, strict=True))
    low, high = max(n / (m + 1) for n, m in pairs), min(n / (m - 1) if m > 1 else np.inf for n, m in pairs)
    return is_within(grid, spatial) and low < high


def _unevenness(spatial: Shape, grid: Shape) -> float:
    """The largest ratio of pixels to points of an axis, by the smallest."""
    ratios = [n / m for n, m in zip(spatial, grid, strict=True)]
    return max(ratios) / min(ratios)


def _text(shape: Shape) -> str:
    return " x ".join(map(str, shape))
