"""All ways to segment an image without a model, by name: swap one for another with a word."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.pipelines.foreign import called
from classicseg.pipelines.image import filled_from_nearest
from classicseg.pipelines.segmenters import SEGMENTERS


def segment(
    image: ArrayLike,
    method: str = "split_and_merge",
    *,
    mask: ArrayLike | None = None,
    channel_axis: int | str | None = "auto",
    **options: Any,
) -> np.ndarray:
    """Segment an image with the method of this name.

    Parameters
    ----------
    image : array_like
        (H, W), (D, H, W), and with channels; any real dtype.
    method : str
        :func:`segmenters` lists them: split_and_merge, statistical_region_merging, seeded_region_growing, otsu,
        multi_otsu, local_threshold, watershed, slic, slic_merge, felzenszwalb, quickshift, random_walker.
    mask : array_like of bool, spatial shape, optional
        Pixels to segment; values elsewhere do not matter, and may be NaN. Methods that know no masks (local_threshold,
        slic_merge, felzenszwalb, quickshift) see the value of the nearest pixel inside there.
    channel_axis : int, None or "auto"
        As for :func:`split_and_merge`. Methods for gray images take the mean of the channels.
    **options
        Of the method; unknown ones are refused with a list of the known.

    Returns
    -------
    ndarray, spatial shape, int32
        Labels from 1: regions, or classes from dark to bright where thresholds make them. 0: no label, as
        outside of the mask.

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
    options = segmenter.checked(options)
    if isinstance(image, np.ma.MaskedArray):
        raise InputTypeError(
            f"image is a masked array, but {method} looks at the values only; pass image.filled(0) and mask=~image.mask"
        )
    array = inputs.read(image, "image")
    if array.size == 0:
        raise InputError(f"image must not be empty, got shape {array.shape}")
    axis = inputs.channel_axis_of(array.shape, channel_axis)
    spatial = tuple(np.delete(array.shape, [] if axis is None else axis).tolist())
    if len(spatial) not in ((2,) if segmenter.planar else (2, 3)):
        wanted = "2" if segmenter.planar else "2 or 3"
        raise InputError(f"image must have {wanted} spatial axes for {method}, got shape {array.shape}")
    inside = None if mask is None else inputs.as_mask(mask, spatial)
    if not segmenter.is_foreign:
        return segmenter.function(array, channel_axis=axis, mask=inside, **options)
    if inside is not None:
        array = filled_from_nearest(array, inside, axis)
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(array.sum(dtype=np.float64)):
            inputs.as_numbers(array, "image", dtype=np.float64)
    labels = called(method, segmenter.function, array, axis, {"mask": inside, **options})
    return np.ascontiguousarray(labels if inside is None else np.where(inside, labels, 0), np.int32)


def segmenters() -> tuple[str, ...]:
    """Names of the methods of :func:`segment`.

    Examples
    --------
    >>> import classicseg as cs
    >>> "felzenszwalb" in cs.segmenters()
    True
    """
    return tuple(SEGMENTERS)
