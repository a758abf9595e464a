"""What a streamed refinement will meet, by pieces of the image that are tried before it begins."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from classicseg.filters.building import Space, stripes_of
from classicseg.filters.streamed import StreamedBank, meet_all, meet_stripe
from classicseg.machine.simd import PIXELS
from classicseg.solvers.dense.plan import Plan
from classicseg.solvers.dense.streamed import Window, update_passing
from classicseg.streaming.refine.passage import Passing
from classicseg.streaming.refine.survey import Prepared

_PIECES = 16  # of an image that are tried
_POINTS = 2**14  # of a piece
_PART = 4  # of a piece is looked at by itself, to see how vertices grow in number


def expected_vertices(ready: Prepared, n_threads: int) -> list[float]:
    """How many vertices all stripes will meet in each lattice, those of several counted for each: rather too many."""
    passing, n_points = ready.passing(lambda start, labels: None, 0), ready.raster.inside.n_points
    spaces, stripes = passing.spaces, stripes_of(n_points)
    few, many = (_Pieces(passing, n, n_points) for n in (_PIECES // 4, _PIECES))
    spread = _grown(few.met(spaces, n_threads), many.met(spaces, n_threads), n_points / stripes)
    part, whole = (many.met_by_each(spaces, n) for n in (many.size // _PART, many.size))
    return [stripes * n for n in map(min, spread, _grown(part, whole, n_points / stripes))]


def seconds_of_pass(ready: Prepared, n_threads: int) -> float:
    """How long all points take to pass by, as pieces of the image take it now."""
    passing, n_points = ready.passing(lambda start, labels: None, 0), ready.raster.inside.n_points
    seconds = 0.0
    for n in (_PIECES // 4, _PIECES, _PIECES):  # kernels are loaded by the first
        pieces = _Pieces(passing, n, n_points)
        vertices = meet_all(passing.spaces, pieces.features, pieces.n, n_threads)
        lattices = StreamedBank(passing.spaces, vertices, ["symmetric"] * len(vertices), pieces.n, n_threads)
        plan = Plan(lattices.bank, lattices.gains, ready.costs(), pair=True)
        passing.is_paired = plan.is_paired
        start = time.perf_counter()
        update_passing(pieces, lattices, plan, 1, n_threads)
        seconds = (time.perf_counter() - start) / 2 / pieces.n * n_points
    return seconds


class _Met(NamedTuple):
    """How many vertices some points have met in a lattice."""

    points: int
    vertices: float


class _Pieces:
    """Some of the points of a passing image, as if they were all."""

    def __init__(self, passing: Passing, n: int, n_points: int) -> None:
        size = max(PIXELS, min(_POINTS, n_points // n) // PIXELS * PIXELS)
        last = max(0, n_points - size)
        self._starts = sorted({int(start) for start in np.linspace(0, last, n)})
        self._passing, self.size = passing, min(size, n_points)
        self.n = len(self._starts) * self.size

    def met(self, spaces: Sequence[Space], n_threads: int) -> list[_Met]:
        """How many vertices all of them meet together, in each lattice."""
        met = meet_all(spaces, self.features, self.n, n_threads)
        return [_Met(self.n, np.unique(vertices.keys).size) for vertices in met]

    def met_by_each(self, spaces: Sequence[Space], n: int) -> list[_Met]:
        """How many vertices the first `n` points of each piece meet, on average, in each lattice."""
        n = max(1, n)
        met = [meet_stripe(spaces, self._passing.features(start, start + n)) for start in self._starts]
        return [_Met(n, float(np.mean([keys.size for keys, _ in of_pieces]))) for of_pieces in zip(*met, strict=True)]

    def features(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """See :class:`Passing`."""
        for piece in self._within(start, stop):
            yield from self._passing.features(*piece)

    def windows(self, start: int, stop: int) -> Iterator[Window]:
        """See :class:`Passing`."""
        for piece in self._within(start, stop):
            yield from self._passing.windows(*piece)

    def write(self, window: Window, labels: np.ndarray) -> None:
        """Nobody wants them."""

    def _within(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        for i, first in enumerate(self._starts):
            low, high = max(start, i * self.size), min(stop, (i + 1) * self.size)
            if low < high:
                yield first + low - i * self.size, first + high - i * self.size


def _grown(few: list[_Met], many: list[_Met], n: float) -> list[float]:
    """Vertices of `n` points in each lattice, as they grow from few to many."""
    grown = []
    for some, more in zip(few, many, strict=True):
        power = 1.0
        if more.points > some.points:
            power = math.log(more.vertices / some.vertices) / math.log(more.points / some.points)
        grown.append(more.vertices * max(1.0, n / more.points) ** min(1.0, max(0.0, power)))
    return grown
