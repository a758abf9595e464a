"""Statistical region merging."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.splitmerge.picture import as_picture

_PAPER_RANGE = 255.0
"""Range of the values for which the paper's Q is meant: its g of 256, minus 1."""


def _all_whole(values: np.ndarray) -> bool:
    """Whether all values are whole numbers."""
    return bool((values == np.rint(values)).all())


def statistical_region_merging(
    image: ArrayLike,
    complexity: float = 32.0,
    *,
    value_range: float | None = None,
    min_area: int = 1,
    mask: ArrayLike | None = None,
    channel_axis: int | str | None = "auto",
) -> np.ndarray:
    """Segment an image by merging pixels as long as chance explains the difference of two regions.

    Pairs of neighbouring pixels are visited once, in the order of their difference. Their regions become one if, in
    every channel, the means differ by no more than samples of one and the same region would.

    Parameters
    ----------
    image : array_like
        As for :func:`split_and_merge`; gray or multichannel, 2-D or 3-D.
    complexity : float
        The paper's Q, positive: the larger, the more and the smaller regions.
    value_range : float, optional
        What the paper's 0 to 255 is in this image. By default the range of its values without outliers: of a photo,
        nearly all that its dtype holds.
    min_area : int
        In the end, regions of fewer pixels join the neighbour with the nearest mean.
    mask : array_like of bool, spatial shape, optional
        Pixels to segment.
    channel_axis : int, None or "auto"
        As for :func:`split_and_merge`.

    Returns
    -------
    ndarray, spatial shape, int32
        Connected regions, numbered from 1 in reading order; 0 outside the mask.

    Raises
    ------
    ValueError, TypeError
        As :func:`split_and_merge`.

    Notes
    -----
    Differences are measured in 255ths of `value_range`, as in the paper, so that `complexity` means the same for every
    dtype.

    References
    ----------
    .. [1] R. Nock, F. Nielsen, "Statistical region merging", IEEE PAMI 26(11), 2004, 1452-1458.
       doi:10.1109/TPAMI.2004.110

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> image = np.zeros((40, 60), np.uint8)
    >>> image[:, 30:] = 200
    >>> int(cs.statistical_region_merging(image).max())
    2
    """
    q = inputs.as_positive_number(complexity, "complexity")
    least_area = inputs.as_count(min_area, "min_area", 1)
    picture = as_picture(image, mask, channel_axis)

    from classicseg.kernels.regions import srm
    from classicseg.splitmerge.absorb import absorb_small

    values, n_channels = picture.values, picture.values.shape[3]
    if value_range is None:
        low, high = inputs.value_range(picture.some_pixels, -1)
        spread = (high - low) or 1.0
    else:
        spread = inputs.as_positive_number(value_range, "value_range")
    whole = values.dtype == np.uint8 or (np.ptp(picture.pixels) < srm.STEPS and _all_whole(picture.pixels))
    scale = 1.0 if whole else (srm.STEPS - 1) / spread
    width = spread / _PAPER_RANGE
    if not 0 < width * width < math.inf or not math.isfinite(scale):
        what = "the range of the values of image" if value_range is None else "value_range"
        raise InputError(f"{what} must be between 1e-150 and 1e150, got {spread:g}")

    inside = picture.full_mask
    n = inside.size
    parent, counts = np.empty(n, np.int32), np.empty(n, np.int32)
    sums = np.empty((n, n_channels))
    srm.merge_statistically(values, inside, scale, q / (width * width), _PAPER_RANGE + 1, parent, counts, sums)
    labels = np.empty(inside.shape, np.int32)
    srm.number_pixels(inside, parent, labels.reshape(-1))
    if least_area > 1:
        absorb_small(labels, picture, least_area)
    return labels.reshape(picture.shape)
