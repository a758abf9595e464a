"""Split-and-merge of gray images under a range, the fast way; see :mod:`.engine`."""

from __future__ import annotations

import numpy as np

from classicseg.kernels.regions import range_image, range_tile
from classicseg.machine.parallel import new_sync
from classicseg.machine.parallel import run as run_threads
from classicseg.machine.threads import resolve_threads
from classicseg.splitmerge.homogeneity import Range
from classicseg.splitmerge.neighbours import step_scale
from classicseg.splitmerge.plan import Plan

_SOON_DONE = 2**22
"""Pixels that one thread segments in less than a tenth of a second."""


def can_run(plan: Plan) -> bool:
    """Whether the plan asks for nothing that this way lacks."""
    picture = plan.picture
    gray = not picture.volume and picture.values.shape[3] == 1 and picture.mask is None
    same_range = type(plan.predicate) is Range and (plan.merge is None or plan.merge_predicate == plan.predicate)
    return gray and same_range and plan.connectivity == 1 and plan.merge != "best_first" and plan.min_area == 1


def run(plan: Plan, n_threads: int) -> np.ndarray:
    """Labels, (H, W) int32."""
    return _segment(plan, n_threads)[0]


def measured(plan: Plan) -> tuple[np.ndarray, np.ndarray, bool]:
    """See :func:`.engine.measured`; sums of squares are left out."""
    labels, regions, n = _segment(plan, 1)
    roots = np.flatnonzero(regions.parent[:n] == np.arange(n))
    numbers = -regions.counts[roots]
    rows = np.zeros((len(roots), 6))
    for column, values in ((2, regions.sums), (4, regions.low), (5, regions.high)):
        rows[numbers - 1, column] = values[roots]
    rows[:, 0] = np.bincount(labels.ravel(), minlength=len(roots) + 1)[1:]
    return labels, rows, len(roots) == 1


def _segment(plan: Plan, n_threads: int) -> tuple[np.ndarray, range_tile.Regions, int]:
    """Labels, and the entries of the table of regions that were used."""
    assert isinstance(plan.predicate, Range)
    image = plan.picture.values[0, :, :, 0]
    threshold = plan.predicate.threshold
    whole = image.dtype == np.uint8
    limit = np.array([min(np.floor(threshold), 255)], np.int32) if whole else np.array([threshold])
    origin = None if whole else plan.picture.origin[0]
    side = range_tile.TILE
    n, n_tiles = image.size, -(-image.shape[0] // side) * -(-image.shape[1] // side)
    tiles = range_image.Tiles(
        first=np.empty(n_tiles, np.int32),
        count=np.empty(n_tiles, np.int32),
        cursor=np.zeros(1, np.int64),
        local=np.empty(n_tiles * side * side, np.uint16),
        borders=np.empty((n_tiles, 4, side), np.uint16),
    )
    regions = range_tile.Regions(  # memory that is not written to is never taken
        parent=np.empty(n, np.int32),
        low=np.empty(n, image.dtype),
        high=np.empty(n, image.dtype),
        sums=np.empty(n, np.int64 if whole else np.float64),
        counts=np.empty(n, np.int32),
    )
    labels = np.empty(image.shape, np.int32)
    threads = min(resolve_threads(n_threads, n // 4), n_tiles)  # a pixel takes little
    sync = new_sync(range_image.N_COUNTERS)
    options = (limit, origin, step_scale(threshold), plan.stop_level, plan.merge is not None)
    run_threads(
        range_image.split_and_merge_range, threads, sync, image, *options, tiles, regions, labels, brief=n <= _SOON_DONE
    )
    return labels, regions, int(tiles.cursor[0])
