"""Split-and-merge of one group of tiles at a time, as a picture of its own.

In the order "fast" nothing that happens within a group of tiles looks beyond it, so that groups may be segmented one
after the other, in any order, by several processes. What their neighbours need to know of a group are its regions at
the border: they are listed here, and :mod:`.seams` joins them. Blocks of the quadtree that are larger than a group are
whole groups, as far as they lie in the image, and are joined there as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from classicseg.kernels.regions.range_tile import GROUP, GROUP_LEVEL
from classicseg.kernels.regions.tiles import FLAT_LEVEL, VOLUME_LEVEL
from classicseg.splitmerge import engine
from classicseg.splitmerge.picture import Picture
from classicseg.splitmerge.plan import Plan

TILE_BITS = 12
"""A tile has 2 to the power of it pixels, be it one of an image or of a volume."""


@dataclass(frozen=True)
class Layout:
    """Where tiles and groups of tiles lie; lists of three are along z, y, x.

    Parameters
    ----------
    spatial : tuple of int
        (H, W) or (D, H, W).
    """

    spatial: tuple[int, ...]

    @property
    def volume(self) -> bool:
        """Whether there are three spatial axes."""
        return len(self.spatial) == 3

    @property
    def shape(self) -> tuple[int, ...]:
        """(D, H, W); D is 1 without a third axis."""
        return self.spatial if self.volume else (1, *self.spatial)

    @property
    def tile(self) -> tuple[int, ...]:
        """Sides of a tile."""
        side = 1 << (VOLUME_LEVEL if self.volume else FLAT_LEVEL)
        return (side if self.volume else 1, side, side)

    @property
    def level(self) -> int:
        """That of the block that is a group."""
        return GROUP_LEVEL + (VOLUME_LEVEL if self.volume else FLAT_LEVEL)

    @property
    def side(self) -> tuple[int, ...]:
        """Sides of a group."""
        return (self.tile[0] * (GROUP if self.volume else 1), self.tile[1] * GROUP, self.tile[2] * GROUP)

    @property
    def grid(self) -> tuple[int, ...]:
        """Groups along each axis."""
        return tuple(-(-n // side) for n, side in zip(self.shape, self.side, strict=True))

    @property
    def tiles(self) -> tuple[int, ...]:
        """Tiles along each axis."""
        return tuple(-(-n // side) for n, side in zip(self.shape, self.tile, strict=True))

    def box(self, place: tuple[int, ...]) -> tuple[slice, ...]:
        """The pixels of the group at a `place` of the grid."""
        return tuple(
            slice(i * side, min((i + 1) * side, n)) for i, side, n in zip(place, self.side, self.shape, strict=True)
        )

    def tiles_of(self, box: tuple[slice, ...]) -> np.ndarray:
        """Numbers of the tiles in a box of whole tiles."""
        ends = [np.arange(b.start // side, -(-b.stop // side)) for b, side in zip(box, self.tile, strict=True)]
        return np.asarray(np.ravel_multi_index(np.meshgrid(*ends, indexing="ij"), self.tiles)).ravel()


class Group(NamedTuple):
    """A group that is segmented, its regions numbered from 1 in the order of tiles."""

    labels: np.ndarray
    """(D, H, W) int32; 0 outside the mask."""
    n: int
    """How many regions there are."""
    rows: np.ndarray
    """(n, row size) float64: what merging knows of them, see :mod:`classicseg.kernels.regions.statistics`."""
    is_leaf: bool
    """Whether it is one block that was not split."""
    new: np.ndarray
    """(tiles,) int64: how many regions begin in each tile."""
    touched: np.ndarray
    """(m,) int64: numbers of the regions at borders with other groups, rising."""


def segment_group(layout: Layout, plan: Plan, picture: Picture | None, box: tuple[slice, ...]) -> Group:
    """Split and merge the group in a `box`, by the `plan` of the whole image; no picture: all of it lies outside."""
    sides = tuple(b.stop - b.start for b in box)
    if picture is None:
        labels, rows, is_leaf = np.zeros(sides, np.int32), no_rows(plan), False
    else:
        own = replace(
            plan,
            picture=picture,
            top_level=min(plan.top_level, layout.level),
            stop_level=min(plan.stop_level, layout.level),
        )
        labels, rows, is_leaf = engine.measured(own)
        labels = labels.reshape(sides)
    ends = labels
    for axis, step in enumerate(layout.tile):
        ends = np.maximum.reduceat(ends, np.arange(0, sides[axis], step), axis=axis)
    new = np.diff(np.maximum.accumulate(ends.ravel()), prepend=0).astype(np.int64)
    seen = np.zeros(len(rows) + 1, bool)
    for axis, last, _ in faces(layout, box):
        seen[labels.take(-1 if last else 0, axis)] = True
    seen[0] = False
    return Group(labels, len(rows), rows, is_leaf, new, np.flatnonzero(seen))


class Border(NamedTuple):
    """What the neighbours of a group need to know of it."""

    new: np.ndarray
    """(tiles,) uint16: how many regions begin in each tile."""
    is_leaf: bool
    keys: np.ndarray
    """(m,) int64: of the regions at borders, the tile in which each begins, and its number there; rising."""
    rows: np.ndarray
    """(m, row size) float64: what merging knows of them."""
    sides: list[np.ndarray]
    """For each of :func:`faces`, int32: which of these regions a pixel is in; -1 for none."""

    @classmethod
    def of(cls, layout: Layout, box: tuple[slice, ...], group: Group) -> Border:
        """That of the group in a `box`."""
        tiles, ends = layout.tiles_of(box), np.cumsum(group.new)
        tile = np.searchsorted(ends, group.touched)
        rank = group.touched - 1 - (ends - group.new)[tile]
        places = np.full(group.n + 1, -1, np.int32)
        places[group.touched] = np.arange(group.touched.size)
        sides = [places[group.labels.take(-1 if last else 0, axis)] for axis, last, _ in faces(layout, box)]
        keys = tiles[tile] << TILE_BITS | rank
        return cls(group.new.astype(np.uint16), group.is_leaf, keys, group.rows[group.touched - 1], sides)


def no_rows(plan: Plan) -> np.ndarray:
    """What merging knows of no region."""
    return np.empty((0, 1 + 5 * plan.picture.values.shape[3]))


def faces(layout: Layout, box: tuple[slice, ...]) -> list[tuple[int, bool, int]]:
    """Sides of the group in a `box` that face another one: axis, whether it is the last side, number of the border."""
    found = []
    for axis, (b, side) in enumerate(zip(box, layout.side, strict=True)):
        if b.start > 0:
            found.append((axis, False, b.start // side - 1))
        if b.stop < layout.shape[axis]:
            found.append((axis, True, b.start // side))
    return found
