"""The region table: one row for each region, as a dict of arrays that a data frame takes as it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.splitmerge.picture import Picture, as_connectivity, as_picture


def describe_regions(
    labels: ArrayLike, image: ArrayLike, *, channel_axis: int | str | None = "auto", connectivity: int = 1
) -> dict[str, np.ndarray]:
    """Measure the regions of any label image.

    Parameters
    ----------
    labels : array_like of int, spatial shape
        Pixels of the same label are one region; 0 is none.
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
    reach = as_connectivity(connectivity, picture)
    names, dense = _numbered(array)
    if names.size == 0:
        raise InputError("labels hold no region: all are 0")
    axes = len(picture.shape)
    planes = dense.reshape(picture.values.shape[:3])
    table = columns_of(names, measured(planes, len(names), picture), axes)
    table["neighbours"] = _neighbours(planes, names, axes, reach)
    table["n_neighbours"] = np.array([len(n) for n in table["neighbours"]])
    return table


class Measures(NamedTuple):
    """What the kernel measures of regions that are numbered from 1 without gaps."""

    rows: np.ndarray
    """(n, row size) float64, see :mod:`classicseg.kernels.regions.statistics`."""
    boxes: np.ndarray
    """(n, 6) int32: the first pixel and the last + 1 along each axis."""
    centers: np.ndarray
    """(n, 3) float64: sums of positions."""
    perimeters: np.ndarray
    """(n,) int64"""


def columns_of(names: np.ndarray, measures: Measures, axes: int) -> dict[str, np.ndarray]:
    """Columns of the region table, but for neighbours, of regions that are called `names`; `axes` is 2 or 3."""
    rows, boxes, centers, perimeters = measures
    n_channels = rows.shape[1] // 5
    area = rows[:, 0]
    reference, sums, squares, low, high = (rows[:, 1 + k * n_channels :][:, :n_channels] for k in range(5))
    mean = (reference * area[:, None] + sums) / area[:, None]
    std = np.sqrt(np.maximum(area[:, None] * squares - sums**2, 0)) / area[:, None]
    table: dict[str, np.ndarray] = {"label": names, "area": area.astype(np.int64)}
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
    return table


def measured(labels: np.ndarray, n_regions: int, picture: Picture) -> Measures:
    """The measures of the regions of (D, H, W) labels, 0 is no region."""
    from classicseg.kernels.regions.describe import measure_regions

    measures = Measures(
        np.empty((n_regions, 1 + 5 * picture.values.shape[3])),
        np.empty((n_regions, 6), np.int32),
        np.empty((n_regions, 3)),
        np.empty(n_regions, np.int64),
    )
    measure_regions(labels, picture.values, np.zeros(1), *measures)  # without histograms
    return measures


def paint_regions(labels: ArrayLike, values: ArrayLike, *, background: float = 0) -> np.ndarray:
    """An image with one value for each region, such as its mean or what :func:`label_by_rule` says.

    Parameters
    ----------
    labels : array_like of int
        Regions 1 to n, 0 is no region.
    values : array_like, (n,) or (n, C)
        Of the regions in their order, as in the columns of :func:`describe_regions`.
    background : float
        Value where no region is.

    Returns
    -------
    ndarray, (*spatial,) or (*spatial, C)

    Raises
    ------
    ValueError
        If there are not as many values as regions.
    TypeError
        If labels are not integers.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.paint_regions([[1, 1, 2], [1, 0, 2]], [5.0, 7.0])
    array([[5., 5., 7.],
           [5., 0., 7.]])
    """
    array = inputs.as_labels(labels, None, 2**31 - 1)
    table, n_regions = inputs.read(values, "values"), int(array.max())
    if table.ndim == 0 or len(table) != n_regions:
        raise InputError(f"values must have {n_regions} entries, one for each region, got shape {table.shape}")
    outside = inputs.read(background, "background")
    if outside.ndim > 0:
        raise InputTypeError(f"background must be a single number, got shape {outside.shape}")
    try:
        with np.errstate(over="raise", invalid="raise"):
            first = np.full((1, *table.shape[1:]), background, table.dtype)
    except (OverflowError, ValueError, FloatingPointError) as failure:
        raise InputError(f"background must be a number that {table.dtype} can hold, got {background!r}") from failure
    painted: np.ndarray = np.concatenate([first, table])[array]
    return painted


def _numbered(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labels that occur but 0, and each pixel's place among them, counted from 1, as int32; 0 stays 0."""
    largest = int(labels.max())
    if largest > labels.size:  # sorting beats counting
        names, dense = np.unique(labels, return_inverse=True)
        dense = dense.reshape(labels.shape).astype(np.int32)
        return (names[1:], dense) if names[0] == 0 else (names, dense + 1)
    occurs = np.zeros(largest + 1, bool)
    occurs[labels] = True
    occurs[0] = False
    return np.flatnonzero(occurs).astype(np.int32), np.cumsum(occurs, dtype=np.int32)[labels]


def _neighbours(labels: np.ndarray, names: np.ndarray, n_axes: int, connectivity: int) -> np.ndarray:
    """For each region of dense labels the names of those that it touches."""
    from classicseg.splitmerge.neighbours import touching_regions

    touching = touching_regions(labels, n_axes, connectivity)
    both = np.concatenate([touching, touching[:, ::-1]])
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    starts = np.searchsorted(both[:, 0], np.arange(1, len(names) + 2))
    table = np.empty(len(names), object)
    for k in range(len(names)):
        table[k] = names[both[starts[k] : starts[k + 1], 1] - 1]
    return table
