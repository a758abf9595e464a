"""An image on its way, of which a sample is drawn: see :mod:`classicseg.solvers.dense.streamed_sample`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classicseg.kernels.dense.prospects import RUN
from classicseg.machine.simd import PIXELS
from classicseg.machine.threads import map_tasks
from classicseg.solvers.dense.prospects import NOTHING, SAMPLE, least_of_cells, rest_of
from classicseg.solvers.dense.streamed import Window
from classicseg.streaming.raster import Steps
from classicseg.streaming.refine.passage import Passing, Piece

_RANGES = 16  # of points, for threads to share
_LARGEST = np.float32(1e30)  # of finite costs

Look = Callable[[int, np.ndarray], None]
"""``look(first, costs)`` sees the (L, m) costs of the values that follow each other from `first` on."""


class SampledPassing:
    """A passing raster of which a sample is drawn; it gives costs of single labels, so it pairs none."""

    def __init__(self, passing: Passing) -> None:
        self._passing = passing
        inside, steps = passing.raster.inside, passing.raster.steps
        self.n_labels = passing.raster.costs.planes.count
        self.shape = steps.shape if inside.planes is None else (inside.n_points,)
        self.inner = passing.inner if inside.planes is None else 1
        self.write = passing.write

    def gaps(self, n_threads: int) -> tuple[np.ndarray, np.ndarray]:
        """See :class:`classicseg.solvers.dense.streamed_sample.SampledPassage`."""
        some, all_ = [np.full(self.n_labels, np.inf)], [np.full(self.n_labels, np.inf)]

        def look(first: int, costs: np.ndarray) -> None:
            gaps = costs - np.minimum(costs.min(axis=0), _LARGEST)
            all_.append(gaps.min(axis=1))
            is_some = (first + np.arange(gaps.shape[1])) // RUN % SAMPLE == 0
            if is_some.any():
                some.append(gaps[:, is_some].min(axis=1))

        self._look_at_costs(look, n_threads)
        among = self._among(n_threads)
        least, least_of_all = (np.minimum(among, np.min(found, axis=0)) for found in (some, all_))
        return least, least_of_all

    def share(self, lost: np.ndarray, n_threads: int) -> float:
        """See :class:`classicseg.solvers.dense.streamed_sample.SampledPassage`."""
        shares = [0.0]
        self._look_at_costs(lambda _, costs: shares.append(rest_of(costs, lost)[1]), n_threads)
        return max(shares)

    def draw(
        self, points: np.ndarray, alive: np.ndarray, lost: np.ndarray, n_threads: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See :class:`classicseg.solvers.dense.streamed_sample.SampledPassage`."""
        passing, order = self._passing, np.argsort(points)
        ordered = points[order]
        n_features = sum(space.features.d for space in passing.spaces)
        features = np.empty((n_features, points.size), np.float32)
        unary = np.empty((alive.size, points.size), np.float32)
        rest = np.empty(points.size if lost.size else 0, np.float32)

        def part(i: int) -> None:
            for at, piece in passing.pieces(int(borders[i]), int(borders[i + 1]), with_costs=passing.stored):
                n = piece.features.shape[1] - PIXELS
                low, high = np.searchsorted(ordered, (at, at + n))
                places, local = order[low:high], ordered[low:high] - at
                features[:, places] = piece.features[:, local]
                unary[:, places], of_rest = self._costs_at(at, n, piece, local, alive, lost)
                if lost.size:
                    rest[places] = of_rest

        borders = self._borders()
        map_tasks(part, borders.size - 1, n_threads)
        return features, unary, rest

    def choose(self, alive: np.ndarray) -> None:
        """See :class:`classicseg.solvers.dense.streamed_sample.SampledPassage`."""
        self._passing.choose(alive)

    def parts(self, start: int, stop: int, unit: int) -> Iterator[Window]:
        """See :class:`classicseg.solvers.dense.streamed_sample.SampledPassage`."""
        passing = self._passing
        for at, piece in passing.pieces(start, stop, with_costs=passing.stored, unit=unit):
            n = piece.features.shape[1] - PIXELS
            for first in range(0, n, unit):
                last = min(first + unit, n)
                features = np.ascontiguousarray(piece.features[:, first : last + PIXELS])
                costs = np.ascontiguousarray(piece.costs[:, first:last])
                yield passing.window(at + first, Piece(features, costs, piece.pixels[first:last]))

    def _costs_at(
        self, at: int, n: int, piece: Piece, local: np.ndarray, alive: np.ndarray, lost: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Costs of the labels that are alive, and of the rest, at some of the points of a piece."""
        passing = self._passing
        if passing.stored:
            costs = np.ascontiguousarray(piece.costs[:, local])
            return costs[alive], rest_of(costs, lost)[0] if lost.size else NOTHING
        first, last = at // passing.inner, -(-(at + n) // passing.inner)
        where = local + at - first * passing.inner
        of_alive = passing.stretched.at(first, last, where, lambda costs: costs[alive])
        if lost.size == 0:
            return of_alive, NOTHING
        return of_alive, passing.stretched.at(first, last, where, lambda costs: _rest_of(costs, lost))[0]

    def _look_at_costs(self, look: Look, n_threads: int) -> None:
        """Show the costs of all points, or of the smaller grid that they are stretched from."""
        passing = self._passing
        if not passing.stored:
            self._look_at_grid(lambda first, costs: look(first, costs.reshape(self.n_labels, -1)), n_threads, 0)
            return

        def part(i: int) -> None:
            read, start, stop = passing.reader_of_costs(), int(borders[i]), int(borders[i + 1])
            for place in passing.places(start, stop):
                costs, first = read(place), max(start, place.first)
                look(first, costs[:, first - place.first : stop - place.first])

        borders = self._borders()
        map_tasks(part, borders.size - 1, n_threads)

    def _look_at_grid(self, look: Look, n_threads: int, more: int) -> None:
        """Show the costs of a smaller grid, some steps of the first axis at once, and `more` of those that follow."""
        planes = self._passing.raster.costs.planes
        inner = int(np.prod(planes.grid[1:]))
        boxes = [box[0] for _, box in Steps((planes.grid[0], inner)).boxes(0, planes.grid[0])]

        def part(i: int) -> None:
            first, last = boxes[i].start, min(boxes[i].stop + more, planes.grid[0])
            look(first * inner, self._passing.small(first, last))

        map_tasks(part, len(boxes), n_threads)

    def _among(self, n_threads: int) -> np.ndarray:
        """How much more than the cheapest label each label costs at least inside the cells of a smaller grid, (L,)."""
        found = [np.full(self.n_labels, np.inf)]
        if not self._passing.stored:
            self._look_at_grid(lambda _, costs: found.append(least_of_cells(costs)), n_threads, 1)
        least: np.ndarray = np.min(found, axis=0)
        return least

    def _borders(self) -> np.ndarray:
        n_points = self._passing.raster.inside.n_points
        return np.linspace(0, n_points, min(_RANGES, n_points) + 1).astype(int)


def _rest_of(costs: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """The cost of what is left out of costs (L, *grid): (1, *grid)."""
    return rest_of(costs.reshape(len(costs), -1), lost)[0].reshape(1, *costs.shape[1:])
