"""How many vertices lattices will have, estimated from a sample before they are built."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from classicseg.filters.blur import Blur
from classicseg.filters.building import MANY_POINTS, Space, index_type, links_per_point, stripes_of
from classicseg.filters.features import Features
from classicseg.machine.simd import PIXELS, padded_pixels

_WINDOWS = 16  # colours differ from place to place, so that a few places would not do
_MOST_POINTS = 4096  # of a window
_SAMPLE = 2**22  # points of the sample times the square of the corners of each: embedding them takes some 50 ms
_EDGE = 1.0  # standard deviations by which vertices reach beyond the features, both ends together
_GOLDEN = (math.sqrt(5) - 1) / 2


class Count(NamedTuple):
    """What a lattice consists of."""

    corners: int  # of a point
    vertices: float
    duplicates: float = 0.0
    shells: int = 0  # of a stencil
    links: float = 0.0  # neighbours within a stencil, of all vertices together


def index_type_of(feature_sets: Sequence[Features], blurs: Sequence[Blur]) -> type[np.unsignedinteger[Any]]:
    """With what to number the vertices of these lattices: of many points a sample tells whether 16 bits will do."""
    n, n_rows = feature_sets[0].n, math.inf
    if n >= MANY_POINTS:
        counts = [count_vertices(*pair) for pair in zip(feature_sets, blurs, strict=True)]
        n_rows = sum(count.vertices + count.duplicates for count in counts)
    return index_type(n, n_rows=n_rows)


def most_vertices(features: Features, blur: Blur) -> Count:
    """A lattice in which no two points share a vertex and a stencil finds all its neighbours."""
    corners = features.d + 1
    vertices = float(features.n * corners)
    return Count(corners, vertices, 0.0, len(blur.shells), vertices * sum(len(shell) for shell in blur.shells))


def count_vertices(features: Features, blur: Blur) -> Count:
    """Estimate the vertices of a lattice, and the duplicates of its stripes.

    Windows of two sizes, one inside the other, are spread over the points and embedded. The vertices of each window,
    and those of all together, grow by a power of the number of points, and go on with it up to a stripe and to all
    points. Where colours come again and again the power itself falls, so this is rather too much than too little; but
    no more vertices exist than have room between the smallest and the largest features.
    """
    space, stripes = Space.of(features, blur), stripes_of(features.n)
    most = min(_MOST_POINTS, _SAMPLE // space.n_corners**2 // _WINDOWS, features.n // (2 * _WINDOWS))
    windows = _windows(features.columns[0].values.shape, max(1, most))
    inner = [[slice(s.start, s.start + max(1, (s.stop - s.start) // 2)) for s in window] for window in windows]
    small, large = (_Sample.of(space, some) for some in (inner, windows))
    of_stripe = _grown(small.each, large.each, small.n, large.n, _WINDOWS * features.n / stripes) / _WINDOWS
    rows = stripes * min(of_stripe, _room(features, blur, stripes))
    grown = _grown(small.all, large.all, small.n, large.n, features.n)
    vertices = max(large.all, min(rows, grown, _room(features, blur, 1)))
    duplicates = max(0.0, rows - vertices) if stripes > 1 else 0.0
    links = links_per_point(features.columns, blur) * features.n if blur.shells else 0.0
    return Count(space.n_corners, vertices, duplicates, len(blur.shells), links)


class _Sample(NamedTuple):
    """How many points some windows have, and how many vertices: of each window, summed up, and of all together."""

    n: int
    each: int
    all: int

    @classmethod
    def of(cls, space: Space, windows: Sequence[Sequence[slice]]) -> _Sample:
        parts = [space.features.window(tuple(window)) for window in windows]
        dtype = index_type(space.features.n)
        keys = [replace(space, features=p).keys_of(0, padded_pixels(p.n) // PIXELS, dtype)[0] for p in parts]
        return cls(sum(p.n for p in parts), sum(k.size for k in keys), np.unique(np.concatenate(keys)).size)


def _windows(shape: tuple[int, ...], n_points: int) -> list[list[slice]]:
    """Where the windows of up to `n_points` lie in a grid: evenly along the first axis, scattered along the others."""
    sides = [1] * len(shape)
    for place, axis in enumerate(np.argsort(shape)):  # what a short axis does not take is left to the longer ones
        side = (n_points / math.prod(sides)) ** (1 / (len(shape) - place))
        sides[axis] = min(shape[axis], max(2, round(side)))
    windows = []
    for i in range(_WINDOWS):
        places = [(i + 0.5) / _WINDOWS, *(i * _GOLDEN**axis % 1 for axis in range(1, len(shape)))]
        starts = [int(place * max(0, size - side + 1)) for place, size, side in zip(places, shape, sides, strict=True)]
        windows.append([slice(start, start + side) for start, side in zip(starts, sides, strict=True)])
    return windows


def _grown(small: int, large: int, n_small: int, n_large: int, n: float) -> float:
    """What a count grows to at `n` points that is `small` at `n_small` points and `large` at `n_large`."""
    power = min(1.0, math.log(large / small) / math.log(n_large / n_small)) if n_large > n_small else 1.0
    return float(large * (n / n_large) ** power)


def _room(features: Features, blur: Blur, stripes: int) -> float:
    """Vertices between the smallest and the largest features, in one of so many stripes along the first axis."""
    extent = np.asarray(features.high - features.low)
    first_axis = [not any(column.values.strides[1:]) for column in features.columns]
    extent[first_axis] /= stripes
    volume = np.log(extent + _EDGE).sum() + math.log(features.d + 1) / 2
    return math.exp(min(700.0, volume + features.d / 2 * math.log(1 / 6 + blur.variance / 2)))
