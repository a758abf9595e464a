"""The methods of :func:`segment`, and what is known of them.

Those of scikit-image are called as its users call them. What differs between them (their scales of values, which label
comes first, 64-bit labels) is evened out here: in goes any real image, out come labels from 1. Values reach
scikit-image as float64 from 0 to 1, the ordinary range of the image (within a mask), so that equal values of another
dtype give the same answer, and a hot pixel changes it only around itself.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.splitmerge.growing import seeded_region_growing
from classicseg.splitmerge.otsu import otsu_cuts
from classicseg.splitmerge.rules import as_classes
from classicseg.splitmerge.split_merge import split_and_merge
from classicseg.splitmerge.srm import statistical_region_merging

_WIDEST = 2**14
"""Pixels that a filter may look at along an axis, or it takes minutes."""


@dataclass(frozen=True)
class Segmenter:
    """A method and what is known of it.

    Attributes
    ----------
    name, summary, paper : str
    function : callable
        ``function(image, channel_axis=axis, mask=mask, **options)``; gives labels. The mask is None or has an outside.
    connected : bool
        Whether all pixels of a label are connected through sides of pixels.
    passed_on : tuple of str
        Options that `function` hands to scikit-image as they are; their defaults are those there.
    planar : bool
        Whether it knows images of two axes only.
    knows_masks : bool
        Whether it leaves out what is outside of a mask. Others see there what the nearest pixel inside has.
    """

    name: str
    function: Callable[..., np.ndarray]
    summary: str
    paper: str
    connected: bool = True
    passed_on: tuple[str, ...] = ()
    planar: bool = False
    knows_masks: bool = True

    @property
    def is_foreign(self) -> bool:
        """Whether it is one of scikit-image."""
        return self.function.__module__ == __name__

    def options(self) -> dict[str, bool]:
        """Names of the options, and whether each is needed."""
        taken = inspect.signature(self.function).parameters.values()
        own = {p.name: p.default is p.empty for p in taken if p.kind is not p.VAR_KEYWORD}
        del own["image"], own["channel_axis"], own["mask"]
        return own | dict.fromkeys(self.passed_on, False)

    def checked(self, given: dict[str, Any]) -> dict[str, Any]:
        """The options given, plain numbers where they are handed on; unknown ones and missing ones are refused."""
        options = self.options()
        for option in given:
            if option not in options:
                raise InputTypeError(f"{self.name} has no option {option!r}; its options are {', '.join(options)}")
        for option, needed in options.items():
            if needed and option not in given:
                raise InputTypeError(f"{self.name} needs the option {option!r}")
        if not self.is_foreign:  # those of this library check their own
            return given
        return {name: _CHECKS[name](value, name) if name in _CHECKS else value for name, value in given.items()}


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(("n_segments", "min_size"), partial(inputs.as_count, minimum=1, maximum=2**31 - 1)),
    **dict.fromkeys(("compactness", "scale", "max_dist"), inputs.as_positive_number),
    "kernel_size": partial(inputs.as_weight, at_least=1.0),
    **dict.fromkeys(("threshold", "beta"), partial(inputs.as_weight, at_least=0.0)),
    "sigma": partial(inputs.as_weight, at_least=0.0, below=float(_WIDEST)),
    "ratio": inputs.as_probability,
}
"""What options that are handed on have to be."""


# --- methods of scikit-image; those of this library are called as they are ----------------------------------------


def _otsu(image: np.ndarray, channel_axis: int | None, mask: np.ndarray | None) -> np.ndarray:
    gray = _gray(image, channel_axis)
    inside = gray if mask is None else gray[mask]
    return np.ones(gray.shape) if inside.min() == inside.max() else 1 + (gray > otsu_cuts(inside, 2))


def _multi_otsu(image: np.ndarray, channel_axis: int | None, mask: np.ndarray | None, classes: int = 3) -> np.ndarray:
    gray = _gray(image, channel_axis)
    inside = gray if mask is None else gray[mask]
    return 1 + np.digitize(gray, otsu_cuts(inside, as_classes(classes)), right=True)


def _local_threshold(
    image: np.ndarray, channel_axis: int | None, mask: np.ndarray | None, block_size: int = 35, offset: float = 0.0
) -> np.ndarray:
    from skimage.filters import threshold_local

    if inputs.as_count(block_size, "block_size", 1) % 2 == 0 or block_size > _WIDEST:
        raise InputError(f"block_size must be odd and below {_WIDEST}, got {block_size}")
    gray = _gray(image, channel_axis).astype(np.float64)  # in units of the image, as the offset is
    return 1 + (gray > threshold_local(gray, block_size, offset=inputs.as_weight(offset, "offset")))


def _watershed(
    image: np.ndarray,
    channel_axis: int | None,
    mask: np.ndarray | None,
    sigma: float = 1.0,
    markers: Any = 250,
    **options: Any,
) -> np.ndarray:
    from skimage.filters import gaussian, sobel
    from skimage.segmentation import watershed

    gray = _gray(_in_unit_range(image, channel_axis, mask), channel_axis)
    if inputs.as_array(markers, "markers").ndim == 0:
        markers = inputs.as_count(markers, "markers", 1, 2**31 - 1)
    else:
        markers = inputs.as_labels(markers, gray.shape, 2**31 - 1, name="markers", mask=mask)
    gradient = sobel(gaussian(gray, sigma))
    labels: np.ndarray = watershed(gradient, markers=markers, mask=mask, **options)
    return labels


def _slic(
    image: np.ndarray,
    channel_axis: int | None,
    mask: np.ndarray | None,
    n_segments: int = 250,
    compactness: float = 10.0,
    **options: Any,
) -> np.ndarray:
    from skimage.segmentation import slic

    # For colours in CIELAB; gray images are used as they are, in 0 to 1: a hundredth of it.
    colors = channel_axis is not None and image.shape[channel_axis] == 3
    labels: np.ndarray = slic(
        _in_unit_range(image, channel_axis, mask),
        mask=mask,
        n_segments=n_segments,
        compactness=compactness if colors else compactness / 100,
        channel_axis=channel_axis,
        start_label=1,
        **options,
    )
    return labels


def _slic_merge(
    image: np.ndarray,
    channel_axis: int | None,
    mask: np.ndarray | None,
    threshold: float = 30.0,
    n_segments: int = 400,
    **options: Any,
) -> np.ndarray:
    from skimage.graph import cut_threshold, rag_mean_color

    superpixels = _slic(image, channel_axis, None, n_segments, **options)
    if superpixels.min() == superpixels.max():
        return np.ones_like(superpixels)  # there is no border to make a graph of
    colors = 255 * _three_channels(_in_unit_range(image, channel_axis, mask), channel_axis)
    labels: np.ndarray = cut_threshold(superpixels, rag_mean_color(colors, superpixels), threshold)
    return 1 + labels - labels.min()


def _felzenszwalb(
    image: np.ndarray, channel_axis: int | None, mask: np.ndarray | None, scale: float = 100.0, **options: Any
) -> np.ndarray:
    from skimage.segmentation import felzenszwalb

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Got image with third dimension")  # more than three channels are meant
        labels: np.ndarray = felzenszwalb(
            _in_unit_range(image, channel_axis, mask), scale=scale, channel_axis=channel_axis, **options
        )
    return 1 + labels


def _quickshift(image: np.ndarray, channel_axis: int | None, mask: np.ndarray | None, **options: Any) -> np.ndarray:
    from skimage.segmentation import quickshift

    channels = _three_channels(_in_unit_range(image, channel_axis, mask), channel_axis)
    labels: np.ndarray = quickshift(channels, rng=0, **options)
    return 1 + labels


def _random_walker(
    image: np.ndarray, channel_axis: int | None, mask: np.ndarray | None, seeds: Any, **options: Any
) -> np.ndarray:
    from skimage.segmentation import random_walker

    shape = image.shape if channel_axis is None else tuple(np.delete(image.shape, channel_axis))
    given = inputs.as_labels(seeds, shape, 2**31 - 1, name="seeds", mask=mask)
    names = np.unique(given[given > 0])
    if names.size == 0:
        raise InputError("seeds must hold a label above 0, got none")
    numbers = np.where(given > 0, 1 + np.searchsorted(names, given), 0)
    if mask is not None:
        numbers[~mask] = -1  # where no walker goes
    if names.size > 1 and (numbers == 0).any():
        values = _in_unit_range(image, channel_axis, mask)
        if values.min() == values.max():  # it divides by the standard deviation: without beta, by any but 0
            values, options = np.arange(values.size, dtype=np.float64).reshape(values.shape), {"beta": 0}
        # Which probability is the largest is all that counts, not by how much rounding takes it beyond 0 to 1.
        numbers = random_walker(values, numbers, mode="cg_j", prob_tol=np.inf, channel_axis=channel_axis, **options)
    elif names.size == 1:
        numbers = np.ones(shape, int)
    return np.concatenate([[0], names])[np.maximum(numbers, 0)]


def _gray(image: np.ndarray, channel_axis: int | None) -> np.ndarray:
    gray: np.ndarray = image if channel_axis is None else image.mean(axis=channel_axis, dtype=np.float64)
    return gray


def _in_unit_range(image: np.ndarray, channel_axis: int | None, mask: np.ndarray | None) -> np.ndarray:
    """The image in float64, with the ordinary range of its values (within a mask) as 0 to 1, cut where they end."""
    channels = image[..., np.newaxis] if channel_axis is None else np.moveaxis(image, channel_axis, -1)
    inside = channels.reshape(-1, channels.shape[-1]) if mask is None else channels[mask]
    low, high = inputs.value_range(inside, -1)
    scaled: np.ndarray = (image.astype(np.float64).clip(low, high) - low) / ((high - low) or 1.0)
    return scaled


def _three_channels(image: np.ndarray, channel_axis: int | None) -> np.ndarray:
    """The image with three channels, last: its own three, or three times their mean."""
    channels = image[..., np.newaxis] if channel_axis is None else np.moveaxis(image, channel_axis, -1)
    return channels if channels.shape[-1] == 3 else np.repeat(channels.mean(axis=-1, keepdims=True), 3, axis=-1)


SEGMENTERS: dict[str, Segmenter] = {
    segmenter.name: segmenter
    for segmenter in (
        Segmenter(
            "split_and_merge",
            split_and_merge,
            "Quadtree, then merging under a predicate.",
            "Horowitz and Pavlidis 1976",
        ),
        Segmenter(
            "statistical_region_merging",
            statistical_region_merging,
            "Merging as far as chance explains differences.",
            "Nock and Nielsen 2004",
        ),
        Segmenter(
            "seeded_region_growing",
            seeded_region_growing,
            "Regions grow from seeds.",
            "Adams and Bischof 1994",
            connected=False,
        ),
        Segmenter("otsu", _otsu, "Two classes by one threshold.", "Otsu 1979", connected=False),
        Segmenter(
            "multi_otsu",
            _multi_otsu,
            "Several classes by thresholds.",
            "Liao et al. 2001",
            connected=False,
        ),
        Segmenter(
            "local_threshold",
            _local_threshold,
            "Brighter than the surroundings or not.",
            "Bradley and Roth 2007",
            connected=False,
            knows_masks=False,
        ),
        Segmenter(
            "watershed",
            _watershed,
            "Basins of the gradient.",
            "Beucher and Lantuéjoul 1979",
            passed_on=("compactness",),
        ),
        Segmenter(
            "slic",
            _slic,
            "Superpixels: k-means in colour and place.",
            "Achanta et al. 2012",
            passed_on=("sigma",),
        ),
        Segmenter(
            "slic_merge",
            _slic_merge,
            "Superpixels of similar colour merged.",
            "Achanta et al. 2012",
            connected=False,
            passed_on=("compactness",),
            knows_masks=False,
        ),
        Segmenter(
            "felzenszwalb",
            _felzenszwalb,
            "Graph-based merging.",
            "Felzenszwalb and Huttenlocher 2004",
            connected=False,
            passed_on=("sigma", "min_size"),
            planar=True,
            knows_masks=False,
        ),
        Segmenter(
            "quickshift",
            _quickshift,
            "Modes in colour and place.",
            "Vedaldi and Soatto 2008",
            connected=False,
            passed_on=("ratio", "kernel_size", "max_dist"),
            planar=True,
            knows_masks=False,
        ),
        Segmenter(
            "random_walker",
            _random_walker,
            "Which seed a walker meets first.",
            "Grady 2006",
            connected=False,
            passed_on=("beta",),
        ),
    )
}
