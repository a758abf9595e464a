"""Split-and-merge segmentation after Horowitz and Pavlidis: the public functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from classicseg.splitmerge.homogeneity import HomogeneityLike
from classicseg.splitmerge.plan import make_plan, warn_if_nothing_can_fail
from classicseg.types import Brief, Shown

if TYPE_CHECKING:
    from classicseg.splitmerge.recorder import Record

DEFAULT_RANGE = 24.0
"""Threshold of the default predicate: a tenth of the range of 8-bit images."""


@dataclass(frozen=True, eq=False, repr=False)
class Segmentation(Brief, Shown):
    """What :func:`record_split_and_merge` found, and how.

    Attributes
    ----------
    labels : ndarray, spatial shape, int32
        Region of each pixel, 1 to `n_regions`; 0 outside the mask.
    n_regions : int
    record : Record
        Every step.

    Examples
    --------
    >>> import classicseg as cs
    >>> result = cs.record_split_and_merge([[1, 1, 9], [1, 1, 9]], 3)
    >>> result.n_regions, result.record.depth
    (2, 1)
    """

    labels: np.ndarray
    n_regions: int
    record: Record


def split_and_merge(
    image: ArrayLike,
    homogeneity: HomogeneityLike = DEFAULT_RANGE,
    *,
    min_size: int = 1,
    max_depth: int | None = None,
    connectivity: int = 1,
    mask: ArrayLike | None = None,
    channel_axis: int | str | None = "auto",
    merge: str | None = "fast",
    merge_homogeneity: HomogeneityLike | None = None,
    min_area: int = 1,
    n_threads: int | None = None,
) -> np.ndarray:
    """Segment an image by splitting it into homogeneous blocks and merging neighbouring ones.

    The image is taken as one block. A block that is not homogeneous is split into four quarters (a volume: eight
    octants), and so on. Then neighbouring regions are merged as long as their union is homogeneous.

    Parameters
    ----------
    image : array_like, (H, W), (D, H, W), (H, W, C) or (D, H, W, C)
        Any size, any real dtype; values are not rescaled.
    homogeneity : Homogeneity, float or callable
        What may be one region: :class:`Range`, :class:`StdDev`, :class:`MeanDifference`, :class:`VarianceRatio`,
        :class:`HistogramDistance`, :class:`OtsuSeparability`, :class:`Custom`, or a combination with ``&`` and ``|``.
        A number stands for ``Range(number)``, a function for ``Custom(function)``.
    min_size : int
        Smallest side of a block, in pixels.
    max_depth : int, optional
        How many times over the image is split at most; 0 keeps it whole.
    connectivity : int
        Which regions are neighbours: 1 if they share a side; 2, and 3 in volumes: also an edge or a corner.
    mask : array_like of bool, spatial shape, optional
        Pixels to segment. Values elsewhere do not matter. A block that the mask cuts is always split.
    channel_axis : int, None or "auto"
        Where the channels are, None for none. "auto": the last of four axes, or of three if it has length 1 to 4.
    merge : {"fast", "best_first"} or None
        "fast" works tile by tile in the order of the difference of means, in a time that hardly depends on the image.
        "best_first" always merges that pair next which raises the sum of squared deviations least: slower, with better
        borders. None: only split.
    merge_homogeneity : Homogeneity, float or callable, optional
        What decides on merges; by default `homogeneity`. A strict predicate for the split and a loose one for the merge
        give borders that follow pixels, where a single loose one leaves the straight borders of blocks.
    min_area : int
        In the end, regions of fewer pixels join the neighbour with the nearest mean, whatever the predicate says.
    n_threads : int, optional
        By default :func:`get_num_threads`. Results do not depend on it.

    Returns
    -------
    ndarray, spatial shape, int32
        Regions are numbered from 1, without gaps; 0 is outside the mask. :func:`describe_regions` measures them,
        :func:`record_split_and_merge` also tells how they came about.

    Raises
    ------
    ValueError
        If the image is empty, not finite or not of 2 or 3 spatial axes, the mask does not fit or is empty, or a
        number is out of its range.
    TypeError
        If a type is wrong, or a function cannot be compiled.

    Warns
    -----
    UserWarning
        If the image is one region because no pixels of its range could fail `homogeneity`, such as ``Range(24)`` for
        values from 0 to 1.

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
    plan = make_plan(
        image,
        homogeneity,
        min_size=min_size,
        max_depth=max_depth,
        connectivity=connectivity,
        mask=mask,
        channel_axis=channel_axis,
        merge=merge,
        merge_homogeneity=merge_homogeneity,
        min_area=min_area,
    )

    from classicseg.machine.threads import resolve_threads
    from classicseg.splitmerge import engine

    labels = engine.segment(plan, resolve_threads(n_threads))
    warn_if_nothing_can_fail(plan, labels)
    return labels


def record_split_and_merge(
    image: ArrayLike,
    homogeneity: HomogeneityLike = DEFAULT_RANGE,
    *,
    min_size: int = 1,
    max_depth: int | None = None,
    connectivity: int = 1,
    mask: ArrayLike | None = None,
    channel_axis: int | str | None = "auto",
    merge: str | None = "fast",
    merge_homogeneity: HomogeneityLike | None = None,
    min_area: int = 1,
) -> Segmentation:
    """Segment an image as :func:`split_and_merge` does, and record every step: slower, by one thread.

    Parameters
    ----------
    image, homogeneity, min_size, max_depth, connectivity, mask, channel_axis, merge, merge_homogeneity, min_area
        As for :func:`split_and_merge`.

    Returns
    -------
    Segmentation
        The same labels, and the record.

    Raises
    ------
    ValueError, TypeError
        As :func:`split_and_merge`.

    Examples
    --------
    >>> import classicseg as cs
    >>> result = cs.record_split_and_merge([[7, 7, 0], [7, 9, 0]], cs.Range(3))
    >>> [step for step in result.record.steps()][:2]
    [('split', (0, 0, 4)), ('leaf', (0, 0, 2))]
    """
    plan = make_plan(
        image,
        homogeneity,
        min_size=min_size,
        max_depth=max_depth,
        connectivity=connectivity,
        mask=mask,
        channel_axis=channel_axis,
        merge=merge,
        merge_homogeneity=merge_homogeneity,
        min_area=min_area,
    )

    from classicseg.splitmerge import any_predicate

    result = Segmentation(*any_predicate.record(plan))
    warn_if_nothing_can_fail(plan, result.labels)
    return result


def quadtree(
    image: ArrayLike,
    homogeneity: HomogeneityLike = DEFAULT_RANGE,
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
    plan = make_plan(
        image, homogeneity, min_size=min_size, max_depth=max_depth, mask=mask, channel_axis=channel_axis, merge=None
    )

    from classicseg.splitmerge import any_predicate

    blocks = any_predicate.leaves(plan)
    blocks[:, 3] = 1 << blocks[:, 3]
    return blocks if plan.picture.volume else blocks[:, 1:]
