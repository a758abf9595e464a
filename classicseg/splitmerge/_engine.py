"""Allocates what the kernels of regions need and runs them in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from classicseg.kernels.regions import merging, quadtree, range_image, range_tile
from classicseg.machine.memory import check_memory
from classicseg.machine.parallel import new_sync
from classicseg.machine.parallel import run as run_threads
from classicseg.machine.threads import map_tasks
from classicseg.splitmerge._input import Picture
from classicseg.splitmerge._program import compiled
from classicseg.splitmerge.homogeneity import Homogeneity, Range
from classicseg.splitmerge.recorder import Record

_TILES_AT_ONCE = 8
_SOON_DONE = 2**22
"""Pixels that one thread segments in less than a tenth of a second."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A checked call of split_and_merge."""

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


def plan(
    picture: Picture,
    predicate: Homogeneity,
    min_size: int,
    max_depth: int | None,
    connectivity: int,
    merge: str | None,
    min_area: int,
    merge_predicate: Homogeneity | None = None,
) -> Plan:
    """Turn sizes and depths into levels of the tree."""
    merging_by = predicate if merge_predicate is None else merge_predicate
    bins = max(predicate.bins, merging_by.bins)
    predicate, merging_by = predicate.with_bins(bins), merging_by.with_bins(bins)
    top = (max(picture.shape) - 1).bit_length()
    stop = (min_size - 1).bit_length()
    if max_depth is not None:
        stop = max(stop, top - max_depth)
    return Plan(picture, predicate, merging_by, top, min(stop, top), connectivity, merge, min_area)


def offsets_to_neighbours(n_axes: int, connectivity: int) -> np.ndarray:
    """Steps (z, y, x) to half of the neighbours of a pixel, so that every pair comes once; along x, y, z first."""
    steps = [step for step in product((-1, 0, 1), repeat=3) if n_axes == 3 or step[0] == 0]
    half = [step for step in steps if step > (0, 0, 0) and sum(map(abs, step)) <= connectivity]
    return np.array(sorted(half, key=lambda step: (sum(map(abs, step)), step)), np.int64)


# --- gray images under a range: the fast way ----------------------------------------------------------------------


def is_plain(plan: Plan) -> bool:
    """Whether the kernel of gray images under a range does all that is asked for; the general ones agree with it."""
    picture = plan.picture
    gray = not picture.volume and picture.values.shape[3] == 1 and picture.mask is None
    simple = type(plan.predicate) is Range and (plan.merge is None or plan.merge_predicate == plan.predicate)
    return gray and simple and plan.connectivity == 1 and plan.merge != "best_first" and plan.min_area == 1


