"""The seams between groups of tiles: which regions on their two sides become one, and the number of each region.

Regions at the border of a group come in the order of the tile in which they begin, as in an image that is segmented as
a whole; pairs of them are tried in that order of pixels, and by the same kernel: it is given an image of pairs, each
of which is a row of two pixels.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from classicseg.kernels.regions import edges, merging
from classicseg.splitmerge.groups import TILE_BITS, Border, Group, Layout, faces, no_rows
from classicseg.splitmerge.homogeneity import Homogeneity, Range
from classicseg.splitmerge.neighbours import offsets_to_neighbours, step_scale
from classicseg.splitmerge.plan import Plan
from classicseg.splitmerge.program import compiled

_ALL = Range(1e300)  # holds for whatever an image may have
_PAIR = np.array([[0, 0, 1]], np.int64)
_NONE = np.zeros(1)  # edges of the bins of no histogram


class Numbers(NamedTuple):
    """Which number each region of the image has."""

    n_regions: int
    base: np.ndarray
    """(tiles,) int64: numbers that are taken before each tile."""
    starts: np.ndarray
    """(groups + 1,) int64: where the regions at the border of each group begin."""
    final: np.ndarray
    """(border regions,) int32: their numbers, group by group."""
    first: np.ndarray
    """(border regions,) bool: whether the region begins there; else it is part of one that came before."""
    shared: np.ndarray
    """(border regions,) bool: whether the region lies in several groups."""

    def share(self, index: int, tiles: np.ndarray) -> Share:
        """What a group has to know, whose tiles have the numbers `tiles`; `index` is its place in the grid."""
        own = slice(self.starts[index], self.starts[index + 1])
        return Share(self.base[tiles], self.final[own], self.first[own], self.shared[own])


class Share(NamedTuple):
    """The numbers of the regions at the border of a group, and those that begin in each of its tiles."""

    base: np.ndarray
    """(tiles,) int64: numbers that are taken before each tile."""
    final: np.ndarray
    """(m,) int32, as the other two of :class:`Numbers`."""
    first: np.ndarray
    """(m,) bool"""
    shared: np.ndarray
    """(m,) bool"""

    def numbers(self, group: Group) -> np.ndarray:
        """The numbers of the regions 0 to n of the group, 0 for no region."""
        counts = np.ones(group.n + 1, np.int64)
        counts[0] = 0
        counts[group.touched] = self.first
        counts = np.cumsum(counts)
        ends = np.cumsum(group.new)
        base = self.base - counts[ends - group.new]
        numbers = counts + np.concatenate([[0], np.repeat(base, group.new)])
        numbers[group.touched] = self.final
        return numbers.astype(np.int32)


class Borders:
    """The regions at borders of groups, while groups are met in any order.

    Parameters
    ----------
    layout : Layout
    plan : Plan
        Of the image.
    """

    def __init__(self, layout: Layout, plan: Plan) -> None:
        self.layout, self._plan = layout, plan
        n_groups = math.prod(layout.grid)
        self.new = np.zeros(math.prod(layout.tiles), np.uint16)
        self._counts, self._leaf = np.zeros(n_groups, np.int64), np.zeros(n_groups, bool)
        self._keys: list[np.ndarray] = [np.empty(0, np.int64)] * n_groups
        self._rows: list[np.ndarray] = [no_rows(plan)] * n_groups
        self._planes = [
            np.full((n - 1, 2, *layout.shape[:axis], *layout.shape[axis + 1 :]), -1, np.int32)
            for axis, n in enumerate(layout.grid)
        ]

    def add(self, index: int, box: tuple[slice, ...], border: Border) -> None:
        """Note what a group is to its neighbours; `index` is its place in the grid, row by row."""
        self.new[self.layout.tiles_of(box)] = border.new
        self._counts[index], self._leaf[index] = border.keys.size, border.is_leaf
        self._keys[index], self._rows[index] = border.keys, border.rows
        for (axis, last, number), side in zip(faces(self.layout, box), border.sides, strict=True):
            self._planes[axis][(number, 0 if last else 1, *box[:axis], *box[axis + 1 :])] = side

    def numbers(self) -> Numbers:
        """Join what becomes one, and number all regions."""
        starts = np.concatenate([[0], np.cumsum(self._counts)])
        keys = np.concatenate(self._keys)
        order = np.argsort(keys)
        place = np.empty(order.size, np.int32)
        place[order] = np.arange(order.size)
        keys, rows = keys[order], np.concatenate(self._rows)
        self._keys, self._rows = [], []
        rows = rows[order]
        parent = np.arange(order.size, dtype=np.int32)
        origin = self._plan.picture.origin
        regions = merging.Regions(parent, rows, origin, np.empty((0, 2), np.int32), np.zeros(1, np.int64))
        self._join_large_leaves(regions, place, starts)
        if self._plan.merge is not None:
            predicate = self._plan.merge_predicate
            scale = step_scale(predicate.reach(0.0) * len(origin) ** 0.5)
            self._merge(self._pairs(place, starts), predicate, scale, regions)
        while (parent != parent[parent]).any():
            parent[:] = parent[parent]
        return self._numbered(parent, keys, place, starts)

    def same_sides(self, numbers: Numbers) -> np.ndarray:
        """How many sides of pixels each border region, group by group, has in common with itself across borders."""
        counts = np.zeros(numbers.final.size, np.int64)
        for axis, _ in enumerate(self._planes):
            one, other = (self._ids(axis, side, numbers.starts) for side in range(2))
            both = (one >= 0) & (other >= 0)
            one, other = one[both], other[both]
            same = numbers.final[one] == numbers.final[other]
            for side in (one, other):
                counts += np.bincount(side[same], minlength=counts.size)
        return counts

    def _ids(self, axis: int, side: int, starts: np.ndarray) -> np.ndarray:
        """Which border regions, group by group, lie along the borders across an axis, on one side of them; or -1."""
        plane = self._planes[axis][:, side]
        along = [np.arange(n) // step for n, step in zip(self.layout.shape, self.layout.side, strict=True)]
        along[axis] = np.arange(plane.shape[0]) + side
        order = (axis, *(other for other in range(3) if other != axis))
        places = np.ix_(*(along[i] for i in order))
        of_group = np.ravel_multi_index(tuple(places[order.index(i)] for i in range(3)), self.layout.grid)
        return np.where(plane >= 0, plane + starts[of_group], -1)

    def _join_large_leaves(self, regions: merging.Regions, place: np.ndarray, starts: np.ndarray) -> None:
        """Make one region of every block that is not split and larger than a group."""
        grid, plan = self.layout.grid, self._plan
        whole = self._leaf.reshape(grid)
        n_channels = len(regions.origin)
        at = np.full(whole.size, -1, np.int64)
        has = self._counts > 0
        if not has.any():
            return
        at[has] = place[starts[:-1][has]]
        root = at.reshape(grid)  # the region of a block that is whole
        ends = regions.rows[np.maximum(at, 0), 1 + 3 * n_channels :].reshape(*grid, 2, n_channels)
        low, high = ends[..., 0, :], ends[..., 1, :]
        level = self.layout.level
        while max(whole.shape) > 1 and level < plan.top_level:
            level += 1
            starting = [np.arange(0, n, 2) for n in whole.shape]
            parts = whole, low, high
            for axis, start in enumerate(starting):
                parts = (
                    np.logical_and.reduceat(parts[0], start, axis=axis),
                    np.minimum.reduceat(parts[1], start, axis=axis),
                    np.maximum.reduceat(parts[2], start, axis=axis),
                )
            merged, low, high = parts
            pairs = []
            for cell in map(tuple, np.argwhere(merged)):
                if level > plan.stop_level and not _holds(plan.predicate, low[cell], high[cell]):
                    merged[cell] = False
                    continue
                members = root[tuple(slice(2 * i, 2 * i + 2) for i in cell)].ravel()
                pairs += [(members[0], other) for other in members[1:]]
            self._merge(np.array(pairs, np.int32).reshape(-1, 2), _ALL, np.float32(0), regions)
            whole, root = merged, root[::2, ::2, ::2]

    def _pairs(self, place: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Pairs of regions on two sides of a border, (n, 2) int32, in the order of pixels."""
        layout = self.layout
        offsets = offsets_to_neighbours(len(layout.spatial), self._plan.connectivity)
        keys, found = [], []
        for axis, plane in enumerate(self._planes):
            if plane.size == 0 or place.size == 0:
                continue
            both = [np.where((ids := self._ids(axis, side, starts)) >= 0, place[ids], -1) for side in range(2)]
            for k, offset in enumerate(offsets):
                if offset[axis] != 0:
                    forward = offset[axis] > 0
                    one, other, position = _shifted(
                        layout, axis, offset, both[0 if forward else 1], both[1 if forward else 0]
                    )
                    keys.append(_order(layout, position, k, len(offsets)))
                    found.append(np.stack([one, other], axis=1))
        if not found:
            return np.empty((0, 2), np.int32)
        pairs = np.concatenate(found)[np.argsort(np.concatenate(keys))]
        changes = np.ones(len(pairs), bool)
        changes[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
        return pairs[changes].astype(np.int32)

    def _merge(self, pairs: np.ndarray, predicate: Homogeneity, scale: np.float32, regions: merging.Regions) -> None:
        """Try pairs of regions once, those of the nearest means first."""
        if len(pairs) == 0:
            return
        program = compiled(predicate, np.empty((0, len(regions.origin))), _NONE)
        image = edges.Pixels(np.ascontiguousarray(pairs)[np.newaxis], False, _PAIR)
        merging.merge_pass(image, edges.EVERYWHERE, 0, 1, scale, program.predicate, regions)

    def _numbered(self, parent: np.ndarray, keys: np.ndarray, place: np.ndarray, starts: np.ndarray) -> Numbers:
        """Number the regions in the order of the tile in which they begin, and of their numbers in it."""
        first = parent == np.arange(parent.size)
        tiles, rank = keys >> TILE_BITS, keys & ((1 << TILE_BITS) - 1)
        gone = np.bincount(tiles[~first], minlength=self.new.size)
        base = np.concatenate([[0], np.cumsum(self.new - gone)])
        before = np.cumsum(~first) - ~first
        before -= before[np.searchsorted(tiles, tiles)]
        own = base[tiles] + rank - before + 1
        members = np.bincount(parent, minlength=parent.size)
        return Numbers(
            int(base[-1]),
            base[:-1],
            starts,
            own[parent][place].astype(np.int32),
            first[place],
            (members[parent] > 1)[place],
        )


def _holds(predicate: Homogeneity, low: np.ndarray, high: np.ndarray) -> bool:
    """Whether a block passes a predicate that looks at nothing but the smallest and the largest values, (C,)."""
    return predicate.holds([np.stack([low, high])])


def _shifted(
    layout: Layout, axis: int, offset: np.ndarray, one: np.ndarray, other: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Regions of pixels and of those an `offset` further, across borders of an axis, and where the first lie.

    Pairs that cross a border of an axis before it as well are left out: they have been found there.
    """
    rest = [i for i in range(3) if i != axis]
    begin, end, once = [slice(None)], [slice(None)], np.ones(one.shape[:1] + (1,) * 2, bool)
    for i, side in enumerate(rest):
        n, step = layout.shape[side], int(offset[side])
        begin.append(slice(max(0, -step), n - max(0, step)))
        end.append(slice(max(0, step), n - max(0, -step)))
        if side < axis and step != 0:
            along = np.arange(n)[begin[-1]]
            stays = along // layout.side[side] == (along + step) // layout.side[side]
            once = once & np.expand_dims(stays, [k for k in range(3) if k != i + 1])
    one, other = one[tuple(begin)], other[tuple(end)]
    where = np.nonzero((one >= 0) & (other >= 0) & once)
    position: list[np.ndarray] = [np.empty(0, np.int64)] * 3
    position[axis] = (where[0] + 1) * layout.side[axis] - (1 if offset[axis] > 0 else 0)
    for i, side in enumerate(rest):
        position[side] = where[i + 1] + begin[i + 1].start
    return one[where], other[where], position


def _order(layout: Layout, position: list[np.ndarray], k: int, n_offsets: int) -> np.ndarray:
    """Keys that sort pairs by the tile of their first pixel, then number `k` of the offset, then the place."""
    tile = np.ravel_multi_index(
        tuple(p // side for p, side in zip(position, layout.tile, strict=True)), layout.tiles
    ).astype(np.int64)
    within = np.ravel_multi_index(tuple(p % side for p, side in zip(position, layout.tile, strict=True)), layout.tile)
    return (tile * n_offsets + k) << TILE_BITS | within
