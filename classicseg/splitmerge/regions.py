"""The region table: one row for each region, as a dict of arrays that a data frame takes as it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.splitmerge._input import Picture, as_picture


def describe_regions(
    labels: ArrayLike, image: ArrayLike, *, channel_axis: int | str | None = "auto", connectivity: int = 1
) -> dict[str, np.ndarray]:
    """Measure the regions of any label image.

    Parameters
    ----------
    labels : array_like of int, spatial shape
        Regions are what has the same label; 0 is no region.
    image : array_like
        As for :func:`split_and_merge`.
    channel_axis : int, None or "auto"
        As for :func:`split_and_merge`.
    connectivity : int
        Which regions are neighbours: 1 if they share a side, up to the number of spatial axes.

    Returns
    -------
    dict of ndarray
        One entry per region in each column, so that ``pandas.DataFrame(table)`` works:

        - ``label``; ``area`` in pixels
        - ``mean``, ``std``, ``min``, ``max``; with several channels ``mean_0``, ``mean_1``, …
        - ``bbox_0`` … : first row, first column, last row + 1, last column + 1 (volumes: planes first)
        - ``center_0`` … : mean position
        - ``perimeter``: sides of pixels (volumes: faces) that face another region or the outside
        - ``extent``: area divided by that of the bounding box
        - ``compactness``: 1 for a square (cube), towards 0 for what is thin or ragged
        - ``n_neighbours``, and ``neighbours``: arrays of labels

    Raises
    ------
    ValueError
        If shapes do not fit or there is no region.
    TypeError
        If labels are not integers.

    Examples
    --------
    >>> import classicseg as cs
    >>> table = cs.describe_regions([[1, 1, 2], [1, 1, 2]], [[5, 7, 0], [5, 7, 0]])
    >>> table["area"].tolist(), table["mean"].tolist(), table["perimeter"].tolist()
    ([4, 2], [6.0, 0.0], [8, 6])
    >>> [n.tolist() for n in table["neighbours"]]
    [[2], [1]]
    """
    picture = as_picture(image, None, channel_axis)
    array = inputs.as_labels(labels, picture.shape, 2**31 - 1)
    reach = inputs.as_count(connectivity, "connectivity", 1)
    if reach > len(picture.shape):
        raise InputError(f"connectivity must be at most {len(picture.shape)} for this image, got {reach}")
    present, dense = np.unique(array, return_inverse=True)
    dense = dense.reshape(array.shape).astype(np.int32)
    if present[0] != 0:
        dense += 1
    names = present[present != 0]
    if names.size == 0:
        raise InputError("labels hold no region: all are 0")
    table = region_table(dense, len(names), picture, reach)
    table["label"] = names
    table["neighbours"][:] = [names[n - 1] for n in table["neighbours"]]
    return table


def region_table(labels: np.ndarray, n_regions: int, picture: Picture, connectivity: int = 1) -> dict[str, np.ndarray]:
    """The table of regions that are numbered 1 to `n_regions` without gaps."""
    from classicseg.kernels.regions.describe import measure_regions

    n_channels, axes = picture.values.shape[3], len(picture.shape)
    planes = labels.reshape(picture.values.shape[:3])
    rows = np.empty((n_regions, 1 + 4 * n_channels))
    boxes, centers = np.empty((n_regions, 6), np.int32), np.empty((n_regions, 3))
    perimeters = np.empty(n_regions, np.int64)
    measure_regions(planes, picture.values, np.array([0.0, 1.0, 0.0]), rows, boxes, centers, perimeters)
    area = rows[:, 0]
    sums, squares, low, high = (rows[:, 1 + k * n_channels : 1 + (k + 1) * n_channels] for k in range(4))
    mean = sums / area[:, None]
    std = np.sqrt(np.maximum(squares / area[:, None] - mean**2, 0))
    table: dict[str, np.ndarray] = {"label": np.arange(1, n_regions + 1), "area": area.astype(np.int64)}
    for name, column in (("mean", mean), ("std", std), ("min", low), ("max", high)):
        for c in range(n_channels):
            table[name if n_channels == 1 else f"{name}_{c}"] = column[:, c].copy()
    first, last = boxes[:, ::2][:, 3 - axes :], boxes[:, 1::2][:, 3 - axes :]
    for axis in range(axes):
        table[f"bbox_{axis}"], table[f"bbox_{axes + axis}"] = first[:, axis].copy(), last[:, axis].copy()
        table[f"center_{axis}"] = centers[:, 3 - axes + axis] / area
    table["perimeter"] = perimeters
    table["extent"] = area / (last - first).prod(axis=1)
    table["compactness"] = 2 * axes * area ** ((axes - 1) / axes) / perimeters
    table["neighbours"] = _neighbours(planes, n_regions, axes, connectivity)
    table["n_neighbours"] = np.array([len(n) for n in table["neighbours"]])
    return table


def adjacent_pairs(labels: np.ndarray, n_axes: int, connectivity: int) -> np.ndarray:
    """Pairs (smaller, larger) of touching regions of (D, H, W) labels, each once, (m, 2)."""
    from classicseg.kernels.regions.describe import list_neighbours
    from classicseg.splitmerge._engine import offsets_to_neighbours

    offsets = offsets_to_neighbours(n_axes, connectivity)
    pairs = np.empty((list_neighbours(labels, offsets, np.empty((0, 2), np.int32)), 2), np.int32)
    list_neighbours(labels, offsets, pairs)
    codes = np.unique(pairs[:, 0].astype(np.int64) << 32 | pairs[:, 1])
    return np.stack([codes >> 32, codes & 0xFFFFFFFF], axis=1)


def _neighbours(labels: np.ndarray, n_regions: int, n_axes: int, connectivity: int) -> np.ndarray:
    """An array of labels for each region."""
    pairs = adjacent_pairs(labels, n_axes, connectivity)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    starts = np.searchsorted(both[:, 0], np.arange(1, n_regions + 2))
    table = np.empty(n_regions, object)
    for k in range(n_regions):
        table[k] = both[starts[k] : starts[k + 1], 1]
    return table
