"""Seeded region growing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.splitmerge.picture import as_connectivity, as_picture


def seeded_region_growing(
    image: ArrayLike,
    seeds: ArrayLike,
    *,
    tolerance: float | None = None,
    connectivity: int = 1,
    mask: ArrayLike | None = None,
    channel_axis: int | str | None = "auto",
) -> np.ndarray:
    """Grow regions from seeds: the pixel next to a region that is nearest to the region's mean joins next.

    Parameters
    ----------
    image : array_like
        As for :func:`split_and_merge`; gray or multichannel, 2-D or 3-D.
    seeds : array_like of int, spatial shape
        Labels of the seeds from 1, 0 elsewhere. Seeds of one label need not touch.
    tolerance : float, optional
        A pixel whose values are farther than this (Euclidean) from the means of all regions it touches stays 0.
    connectivity : int
        1: regions grow across sides; up to the number of spatial axes: across corners too.
    mask : array_like of bool, spatial shape, optional
        Where regions may grow; seeds elsewhere do not count.
    channel_axis : int, None or "auto"
        As for :func:`split_and_merge`.

    Returns
    -------
    ndarray, spatial shape, int32
        The label of a seed at every pixel that one has reached, else 0.

    Raises
    ------
    ValueError
        If shapes do not fit, a seed is negative, or there is no seed.
    TypeError
        If seeds are not integers.

    References
    ----------
    .. [1] R. Adams, L. Bischof, "Seeded region growing", IEEE PAMI 16(6), 1994, 641-647. doi:10.1109/34.295913

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> image = np.array([[1, 1, 2, 9, 9], [1, 2, 1, 8, 9]])
    >>> seeds = np.zeros((2, 5), int)
    >>> seeds[0, 0], seeds[1, 4] = 1, 2
    >>> cs.seeded_region_growing(image, seeds)
    array([[1, 1, 1, 2, 2],
           [1, 1, 1, 2, 2]], dtype=int32)
    """
    picture = as_picture(image, mask, channel_axis)
    limit = np.inf if tolerance is None else inputs.as_positive_number(tolerance, "tolerance")
    inside = picture.full_mask
    labels = inputs.as_labels(seeds, picture.shape, 2**31 - 1, name="seeds", mask=inside.reshape(picture.shape))
    labels = labels.reshape(inside.shape)
    reach = as_connectivity(connectivity, picture)
    if not labels.any():
        raise InputError("seeds must hold a label above 0 within the mask, got none")

    from classicseg.kernels.regions import growing
    from classicseg.splitmerge.neighbours import offsets_to_neighbours

    names, dense = np.unique(labels, return_inverse=True)  # labels may be any numbers, regions are counted
    if names[0] != 0:
        names, dense = np.concatenate([[0], names]), dense + 1
    dense = np.ascontiguousarray(dense.reshape(labels.shape), np.int32)
    values, n = picture.values, len(names)
    flat = values.reshape(-1, values.shape[3])
    counts = np.bincount(dense.ravel(), minlength=n).astype(np.float64)
    sums = np.stack([np.bincount(dense.ravel(), channel, n) for channel in flat.T], axis=1)
    offsets = offsets_to_neighbours(len(picture.shape), reach)
    low, high = inputs.value_range(picture.some_pixels, -1)
    scale = growing.STEPS / (((high - low) or 1.0) * values.shape[3] ** 0.5)
    waiting = growing.Waiting(
        np.empty(inside.size),
        np.empty(inside.size, np.int64),
        np.empty(inside.size, np.int32),
        np.full(growing.STEPS, -1, np.int32),
        np.empty(inside.size, np.int32),
    )
    growing.grow_seeds(values, inside, offsets, scale, limit, waiting, dense, sums, counts)
    grown: np.ndarray = names[dense].astype(np.int32).reshape(picture.shape)
    return grown
