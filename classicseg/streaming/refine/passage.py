"""An image, its costs and its mask on their way through the updates of mean field."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from classicseg import inputs
from classicseg.energies.kernels import position_columns
from classicseg.energies.unary_grid import COSTS
from classicseg.energies.unary_windows import UnaryWindows
from classicseg.filters.bands.reach import Reach, reach_of
from classicseg.filters.blur import AXES, Blur
from classicseg.filters.building import Space, choose_stencil, links_of_stripe, middle_stripe
from classicseg.filters.features import Column, Features
from classicseg.filters.streamed import meet_stripe
from classicseg.kernels.dense.unary import Unary
from classicseg.machine.simd import PIXELS
from classicseg.solvers.dense.prospects import NOTHING, rest_of
from classicseg.solvers.dense.streamed import Window
from classicseg.streaming.raster import Box, Colors, Inside, Steps, of_mask
from classicseg.streaming.refine.costs import Costs


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
    blurs : sequence of Blur
        How the lattice of each kernel is blurred, by default along its axes.

    Attributes
    ----------
    spaces : list of Space
        The lattice of each kernel, without its points.
    is_paired : bool
        Whether costs are what the second of two labels costs more than the first.
    stored : bool
        Whether costs are those of points; else they are stretched as they are asked for, by `stretched`.
    inner : int
        Pixels of a step along the first axis.
    """

    def __init__(
        self,
        raster: Raster,
        kernels: Sequence[Ranges],
        sink: Callable[[int, np.ndarray], None],
        fill: int,
        blurs: Sequence[Blur] = (),
    ) -> None:
        self.raster, self.kernels, self.fill, self._sink = raster, kernels, fill, sink
        self._alive, self._lost = np.arange(raster.costs.planes.count), np.empty(0, np.int64)
        self.spaces = [self._space(*pair) for pair in zip(kernels, blurs or [AXES] * len(kernels), strict=True)]
        self.is_paired = False
        self.stored = not raster.stretched or raster.inside.planes is not None
        self.inner = int(np.prod(raster.steps.shape[1:]))
        planes = raster.costs.planes
        how = planes.grid, raster.steps.shape, raster.align_corners
        self.stretched = UnaryWindows(self._small_costs, planes.count, *how)
        self._stretched_rest = UnaryWindows(self._small_rest, 1, *how)

    def choose(self, alive: np.ndarray, lost: np.ndarray | None = None) -> None:
        """From now on costs are those of labels `alive`, and those of one label for the `lost` ones, if there are any.

        The labels that are written are counted among those that are alive.
        """
        self._alive, self.is_paired = alive, False
        self._lost = np.empty(0, np.int64) if lost is None else lost

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
        n, unit, rest = piece.features.shape[1] - PIXELS, self.inner, NOTHING
        pixels = piece.pixels if piece.pixels.size > 0 else None
        if self.stored:
            costs = piece.costs
            if self._lost.size > 0:
                costs, rest = costs[:-1], costs[-1]
            return Window(at, piece.features, Unary(COSTS, n, costs.reshape(-1), None), 0, pixels, rest)
        steps = at // unit, -(-(at + n) // unit)
        unary, begin = self.stretched.for_kernels(*steps), at - steps[0] * unit
        if self._lost.size > 0:
            rest = self._stretched_rest.full(*steps)[0, begin : begin + n]
        return Window(at, piece.features, unary, begin, pixels, rest)

    def write(self, window: Window, labels: np.ndarray) -> None:
        """See :class:`classicseg.solvers.dense.streamed.Passage`."""
        if self._alive.size < self.raster.costs.planes.count:
            labels = self._alive.astype(np.int32)[labels]
        if window.pixels is None:
            self._sink(window.start, labels)
            return
        low = int(window.pixels[0])
        span = np.full(int(window.pixels[-1]) + 1 - low, self.fill, np.int32)
        span[window.pixels - low] = labels
        self._sink(low, span)

    @property
    def blurs(self) -> list[Blur]:
        """How the lattice of each kernel is blurred."""
        return [space.blur for space in self.spaces]

    def stencils(self) -> list[Blur]:
        """How lattices are blurred accurately; stencils are chosen by what the points in the middle touch."""
        return [
            choose_stencil(space.features.d, partial(self._links, kernel))
            for space, kernel in zip(self.spaces, self.kernels, strict=True)
        ]

    def reaches(self) -> list[Reach]:
        """How far the vertices of each lattice reach."""
        n_axes, spacing = len(self.raster.steps.shape), self.raster.spacing[0]
        sigmas = [float(inputs.as_scale(kernel.sigma, "sigma", n_axes)[0]) for kernel in self.kernels]
        both = zip(self.spaces, sigmas, strict=True)
        return [reach_of(space, n_axes - 1, spacing / sigma, self.inner) for space, sigma in both]

    def _space(self, kernel: Ranges, blur: Blur) -> Space:
        """The lattice of a kernel."""
        return Space.of(Features(self._ends(kernel), blur), blur)

    def _links(self, kernel: Ranges, blur: Blur) -> float:
        """How many neighbours within a stencil a point has: see :func:`classicseg.filters.building.links_per_point`."""
        (first, last), n_points = middle_stripe(self.raster.inside.n_points), self.raster.inside.n_points
        alone, start, stop = copy.copy(self), first * PIXELS, min(last * PIXELS, n_points)
        alone.spaces, alone.kernels = [self._space(kernel, blur)], [kernel]
        ((keys, _),) = meet_stripe(alone.spaces, alone.features(start, stop))
        return links_of_stripe(alone.spaces[0], keys, stop - start)

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
            costs = costs.reshape(len(costs), -1) if mask is None else costs[:, mask]
            some = self._of_labels(costs)
            return some if self._lost.size == 0 else np.concatenate([some, rest_of(costs, self._lost)[0][np.newaxis]])

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
        if self._alive.size < len(costs):
            costs = costs[self._alive]
        return costs[1:] - costs[:1] if self.is_paired else costs

    def _small_costs(self, first: int, last: int) -> np.ndarray:
        """The costs on a part of the grid that is smaller than the image."""
        costs = self.small(first, last)
        return costs if self.stored else np.ascontiguousarray(self._of_labels(costs))

    def _small_rest(self, first: int, last: int) -> np.ndarray:
        """The cost of one label that stands for the lost ones."""
        costs = self.small(first, last)
        return rest_of(costs.reshape(len(costs), -1), self._lost)[0].reshape(1, *costs.shape[1:])

    def small(self, first: int, last: int) -> np.ndarray:
        """Those of all labels."""
        costs = self.raster.costs
        box = (slice(first, last), *(slice(0, n) for n in costs.planes.grid[1:]))
        return costs.of(costs.planes.read(box), None)


def _cut(piece: Piece, start: int, stop: int) -> Piece:
    """The points `start` to `stop` - 1 of a piece."""
    return Piece(*(part[..., start:stop] for part in piece))
