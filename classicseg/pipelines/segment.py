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
from classicseg.splitmerge.homogeneity import Range
from classicseg.splitmerge.split_merge import split_and_merge
from classicseg.splitmerge.srm import statistical_region_merging


@dataclass(frozen=True)
class Segmenter:
    """A method and what is known of it.

    Attributes
    ----------
    name, summary, paper : str
    function : callable
        ``function(image, channel_axis, **options)``; gives labels.
    connected : bool
        Whether labels are connected regions; else they are classes of pixels.
    """

    name: str
    function: Callable[..., np.ndarray]
    summary: str
    paper: str
    connected: bool = True


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
    labels = segmenter.function(array, channel_axis_of(array.shape, channel_axis), **options)
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


def _check_options(segmenter: Segmenter, options: dict[str, Any]) -> None:
    parameters = list(inspect.signature(segmenter.function).parameters.values())[2:]
    known = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    for option in options:
        if option not in known:
            raise InputTypeError(f"{segmenter.name} has no option {option!r}; its options are {', '.join(known)}")
    for p in parameters:
        if p.default is p.empty and p.name not in options:
            raise InputTypeError(f"{segmenter.name} needs the option {p.name!r}")


_DEFAULT = Range(24)


# --- the methods --------------------------------------------------------------------------------------------------


def _split_and_merge(
    image: np.ndarray, axis: int | None, homogeneity: Any = _DEFAULT, min_size: int = 1, max_depth: int | None = None,
    connectivity: int = 1, mask: Any = None, merge: str | None = "fast", min_area: int = 1,
) -> np.ndarray:  # fmt: skip
    labels: np.ndarray = split_and_merge(
        image, homogeneity, min_size=min_size, max_depth=max_depth, connectivity=connectivity, mask=mask,
        channel_axis=axis, merge=merge, min_area=min_area,
    )  # fmt: skip
    return labels


def _srm(
    image: np.ndarray, axis: int | None, complexity: float = 32.0, value_range: float | None = None, min_area: int = 1,
    mask: Any = None,
) -> np.ndarray:  # fmt: skip
    return statistical_region_merging(
        image, complexity, value_range=value_range, min_area=min_area, mask=mask, channel_axis=axis
    )


def _growing(
    image: np.ndarray,
    axis: int | None,
    seeds: Any,
    tolerance: float | None = None,
    connectivity: int = 1,
    mask: Any = None,
) -> np.ndarray:
    return seeded_region_growing(
        image, seeds, tolerance=tolerance, connectivity=connectivity, mask=mask, channel_axis=axis
    )


def _otsu(image: np.ndarray, axis: int | None) -> np.ndarray:
    from skimage.filters import threshold_otsu

    gray = _gray(image, axis)
    return np.ones(gray.shape) if gray.min() == gray.max() else 1 + (gray > threshold_otsu(gray))


def _multi_otsu(image: np.ndarray, axis: int | None, classes: int = 3) -> np.ndarray:
    from skimage.filters import threshold_multiotsu

    gray = _gray(image, axis)
    return 1 + np.digitize(gray, threshold_multiotsu(gray, classes=classes), right=True)


def _local_threshold(image: np.ndarray, axis: int | None, block_size: int = 35, offset: float = 0) -> np.ndarray:
    from skimage.filters import threshold_local

    gray = _gray(image, axis)
    return 1 + (gray > threshold_local(gray, block_size, offset=offset))


def _watershed(
    image: np.ndarray,
    axis: int | None,
    sigma: float = 1.0,
    markers: Any = 250,
    compactness: float = 0.0,
    mask: Any = None,
) -> np.ndarray:
    from skimage.filters import gaussian, sobel
    from skimage.segmentation import watershed

    gradient = sobel(gaussian(_gray(image, axis), sigma))
    labels: np.ndarray = watershed(gradient, markers=markers, compactness=compactness, mask=mask)
    return labels


def _slic(
    image: np.ndarray, axis: int | None, n_segments: int = 250, compactness: float = 10.0, sigma: float = 0.0,
    mask: Any = None,
) -> np.ndarray:  # fmt: skip
    from skimage.segmentation import slic

    labels: np.ndarray = slic(
        image, n_segments=n_segments, compactness=_own_scale(image, axis, compactness), sigma=sigma, channel_axis=axis,
        start_label=1, mask=mask,
    )  # fmt: skip
    return labels


