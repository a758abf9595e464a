"""A few bands at a time: what a pass over them needs of the bands around, and how their memory is filled.

The bands before and behind those that a pass goes over have a place in memory, so that kernels see neighbours there,
but nothing of them is read or written beyond what comes in: in images the messages of a seam, in volumes those of
sheets, the labels of the row (or slice) before, and weights of the edges that lead across.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from classicseg.kernels.messages.memory import LINE, Messages, write_unary, write_weights
from classicseg.kernels.messages.trws import DECODE, FORWARD, passes
from classicseg.machine.memory import aligned_zeros
from classicseg.machine.parallel import new_sync, run
from classicseg.solvers.messages.costs import Scale, Table, sums_of_rows
from classicseg.solvers.messages.layout import Layout, live_directions
from classicseg.streaming.messages.costs import GridCosts

_AT_ONCE = 2**17  # pixels whose costs are read at once
_FAR = 2**62  # progress of bands that nobody has to wait for


@dataclass(frozen=True)
class Slab:
    """Some rows (or slices), and the bands that hold them."""

    first: int
    stop: int
    first_band: int
    n_bands: int


class Cutting:
    """How a grid is cut into slabs: along its first axis, between bands (or slices).

    Attributes
    ----------
    layout : Layout
        Of the whole grid.
    step : int
        A slab has a multiple of so many rows (or slices), but for the last one.
    bands_of_step : int
    """

    def __init__(self, costs: GridCosts) -> None:
        shape, self._offsets = live_directions(costs.shape, costs.directions)
        self.layout = Layout(shape, self._offsets, costs.n_labels)
        self._n_threads = costs.n_threads
        self.length, n_long = costs.shape[0], sum(n > 1 for n in costs.shape)
        self.is_cut = self.length > 1 and n_long > 1
        self.is_volume = n_long == 3
        self.step, self.bands_of_step = self.length, self.layout.n_bands
        if self.is_cut:
            self.step, self.bands_of_step = (
                (1, self.layout.bands_of_slice) if self.is_volume else (len(self.layout.lanes), 1)
            )

    @property
    def names(self) -> list[str]:
        """Directions that have edges; an empty name if none has."""
        return list(self._offsets)

    def slabs(self, n_steps: int) -> list[Slab]:
        """Slabs of so many steps, in order."""
        rows, bands = n_steps * self.step, n_steps * self.bands_of_step
        return [
            Slab(first, min(first + rows, self.length), i * bands, min(bands, self.layout.n_bands - i * bands))
            for i, first in enumerate(range(0, self.length, rows))
        ]

    def around(self, slab: Slab) -> tuple[Layout, int, int]:
        """The layout of a slab with a step around it, and with how many rows and bands it begins before the slab."""
        before = self.step if slab.first > 0 else 0
        n = before + slab.stop - slab.first + min(self.step, self.length - slab.stop)
        depth, height, width = self.layout.shape
        shape = (depth, height, width) if not self.is_cut else (n, height, width) if self.is_volume else (1, n, width)
        return Layout(shape, self._offsets, self.layout.n_labels), before, self.bands_of_step if before else 0

    @property
    def bytes_of_step(self) -> float:
        """Memory of a step."""
        layout = self.layout
        numbers = layout.planes_of_band + layout.weights_of_band + 2 * layout.seams_of_band
        labels = 4.0 * layout.n_vectors * len(layout.lanes)
        return self.bands_of_step * (4.0 * numbers + labels)

    @property
    def bytes_besides(self) -> float:
        """Memory that is the same for all slabs: sheets, what lies around, and pieces of what is read."""
        n_labels, n_chains = self.layout.n_labels, self.layout.n_chains
        of_step = self.step * self.layout.shape[-1] * (self.layout.shape[1] if self.is_volume else 1)
        piece = min(max(_AT_ONCE, of_step), math.prod(self.layout.shape))
        read = self._n_threads * piece * (12.0 * n_labels + 32.0 * n_chains)
        return 8.0 * self.layout.all_sheets + 3 * self.bytes_of_step + read

    @property
    def carried(self) -> int:
        """How many numbers a slab hands to the next one."""
        return self.layout.sheets_of_slice if self.is_volume else self.layout.seams_of_band


class Passing:
    """Memory for slabs, and passes over them.

    Attributes
    ----------
    planes, weights : ndarray, float32
        Of the bands of the slab that was begun, or filled, last.
    labels : ndarray, (n, ...), int32
        Of its rows.
    bounds : ndarray, (2 n_bands,)
        Of the bands of all slabs; see :class:`classicseg.kernels.messages.memory.Messages`.
    carried : ndarray, float64
        What comes in from the slab before, and goes out to the next.
    off : list of ndarray
        Sums of what weights of each direction lost when they were rounded, one for each row.
    """

    def __init__(self, costs: GridCosts, cutting: Cutting, table: Table, scale: Scale, n_steps: int) -> None:
        self._costs, self._cutting, self._scale, layout = costs, cutting, scale, cutting.layout
        largest = max(cutting.slabs(n_steps), key=lambda slab: cutting.around(slab)[0].n_bands)
        around = cutting.around(largest)[0]
        self._planes = aligned_zeros(around.n_bands * layout.planes_of_band, np.float32)
        self._weights = aligned_zeros(around.n_bands * layout.weights_of_band, np.float32)
        self._seams = aligned_zeros(around.all_seams, np.float64)
        self._sheets = aligned_zeros(around.all_sheets, np.float64)
        n = around.n_bands * len(layout.lanes) * layout.shape[-1]
        self._labels = np.zeros(max(n, math.prod(layout.shape) if not cutting.is_cut else 0), np.int32)
        self._threads = min(costs.n_threads, layout.n_bands)
        self._model = table.model(layout, self._threads)
        self.bounds, self.carried = np.zeros(2 * layout.n_bands), np.zeros(cutting.carried)
        self.off = [np.zeros(cutting.length) for _ in cutting.names]

    def begin(self, slab: Slab) -> None:
        """Make room for a slab: :attr:`planes` and :attr:`weights` are to be read, or filled."""
        self._slab = slab
        self._layout, self._rows_before, self._bands_before = self._cutting.around(slab)
        self._m = self._layout.messages(
            self._planes, self._weights, self._seams, self._sheets, self._labels, self._layout.order
        )
        bands = slice(self._bands_before, self._bands_before + slab.n_bands)
        order = self._layout.order
        self._m = self._m._replace(order=order[(order >= bands.start) & (order < bands.stop)])
        self._m.progress[: bands.start * LINE] = _FAR
        self._m.progress[bands.stop * LINE :] = _FAR
        size, size_of_weights = self._layout.planes_of_band, self._layout.weights_of_band
        self.planes = self._planes[bands.start * size : bands.stop * size]
        self.weights = self._weights[bands.start * size_of_weights : bands.stop * size_of_weights]
        rows = slab.stop - slab.first
        in_a_row = math.prod(self._costs.shape[1:])
        self._all_labels = self._labels[: (self._rows_before + rows) * in_a_row].reshape(-1, *self._costs.shape[1:])
        self.labels = self._all_labels[self._rows_before :]

    def fill(self) -> None:
        """Write all costs of the slab that was begun."""
        slab, layout, lanes = self._slab, self._layout, self._layout.lanes
        self._weights[:] = 0
        step = self._cutting.step
        rows_at_once = max(1, _AT_ONCE // (step * math.prod(self._costs.shape[1:]))) * step
        borders = [*range(slab.first, slab.stop, rows_at_once), slab.stop]
        pieces = [slice(low, high) for low, high in itertools.pairwise(borders)]
        equal = self._costs.equal is not None

        def read(rows: slice) -> tuple[slice, np.ndarray, list[np.ndarray]]:
            first = rows.start - (rows.start == slab.first > 0)  # edges from the slab before lead here
            weights = [] if equal else self._costs.weights(first, rows.stop)
            return rows, self._costs.unary(rows.start, rows.stop), weights

        for rows, unary, weights in self._costs.in_order(pieces, read):
            write_unary(
                self._some(rows), unary.reshape(-1), self._scale.factor, self._scale.ceiling, self._scale.sums, lanes
            )
            if not equal:
                self._write_weights(rows, weights)
        if equal:
            whole = slice(0, layout.shape[0] * layout.shape[1])
            for k, name in enumerate(self._cutting.names):
                if name:
                    rounded = self._equal(name)[0]
                    write_weights(self._m, rounded, k, whole.start, whole.stop, lanes)

    def lost(self) -> list[float]:
        """By how much the weights of each direction were rounded, in all."""
        if self._costs.equal is None:
            return [math.fsum(of_rows.tolist()) for of_rows in self.off]
        shape, offsets = self._costs.shape, self._costs.directions
        return [
            float(self._equal(name)[1][0]) * math.prod(n - abs(d) for n, d in zip(shape, offsets[name], strict=True))
            for name in self._cutting.names
            if name
        ]

    def _equal(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        assert self._costs.equal is not None
        weight = self._costs.equal[list(self._costs.directions).index(name)]
        return self._scale.weights(np.array([weight]))

    def _write_weights(self, rows: slice, weights: list[np.ndarray]) -> None:
        """Write those of edges that begin in some rows, and in the one before the slab."""
        slab, height = self._slab, self._layout.shape[1] if self._cutting.is_volume else 1
        begin = rows.start - (rows.start == slab.first > 0)
        first, stop = ((row - slab.first + self._rows_before) * height for row in (begin, rows.stop))
        if not self._cutting.is_cut:
            first, stop = 0, self._layout.shape[0] * self._layout.shape[1]
        of_name = dict(zip(self._costs.directions, weights, strict=True))
        for k, name in enumerate(self._cutting.names):
            if name and of_name[name].size:
                rounded, off = self._scale.weights(of_name[name])
                write_weights(self._m, rounded.reshape(-1), k, first, stop, self._layout.lanes)
                self.off[k][begin : begin + len(off)] = sums_of_rows(off)

    def _some(self, rows: slice) -> Messages:
        """The messages of some rows of the slab, which begin with a band."""
        if not self._cutting.is_cut:
            return self._m
        n = rows.stop - rows.start
        at = (rows.start - self._slab.first) // self._cutting.step * self._cutting.bands_of_step
        planes = self.planes[at * self._layout.planes_of_band :]
        if self._cutting.is_volume:
            return self._m._replace(planes=planes, depth=n)
        return self._m._replace(planes=planes, height=n, n_bands=-(-n // self._cutting.step))

    def take_labels(self, before: np.ndarray) -> None:
        """Know the labels of the row (or slice) before the slab."""
        if self._rows_before:
            self._all_labels[self._rows_before - 1] = before

    def run(self, what: int) -> None:
        """Pass over the slab that was begun."""
        forward = what in (FORWARD, DECODE)
        came, goes = self._ports(forward)
        came[:] = self.carried
        sync, plan = new_sync(2), np.array([what], np.int64)
        run(passes, self._threads, sync, self._m, self._model, plan, 0, self._layout.lanes)
        self.carried[:] = goes
        bands = self._slab.first_band, self._slab.first_band + self._slab.n_bands
        here = self._bands_before, self._bands_before + self._slab.n_bands
        if not forward:
            self.bounds[2 * bands[0] : 2 * bands[1]] = self._m.bounds[2 * here[0] : 2 * here[1]]

    def _ports(self, forward: bool) -> tuple[np.ndarray, np.ndarray]:
        """Where messages from the slab before, in the order of the pass, come in; and where those to the next are."""
        size, layout, slab = self._cutting.carried, self._layout, self._slab
        if self._cutting.is_volume:
            before, n, depth = self._rows_before, slab.stop - slab.first, layout.shape[0]
            sides = (before, before + n) if forward else (depth - before - n, depth - before)
            sheets = self._sheets[: 2 * size].reshape(2, size)
            return sheets[sides[0] % 2], sheets[sides[1] % 2]
        first, last = self._bands_before, self._bands_before + slab.n_bands
        if not self._cutting.is_cut:
            last = 0  # seams before and behind the whole hold zeros
        n_rows = self._layout.n_bands + 1
        seams = self._seams[: n_rows * size].reshape(n_rows, size)
        return (seams[first], seams[last]) if forward else (seams[last], seams[first])