def run_plain(plan: Plan, n_threads: int) -> tuple[np.ndarray, int]:
    """Labels (1, H, W) and how many regions there are."""
    assert isinstance(plan.predicate, Range)
    image = plan.picture.values[0, :, :, 0]
    threshold = plan.predicate.threshold
    whole = image.dtype == np.uint8
    limit = np.array([min(np.floor(threshold), 255)], np.int32) if whole else np.array([threshold])
    side = range_tile.TILE
    n, n_tiles = image.size, -(-image.shape[0] // side) * -(-image.shape[1] // side)
    tiles = (np.empty(n_tiles, np.int32), np.empty(n_tiles, np.int32), np.zeros(1, np.int64))
    table = (  # memory that is not written to is never taken
        np.empty(n, np.int32),
        np.empty(n, image.dtype),
        np.empty(n, image.dtype),
        np.empty(n, np.int64 if whole else np.float64),
        np.empty(n, np.int32),
    )
    local, borders = np.empty(n_tiles * side * side, np.uint16), np.empty((n_tiles, 4, side), np.uint16)
    labels, n_regions = np.empty(image.shape, np.int32), np.zeros(1, np.int64)
    threads, sync = min(n_threads, n_tiles), new_sync(range_image.N_COUNTERS)
    options = (_scale(threshold), plan.stop_level, plan.merge is not None)
    arguments = (image, limit, *options, tiles, table, local, borders, labels, n_regions)
    if threads == 1 and n <= _SOON_DONE:  # to start a thread would take longer than to wait for Ctrl-C
        range_image.split_and_merge_range(sync, 1, *arguments)
    else:
        run_threads(range_image.split_and_merge_range, threads, sync, *arguments)
    return labels, int(n_regions[0])


def _scale(reach: float) -> np.float32:
    """From a difference of means to a step of the order in which pairs are tried."""
    return np.float32(min(range_tile.BUCKETS / reach, 1e30))


# --- any image, any predicate -------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Tree:
    """Leaves of an image and their statistics."""

    labels: np.ndarray
    """(D, H, W) int32, number of the leaf of each pixel, -1 outside the mask."""
    blocks: np.ndarray
    """(leaves, 4) int32, corner (z, y, x) and level."""
    rows: np.ndarray
    """(leaves, row size) float64, see :mod:`classicseg.kernels.regions.statistics`."""
    bins: np.ndarray
    """(3,) float64: smallest value, inverse width, number of bins of histograms."""
    spread: float
    """Range of the image."""


def leaves(plan: Plan) -> np.ndarray:
    """Corner and level of every leaf, (n, 4)."""
    return _split(plan, 1).blocks


def run(plan: Plan, n_threads: int, record: bool) -> tuple[np.ndarray, int, Record | None]:
    """Labels (D, H, W), how many regions there are, and the steps if they are to be recorded."""
    tree = _split(plan, n_threads)
    n_leaves, n_channels = len(tree.blocks), plan.picture.values.shape[3]
    first = tree.labels.copy() if record else None
    parent = np.arange(n_leaves, dtype=np.int32)
    log, n_log = np.empty((n_leaves if record else 0, 2), np.int32), np.zeros(1, np.int64)
    offsets = offsets_to_neighbours(len(plan.picture.shape), plan.connectivity)
    if plan.merge is not None:
        _merge(plan, tree, parent, offsets, log, n_log, n_threads)
    if plan.min_area > 1:
        where = (tree.labels, plan.picture.volume, offsets)
        merging.absorb_small(*where, float(plan.min_area), parent, tree.rows, n_channels, log, n_log)
    n_regions = merging.number_regions(tree.labels, parent, np.empty(n_leaves, np.int32))
    if first is None:
        return tree.labels, n_regions, None
    steps = Record.from_leaves(plan.picture.shape, plan.top_level, tree.blocks, first, log[: n_log[0]])
    return tree.labels, n_regions, steps


def _split(plan: Plan, n_threads: int) -> _Tree:
    picture, values, mask = plan.picture, plan.picture.values, plan.picture.full_mask
    program, n_bins = compiled(plan.predicate), max(plan.predicate.bins, plan.merge_predicate.bins)
    low, high = _value_range(values, picture.mask)
    bins = np.array([low, max(n_bins, 1) / max(high - low, 1e-300), n_bins])
    row_size = 1 + values.shape[3] * (4 + n_bins)
    grids = _grids_of_blocks(plan)
    n_tiles = int(grids[0, :3].prod())
    block_rows = np.empty((int(grids[-1, 3] + grids[-1, :3].prod()), row_size))
    tile_levels, n_leaves = np.empty(n_tiles, np.uint8), np.empty(n_tiles, np.int64)
    cells = np.empty(
        (n_tiles, 8 ** (quadtree.VOLUME_LEVEL - 1) if picture.volume else 4 ** (quadtree.FLAT_LEVEL - 1)), np.uint8
    )
    rules = (plan.top_level, plan.stop_level, program.instructions, program.addresses, bins)
    source = (values, mask, picture.volume)

    def over_tiles(call: Callable[[int, int], Any]) -> None:
        _over(call, n_tiles, n_threads)

    over_tiles(lambda a, b: quadtree.sum_tiles(*source, bins, a, b, block_rows))
    quadtree.judge_large_blocks(*source, *rules, grids, block_rows, tile_levels)
    over_tiles(lambda a, b: quadtree.split_tiles(*source, *rules, a, b, tile_levels, cells, n_leaves))
    starts = np.concatenate([[0], np.cumsum(n_leaves)])
    check_memory(float(starts[-1]) * (8 * row_size + 24), f"the statistics of {starts[-1]} leaves")
    blocks = np.empty((int(starts[-1]), 4), np.int32)
    labels, rows = np.empty(mask.shape, np.int32), np.empty((len(blocks), row_size))
    over_tiles(lambda a, b: quadtree.number_leaves(mask, picture.volume, a, b, cells, starts, blocks, labels))
    over_tiles(lambda a, b: quadtree.paint_leaves(*source, bins, a, b, cells, labels, rows))
    quadtree.sum_large_leaves(picture.volume, blocks, grids, block_rows, rows)
    return _Tree(labels, blocks, rows, bins, high - low)


def _merge(
    plan: Plan,
    tree: _Tree,
    parent: np.ndarray,
    offsets: np.ndarray,
    log: np.ndarray,
    n_log: np.ndarray,
    n_threads: int,
) -> None:
    where = (tree.labels, plan.picture.volume, offsets)
    program = compiled(plan.merge_predicate)
    rules = (program.instructions, program.addresses, tree.bins)
    n_channels = plan.picture.values.shape[3]
    state = (parent, tree.rows, n_channels, log, n_log)
    scale = _scale(plan.merge_predicate.reach(tree.spread or 1.0) * n_channels**0.5)

    def merge(scope: int, first: int, last: int) -> int:
        merges: int = merging.merge_pass(*where, scope, first, last, scale, *rules, *state)
        return merges

    if plan.merge == "best_first":
        merging.merge_best_first(*where, *rules, *state)
    else:
        tiles = _grids_of_blocks(plan)[0, :3]
        n_groups = int((-(-tiles // merging.FLAT_GROUP)).prod())
        _over(lambda a, b: merge(merging.WITHIN_TILES, a, b), int(tiles.prod()), n_threads)
        _over(lambda a, b: merge(merging.WITHIN_GROUPS, a, b), n_groups, n_threads, 1)
        merge(merging.BETWEEN_GROUPS, 0, 1)
    if not plan.merge_predicate.monotone:
        while merge(merging.EVERYWHERE, 0, 1) > 0:  # what failed before may hold by now
            continue


def _over(call: Callable[[int, int], Any], n: int, n_threads: int, at_once: int = _TILES_AT_ONCE) -> None:
    """``call(first, last)`` on ranges that cover 0 to n, on several threads."""
    starts = range(0, n, at_once)
    map_tasks(lambda k: call(starts[k], min(starts[k] + at_once, n)), len(starts), n_threads)


def _grids_of_blocks(plan: Plan) -> np.ndarray:
    """Blocks along each axis and number of the first, (levels, 4), for tiles and every larger block up to the root."""
    level = quadtree.VOLUME_LEVEL if plan.picture.volume else quadtree.FLAT_LEVEL
    grids, start = [], 0
    for k in range(level, max(level, plan.top_level) + 1):
        z, y, x = (-(-n // 2**k) for n in plan.picture.values.shape[:3])
        grids.append((z if plan.picture.volume else 1, y, x, start))
        start += grids[-1][0] * y * x
    return np.array(grids, np.int64)


def _value_range(values: np.ndarray, mask: np.ndarray | None) -> tuple[float, float]:
    inside = values if mask is None else values[mask]
    return float(inside.min()), float(inside.max())


def absorb_small(labels: np.ndarray, picture: Picture, min_area: int) -> None:
    """Let small regions of (D, H, W) labels join their neighbours, in place; 0 is no region."""
    from classicseg.kernels.regions.describe import measure_regions

    n, n_channels = int(labels.max()), picture.values.shape[3]
    rows = np.empty((n, 1 + 4 * n_channels))
    boxes, centers, perimeters = np.empty((n, 6), np.int32), np.empty((n, 3)), np.empty(n, np.int64)
    measure_regions(labels, picture.values, np.array([0.0, 1.0, 0.0]), rows, boxes, centers, perimeters)
    labels -= 1
    parent, no_log = np.arange(n, dtype=np.int32), np.empty((0, 2), np.int32)
    offsets = offsets_to_neighbours(len(picture.shape), 1)
    count = np.zeros(1, np.int64)
    merging.absorb_small(labels, picture.volume, offsets, float(min_area), parent, rows, n_channels, no_log, count)
    merging.number_regions(labels, parent, np.empty(n, np.int32))
