"""An image, its costs and its mask on their way through the updates of mean field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from classicseg import inputs
from classicseg.energies.kernels import position_columns
from classicseg.energies.unary_grid import COSTS
from classicseg.energies.unary_windows import UnaryWindows
from classicseg.filters.blur import AXES
from classicseg.filters.building import Space
from classicseg.filters.features import Column, Features
from classicseg.kernels.dense.unary import Unary
from classicseg.machine.simd import PIXELS
from classicseg.pipelines.raster import Box, Colors, Costs, Inside, Steps, of_mask
from classicseg.solvers.dense.streamed import Window


@dataclass(frozen=True)
class Ranges:
    """The ranges of a kernel; without `color_sigma` it is one of positions alone."""

    sigma: Any
    color_sigma: Any = None

    def columns(self, box: Box, spacing: tuple[float, ...], channels: np.ndarray) -> list[Column]:
        """Features at the pixels of a box, whose channels are (C, *box)."""
        shape, origin = tuple(side.stop - side.start for side in box), tuple(side.start for side in box)
        columns = position_columns(shape, self.sigma, spacing, origin)
        if self.color_sigma is None:
            return columns
        sigmas = inputs.as_scale(self.color_sigma, "color_sigma", len(channels))
        return columns + [Column(channel, sigma) for channel, sigma in zip(channels, sigmas, strict=True)]


class Place(NamedTuple):
    """A box of pixels, and what is known of it before its colours are read."""

    step: int  # the first of its steps
    box: Box
    mask: np.ndarray | None  # (*box), bool: which pixels are points
    first: int  # the first of the points


class Piece(NamedTuple):
    """Some points that follow each other."""

    features: np.ndarray  # (sum of d, n) float32
    costs: np.ndarray  # (L, n) float32; empty where they are not stored
    pixels: np.ndarray  # (n,) int64, where the points lie in the image; empty if all pixels are points


@dataclass
class Raster:
    """What is read.

    Attributes
    ----------
    steps : Steps
    inside : Inside
    colors : Colors
    costs : Costs
    stretched : bool
        Whether there are fewer costs than pixels.
    align_corners : bool
        How they lie on the image then, see :class:`DenseCRF`.
    spacing : tuple of float
    """

    steps: Steps
    inside: Inside
    colors: Colors
    costs: Costs
    stretched: bool
    align_corners: bool
    spacing: tuple[float, ...]


class Passing:
    """A raster that passes by, with the features of some kernels.

    Parameters
    ----------
    raster : Raster
    kernels : sequence of Ranges
    sink : callable
        ``sink(start, labels)`` takes labels of the pixels from `start` on.
    fill : int
        Label of pixels that take no part.

    Attributes
    ----------
    spaces : list of Space
        The lattice of each kernel, without its points.
    is_paired : bool
        Whether costs are what the second of two labels costs more than the first.
    alive : ndarray or None
        The labels whose costs are given; all if None.
    stored : bool
        Whether costs are those of points; else they are stretched as they are asked for, by `stretched`.
    inner : int
        Pixels of a step along the first axis.
    """

    def __init__(
        self, raster: Raster, kernels: Sequence[Ranges], sink: Callable[[int, np.ndarray], None], fill: int
    ) -> None:
        self.raster, self.kernels, self.fill, self._sink = raster, kernels, fill, sink
        self.alive: np.ndarray | None = None
        self.spaces = [Space.of(Features(self._ends(kernel), AXES), AXES) for kernel in kernels]
        self.is_paired = False
        self.stored = not raster.stretched or raster.inside.planes is not None
        self.inner = int(np.prod(raster.steps.shape[1:]))
        planes = raster.costs.planes
        self.stretched = UnaryWindows(
            self._small_costs, planes.count, planes.grid, raster.steps.shape, raster.align_corners
        )

    def features(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Features of the points `start` to `stop` - 1, window by window, as lattices are built of them."""
        for _, piece in self.pieces(start, stop, with_costs=False):
            yield piece.features

    def windows(self, start: int, stop: int) -> Iterator[Window]:
        """See :class:`classicseg.solvers.dense.streamed.Passage`."""
        for at, piece in self.pieces(start, stop, with_costs=self.stored):
            yield self.window(at, piece)

    def window(self, at: int, piece: Piece) -> Window:
        """A piece that begins with the point `at` as solvers take it."""
        n, unit = piece.features.shape[1] - PIXELS, self.inner
        if self.stored:
            unary, begin = Unary(COSTS, n, piece.costs.reshape(-1), None), 0
        else:
            first = at // unit
            unary, begin = self.stretched.for_kernels(first, -(-(at + n) // unit)), at - first * unit
        return Window(at, piece.features, unary, begin, piece.pixels if piece.pixels.size > 0 else None)

    def write(self, window: Window, labels: np.ndarray) -> None:
        """See :class:`classicseg.solvers.dense.streamed.Passage`."""
        if window.pixels is None:
            self._sink(window.start, labels)
            return
        low = int(window.pixels[0])
        span = np.full(int(window.pixels[-1]) + 1 - low, self.fill, np.int32)
        span[window.pixels - low] = labels
        self._sink(low, span)

    def _ends(self, kernel: Ranges) -> list[Column]:
        """The smallest and the largest value of each feature in place of all of them."""
        whole, ends = self.raster.inside.box, self.raster.colors.ends
        low = tuple(slice(side.start, side.start + 1) for side in whole)
        high = tuple(slice(side.stop - 1, side.stop) for side in whole)
        both = [
            kernel.columns(corner, self.raster.spacing, ends[:, i].reshape(-1, *(1,) * len(whole)))
            for i, corner in enumerate((low, high))
        ]
        return [
            Column(np.concatenate([first.values.reshape(-1), last.values.reshape(-1)]), first.sigma)
            for first, last in zip(*both, strict=True)
        ]

    def pieces(self, start: int, stop: int, *, with_costs: bool, unit: int = PIXELS) -> Iterator[tuple[int, Piece]]:
        """Points in whole units, but for the last ones, each time with the first of them; features have 16 more."""
        read = self.raster.colors.planes.held(self.raster.steps.axis, self.raster.steps.window)
        read_costs = self.reader_of_costs()
        at, left = start, None
        for place in self.places(start, stop):
            new = self._piece(place, self.raster.colors.read(read(place.box)))
            if with_costs:
                new = new._replace(costs=read_costs(place))
            new = _cut(new, max(0, start - place.first), stop - place.first)
            pieces = [new] if left is None else [left, new]
            n = sum(piece.features.shape[1] for piece in pieces)
            n_now = n if at + n >= stop else n - n % unit
            joined = Piece(*(np.concatenate(parts, axis=-1) for parts in zip(*pieces, strict=True)))
            left = _cut(joined, n_now, n)
            if n_now > 0:
                ready = _cut(joined, 0, n_now)
                features = np.zeros((len(ready.features), n_now + PIXELS), np.float32)
                features[:, :n_now] = ready.features
                yield at, Piece(features, np.ascontiguousarray(ready.costs), ready.pixels)
                at += n_now

    def places(self, start: int, stop: int) -> Iterator[Place]:
        """Boxes that hold the points `start` to `stop` - 1, and maybe some before and behind."""
        steps, inside = self.raster.steps, self.raster.inside
        begin, end = np.searchsorted(inside.first, start, "right") - 1, np.searchsorted(inside.first, stop, "left")
        read_mask = None if inside.planes is None else inside.planes.held(steps.axis, steps.window)
        for step, box in steps.boxes(int(begin), int(end)) if start < stop else ():
            mask = None if read_mask is None else of_mask(read_mask(box))
            if mask is None or mask.any():
                yield Place(step, box, mask, int(inside.first[step]))

    def reader_of_costs(self) -> Callable[[Place], np.ndarray]:
        """What reads the costs of the points of boxes that follow each other, (L, n)."""
        raster = self.raster
        read = raster.costs.planes.held(raster.steps.axis, raster.steps.window)

        def costs_of(place: Place) -> np.ndarray:
            box, mask = place.box, place.mask
            if raster.stretched:
                costs = self.stretched.full(box[0].start, box[0].stop)
                costs = costs.reshape(len(costs), box[0].stop - box[0].start, *raster.steps.shape[1:])
                costs = costs[(slice(None), slice(None), *box[1:])]
            else:
                costs = raster.costs.of(read(box), mask)
            costs = self._of_labels(costs)
            return costs.reshape(len(costs), -1) if mask is None else costs[:, mask]

        return costs_of

    def _piece(self, place: Place, channels: np.ndarray) -> Piece:
        """The points of a box."""
        mask, first = place.mask, place.step * self.raster.steps.size
        n = channels[0].size if mask is None else int(np.count_nonzero(mask))
        features = []
        for space, kernel in zip(self.spaces, self.kernels, strict=True):
            columns = kernel.columns(place.box, self.raster.spacing, channels)
            if mask is not None:
                columns = [Column(column.values[mask], column.sigma) for column in columns]
            features.append(space.features.like(columns).block(0, n)[0][:, :n])
        pixels = np.empty(0, np.int64) if mask is None else first + np.flatnonzero(mask.reshape(-1))
        return Piece(np.concatenate(features), np.empty((0, n), np.float32), pixels)

    def _of_labels(self, costs: np.ndarray) -> np.ndarray:
        """The costs that count, (L, ...)."""
        if self.is_paired:
            return costs[1:] - costs[:1]
        return costs if self.alive is None else costs[self.alive]

    def _small_costs(self, first: int, last: int) -> np.ndarray:
        """The costs on a part of the grid that is smaller than the image."""
        costs = self.small(first, last)
        return costs if self.stored else np.ascontiguousarray(self._of_labels(costs))

    def small(self, first: int, last: int) -> np.ndarray:
        """Those of all labels."""
        costs = self.raster.costs
        box = (slice(first, last), *(slice(0, n) for n in costs.planes.grid[1:]))
        return costs.of(costs.planes.read(box), None)


def _cut(piece: Piece, start: int, stop: int) -> Piece:
    """The points `start` to `stop` - 1 of a piece."""
    return Piece(*(part[..., start:stop] for part in piece))
