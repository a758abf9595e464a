"""Split-and-merge of one tile of 64 x 64 gray pixels under "largest minus smallest value <= threshold".

A tile is small enough for all of this to stay in the processor's first caches. Because the range of a block is never
smaller than that of its parts, the tree can be read off bottom-up: the leaf of a pixel is its largest homogeneous
block. Positions are in *cells* of 2 x 2 pixels, 32 x 32 of them: a cell either lies in one leaf or holds four leaves of
one pixel each, so that no number has to be stored per pixel.

For the same reason a merge that fails once fails for ever, and one pass over the edges in the order of their
difference settles everything.

A tile reaches beyond the image at its lower and right border: `height` and `width` are those of what lies within. The
`limit` (1,) is the threshold in the type in which values are compared. Means are float32 and lie about an `origin`, so
that they keep their digits wherever the image lies; for bytes it is None.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.kernels.regions.unions import find
from classicseg.machine.jit import inline
from classicseg.machine.simd import item, put

LEVELS = 6
"""Level of a tile: blocks of level l have 2^l pixels a side."""
TILE = 1 << LEVELS
CELLS = TILE // 2
GROUP_LEVEL = 3
GROUP = 1 << GROUP_LEVEL
"""Tiles along the side of a group: seams within groups are merged in parallel, then one thread merges the others."""
BUCKETS = 128
"""Steps of the difference by which edges are sorted: 7 bits, which with the two leaves of an edge make 31."""
MAX_EDGES = 2 * TILE * (TILE - 1)
"""Pairs of pixels that touch."""

_LOCAL = 12  # bits of a leaf number in a packed edge
_LOCAL_MASK = (1 << _LOCAL) - 1


class Leaves(NamedTuple):
    """The leaves of one tile, one entry each; at most as many as pixels."""

    parent: np.ndarray
    """int32: union-find."""
    low: np.ndarray
    """Smallest value, of the type in which values are compared."""
    high: np.ndarray
    """Largest value."""
    sums: np.ndarray
    """Sum of the values."""
    counts: np.ndarray
    """int32: pixels within the image."""
    means: np.ndarray
    """float32, minus the origin"""


class Regions(NamedTuple):
    """The regions of all tiles, one entry each."""

    parent: np.ndarray
    """int32: union-find."""
    low: np.ndarray
    """Smallest value, of the type of the image."""
    high: np.ndarray
    """Largest value."""
    sums: np.ndarray
    """Sum of the values."""
    counts: np.ndarray
    """int32: pixels; in the end minus the number of the region."""


@inline
def load_tile(flat, stride, y0, x0, height, width, pixels):
    """Copy the tile that starts at (`y0`, `x0`) of an image into `pixels` (64 * 64,).

    `flat` is the image, whose rows lie `stride` apart. Beyond the `height` and `width` of what lies within the image,
    rows and columns repeat the last one, which leaves every range as it is.
    """
    for y in range(TILE):
        start, base = (y0 + min(y, height - 1)) * stride + x0, y * TILE
        if width == TILE:
            for x in range(TILE):
                put(pixels, base + x, item(flat, start + x))
        else:
            for x in range(TILE):
                put(pixels, base + x, item(flat, start + min(x, width - 1)))


@inline
def _smaller(a, b):
    """The smaller of `a` and `b`."""
    return a if a < b else b


@inline
def _larger(a, b):
    """The larger of `a` and `b`."""
    return a if a > b else b


@inline
def _halve(source, at, side, target, to, row, pick):
    """From `side` x `side` values to a quarter of them, `pick` of each 2 x 2.

    They lie in `source` from `at` on, and go into `target` from `to` on; `row` (64,) is work space.
    """
    half = side // 2
    for y in range(half):
        upper = at + 2 * y * side
        for x in range(side):
            put(row, x, pick(item(source, upper + x), item(source, upper + side + x)))
        base = to + y * half
        for x in range(half):
            put(target, base + x, pick(item(row, 2 * x), item(row, 2 * x + 1)))


@inline
def build_pyramid(pixels, low, high, row):
    """From the `pixels` of a tile to the smallest and largest value of every block, `low` and `high`.

    Each level starts where the finer ones end, the tile itself is last. `row` (64,) is work space.
    """
    _halve(pixels, 0, TILE, low, 0, row, _smaller)
    _halve(pixels, 0, TILE, high, 0, row, _larger)
    at, side = 0, CELLS
    while side > 1:
        _halve(low, at, side, low, at + side * side, row, _smaller)
        _halve(high, at, side, high, at + side * side, row, _larger)
        at += side * side
        side //= 2


@inline
def _level_start(level):
    """Where a `level` starts in the pyramid: 32^2 blocks of level 1 come first, then 16^2 of level 2, and so on."""
    return ((1 << (2 * LEVELS)) - (1 << (2 * (LEVELS + 1 - level)))) // 3


@inline
def find_levels(low, high, limit, stop_level, levels):
    """Write the level of the leaf of every cell into `levels`, 0 where its pixels are leaves.

    `levels` is as long as the pyramid of :func:`build_pyramid`, `low` and `high`. Blocks of `stop_level` and below are
    never split, the others unless their range is at most the `limit`.
    """
    wide = limit.dtype.type
    at, side, level = low.size - 1, 1, LEVELS
    levels[at] = LEVELS if wide(high[at]) - wide(low[at]) <= limit[0] else 0
    while level > 1:
        level -= 1
        above, side = at, 2 * side
        at -= side * side
        forced = level <= stop_level
        for y in range(side):
            base, parent = at + y * side, above + (y // 2) * (side // 2)
            for x in range(side):
                homogeneous = forced or wide(item(high, base + x)) - wide(item(low, base + x)) <= limit[0]
                own = np.uint8(level) if homogeneous else np.uint8(0)
                put(levels, base + x, _larger(item(levels, parent + (x >> 1)), own))


@inline
def about(value, origin):
    """How far a `value` lies above the `origin`, as float32."""
    return np.float32(value) if origin is None else np.float32(value - origin)


@inline
def _start_leaf(leaves, number, smallest, largest, total, origin):
    """Make entry `number` of `leaves` one of values from `smallest` to `largest`, in sum `total`.

    Its mean, about the `origin`, is right if it is one pixel; else it comes later.
    """
    low, high, sums, means = leaves.low, leaves.high, leaves.sums, leaves.means
    put(low, number, low.dtype.type(smallest))
    put(high, number, high.dtype.type(largest))
    put(sums, number, sums.dtype.type(total))
    put(means, number, about(total, origin))


@inline
def number_leaves(pixels, low, high, levels, height, width, origin, first, leaves):
    """Fill the `leaves` of a tile; returns how many there are.

    `first` gets, for every cell, the number of its leaf or of the first of its four. Cells are visited row by row, and
    the four pixels of a cell likewise. A pixel beyond the image, of `height` and `width` here, gets a number but counts
    0 pixels. `pixels`, `low`, `high` and `levels` are those of :func:`build_pyramid` and :func:`find_levels`; means lie
    about the `origin`.
    """
    parent, counts, means, sums = leaves.parent, leaves.counts, leaves.means, leaves.sums
    add_up = sums.dtype.type
    for leaf in range(parent.size):
        put(counts, leaf, np.int32(1))
    number = 0
    for y in range((height + 1) // 2):
        for x in range((width + 1) // 2):
            cell, pixel = y * CELLS + x, 2 * (y * TILE + x)
            a, b = item(pixels, pixel), item(pixels, pixel + 1)
            c, d = item(pixels, pixel + TILE), item(pixels, pixel + TILE + 1)
            right, below = 2 * x + 1 < width, 2 * y + 1 < height
            level = np.int64(item(levels, cell))
            if level == 0:
                put(first, cell, np.int32(number))
                _start_leaf(leaves, number, a, a, a, origin)
                _start_leaf(leaves, number + 1, b, b, b, origin)
                _start_leaf(leaves, number + 2, c, c, c, origin)
                _start_leaf(leaves, number + 3, d, d, d, origin)
                if not (right and below):
                    counts[number + 1], counts[number + 2] = right, below
                    counts[number + 3] = 0
                number += 4
                continue
            inside = (1 << (level - 1)) - 1  # bits of a cell's position within its leaf
            leaf = np.int64(item(first, (y & ~inside) * CELLS + (x & ~inside)))
            if ((y | x) & inside) == 0:
                leaf = number
                block = _level_start(level) + (y >> (level - 1)) * (TILE >> level) + (x >> (level - 1))
                _start_leaf(leaves, leaf, item(low, block), item(high, block), 0, origin)
                put(counts, leaf, np.int32(0))
                number += 1
            put(first, cell, np.int32(leaf))
            if right and below:
                total, count = add_up(a) + add_up(b) + add_up(c) + add_up(d), 4
            else:
                total, count = add_up(a), 1
                if right:
                    total, count = total + add_up(b), count + 1
                if below:
                    total, count = total + add_up(c), count + 1
                put(means, leaf, about(total, origin))  # of a leaf with one pixel within the image
            put(sums, leaf, item(sums, leaf) + total)
            put(counts, leaf, np.int32(item(counts, leaf) + count))
    for leaf in range(number):
        put(parent, leaf, np.int32(leaf))
    for leaf in range(number):
        if item(counts, leaf) > 1:
            put(means, leaf, about(item(sums, leaf) / item(counts, leaf), origin))
    return number


@inline
def step_of(difference, scale):
    """Which of the steps of the order a `difference` of means falls into; the last for what is no number.

    `scale` is the factor from a difference to its step.
    """
    steps = abs(difference) * scale
    return np.int32(steps) if steps < np.float32(BUCKETS) else np.int32(BUCKETS - 1)


@inline
def _note_edge(edges, count, a, b, leaves, limit, scale):
    """Append the edge of `leaves` `a` and `b` to the `count` others in `edges`, unless their range exceeds the `limit`.

    It is packed as step | first | second, with the step of the order that `scale` gives. Returns the new count.
    """
    low, high, means = leaves.low, leaves.high, leaves.means
    largest = max(item(high, a), item(high, b))
    smallest = min(item(low, a), item(low, b))
    step = step_of(item(means, a) - item(means, b), scale)
    put(edges, count, np.int32((step << (2 * _LOCAL)) | (a << _LOCAL) | b))
    return count + (largest - smallest <= limit[0])


@inline
def gather_edges(levels, first, height, width, leaves, limit, scale, edges):
    """List the edges between touching `leaves` that may become one under the `limit` in `edges`; returns how many.

    Cell by cell, first those to the right, then those downwards. `levels` and `first` are those of
    :func:`find_levels` and :func:`number_leaves`, `height` and `width` of the tile within the image, `scale` that of
    :func:`step_of`.
    """
    count = 0
    for y in range((height + 1) // 2):
        for x in range((width + 1) // 2):
            cell = y * CELLS + x
            level, leaf = np.int64(item(levels, cell)), np.int64(item(first, cell))
            for down in range(2):
                if level == 0:
                    across = 2 if down else 1  # from the first pixel of the cell to the next one across
                    both = 2 * (x if down else y) + 1 < (width if down else height)
                    if 2 * (y if down else x) + 1 >= (height if down else width):
                        continue
                    beyond = 2 * (y if down else x) + 2 < (height if down else width)
                    other_cell = cell + (CELLS if down else 1) if beyond else cell
                    other, fine = np.int64(item(first, other_cell)), item(levels, other_cell) == 0
                    count = _note_edge(edges, count, leaf, leaf + across, leaves, limit, scale)
                    if down:
                        if both:
                            count = _note_edge(edges, count, leaf + 1, leaf + 3, leaves, limit, scale)
                        if beyond:
                            count = _note_edge(edges, count, leaf + 2, other, leaves, limit, scale)
                            if both:
                                count = _note_edge(
                                    edges, count, leaf + 3, other + (1 if fine else 0), leaves, limit, scale
                                )
                    else:
                        if beyond:
                            count = _note_edge(edges, count, leaf + 1, other, leaves, limit, scale)
                        if both:
                            count = _note_edge(edges, count, leaf + 2, leaf + 3, leaves, limit, scale)
                            if beyond:
                                count = _note_edge(
                                    edges, count, leaf + 3, other + (2 if fine else 0), leaves, limit, scale
                                )
                    continue
                inside = (1 << (level - 1)) - 1
                here, length = (y, height) if down else (x, width)
                if (here & inside) != inside or 2 * here + 2 >= length:
                    continue  # not at the border of the leaf, or at that of the tile
                other_cell = cell + (CELLS if down else 1)
                other, other_level = np.int64(item(first, other_cell)), np.int64(item(levels, other_cell))
                if other_level == 0:
                    count = _note_edge(edges, count, leaf, other, leaves, limit, scale)
                    if 2 * (x if down else y) + 1 < (width if down else height):
                        count = _note_edge(edges, count, leaf, other + (1 if down else 2), leaves, limit, scale)
                else:
                    # two blocks share one edge: note it at the first cell along their common border
                    shared = min(inside, (1 << (other_level - 1)) - 1)
                    if ((x if down else y) & shared) == 0:
                        count = _note_edge(edges, count, leaf, other, leaves, limit, scale)
    return count


@inline
def sort_edges(edges, count, ordered, starts):
    """Stable counting sort of `count` edges by their step, from `edges` into `ordered`; `starts` is work space."""
    for step in range(BUCKETS + 1):
        starts[step] = 0
    for e in range(count):
        step = (item(edges, e) >> (2 * _LOCAL)) + 1
        put(starts, step, np.int32(item(starts, step) + 1))
    for step in range(BUCKETS):
        starts[step + 1] += starts[step]
    for e in range(count):
        edge = item(edges, e)
        step = edge >> (2 * _LOCAL)
        place = item(starts, step)
        put(ordered, place, edge)
        put(starts, step, np.int32(place + 1))


@inline
def unite(ordered, count, leaves, limit):
    """Merge `leaves` along `count` edges wherever the range of both together is at most the `limit`.

    The edges are `ordered` by :func:`sort_edges`. Returns how many merges there were.

    Whether a merge succeeds is as hard to predict as noise: everything is written whether it does or not, without a
    branch. Where both ends are one region already, that changes nothing.
    """
    parent, low, high = leaves.parent, leaves.low, leaves.high
    n_merges = 0
    for e in range(count):
        edge = item(ordered, e)
        a = np.int64(find(parent, (edge >> _LOCAL) & _LOCAL_MASK))
        b = np.int64(find(parent, edge & _LOCAL_MASK))
        root, other = min(a, b), max(a, b)
        low_root, high_root = item(low, root), item(high, root)
        smallest = _smaller(low_root, item(low, other))
        largest = _larger(high_root, item(high, other))
        fits = largest - smallest <= limit[0]
        put(parent, other, np.int32(root if fits else other))
        put(low, root, smallest if fits else low_root)
        put(high, root, largest if fits else high_root)
        n_merges += fits and a != b
    return n_merges


@inline
def close_regions(leaves, n_leaves, names, regions, at):
    """Write what the first `n_leaves` of `leaves` have become into `regions`, from entry `at` on.

    `names` gets the region of each leaf, counted from 0 within the tile.
    """
    parent, low, high, sums, counts, _ = leaves
    n_regions = 0
    for leaf in range(n_leaves):  # parents are smaller: they know their roots
        put(parent, leaf, item(parent, np.int64(item(parent, leaf))))
    for leaf in range(n_leaves):
        root = np.int64(item(parent, leaf))
        if root != leaf:
            put(sums, root, item(sums, root) + item(sums, leaf))
            put(counts, root, np.int32(item(counts, root) + item(counts, leaf)))
            put(names, leaf, np.int32(item(names, root)))
        elif item(counts, leaf) > 0:  # else it lies beyond the image
            put(names, leaf, np.int32(n_regions))
            put(parent, n_regions, np.int32(leaf))  # the list of roots; nobody asks for this parent again
            n_regions += 1
    for region in range(n_regions):
        root = np.int64(item(parent, region))
        put(regions.parent, at, np.int32(at))
        put(regions.low, at, regions.low.dtype.type(item(low, root)))
        put(regions.high, at, regions.high.dtype.type(item(high, root)))
        put(regions.sums, at, item(sums, root))
        put(regions.counts, at, item(counts, root))
        at += 1