def _slic_merge(
    image: np.ndarray, axis: int | None, threshold: float = 30.0, n_segments: int = 400, compactness: float = 10.0
) -> np.ndarray:
    from skimage.graph import cut_threshold, rag_mean_color

    superpixels = _slic(image, axis, n_segments, compactness)
    channels = image[..., np.newaxis] if axis is None else np.moveaxis(image, axis, -1)
    if channels.shape[-1] != 3:  # the graph wants three
        channels = np.repeat(channels.mean(axis=-1, keepdims=True), 3, axis=-1)
    graph = rag_mean_color(channels.astype(float), superpixels)
    labels: np.ndarray = cut_threshold(superpixels, graph, threshold)
    return 1 + labels - labels.min()


def _felzenszwalb(
    image: np.ndarray, axis: int | None, scale: float = 100.0, sigma: float = 0.8, min_size: int = 20
) -> np.ndarray:
    from skimage.segmentation import felzenszwalb

    labels: np.ndarray = felzenszwalb(image, scale=scale, sigma=sigma, min_size=min_size, channel_axis=axis)
    return 1 + labels


def _quickshift(
    image: np.ndarray, axis: int | None, ratio: float = 1.0, kernel_size: float = 5.0, max_dist: float = 10.0
) -> np.ndarray:
    from skimage.segmentation import quickshift

    channels = image[..., np.newaxis] if axis is None else np.moveaxis(image, axis, -1)
    if channels.shape[-1] != 3:
        channels = np.repeat(channels.mean(axis=-1, keepdims=True), 3, axis=-1).astype(image.dtype)
    labels: np.ndarray = quickshift(channels, ratio=ratio, kernel_size=kernel_size, max_dist=max_dist, rng=0)
    return 1 + labels


def _random_walker(image: np.ndarray, axis: int | None, seeds: Any, beta: float = 130.0) -> np.ndarray:
    from skimage.segmentation import random_walker

    labels: np.ndarray = random_walker(image, np.asarray(seeds), beta=beta, mode="cg_j", channel_axis=axis)
    return labels


def _gray(image: np.ndarray, axis: int | None) -> np.ndarray:
    gray: np.ndarray = image if axis is None else image.mean(axis=axis)
    return gray


def _own_scale(image: np.ndarray, axis: int | None, compactness: float) -> float:
    """SLIC's compactness for colours in CIELAB; gray images are used as they are, in 0 to 1: a hundredth of it."""
    return compactness if axis is not None and image.shape[axis] == 3 else compactness / 100


SEGMENTERS: dict[str, Segmenter] = {
    segmenter.name: segmenter
    for segmenter in (
        Segmenter(
            "split_and_merge",
            _split_and_merge,
            "Quadtree, then merging under a predicate.",
            "Horowitz and Pavlidis 1976",
        ),
        Segmenter(
            "statistical_region_merging",
            _srm,
            "Merging as far as chance explains differences.",
            "Nock and Nielsen 2004",
        ),
        Segmenter("seeded_region_growing", _growing, "Regions grow from seeds.", "Adams and Bischof 1994"),
        Segmenter("otsu", _otsu, "Two classes by one threshold.", "Otsu 1979", connected=False),
        Segmenter("multi_otsu", _multi_otsu, "Several classes by thresholds.", "Liao et al. 2001", connected=False),
        Segmenter(
            "local_threshold",
            _local_threshold,
            "Brighter than the surroundings or not.",
            "Bradley and Roth 2007",
            connected=False,
        ),
        Segmenter("watershed", _watershed, "Basins of the gradient.", "Beucher and Lantuéjoul 1979"),
        Segmenter("slic", _slic, "Superpixels: k-means in colour and place.", "Achanta et al. 2012"),
        Segmenter(
            "slic_merge", _slic_merge, "Superpixels of similar colour merged.", "Achanta et al. 2012", connected=False
        ),
        Segmenter("felzenszwalb", _felzenszwalb, "Graph-based merging.", "Felzenszwalb and Huttenlocher 2004"),
        Segmenter("quickshift", _quickshift, "Modes in colour and place.", "Vedaldi and Soatto 2008"),
        Segmenter("random_walker", _random_walker, "Which seed a walker meets first.", "Grady 2006"),
    )
}
