"""The gate of split-and-merge: turns the arguments of a call into a checked plan."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.splitmerge.homogeneity import Homogeneity, HomogeneityLike, as_homogeneity
from classicseg.splitmerge.picture import Picture, as_connectivity, as_picture

MERGE_ORDERS = ("fast", "best_first")


@dataclass(frozen=True, eq=False)
class Plan:
    """A checked call of split-and-merge."""

    picture: Picture
    predicate: Homogeneity
    merge_predicate: Homogeneity
    """Of as many histogram bins as `predicate`, or either has none."""
    top_level: int
    """Level of the root: its side is 2 to the power of it."""
    stop_level: int
    """Blocks of this level are not split."""
    connectivity: int
    merge: str | None
    min_area: int


def make_plan(
    image: ArrayLike,
    homogeneity: HomogeneityLike,
    *,
    min_size: int = 1,
    max_depth: int | None = None,
    connectivity: int = 1,
    mask: ArrayLike | None = None,
    channel_axis: int | str | None = "auto",
    merge: str | None = "fast",
    merge_homogeneity: HomogeneityLike | None = None,
    min_area: int = 1,
) -> Plan:
    """Check the arguments of :func:`classicseg.split_and_merge`, and turn sizes and depths into levels of the tree."""
    predicate = as_homogeneity(homogeneity)
    merging_by = predicate if merge_homogeneity is None else as_homogeneity(merge_homogeneity, "merge_homogeneity")
    smallest = inputs.as_count(min_size, "min_size", 1)
    depth = None if max_depth is None else inputs.as_count(max_depth, "max_depth", 0)
    least_area = inputs.as_count(min_area, "min_area", 1)
    if merge is not None:
        inputs.choice(merge, "merge", MERGE_ORDERS)
    picture = as_picture(image, mask, channel_axis)
    reach = as_connectivity(connectivity, picture)
    bins = max(predicate.bins, merging_by.bins)
    top = (max(picture.shape) - 1).bit_length()
    stop = (smallest - 1).bit_length()
    if depth is not None:
        stop = max(stop, top - depth)
    return Plan(
        picture,
        predicate.with_bins(bins),
        merging_by.with_bins(bins),
        top_level=top,
        stop_level=min(stop, top),
        connectivity=reach,
        merge=merge,
        min_area=least_area,
    )


def warn_if_nothing_can_fail(plan: Plan, labels: np.ndarray) -> None:
    """Warn if all is one region because a threshold is beyond the range of the image."""
    if plan.predicate is not plan.merge_predicate:
        return  # one of them may be meant to hold always
    if plan.picture.mask is None and labels.flat[0] != labels.flat[-1]:
        return  # two regions at least
    pixels = plan.picture.pixels
    spread = float((pixels.max(axis=0).astype(np.float64) - pixels.min(axis=0)).max())
    if spread > 0 and plan.predicate.always_holds(spread):
        warnings.warn(
            f"the values of image span only {spread:g}, so that all of it passes {plan.predicate!r} and is one region; "
            "thresholds are in the units of the image",
            stacklevel=3,
        )
