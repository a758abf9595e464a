"""The weights of edges of a grid, read window by window."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from classicseg import inputs
from classicseg.energies.contrast import given_rate, rate_of, squared_differences, unit_of, weigh
from classicseg.energies.grid import Offset, edge_ends, edge_shape
from classicseg.errors import InputError
from classicseg.machine.threads import map_tasks
from classicseg.streaming.raster import Box, Colors, Digest, Inside, Planes, Steps, of_mask, pass_through

_AT_ONCE = 2**17  # pixels that are counted at once


class Edges(Protocol):
    """The weights of edges, direction by direction."""

    @property
    def heaviest(self) -> float:
        """What no weight is above."""

    def read(self, first: int, stop: int, end: int) -> list[np.ndarray]:
        """For each direction those of edges whose first row is from `first` to `stop` - 1, if they end before `end`."""


@dataclass
class EqualEdges:
    """A weight for each direction."""

    shape: tuple[int, ...]
    weights: dict[Offset, float]

    @property
    def heaviest(self) -> float:
        """The largest of them."""
        return max(self.weights.values())

    def read(self, first: int, stop: int, end: int) -> list[np.ndarray]:
        """See :class:`Edges`."""
        counts = {offset: min(stop, end - offset[0]) - first for offset in self.weights}
        return [
            np.full((max(0, counts[offset]), *edge_shape(self.shape, offset)[1:]), weight)
            for offset, weight in self.weights.items()
        ]


@dataclass
class GivenEdges:
    """Weights that are read, each direction from a source of its own."""

    planes: dict[Offset, Planes]
    inside: Inside
    heaviest: float = 0.0

    def look(self, digest: Digest, n_threads: int) -> None:
        """Read all of them once, and refuse what cannot work."""
        for offset, planes in self.planes.items():
            if 0 in planes.grid:
                continue
            most: list[float] = []

            def look(_: int, box: Box, values: np.ndarray, offset: Offset = offset, most: list[float] = most) -> None:
                weights = self._within(values[0], offset, box)
                checked = inputs.as_edge_weights(weights, weights.shape, self.planes[offset].name)
                most.append(float(checked.max()))

            pass_through(planes, Steps(planes.grid), digest, n_threads, look)
            if np.isinf(max(most)):
                raise InputError(f"{planes.name} must be finite where an image passes by in windows, got inf")
            self.heaviest = max(self.heaviest, *most)

    def read(self, first: int, stop: int, end: int) -> list[np.ndarray]:
        """See :class:`Edges`."""
        read = []
        for offset, planes in self.planes.items():
            box = (slice(first, max(first, min(stop, end - offset[0]))), *(slice(0, n) for n in planes.grid[1:]))
            empty = box[0].stop == first or 0 in planes.grid
            shape = (box[0].stop - first, *planes.grid[1:])
            read.append(np.zeros(shape) if empty else self._within(planes.read(box)[0], offset, box))
        return read

    def _within(self, weights: np.ndarray, offset: Offset, box: Box) -> np.ndarray:
        """The weights of a box of edges, 0 where an end takes no part."""
        if self.inside.planes is None:
            return weights
        around = tuple(slice(side.start, side.stop + abs(step)) for side, step in zip(box, offset, strict=True))
        mask = of_mask(self.inside.planes.read(around))
        first, second = edge_ends(offset)
        return np.where(mask[first] & mask[second], weights, weights.dtype.type(0))


@dataclass
class ContrastEdges:
    """Weights that follow the contrast of an image, as :func:`classicseg.contrast_weights` has them.

    Attributes
    ----------
    image : Planes
    dtype : dtype
        That its channels are compared in.
    inside : Inside
    lengths : dict of offset to float
    weight : float
        By which they are multiplied.
    rate, unit : float
        Of the exponent.
    """

    image: Planes
    dtype: np.dtype[Any]
    inside: Inside
    lengths: dict[Offset, float]
    weight: float
    rate: float = 0.0
    unit: float = 1.0

    @property
    def heaviest(self) -> float:
        """What no weight is above."""
        return self.weight / min(self.lengths.values())

    @classmethod
    def of(
        cls,
        planes: Planes,
        steps: Steps,
        inside: Inside,
        lengths: dict[Offset, float],
        weight: float,
        beta: float | None,
        digest: Digest,
        n_threads: int,
    ) -> ContrastEdges:
        """Those of an image, which is read once, and once more if there is no `beta`."""
        colors = Colors.of(planes, inside, steps, digest, n_threads)
        dtype = inputs.as_image(colors.ends, None, 0).dtype
        edges, spread = cls(planes, dtype, inside, lengths, weight), float(np.ptp(colors.ends))
        if beta is not None:
            edges.rate, edges.unit = given_rate(beta, spread)
        else:
            edges.unit = unit_of(colors.high - colors.low or spread)
            edges.rate = edges._automatic_rate(colors.low, colors.high, n_threads)
        return edges

    def read(self, first: int, stop: int, end: int) -> list[np.ndarray]:
        """See :class:`Edges`."""
        channels, _ = self._channels(first, min(stop + 1, end))
        read = []
        for offset, length in self.lengths.items():
            squares = self._squares(channels, offset, stop - first)
            read.append(weigh(squares, self.rate, length) * np.float64(self.weight))
        return read

    def _channels(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray | None]:
        """The channels of some rows, and which of their pixels take part."""
        box = (slice(first, stop), *(slice(0, n) for n in self.image.grid[1:]))
        channels = np.require(self.image.read(box), self.dtype, ["C", "A"])
        if self.inside.planes is None:
            return channels, None
        mask = of_mask(self.inside.planes.read(box))
        return np.where(mask, channels, self.dtype.type(0)), mask

    def _squares(self, channels: np.ndarray, offset: Offset, n: int) -> np.ndarray:
        """Of edges that begin in the first `n` rows."""
        some = channels if offset[0] else channels[:, :n]
        return squared_differences(some, offset, self.unit)

    def _automatic_rate(self, low: float, high: float, n_threads: int) -> float:
        """That of the whole image: sums are made row by row, so that they are the same whatever is read at once."""
        low, high, length = low - (high - low), high + (high - low), self.image.grid[0]
        sums, counts = np.zeros((2, length)), np.zeros((2, length), np.int64)  # of all edges, and of usual ones

        def look(rows: slice) -> None:
            channels, mask = self._channels(rows.start, min(rows.stop + 1, length))
            usual = ((channels >= low) & (channels <= high)).all(axis=0)
            inside, n = np.ones_like(usual) if mask is None else mask, rows.stop - rows.start
            for offset in self.lengths:
                squares, (first, second) = self._squares(channels, offset, n), edge_ends(offset)
                at, axes = slice(rows.start, rows.start + len(squares)), tuple(range(1, squares.ndim))
                for k, chosen in enumerate((inside, usual & inside)):
                    some = chosen if offset[0] else chosen[:n]
                    both = some[first] & some[second]
                    sums[k, at] += squares.sum(axis=axes, dtype=np.float64, where=both)
                    counts[k, at] += both.sum(axis=axes)

        pieces = pieces_of(0, length, self.image)
        map_tasks(lambda i: look(pieces[i]), len(pieces), n_threads)
        k = 1 if counts[1].any() else 0
        return rate_of(float(sums[k].sum()), int(counts[k].sum()))


def pieces_of(first: int, stop: int, planes: Planes) -> list[slice]:
    """Some rows at a time, whole chunks of them where a source has chunks."""
    size = max(1, int(np.prod(planes.grid[1:])))
    step = max(1, _AT_ONCE // size)
    chunk = planes.chunk(0) or 1
    step = -(-step // chunk) * chunk
    borders = [first, *range((first // step + 1) * step, stop, step), stop]
    return [slice(low, high) for low, high in itertools.pairwise(borders)]
