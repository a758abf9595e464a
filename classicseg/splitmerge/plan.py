"""The gate of split-and-merge: turns the arguments of a call into a checked plan."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

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
    mask: ArrayLike | None = None,
    channel_axis: int | str | None = "auto",
    **rules: Any,
) -> Plan:
    """Check the arguments of :func:`classicseg.split_and_merge`; `rules` are those of :func:`plan_of`."""
    return plan_of(as_picture(image, mask, channel_axis), homogeneity, **rules)


def plan_of(
    picture: Picture,
    homogeneity: HomogeneityLike,
    *,
    min_size: int = 1,
    max_depth: int | None = None,
    connectivity: int = 1,
    merge: str | None = "fast",
    merge_homogeneity: HomogeneityLike | None = None,
    min_area: int = 1,
) -> Plan:
    """Check what is asked for of a picture, and turn sizes and depths into levels of the tree."""
    predicate = as_homogeneity(homogeneity)
    merging_by = predicate if merge_homogeneity is None else as_homogeneity(merge_homogeneity, "merge_homogeneity")
    smallest = inputs.as_count(min_size, "min_size", 1)
    depth = None if max_depth is None else inputs.as_count(max_depth, "max_depth", 0)
    least_area = inputs.as_count(min_area, "min_area", 1)
    if merge is not None:
        inputs.choice(merge, "merge", MERGE_ORDERS)
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
    if plan.picture.mask is None and labels.flat[0] != labels.flat[-1]:
        return  # two regions at least
    pixels = plan.picture.pixels
    warn_of_spread(plan, pixels.min(axis=0), pixels.max(axis=0), stacklevel=4)


def warn_of_spread(plan: Plan, low: np.ndarray, high: np.ndarray, *, stacklevel: int) -> None:
    """The same, where the smallest and the largest value of each channel are known."""
    if plan.predicate is not plan.merge_predicate:
        return  # one of them may be meant to hold always
    spread = float((high.astype(np.float64) - low).max())
    if spread > 0 and plan.predicate.always_holds(spread):
        warnings.warn(
            f"the values of image span only {spread:g}, so that all of it passes {plan.predicate!r} and is one region; "
            "thresholds are in the units of the image",
            stacklevel=stacklevel,
        )
