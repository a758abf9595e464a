"""The two ways through the kernels of split-and-merge, and the choice between them.

:mod:`.any_predicate`
    does all that can be asked for: it keeps a row of statistics for every block and region, and asks an interpreter of
    predicates what may be one region.
:mod:`.gray_range`
    does what is asked for most, gray images under a :class:`~classicseg.Range`, much faster. The range of a block is
    never smaller than those of its parts, so the tree can be read off from the bottom; nothing but the smallest and the
    largest value and the mean has to be known of a region; and all that belongs to a tile of 64 x 64 pixels stays in
    the processor's first caches.

Both visit blocks, pairs of regions and tiles in the same order, and number regions alike: the labels are the same, and
``tests/splitmerge/test_two_ways.py`` compares them to the last one.
"""

from __future__ import annotations

import numpy as np

from classicseg.splitmerge import any_predicate, gray_range
from classicseg.splitmerge.plan import Plan


def segment(plan: Plan, n_threads: int) -> np.ndarray:
    """Labels, spatial shape, int32."""
    way = gray_range if gray_range.can_run(plan) else any_predicate
    return way.run(plan, n_threads)


def measured(plan: Plan) -> tuple[np.ndarray, np.ndarray, bool]:
    """Labels, and what merging knows of each region, by one thread.

    Returns
    -------
    labels : ndarray, spatial shape, int32
    rows : ndarray, (regions, row size) float64
        See :mod:`classicseg.kernels.regions.statistics`.
    is_leaf : bool
        Whether the whole picture is one block that was not split.
    """
    way = gray_range if gray_range.can_run(plan) else any_predicate
    return way.measured(plan)
