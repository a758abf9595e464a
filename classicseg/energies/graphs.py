"""Graphs made of what there is: of superpixels, of points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.grid import directions, edge_ends
from classicseg.energies.points import spread
from classicseg.errors import InputError, InputTypeError
from classicseg.types import Brief


@dataclass(frozen=True, eq=False, repr=False)
class RegionGraph(Brief):
    """The regions of an image, and which of them touch; :func:`region_graph` makes one.

    Attributes
    ----------
    edges : ndarray, (E, 2), int32
        Pairs of regions that touch, the smaller number first, sorted.
    lengths : ndarray, (E,), int64
        How many pairs of neighbouring pixels lie across the border of each pair of regions.
    contrasts : ndarray, (E,), float64
        Mean distance of the colours of these pairs of pixels.
    sizes : ndarray, (N,), int64
        Number of pixels of each region.
    means : ndarray, (N, C), float64
        Mean colour of each region.
    regions : ndarray, spatial shape, int32
        Number of the region of each pixel, 0 to N - 1 in the order of the labels that were given; -1 outside of a mask.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> graph = cs.region_graph([[0, 0, 9], [0, 0, 9]], [[5, 5, 7], [5, 5, 7]], channel_axis=None)
    >>> graph.edges.tolist(), graph.lengths.tolist(), graph.contrasts.tolist(), graph.sizes.tolist()
    ([[0, 1]], [2], [9.0], [4, 2])
    """

    edges: np.ndarray
    lengths: np.ndarray
    contrasts: np.ndarray
    sizes: np.ndarray
    means: np.ndarray
    regions: np.ndarray

    def gather(self, unary: ArrayLike, label_axis: int = 0) -> np.ndarray:
        """Costs of the labels of regions: the sums of those of their pixels.

        Parameters
        ----------
        unary : array_like, (L, *spatial)
            Costs at each pixel; ``np.inf`` forbids a label there, and then in the whole region.
        label_axis : int
            Where the labels are.

        Returns
        -------
        ndarray, (L, N), float64

        Raises
        ------
        ValueError
            If the shape does not fit, or a value is NaN or too large.
        TypeError
            If they are no real numbers.

        Examples
        --------
        >>> import numpy as np, classicseg as cs
        >>> graph = cs.region_graph([[0, 0, 9]], [[5, 5, 7]], channel_axis=None)
        >>> graph.gather([[[1, 2, 3]], [[0, 0, 7]]]).tolist()
        [[3.0, 3.0], [0.0, 7.0]]
        """
        inside = None if self.regions.min() >= 0 else self.regions >= 0
        filled, _ = inputs.without_outside(unary, inside, label_axis, name="unary")
        costs = inputs.as_costs(filled, label_axis)
        if costs.shape[1:] != self.regions.shape:
            raise InputError(f"unary must cover {self.regions.shape} pixels, got {costs.shape[1:]}")
        numbers = self.regions[self.regions >= 0]
        return np.stack([np.bincount(numbers, cost[self.regions >= 0], self.sizes.size) for cost in costs])

    def paint(self, labels: ArrayLike) -> np.ndarray:
        """Labels of pixels: those of their regions.

        Parameters
        ----------
        labels : array_like of int, (N,)
            Label of each region, such as those of a :class:`Result`.

        Returns
        -------
        ndarray, spatial shape, int32
            -1 outside of a mask.

        Raises
        ------
        ValueError
            If the shape does not fit or a label is negative.
        TypeError
            If they are no integers.

        Examples
        --------
        >>> import classicseg as cs
        >>> cs.region_graph([[0, 0, 9]], [[5, 5, 7]], channel_axis=None).paint([3, 1]).tolist()
        [[3, 3, 1]]
        """
        checked = inputs.as_labels(labels, self.sizes.shape, 2**31)
        inside = self.regions >= 0
        return spread(checked[self.regions[inside]], inside, inputs.OUTSIDE)


def region_graph(
    image: ArrayLike,
    labels: ArrayLike,
    *,
    connectivity: int | None = None,
    channel_axis: int | None = -1,
    mask: ArrayLike | None = None,
) -> RegionGraph:
    """Graph of the regions of an image: superpixels, watershed basins, the result of split-and-merge.

    Parameters
    ----------
    image : array_like, (*spatial, C) or spatial
        Any real dtype, any number of channels, one to three spatial axes.
    labels : array_like of int, spatial shape
        Which region each pixel belongs to. Any numbers serve; pixels of one number are one region, wherever they are.
    connectivity : int, optional
        Which pixels are neighbours: 2 on a line, 4 or 8 in an image, 6, 18 or 26 in a volume; by default the least.
    channel_axis : int or None
        Where the channels are; None for an image without a channel axis.
    mask : array_like of bool, spatial shape, optional
        Pixels that take part. The others are in no region.

    Returns
    -------
    RegionGraph
        With edges, the lengths and contrasts of borders, sizes and mean colours; it gathers the costs of pixels and
        paints the labels of regions.

    Raises
    ------
    ValueError
        If shapes do not fit, the image is not finite, or the connectivity does not exist.
    TypeError
        If the image does not hold real numbers or the labels are no integers.

    References
    ----------
    .. [1] B. Fulkerson, A. Vedaldi, S. Soatto, "Class segmentation and object localization with superpixel
       neighborhoods", ICCV 2009. doi:10.1109/ICCV.2009.5459175

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> image = np.array([[0, 0, 8, 9], [0, 1, 9, 9]])
    >>> graph = cs.region_graph(image, [[1, 1, 2, 2], [1, 1, 3, 3]], channel_axis=None)
    >>> weights = graph.lengths * np.exp(-((graph.contrasts / 10) ** 2))
    >>> unary = graph.gather([abs(image - 1), abs(image - 8)])
    >>> crf = cs.GraphCRF(unary, graph.edges, cs.Potts(3), weights)
    >>> graph.paint(cs.minimize(crf).labels).tolist()
    [[0, 0, 1, 1], [0, 0, 1, 1]]
    """
    given = inputs.read(labels, "labels", booleans=False)
    if given.dtype.kind == "f":
        raise InputTypeError(f"labels must hold integers, got dtype {given.dtype}; convert with .astype(int)")
    channels = inputs.as_image(inputs.image_inside(image, mask, channel_axis), None, channel_axis)
    shape = channels.shape[1:]
    if given.shape != shape:
        raise InputError(f"labels must have the shape {shape} of the pixels of the image, got {given.shape}")
    offsets = directions(len(shape), connectivity)
    inside = None if mask is None else inputs.as_mask(mask, shape)
    where = np.ones(shape, bool) if inside is None else inside
    numbers, regions = np.unique(given[where], return_inverse=True)
    n = numbers.size
    whole = spread(regions.astype(np.int32), where, inputs.OUTSIDE)
    keys, distances = [], []
    for offset in offsets.values():
        first, second = edge_ends(offset)
        a, b = whole[first], whole[second]
        across = (a != b) & (a >= 0) & (b >= 0)
        low, high = np.minimum(a[across], b[across]).astype(np.int64), np.maximum(a[across], b[across])
        keys.append(low * n + high)
        between = [np.subtract(c[first][across], c[second][across], dtype=np.float64) for c in channels]
        distances.append(np.sqrt(np.square(between).sum(axis=0)))
    keys_of_pairs, places, lengths = np.unique(np.concatenate(keys), return_inverse=True, return_counts=True)
    sizes = np.bincount(regions, minlength=n)
    sums = [np.bincount(regions, channel[where], n) for channel in channels]
    return RegionGraph(
        edges=np.stack(np.divmod(keys_of_pairs, n), axis=1).astype(np.int32),
        lengths=lengths.astype(np.int64),
        contrasts=np.bincount(places, np.concatenate(distances), keys_of_pairs.size) / np.maximum(lengths, 1),
        sizes=sizes.astype(np.int64),
        means=np.stack(sums, axis=1) / sizes[:, None],
        regions=whole,
    )


def point_graph(points: ArrayLike, k: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Graph of points and their nearest neighbours.

    Parameters
    ----------
    points : array_like, (N, D)
        Positions, or any other features by which points are near each other.
    k : int
        Each point is joined to its `k` nearest others, and to those that it is one of the nearest of.

    Returns
    -------
    edges : ndarray, (E, 2), int32
        Each pair once, the smaller number first, sorted.
    distances : ndarray, (E,), float64
        Euclidean lengths of the edges.

    Raises
    ------
    ValueError
        If the shape does not fit, a position is not finite, or there are not more than `k` points.
    TypeError
        If positions are no real numbers or `k` is no whole number.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> edges, distances = cs.point_graph([[0, 0], [0, 1], [0, 3], [0, 7]], k=1)
    >>> edges.tolist(), distances.tolist()
    ([[0, 1], [1, 2], [2, 3]], [1.0, 2.0, 4.0])
    """
    from scipy.spatial import cKDTree

    places = inputs.as_numbers(points, "points", axes=(2,), dtype=np.float64)
    n = len(places)
    count = inputs.as_count(k, "k", 1)
    if count >= n:
        raise InputError(f"points must be more than k={count}, got {n}")
    places = places / (np.abs(places).max() or 1.0)  # squares neither overflow nor vanish
    found: Any = cKDTree(places).query(places, count + 1)[1]
    own = np.repeat(np.arange(n), count + 1)
    low, high = np.minimum(own, found.ravel()), np.maximum(own, found.ravel())
    keys = np.unique((low.astype(np.int64) * n + high)[low != high])
    edges = np.stack(np.divmod(keys, n), axis=1).astype(np.int32)
    given = inputs.as_numbers(points, "points", dtype=np.float64)
    with np.errstate(over="ignore"):
        distances = np.linalg.norm(given[edges[:, 0]] - given[edges[:, 1]], axis=1)
    return edges, distances
