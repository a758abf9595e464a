"""All ways to segment an image without a model, by name: swap one for another with a word.

Those of scikit-image are called as its users call them. What differs between them (their scales of values, which label
comes first, 64-bit labels) is evened out here: in goes any real image, out come int32 labels from 1.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg.errors import InputError, InputTypeError
from classicseg.inputs import channel_axis_of
from classicseg.splitmerge.growing import seeded_region_growing
from classicseg.splitmerge.split_merge import split_and_merge
from classicseg.splitmerge.srm import statistical_region_merging


@dataclass(frozen=True)
class Segmenter:
    """A method and what is known of it.

    Attributes
    ----------
    name, summary, paper : str
    function : callable
        ``function(image, channel_axis=axis, **options)``; gives labels.
    connected : bool
        Whether labels are connected regions; else they are classes of pixels.
    passed_on : tuple of str
        Options that `function` hands to scikit-image as they are; their defaults are those there.
    """

    name: str
    function: Callable[..., np.ndarray]
    summary: str
    paper: str
    connected: bool = True
    passed_on: tuple[str, ...] = ()

    def options(self) -> dict[str, bool]:
        """Names of the options, and whether each is needed."""
        taken = inspect.signature(self.function).parameters.values()
        own = {p.name: p.default is p.empty for p in taken if p.kind is not p.VAR_KEYWORD}
        del own["image"], own["channel_axis"]
        return own | dict.fromkeys(self.passed_on, False)


def segment(
    image: ArrayLike, method: str = "split_and_merge", *, channel_axis: int | str | None = "auto", **options: Any
) -> np.ndarray:
    """Segment an image with the method of this name.

    Parameters
    ----------
    image : array_like
        (H, W), (D, H, W), and with channels; any real dtype.
    method : str
        :func:`segmenters` lists them: split_and_merge, statistical_region_merging, seeded_region_growing, otsu,
        multi_otsu, local_threshold, watershed, slic, slic_merge, felzenszwalb, quickshift, random_walker.
    channel_axis : int, None or "auto"
        As for :func:`split_and_merge`. Methods for gray images take the mean of the channels.
    **options
        Of the method; unknown ones are refused with a list of the known.

    Returns
    -------
    ndarray, spatial shape, int32
        Labels from 1: regions, or classes from dark to bright where thresholds make them. 0: no label.

    Raises
    ------
    ValueError
        If the method is unknown, or an argument is out of its range.
    TypeError
        If the method has no such option, or needs one that is missing.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> image = np.zeros((20, 30), np.uint8)
    >>> image[:, 15:] = 200
    >>> [int(cs.segment(image, name).max()) for name in ("split_and_merge", "otsu", "slic_merge")]
    [2, 2, 2]
    """
    if not isinstance(method, str) or method not in SEGMENTERS:
        raise InputError(f"method must be one of {', '.join(map(repr, SEGMENTERS))}, got {method!r}")
    segmenter = SEGMENTERS[method]
    _check_options(segmenter, options)
    array = np.asarray(image)
    if array.dtype.kind not in "biuf":
        raise InputTypeError(f"image must hold real numbers, got dtype {array.dtype}")
    if array.size == 0:
        raise InputError(f"image must not be empty, got shape {array.shape}")
    if not np.isfinite(array.sum(dtype=np.float64)) and options.get("mask") is None:
        raise InputError("image must be finite; methods that take a mask can leave the other pixels out")
    labels = segmenter.function(array, channel_axis=channel_axis_of(array.shape, channel_axis), **options)
    return np.ascontiguousarray(labels, np.int32)


def segmenters() -> tuple[str, ...]:
    """Names of the methods of :func:`segment`.

    Examples
    --------
    >>> import classicseg as cs
    >>> "felzenszwalb" in cs.segmenters()
    True
    """
    return tuple(SEGMENTERS)


def _check_options(segmenter: Segmenter, given: dict[str, Any]) -> None:
    options = segmenter.options()
    for option in given:
        if option not in options:
            raise InputTypeError(f"{segmenter.name} has no option {option!r}; its options are {', '.join(options)}")
    for option, needed in options.items():
        if needed and option not in given:
            raise InputTypeError(f"{segmenter.name} needs the option {option!r}")


# --- methods of scikit-image; those of this library are called as they are ----------------------------------------


def _otsu(image: np.ndarray, channel_axis: int | None) -> np.ndarray:
    from skimage.filters import threshold_otsu

    gray = _gray(image, channel_axis)
    return np.ones(gray.shape) if gray.min() == gray.max() else 1 + (gray > threshold_otsu(gray))


def _multi_otsu(image: np.ndarray, channel_axis: int | None, **options: Any) -> np.ndarray:
    from skimage.filters import threshold_multiotsu

    gray = _gray(image, channel_axis)
    return 1 + np.digitize(gray, threshold_multiotsu(gray, **options), right=True)


def _local_threshold(image: np.ndarray, channel_axis: int | None, block_size: int = 35, **options: Any) -> np.ndarray:
    from skimage.filters import threshold_local

    gray = _gray(image, channel_axis)
    return 1 + (gray > threshold_local(gray, block_size, **options))


def _watershed(
    image: np.ndarray, channel_axis: int | None, sigma: float = 1.0, markers: Any = 250, **options: Any
) -> np.ndarray:
    from skimage.filters import gaussian, sobel
    from skimage.segmentation import watershed

    gradient = sobel(gaussian(_gray(image, channel_axis), sigma))
    labels: np.ndarray = watershed(gradient, markers=markers, **options)
    return labels


def _slic(
    image: np.ndarray, channel_axis: int | None, n_segments: int = 250, compactness: float = 10.0, **options: Any
) -> np.ndarray:
    from skimage.segmentation import slic

    # For colours in CIELAB; gray images are used as they are, in 0 to 1: a hundredth of it.
    colors = channel_axis is not None and image.shape[channel_axis] == 3
    labels: np.ndarray = slic(
        image,
        n_segments=n_segments,
        compactness=compactness if colors else compactness / 100,
        channel_axis=channel_axis,
        start_label=1,
        **options,
    )
    return labels


def _slic_merge(
    image: np.ndarray, channel_axis: int | None, threshold: float = 30.0, n_segments: int = 400, **options: Any
) -> np.ndarray:
    from skimage.graph import cut_threshold, rag_mean_color

    superpixels = _slic(image, channel_axis, n_segments, **options)
    graph = rag_mean_color(_three_channels(image, channel_axis).astype(float), superpixels)
    labels: np.ndarray = cut_threshold(superpixels, graph, threshold)
    return 1 + labels - labels.min()


def _felzenszwalb(image: np.ndarray, channel_axis: int | None, scale: float = 100.0, **options: Any) -> np.ndarray:
    from skimage.segmentation import felzenszwalb

    labels: np.ndarray = felzenszwalb(image, scale=scale, channel_axis=channel_axis, **options)
    return 1 + labels


def _quickshift(image: np.ndarray, channel_axis: int | None, **options: Any) -> np.ndarray:
    from skimage.segmentation import quickshift

    channels = _three_channels(image, channel_axis).astype(image.dtype, copy=False)
    labels: np.ndarray = quickshift(channels, rng=0, **options)
    return 1 + labels


def _random_walker(image: np.ndarray, channel_axis: int | None, seeds: Any, **options: Any) -> np.ndarray:
    from skimage.segmentation import random_walker

    labels: np.ndarray = random_walker(image, np.asarray(seeds), mode="cg_j", channel_axis=channel_axis, **options)
    return labels


def _gray(image: np.ndarray, channel_axis: int | None) -> np.ndarray:
    gray: np.ndarray = image if channel_axis is None else image.mean(axis=channel_axis)
    return gray


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
        Segmenter("seeded_region_growing", seeded_region_growing, "Regions grow from seeds.", "Adams and Bischof 1994"),
        Segmenter("otsu", _otsu, "Two classes by one threshold.", "Otsu 1979", connected=False),
        Segmenter(
            "multi_otsu",
            _multi_otsu,
            "Several classes by thresholds.",
            "Liao et al. 2001",
            connected=False,
            passed_on=("classes",),
        ),
        Segmenter(
            "local_threshold",
            _local_threshold,
            "Brighter than the surroundings or not.",
            "Bradley and Roth 2007",
            connected=False,
            passed_on=("offset",),
        ),
        Segmenter(
            "watershed",
            _watershed,
            "Basins of the gradient.",
            "Beucher and Lantuéjoul 1979",
            passed_on=("compactness", "mask"),
        ),
        Segmenter(
            "slic",
            _slic,
            "Superpixels: k-means in colour and place.",
            "Achanta et al. 2012",
            passed_on=("sigma", "mask"),
        ),
        Segmenter(
            "slic_merge",
            _slic_merge,
            "Superpixels of similar colour merged.",
            "Achanta et al. 2012",
            connected=False,
            passed_on=("compactness",),
        ),
        Segmenter(
            "felzenszwalb",
            _felzenszwalb,
            "Graph-based merging.",
            "Felzenszwalb and Huttenlocher 2004",
            passed_on=("sigma", "min_size"),
        ),
        Segmenter(
            "quickshift",
            _quickshift,
            "Modes in colour and place.",
            "Vedaldi and Soatto 2008",
            passed_on=("ratio", "kernel_size", "max_dist"),
        ),
        Segmenter(
            "random_walker", _random_walker, "Which seed a walker meets first.", "Grady 2006", passed_on=("beta",)
        ),
    )
}
