"""Split-and-merge segmentation after Horowitz and Pavlidis: the public function, and which kernels it runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.splitmerge._input import Picture, as_picture
from classicseg.splitmerge.homogeneity import Homogeneity, as_homogeneity

if TYPE_CHECKING:
    from classicseg.splitmerge.recorder import Record

MERGE_ORDERS = ("fast", "best_first")


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Labels, with what else :func:`split_and_merge` was asked for.

    Attributes
    ----------
    labels : ndarray, spatial shape, int32
        Region of each pixel, 1 to `n_regions`; 0 outside the mask.
    n_regions : int
    regions : dict of ndarray
        The region table, see :func:`describe_regions`; made when it is first read.
    record : Record or None
        Every step, if it was asked for.

    Examples
    --------
    >>> import classicseg as cs
    >>> result = cs.split_and_merge([[1, 1, 9], [1, 1, 9]], 3, return_regions=True)
    >>> result.n_regions, result.regions["area"].tolist(), result.regions["mean"].tolist()
    (2, [4, 2], [1.0, 9.0])
    """

    labels: np.ndarray
    n_regions: int
    record: Record | None = None
    _picture: Picture | None = None

    @cached_property
    def regions(self) -> dict[str, np.ndarray]:
        """The region table."""
        from classicseg.splitmerge.regions import region_table

        assert self._picture is not None
        return region_table(self.labels, self.n_regions, self._picture)

    def paint(self, values: ArrayLike, background: float = 0) -> np.ndarray:
        """An image with one value for each region, such as the means or the labels of :func:`label_by_rule`.

        Parameters
        ----------
        values : array_like, (n_regions,) or (n_regions, C)
        background : float
            Value outside the mask.

        Returns
        -------
        ndarray, (*spatial,) or (*spatial, C)
        """
        array = np.asarray(values)
        if array.ndim == 0 or len(array) != self.n_regions:
            raise InputError(f"values must have {self.n_regions} entries, one for each region, got shape {array.shape}")
        table = np.concatenate([np.full((1, *array.shape[1:]), background, array.dtype), array])
        painted: np.ndarray = table[self.labels]
        return painted


