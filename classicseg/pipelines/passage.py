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


class _Piece(NamedTuple):
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
    """

    def __init__(
        self, raster: Raster, kernels: Sequence[Ranges], sink: Callable[[int, np.ndarray], None], fill: int
    ) -> None:
        self._raster, self._kernels, self._sink, self._fill = raster, kernels, sink, fill
        self.spaces = [Space.of(Features(self._ends(kernel), AXES), AXES) for kernel in kernels]
        self.is_paired = False
        planes = raster.costs.planes
        self._stretched = UnaryWindows(
            self._small_costs, planes.count, planes.grid, raster.steps.shape, raster.align_corners
        )

    def features(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Features of the points `start` to `stop` - 1, window by window, as lattices are built of them."""
        for _, piece in self._pieces(start, stop, with_costs=False):
            yield piece.features

    def windows(self, start: int, stop: int) -> Iterator[Window]:
        """See :class:`classicseg.solvers.dense.streamed.Passage`."""
        raster, size = self._raster, self._raster.steps.size
        stored = not raster.stretched or raster.inside.planes is not None
        for at, piece in self._pieces(start, stop, with_costs=stored):
            n = piece.features.shape[1] - PIXELS
            if stored:
                unary, begin = Unary(COSTS, n, piece.costs.reshape(-1), None), 0
            else:
                unit = size * (raster.steps.count // raster.steps.shape[0])  # pixels of a step of the first axis
                first = at // unit
                unary, begin = self._stretched.for_kernels(first, -(-(at + n) // unit)), at - first * unit
            yield Window(at, piece.features, unary, begin, piece.pixels if piece.pixels.size > 0 else None)

    def write(self, window: Window, labels: np.ndarray) -> None:
        """See :class:`classicseg.solvers.dense.streamed.Passage`."""
        if window.pixels is None:
            self._sink(window.start, labels)
            return
        low = int(window.pixels[0])
        span = np.full(int(window.pixels[-1]) + 1 - low, self._fill, np.int32)
        span[window.pixels - low] = labels
        self._sink(low, span)

    def _ends(self, kernel: Ranges) -> list[Column]:
        """The smallest and the largest value of each feature in place of all of them."""
        whole, ends = self._raster.inside.box, self._raster.colors.ends
        low = tuple(slice(side.start, side.start + 1) for side in whole)
        high = tuple(slice(side.stop - 1, side.stop) for side in whole)
        both = [
            kernel.columns(corner, self._raster.spacing, ends[:, i].reshape(-1, *(1,) * len(whole)))
            for i, corner in enumerate((low, high))
        ]
        return [
            Column(np.concatenate([first.values.reshape(-1), last.values.reshape(-1)]), first.sigma)
            for first, last in zip(*both, strict=True)
        ]

    def _pieces(self, start: int, stop: int, with_costs: bool) -> Iterator[tuple[int, _Piece]]:
        """Points in whole blocks, but for the last ones, and the first of them; features have 16 more."""
        raster = self._raster
        steps, inside, scores = raster.steps, raster.inside, raster.costs
        begin, end = np.searchsorted(inside.first, start, "right") - 1, np.searchsorted(inside.first, stop, "left")
        read_colors = raster.colors.planes.held(steps.axis, steps.window)
        read_scores = scores.planes.held(steps.axis, steps.window)
        read_mask = None if inside.planes is None else inside.planes.held(steps.axis, steps.window)
        at, left = start, None
        for step, box in steps.boxes(int(begin), int(end)) if start < stop else ():
            mask = None if read_mask is None else of_mask(read_mask(box))
            if mask is not None and not mask.any():
                continue
            new = self._piece(box, raster.colors.read(read_colors(box)), mask, step)
            if with_costs:
                new = new._replace(costs=self._stored(box, read_scores, mask))
            of_box = int(inside.first[step])
            new = _cut(new, max(0, start - of_box), stop - of_box)
            pieces = [new] if left is None else [left, new]
            n = sum(piece.features.shape[1] for piece in pieces)
            n_now = n if at + n >= stop else n - n % PIXELS
            joined = _Piece(*(np.concatenate(parts, axis=-1) for parts in zip(*pieces, strict=True)))
            left = _cut(joined, n_now, n)
            if n_now > 0:
                ready = _cut(joined, 0, n_now)
                features = np.zeros((len(ready.features), n_now + PIXELS), np.float32)
                features[:, :n_now] = ready.features
                yield at, _Piece(features, np.ascontiguousarray(ready.costs), ready.pixels)
                at += n_now

    def _piece(self, box: Box, channels: np.ndarray, mask: np.ndarray | None, step: int) -> _Piece:
        """The points of a box."""
        n = channels[0].size if mask is None else int(np.count_nonzero(mask))
        features = []
        for space, kernel in zip(self.spaces, self._kernels, strict=True):
            columns = kernel.columns(box, self._raster.spacing, channels)
            if mask is not None:
                columns = [Column(column.values[mask], column.sigma) for column in columns]
            features.append(space.features.like(columns).block(0, n)[0][:, :n])
        none = np.empty((0, n), np.float32)
        first = step * self._raster.steps.size
        pixels = np.empty(0, np.int64) if mask is None else first + np.flatnonzero(mask.reshape(-1))
        return _Piece(np.concatenate(features), none, pixels)

    def _stored(self, box: Box, read: Callable[[Box], np.ndarray], mask: np.ndarray | None) -> np.ndarray:
        """The costs of the points of a box, (L, n)."""
        if self._raster.stretched:
            costs = self._stretched.full(box[0].start, box[0].stop)
            costs = costs.reshape(
                len(costs), *(side.stop - side.start for side in box[:1]), *self._raster.steps.shape[1:]
            )
            costs = costs[(slice(None), slice(None), *box[1:])]
        else:
            costs = self._raster.costs.of(read(box), mask)
        if self.is_paired:
            costs = costs[1:] - costs[:1]
        return costs.reshape(len(costs), -1) if mask is None else costs[:, mask]

    def _small_costs(self, first: int, last: int) -> np.ndarray:
        """The costs on a part of the grid that is smaller than the image."""
        costs = self._raster.costs
        box = (slice(first, last), *(slice(0, n) for n in costs.planes.grid[1:]))
        found = costs.of(costs.planes.read(box), None)
        return np.ascontiguousarray(
            found[1:] - found[:1] if self.is_paired and self._raster.inside.planes is None else found
        )


def _cut(piece: _Piece, start: int, stop: int) -> _Piece:
    """The points `start` to `stop` - 1 of a piece."""
    return _Piece(*(part[..., start:stop] for part in piece))
