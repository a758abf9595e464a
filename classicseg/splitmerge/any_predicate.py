"""Split-and-merge of any image under any predicate; see :mod:`.engine`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from classicseg.inputs import value_range
from classicseg.kernels.regions import edges, merging, quadtree
from classicseg.kernels.regions.leaves import number_leaves, paint_leaves, sum_large_leaves
from classicseg.kernels.regions.range_tile import GROUP
from classicseg.kernels.regions.tiles import FLAT_LEVEL, VOLUME_LEVEL
from classicseg.machine.memory import check_memory
from classicseg.machine.threads import map_tasks
from classicseg.splitmerge.neighbours import offsets_to_neighbours, step_scale
from classicseg.splitmerge.plan import Plan
from classicseg.splitmerge.program import compiled
from classicseg.splitmerge.recorder import Record
from classicseg.splitmerge.statistics import histogram_edges

_TILES_AT_ONCE = 8
"""Tiles of a task: enough work for a thread to be worth a call, few enough to share it evenly."""
_TRIED = 64
"""Pixels on which a function of a user is tried: enough to show it an ordinary region."""


@dataclass(eq=False)
class _Tree:
    """Leaves of an image and their statistics."""

    labels: np.ndarray
    """(D, H, W) int32, number of the leaf of each pixel, -1 outside the mask."""
    blocks: np.ndarray
    """(leaves, 4) int32, corner (z, y, x) and level."""
    rows: np.ndarray
    """(leaves, row size) float64, see :mod:`classicseg.kernels.regions.statistics`."""
    edges: np.ndarray
    """(bins + 1,) float64: of the bins of histograms."""


def leaves(plan: Plan) -> np.ndarray:
    """Corner and level of every leaf, (n, 4)."""
    return _split(plan, 1).blocks


def run(plan: Plan, n_threads: int) -> np.ndarray:
    """Labels, spatial shape, int32."""
    tree = _split(plan, n_threads)
    _merge(plan, tree, np.empty((0, 2), np.int32), n_threads)
    return tree.labels.reshape(plan.picture.shape)


def measured(plan: Plan) -> tuple[np.ndarray, np.ndarray, bool]:
    """See :func:`.engine.measured`."""
    tree = _split(plan, 1)
    parent = _merge(plan, tree, np.empty((0, 2), np.int32), 1)[2]
    is_leaf = len(tree.blocks) == 1 and tree.rows[0, 0] == tree.labels.size
    return tree.labels.reshape(plan.picture.shape), tree.rows[parent == np.arange(parent.size)], is_leaf


def record(plan: Plan) -> tuple[np.ndarray, int, Record]:
    """Labels, how many regions there are, and the steps. By one thread: the order of merges is that of the record."""
    tree = _split(plan, 1)
    first, log = tree.labels.copy(), np.empty((len(tree.blocks), 2), np.int32)
    n_regions, n_merges, _ = _merge(plan, tree, log, 1)
    steps = Record.from_leaves(plan.picture.shape, plan.top_level, tree.blocks, first, log[:n_merges])
    return tree.labels.reshape(plan.picture.shape), n_regions, steps


def _split(plan: Plan, n_threads: int) -> _Tree:
    picture, values, mask = plan.picture, plan.picture.values, plan.picture.full_mask
    bins = histogram_edges(plan.picture.pixels, max(plan.predicate.bins, plan.merge_predicate.bins))
    n_channels = values.shape[3]
    row_size = 1 + n_channels * (4 + len(bins))
    grids = _grids_of_blocks(plan)
    n_tiles = int(grids[0, :3].prod())
    block_rows = np.empty((int(grids[-1, 3] + grids[-1, :3].prod()), row_size))
    tile_levels, n_leaves = np.empty(n_tiles, np.uint8), np.empty(n_tiles, np.int64)
    cells_of_tile = 8 ** (VOLUME_LEVEL - 1) if picture.volume else 4 ** (FLAT_LEVEL - 1)
    cells = np.empty((n_tiles, cells_of_tile), np.uint8)
    program = compiled(plan.predicate, plan.picture.pixels[:_TRIED], bins)
    problem = quadtree.Problem(mask, picture.volume, n_channels, plan.top_level, plan.stop_level, program.predicate)

    def over_tiles(call: Callable[[int, int], Any]) -> None:
        _over(call, n_tiles, n_threads)

    over_tiles(lambda a, b: quadtree.sum_tiles(problem, values, a, b, block_rows))
    quadtree.judge_large_blocks(problem, grids, block_rows, tile_levels)
    over_tiles(lambda a, b: quadtree.split_tiles(problem, values, a, b, tile_levels, cells, n_leaves))
    program.check()
    starts = np.concatenate([[0], np.cumsum(n_leaves)])
    check_memory(float(starts[-1]) * (8 * row_size + 24), f"the statistics of {starts[-1]} leaves")
    blocks = np.empty((int(starts[-1]), 4), np.int32)
    labels, rows = np.empty(mask.shape, np.int32), np.empty((len(blocks), row_size))
    over_tiles(lambda a, b: number_leaves(mask, picture.volume, a, b, cells, starts, blocks, labels))
    over_tiles(lambda a, b: paint_leaves(problem, values, a, b, cells, labels, rows))
    sum_large_leaves(picture.volume, blocks, grids, block_rows, rows)
    return _Tree(labels, blocks, rows, bins)


def _merge(plan: Plan, tree: _Tree, log: np.ndarray, n_threads: int) -> tuple[int, int, np.ndarray]:
    """Merge the leaves; `tree.labels` become regions, from 1, in the order of their roots.

    Returns how many there are, how long the log is, and the union-find of the leaves.
    """
    pixels = edges.Pixels(
        tree.labels, plan.picture.volume, offsets_to_neighbours(len(plan.picture.shape), plan.connectivity)
    )
    n_leaves, n_log = len(tree.blocks), np.zeros(1, np.int64)
    parent = np.arange(n_leaves, dtype=np.int32)
    regions = merging.Regions(parent, tree.rows, plan.picture.origin, log, n_log)
    if plan.merge is not None:
        _merge_by_predicate(plan, tree, pixels, regions, n_threads)
    if plan.min_area > 1:
        merging.absorb_small(pixels, float(plan.min_area), regions)
    n_regions: int = merging.number_regions(tree.labels, parent, np.empty(n_leaves, np.int32))
    return n_regions, int(n_log[0]), parent


def _merge_by_predicate(
    plan: Plan, tree: _Tree, pixels: edges.Pixels, regions: merging.Regions, n_threads: int
) -> None:
    program = compiled(plan.merge_predicate, plan.picture.pixels[:_TRIED], tree.edges)
    predicate = program.predicate
    low, high = value_range(plan.picture.some_pixels, -1)
    scale = step_scale(plan.merge_predicate.reach(high - low) * len(regions.origin) ** 0.5)

    def merge(scope: int, first: int, last: int) -> int:
        merges: int = merging.merge_pass(pixels, scope, first, last, scale, predicate, regions)
        return merges

    if plan.merge == "best_first":
        merging.merge_best_first(pixels, predicate, regions)
    else:
        tiles = _grids_of_blocks(plan)[0, :3]
        n_groups = int((-(-tiles // GROUP)).prod())
        _over(lambda a, b: merge(edges.WITHIN_TILES, a, b), int(tiles.prod()), n_threads)
        _over(lambda a, b: merge(edges.WITHIN_GROUPS, a, b), n_groups, n_threads, 1)
        merge(edges.BETWEEN_GROUPS, 0, 1)
    if not plan.merge_predicate.monotone:
        while merge(edges.EVERYWHERE, 0, 1) > 0:  # what failed before may hold by now
            continue
    program.check()


def _over(call: Callable[[int, int], Any], n: int, n_threads: int, at_once: int = _TILES_AT_ONCE) -> None:
    """``call(first, last)`` on ranges that cover 0 to n, on several threads."""
    starts = range(0, n, at_once)
    map_tasks(lambda k: call(starts[k], min(starts[k] + at_once, n)), len(starts), n_threads)


def _grids_of_blocks(plan: Plan) -> np.ndarray:
    """Blocks along each axis and number of the first, (levels, 4), for tiles and every larger block up to the root."""
    level = VOLUME_LEVEL if plan.picture.volume else FLAT_LEVEL
    grids, start = [], 0
    for k in range(level, max(level, plan.top_level) + 1):
        z, y, x = (-(-n // 2**k) for n in plan.picture.values.shape[:3])
        grids.append((z if plan.picture.volume else 1, y, x, start))
        start += grids[-1][0] * y * x
    return np.array(grids, np.int64)