def split_and_merge(
    image: ArrayLike,
    homogeneity: Homogeneity | float | Any,
    *,
    min_size: int = 1,
    max_depth: int | None = None,
    connectivity: int = 1,
    mask: ArrayLike | None = None,
    channel_axis: int | str | None = "auto",
    merge: str | None = "fast",
    merge_homogeneity: Homogeneity | float | Any = None,
    min_area: int = 1,
    return_regions: bool = False,
    record: bool = False,
    n_threads: int | None = None,
) -> Any:
    """Segment an image by splitting it into homogeneous blocks and merging neighbouring ones.

    The image is taken as one block. A block that is not homogeneous is split into four quarters (a volume: eight
    octants), and so on. Then neighbouring regions are merged as long as their union is homogeneous.

    Parameters
    ----------
    image : array_like, (H, W), (D, H, W), (H, W, C) or (D, H, W, C)
        Any size, any real dtype; values are not rescaled.
    homogeneity : Homogeneity, float or callable
        :class:`Range`, :class:`StdDev`, :class:`MeanDifference`, :class:`VarianceRatio`,
        :class:`HistogramDistance`, :class:`OtsuSeparability`, :class:`Custom`, or a combination with ``&`` and ``|``.
        A number stands for ``Range(number)``, a function for ``Custom(function)``.
    min_size : int
        Blocks are not split into smaller ones than so many pixels a side.
    max_depth : int, optional
        A block is split at most so many times over; 0 keeps the image whole.
    connectivity : int
        1: neighbours share a side; up to the number of spatial axes: also an edge or a corner. For merging.
    mask : array_like of bool, spatial shape, optional
        Pixels to segment. Values elsewhere do not matter. A block that the mask cuts is always split.
    channel_axis : int, None or "auto"
        Where the channels are, None for none. "auto": the last of four axes, or of three if it has length 3 or 4.
    merge : {"fast", "best_first"} or None
        "fast" works tile by tile in the order of the difference of means, in a time that hardly depends on the image.
        "best_first" always merges the pair next whose union raises the sum of squared deviations the least: slower,
        better borders. None: only split.
    merge_homogeneity : Homogeneity, float or callable, optional
        What decides on merges; by default `homogeneity`. To split under a strict predicate and to merge under a
        loose one gives borders of single pixels where one loose predicate for both leaves the borders of blocks.
    min_area : int
        In the end, regions of fewer pixels join the neighbour of the nearest mean, whatever the predicate says.
    return_regions, record : bool
        Return a :class:`Segmentation` instead of the labels: with the region table; with every step in its `record`,
        see :class:`Record`.
    n_threads : int, optional
        By default :func:`get_num_threads`. Results do not depend on it.

    Returns
    -------
    ndarray, spatial shape, int32, or Segmentation
        Regions are numbered from 1, without gaps; 0 is outside the mask.

    Raises
    ------
    ValueError
        If the image is empty, not finite or not of 2 or 3 spatial axes, the mask does not fit or is empty, or a
        number is out of its range.
    TypeError
        If a type is wrong, or a function cannot be compiled.

    Notes
    -----
    The root of the tree is the smallest square (cube) with a power of two as its side that holds the image; what lies
    beyond the image does not count.

    What holds afterwards, with one predicate for both: the regions are connected. With a predicate on the union of
    the parts (all but `MeanDifference`, `VarianceRatio` and `HistogramDistance`, which compare parts) every region
    passes it, unless it holds a block that `min_size` or `max_depth` kept from being split. No two neighbours could
    still be merged. The last two hold before `min_area` is applied.

    References
    ----------
    .. [1] S. L. Horowitz, T. Pavlidis, "Picture segmentation by a tree traversal algorithm", Journal of the ACM 23(2),
       1976, 368-388. doi:10.1145/321941.321956

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> image = np.zeros((6, 6), np.uint8)
    >>> image[1:4, 2:5] = 200
    >>> cs.split_and_merge(image, cs.Range(24)).max()
    np.int32(2)
    >>> cs.split_and_merge(image, cs.Range(24), merge=None).max()
    np.int32(17)
    """
    predicate = as_homogeneity(homogeneity)
    merge_predicate = None if merge_homogeneity is None else as_homogeneity(merge_homogeneity)
    smallest = inputs.as_count(min_size, "min_size", 1)
    depth = None if max_depth is None else inputs.as_count(max_depth, "max_depth", 0)
    least_area = inputs.as_count(min_area, "min_area", 1)
    if merge is not None:
        inputs.choice(merge, "merge", MERGE_ORDERS)
    picture = as_picture(image, mask, channel_axis)
    reach = inputs.as_count(connectivity, "connectivity", 1)
    if reach > len(picture.shape):
        raise InputError(f"connectivity must be at most {len(picture.shape)} for this image, got {reach}")

    from classicseg.machine.threads import resolve_threads
    from classicseg.splitmerge import _engine

    threads = resolve_threads(n_threads)
    plan = _engine.plan(picture, predicate, smallest, depth, reach, merge, least_area, merge_predicate)
    steps = None
    if _engine.is_plain(plan) and not record:
        labels, n_regions = _engine.run_plain(plan, threads)
    else:
        labels, n_regions, steps = _engine.run(plan, 1 if record else threads, record)
    labels = labels.reshape(picture.shape)
    if not (return_regions or record):
        return labels
    return Segmentation(labels, n_regions, steps, picture)


def quadtree(
    image: ArrayLike,
    homogeneity: Homogeneity | float | Any = 24.0,
    *,
    min_size: int = 1,
    max_depth: int | None = None,
    mask: ArrayLike | None = None,
    channel_axis: int | str | None = "auto",
) -> np.ndarray:
    """Leaves of the quadtree (octree) of an image: the split without the merge.

    Parameters
    ----------
    image, homogeneity, min_size, max_depth, mask, channel_axis
        As for :func:`split_and_merge`.

    Returns
    -------
    ndarray, (n, 3) or (n, 4), int32
        Corner and side of each leaf, (y, x, side) or (z, y, x, side). Leaves at the border may reach beyond the image.

    Raises
    ------
    ValueError, TypeError
        As :func:`split_and_merge`.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.quadtree([[7, 7, 0], [7, 7, 0]], cs.Range(3)).tolist()
    [[0, 0, 2], [0, 2, 2]]
    """
    predicate = as_homogeneity(homogeneity)
    smallest = inputs.as_count(min_size, "min_size", 1)
    depth = None if max_depth is None else inputs.as_count(max_depth, "max_depth", 0)
    picture = as_picture(image, mask, channel_axis)

    from classicseg.splitmerge import _engine

    blocks = _engine.leaves(_engine.plan(picture, predicate, smallest, depth, 1, None, 1))
    blocks[:, 3] = 1 << blocks[:, 3]
    return blocks if picture.volume else blocks[:, 1:]
