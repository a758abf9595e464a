"""What a streamed refinement will meet, by pieces of the image that are tried before it begins."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from classicseg.filters.building import Space, stripes_of
from classicseg.filters.streamed import StreamedBank, meet_all, meet_stripe
from classicseg.machine.simd import PIXELS
from classicseg.pipelines.passage import Passing
from classicseg.pipelines.stream_survey import Prepared
from classicseg.solvers.dense.plan import Plan
from classicseg.solvers.dense.streamed import Window, update_passing

_PIECES = 16  # of an image that are tried
_POINTS = 2**14  # of a piece
_PART = 4  # of a piece is looked at by itself, to see how vertices grow in number


class Look(NamedTuple):
    """What is to be expected of an image."""

    vertices: list[float]  # that all stripes meet in each lattice, those of several counted for each: rather too many
    seconds: float  # of a pass


def look_at(ready: Prepared, n_threads: int) -> Look:
    """Try pieces of the image."""
    n_points = ready.raster.inside.n_points
    few, _, many = [_tried(ready, n, n_threads) for n in (_PIECES // 4, _PIECES, _PIECES)]  # the first loads kernels
    stripes = stripes_of(n_points)
    of_stripe = n_points / stripes
    spread = [_grown(*pair, of_stripe) for pair in zip(few.met, many.met, strict=True)]
    in_a_row = [_grown(*pair, of_stripe) for pair in zip(*many.each, strict=True)]
    return Look([stripes * n for n in map(min, spread, in_a_row)], many.seconds / many.n * n_points)


@dataclass(frozen=True)
class _Tried:
    """What pieces of an image took."""

    n: int  # points
    met: list[tuple[int, float]]  # points and vertices, for each lattice
    each: tuple[
        list[tuple[int, float]], list[tuple[int, float]]
    ]  # the same of a piece, on average, and before of a part of it
    seconds: float  # of a pass


class _Pieces:
    """Some of the points of a passing image, as if they were all."""

    def __init__(self, passing: Passing, n: int, n_points: int) -> None:
        size = max(PIXELS, min(_POINTS, n_points // n) // PIXELS * PIXELS)
        last = max(0, n_points - size)
        self._starts = sorted({int(start) for start in np.linspace(0, last, n)})
        self._passing, self.size = passing, min(size, n_points)
        self.n = len(self._starts) * self.size

    def met_by_each(self, spaces: Sequence[Space], n: int) -> list[tuple[int, float]]:
        """How many vertices the first `n` points of each piece meet, on average, in each lattice, with `n`."""
        met = [meet_stripe(spaces, self._passing.features(start, start + max(1, n))) for start in self._starts]
        return [
            (max(1, n), float(np.mean([keys.size for keys, _ in of_pieces]))) for of_pieces in zip(*met, strict=True)
        ]

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


def _tried(ready: Prepared, n: int, n_threads: int) -> _Tried:
    """Build lattices of `n` pieces of the image, and update them once."""
    passing = ready.passing(lambda start, labels: None, 0)
    pieces = _Pieces(passing, n, ready.raster.inside.n_points)
    vertices = meet_all(passing.spaces, pieces.features, pieces.n, n_threads)
    lattices = StreamedBank(passing.spaces, vertices, ["symmetric"] * len(vertices), pieces.n, n_threads)
    plan = Plan(lattices.bank, lattices.gains, ready.costs(), pair=True)
    passing.is_paired = plan.is_paired
    start = time.perf_counter()
    update_passing(pieces, lattices, plan, 1, n_threads)
    seconds = (time.perf_counter() - start) / 2
    each = pieces.met_by_each(passing.spaces, pieces.size // _PART), pieces.met_by_each(passing.spaces, pieces.size)
    return _Tried(pieces.n, [(pieces.n, float(k)) for k in lattices.bank.vertex[:, 1]], each, seconds)


def _grown(few: tuple[int, float], many: tuple[int, float], n: float) -> float:
    """Vertices of `n` points, as they grow from few to many."""
    power = math.log(many[1] / few[1]) / math.log(many[0] / few[0]) if many[0] > few[0] else 1.0
    return many[1] * max(1.0, n / many[0]) ** min(1.0, max(0.0, power))
