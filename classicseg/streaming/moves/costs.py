"""The costs of expansion moves, read window by window and counted in steps of one size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import numpy as np

from classicseg import inputs
from classicseg.energies.grid import Offset, edge_ends, edge_shape
from classicseg.machine.threads import map_tasks
from classicseg.solvers.cut.zones import Rows
from classicseg.streaming.cut.costs import LIMIT, scale_and_ceiling
from classicseg.streaming.cut.edges import Edges, pieces_of
from classicseg.streaming.raster import Box, Digest, Inside, Planes, Steps, of_mask, pass_through


class Labelling(Protocol):
    """A label for each pixel; what those outside of the mask have does not matter."""

    def read(self, first: int, stop: int) -> np.ndarray:
        """Those of the rows from `first` to `stop` - 1."""


class MoveCosts:
    """What it costs that pixels keep their labels (0), or switch to the one that is expanded (1).

    An edge between pixels that would both give up different labels counts half both ways, and makes it cheaper to
    switch by half of it at either end: a move is counted in half steps. Else see
    :class:`classicseg.solvers.cut.zones.Costs`.

    Parameters
    ----------
    unary : Planes
    directions : mapping of str to offset
    edges : Edges
    inside : Inside
    n_threads : int

    Attributes
    ----------
    labels : Labelling
        What pixels have; 0 at first.
    label : int
        The one that is expanded.
    scale : float
        Steps in a cost of 1, a power of two.
    n_threads : int
        That read.
    """

    def __init__(
        self,
        unary: Planes,
        directions: Mapping[str, Offset],
        edges: Edges,
        inside: Inside,
        n_threads: int,
    ) -> None:
        self.shape, self.directions, self.label = unary.grid, directions, 0
        self._unary, self._edges, self._inside, self.n_threads = unary, edges, inside, n_threads
        self.scale, self._ceiling = scale_and_ceiling(2 * len(directions) * edges.heaviest, LIMIT / 2)
        self.labels: Labelling = Everywhere(0, self.shape)

    def rows(self, first: int, stop: int) -> Rows:
        """See :class:`classicseg.solvers.cut.zones.Costs`; what the cheaper labels cost is not told."""
        shape = (stop - first, *self.shape[1:])
        labels, unary = self.labels.read(first, stop), np.zeros((2, *shape), np.int32)
        weights = [np.empty(edge_shape(shape, offset), np.int32) for offset in self.directions.values()]
        mask = None if self._inside.planes is None else np.empty(shape, bool)
        pieces = [slice(rows.start - first, rows.stop - first) for rows in pieces_of(first, stop, self._unary)]

        def count(at: slice) -> None:
            box, inside = self._window(first + at.start, first + at.stop)
            if mask is not None:
                mask[at] = inside
            own, other = self._own_and(self.label, box, labels[at])
            with np.errstate(invalid="ignore"):
                other -= own
            other[np.isnan(other)] = 0  # both are forbidden
            if inside is not None:
                other[~inside] = 0
            unary[1, at] = 2 * np.clip(other, -self._ceiling, self._ceiling, out=other)
            for target, part in zip(weights, self._weights(first + at.start, first + at.stop, stop), strict=True):
                target[at.start : at.start + len(part)] = part

        def pull(at: slice) -> None:
            for offset, edges in zip(self.directions.values(), weights, strict=True):
                unary[1, at] -= self._pull(at, offset, edges, labels, mask)

        def weigh(at: slice) -> None:
            for offset, edges in zip(self.directions.values(), weights, strict=True):
                part, ends = edges[at], edge_ends(offset)
                first, second = (labels[at.start : at.start + len(part) + offset[0]][end] for end in ends)
                part *= (first != self.label) & (second != self.label)
                part += part * (first == second)

        for work in (count, pull, weigh):  # one after the other: pixels see the weights of edges that begin elsewhere
            map_tasks(_of(work, pieces), len(pieces), self.n_threads)
        return Rows(unary, weights, mask, np.zeros(shape[0]))

    def _pull(
        self, at: slice, offset: Offset, edges: np.ndarray, labels: np.ndarray, mask: np.ndarray | None
    ) -> np.ndarray:
        """What edges of a direction make it cheaper, in half steps, to switch for pixels of the rows `at`."""
        around = slice(max(at.start - offset[0], 0), min(at.stop + offset[0], len(labels)))
        part, begin_and_end = edges[around.start : around.stop - offset[0]], edge_ends(offset)
        pull = np.zeros(labels[around].shape, np.int32)
        first, second = (labels[around][end] for end in begin_and_end)
        part = part * (first != second)
        if mask is not None:
            inside = [mask[around][end] for end in begin_and_end]
            part *= inside[0] & inside[1]
        for me, own, other in zip(begin_and_end, (first, second), (second, first), strict=True):
            pull[me] += (part + part * (other == self.label)) * (own != self.label)
        return pull[at.start - around.start :][: at.stop - at.start]

    def energy(self) -> float:
        """That of the labels that pixels have, with costs in whole steps."""
        length = self.shape[0]
        sums = np.zeros(length)  # of each row: nothing depends on what is read at once

        def add(rows: slice) -> None:
            labels = self.labels.read(rows.start, min(rows.stop + 1, length))
            box, inside = self._window(rows.start, rows.stop)
            (own,) = self._own_and(None, box, labels[: rows.stop - rows.start])
            sums[rows] = own.sum(axis=tuple(range(1, own.ndim)), where=True if inside is None else inside)
            if inside is not None:
                _, inside = self._window(rows.start, min(rows.stop + 1, length))
            parts = self._weights(rows.start, rows.stop, length)
            for offset, part in zip(self.directions.values(), parts, strict=True):
                if part.size == 0:
                    continue
                begin, end = edge_ends(offset)
                some = slice(0, len(part) + offset[0])
                apart = labels[some][begin] != labels[some][end]
                if inside is not None:
                    apart &= inside[some][begin] & inside[some][end]
                sums[rows.start : rows.start + len(part)] += part.sum(axis=tuple(range(1, part.ndim)), where=apart)

        pieces = pieces_of(0, length, self._unary)
        map_tasks(_of(add, pieces), len(pieces), self.n_threads)
        return math.fsum(sums.tolist()) / self.scale

    def start(self) -> Labelling:
        """The one label that is cheapest everywhere; where none may be used everywhere, the cheapest of each pixel."""
        length = self.shape[0]
        sums = np.zeros((self._unary.count, length))

        def add(rows: slice) -> None:
            box, inside = self._window(rows.start, rows.stop)
            for of_label, costs in zip(sums, self._unary.read(box), strict=True):
                steps = np.rint(costs * np.float64(self.scale))
                axes = tuple(range(1, steps.ndim))
                of_label[rows] = steps.sum(axis=axes, where=True if inside is None else inside)

        pieces = pieces_of(0, length, self._unary)
        map_tasks(_of(add, pieces), len(pieces), self.n_threads)
        totals = [np.inf if np.isinf(of_label).any() else math.fsum(of_label.tolist()) for of_label in sums]
        return _Cheapest(self._unary) if np.isinf(totals).all() else Everywhere(int(np.argmin(totals)), self.shape)

    def _window(self, first: int, stop: int) -> tuple[Box, np.ndarray | None]:
        """Some rows as a box, and which of their pixels take part, if not all do."""
        box = (slice(first, stop), *(slice(0, n) for n in self.shape[1:]))
        return box, None if self._inside.planes is None else of_mask(self._inside.planes.read(box))

    def _own_and(self, label: int | None, box: Box, labels: np.ndarray) -> list[np.ndarray]:
        """What the labels of a window cost in steps, and another label there if one is asked for."""
        met: list[int] = np.flatnonzero(np.bincount(labels.reshape(-1))).tolist()
        known = met if label is None else sorted({*met, label})
        of_label = dict(zip(known, self._unary.read_some(box, known), strict=True))
        own = np.empty(labels.shape)
        for one in met:
            np.copyto(own, of_label[one], where=labels == one)
        found = [own] if label is None else [own, of_label[label].astype(np.float64)]
        for costs in found:
            costs *= self.scale
            np.rint(costs, out=costs)
        return found

    def _weights(self, first: int, stop: int, end: int) -> Iterator[np.ndarray]:
        """Those of :meth:`Edges.read`, in steps."""
        return (np.rint(part * np.float64(self.scale)) for part in self._edges.read(first, stop, end))


class Everywhere:
    """See :class:`Labelling`: one label."""

    def __init__(self, label: int, shape: tuple[int, ...]) -> None:
        self._label, self._rest = label, shape[1:]

    def read(self, first: int, stop: int) -> np.ndarray:
        """See :class:`Labelling`."""
        return np.broadcast_to(np.int32(self._label), (stop - first, *self._rest))


class GivenLabels:
    """See :class:`Labelling`: those of a source, and 0 outside of the mask."""

    def __init__(self, planes: Planes, inside: Inside) -> None:
        self._planes, self._inside = planes, inside

    def look(self, n_labels: int, digest: Digest, n_threads: int) -> None:
        """Read all of them once, and refuse what cannot work."""
        mask = self._inside.planes

        def look(_: int, box: Box, values: np.ndarray) -> None:
            inside = None if mask is None else of_mask(mask.read(box))
            inputs.as_labels(values[0], values[0].shape, n_labels, name=self._planes.name, mask=inside)

        pass_through(self._planes, Steps(self._planes.grid, self._planes.chunk(0)), digest, n_threads, look)

    def read(self, first: int, stop: int) -> np.ndarray:
        """See :class:`Labelling`."""
        box = (slice(first, stop), *(slice(0, n) for n in self._planes.grid[1:]))
        labels = self._planes.read(box)[0].astype(np.int32)
        mask = self._inside.planes
        return labels if mask is None else np.where(of_mask(mask.read(box)), labels, 0)


class _Cheapest:
    """See :class:`Labelling`: for each pixel the first of those that cost least."""

    def __init__(self, unary: Planes) -> None:
        self._unary = unary

    def read(self, first: int, stop: int) -> np.ndarray:
        box = (slice(first, stop), *(slice(0, n) for n in self._unary.grid[1:]))
        return self._unary.read(box).argmin(axis=0)


def _of(work: Callable[[slice], None], pieces: list[slice]) -> Callable[[int], None]:
    return lambda i: work(pieces[i])
