"""Methods that divide an image into regions, with the parameters that did well on most photos of BSDS500."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from classicseg.bench.contender import Contender, Limits
from classicseg.bench.tasks import Regions
from classicseg.pipelines.segment import segment
from classicseg.splitmerge.homogeneity import Range
from classicseg.splitmerge.predicates import StdDev
from classicseg.splitmerge.split_merge import split_and_merge
from classicseg.splitmerge.srm import statistical_region_merging

_SMALLEST = 500  # pixels of a region


def contenders() -> list[Contender]:
    """One for each method."""
    return [Contender(name, _refuses, _prepared(divide)) for name, divide in DIVIDERS.items()]


def _split_and_merge(image: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(image.astype(np.float32), (1.5, 1.5, 0))
    return split_and_merge(
        smooth, Range(20), merge_homogeneity=StdDev(30), merge="best_first", min_area=_SMALLEST, channel_axis=-1
    )


DIVIDERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "split_and_merge": _split_and_merge,
    "statistical_region_merging": lambda image: statistical_region_merging(
        image, 32, value_range=255, min_area=_SMALLEST
    ),
    "felzenszwalb": lambda image: segment(image, "felzenszwalb", scale=600, min_size=_SMALLEST),
    "slic_merge": lambda image: segment(image, "slic_merge", threshold=20, n_segments=400),
    "watershed": lambda image: segment(image, "watershed", markers=40, sigma=1.5),
}


def _refuses(instance: Any) -> str | None:
    return None if isinstance(instance, Regions) else "it divides images; it minimises no energy"


def _prepared(divide: Callable[[np.ndarray], np.ndarray]) -> Callable[[Any, Limits], Callable[[], np.ndarray]]:
    return lambda instance, limits: lambda: divide(instance.image)
