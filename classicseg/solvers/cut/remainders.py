"""Minimum cuts of real costs, to the last bit if need be: rounds of cuts in whole numbers, each finer than the last.

See :mod:`classicseg.kernels.cut.remainders`. After each round it is known how far its cut can be from the best one:
what the round left of the capacities over the cut. That is also the most that can still flow, so the next round may cut
off whatever is more, and has all its 32 bits for the rest. Three rounds are usual.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from classicseg.energies.grid import Offset, edge_ends, edge_shape
from classicseg.energies.grid_crf import GridCRF, as_volume
from classicseg.kernels.cut.near import Residual
from classicseg.kernels.cut.remainders import capacity_left, excess_left, round_down, take_flow
from classicseg.kernels.sites.energy import PART, pairwise_energy
from classicseg.machine.memory import aligned_zeros, check_memory
from classicseg.solvers.cut.boxes import Box
from classicseg.solvers.cut.integers import WHOLE, is_whole
from classicseg.solvers.cut.near import NearSearch, Pixels
from classicseg.solvers.cut.network import DoubledNetwork, Network

GAP = 1e-9
"""Relative to the larger of 1 and the energy: with more between it and its bound, a minimum does not count as found."""

ENOUGH = 2.0**-34
"""Relative to the energy: with less between a cut and its bound, no further round is made."""

_MARGIN = 16.0  # how far above all flow that there can be the capacities lie that count as infinite
_ROUNDS = 40  # at most; most gain ten bits or more
_TINY = 2.0**-400  # costs below this are multiplied by its inverse
_HUGE = 2.0**900  # no pixel's edges count as more, so that sums over pixels stay finite
_RANGE = 1024.0  # between the capacities that count as infinite and the least flow that they suit
_WORN = 64.0  # roundings of all numbers, after which a network is made anew
_EPSILON = 2.0**-53  # half of what float64 distinguishes from 1: the largest relative error of a rounding


class RealCut:
    """A flow network of real capacities, and what is left of it.

    What flowed in a round is taken from the capacities before the next: if a round is interrupted, nothing is lost.

    Parameters
    ----------
    network : Network or DoubledNetwork
        Serves the rounds.

    Attributes
    ----------
    loss : float
        How far the last cut can be from the best one, but for :attr:`error`.
    """

    def __init__(self, network: Network | DoubledNetwork) -> None:
        self._network = network
        n_copies, n = network.sides.shape
        n_words = 1 + max(arc.word for arc in network.arcs)
        check_memory(8.0 * n_copies * n * (n_words + 3), "the flow network in float64")
        self._capacities = aligned_zeros(n_copies * n_words * n, np.float64).reshape(n_copies, n_words, n)
        self._excess, self._wanted = (aligned_zeros(n_copies * n, np.float64).reshape(n_copies, n) for _ in range(2))
        self._exact, self._size, self._of_edges, self._room, self._most = False, 0.0, 0.0, 0.0, np.inf
        self._tops, self._unit, self._rounding = np.zeros(n_words), 1.0, 0.0
        self._wanted_flow = [0.0, 0.0]  # what sources offer, and what sinks ask for
        self._pending: tuple[float, float] | None = None
        self.loss = np.inf

    def write(self, excess: np.ndarray, capacities: list[np.ndarray], *, crossed: bool, exact: bool) -> None:
        """Begin anew.

        Parameters
        ----------
        excess : ndarray, (n,), float64
            What label 1 of each pixel costs more than label 0; infinite where one of them is forbidden.
        capacities : list of ndarray, float64
            Of the edges of each forward direction, which are arrays over a volume; the same both ways.
        crossed : bool
            Whether edges join the copies of a doubled network, and do not lie within them.
        exact : bool
            Whether all numbers are whole.
        """
        shape = self._network.copies[0][3:]
        tops = [float(edges.max(initial=0)) for edges in capacities]
        self._unit = 1.0
        flow = self._flow_at_most(excess, tops)
        if flow < _TINY:  # there would be no room for steps below
            self._unit = _TINY
            with np.errstate(over="ignore"):
                capacities, tops = [edges / _TINY for edges in capacities], [top / _TINY for top in tops]
            flow = self._flow_at_most(excess, tops)
        # What is far above all flow that there can be is never full: it may as well be infinite, which rounds nothing.
        self._most = _MARGIN * flow
        if max(tops) > self._most:
            capacities = [np.where(edges > self._most, np.inf, edges) for edges in capacities]
        for arc in self._network.arcs:
            if (arc.copy != arc.to) == crossed:
                plane = self._capacities[arc.copy, arc.word].reshape(shape)
                plane[edge_ends(arc.offset)[0]] = capacities[arc.direction]
        finite = sum(float(edges.sum(where=edges < np.inf)) for edges in capacities)
        self._of_edges = 4 * len(self._wanted) * finite
        self._tops = np.repeat([np.inf if top > self._most else top for top in tops], 2)
        self._exact, self._rounding, self._pending = exact, 0.0, None
        self._wanted[:] = self._excess[:] = 0
        self._replace(self._clipped(excess))

    def _flow_at_most(self, excess: np.ndarray, tops: list[float]) -> float:
        """What can flow, or where nothing can, a size of the costs; notes what a pixel's edges carry."""
        self._room, self._most = min(2 * sum(tops), _HUGE), np.inf
        wanted = self._clipped(excess)
        return _largest_flow(wanted) or float(np.abs(wanted).max()) or 1.0

    def change(self, excess: np.ndarray) -> bool:
        """Replace the excess that :meth:`write` began with; the flow stays. Returns whether the network serves it."""
        wanted = self._clipped(excess)
        size = self._of_edges + float(np.abs(wanted).sum())
        if not self._serves(_largest_flow(wanted), size):
            return False
        self.settle()
        self._replace(wanted)
        return True

    def change_within(self, box: tuple[slice, ...], excess: np.ndarray) -> bool:
        """The same in a box of slices, rows and columns of a network of one copy, (depth, height, width)."""
        if self._room == 0:  # then what is cut off depends on all pixels
            return False
        wanted = self._clipped(excess)[0]
        self.settle()
        at = self._over_volume(self._wanted[0])[box]
        offered = [f + float(np.maximum(s * wanted, 0).sum() - np.maximum(s * at, 0).sum())
                   for f, s in zip(self._wanted_flow, (1, -1), strict=True)]  # fmt: skip
        if not self._serves(min(offered), self._size):
            return False
        self._wanted_flow = offered
        there = self.excess[box]
        there += wanted - at
        at[...] = wanted
        self._count_rounding(float(np.abs(wanted).sum() + np.abs(there).sum()))
        return True

    def _serves(self, flow: float, size: float) -> bool:
        """Whether so much flow suits the capacities that count as infinite, and rounding has not worn them."""
        return self._most / _RANGE < flow < self._most / 2 and self._rounding <= _WORN * _EPSILON * size

    @property
    def error(self) -> float:
        """How far rounding in float64 can have moved what a cut costs."""
        return self._rounding * self._unit

    @property
    def sides(self) -> np.ndarray:
        """Those of the network, after the last cut."""
        return self._network.sides

    @property
    def excess(self) -> np.ndarray:
        """What is left of the excess of copy 0, (depth, height, width), after :meth:`settle`."""
        return self._over_volume(self._excess[0])

    def wrong_side(self, near: NearSearch, box: Box, sign: int) -> Pixels | None:
        """What has to change its side in a network of one copy, see there."""
        self.settle()
        capacities, steps = self._capacities[0], near.steps(self._network.offsets)
        residual = Residual(
            capacities.reshape(-1), self._excess[0], 1, capacities.shape[1], steps, self._network.sides[0]
        )
        found, size = near.wrong_side(residual, box, sign)
        self._count_rounding(size)
        return found

    def _over_volume(self, flat: np.ndarray) -> np.ndarray:
        return flat.reshape(self._network.copies[0][3:])

    def _replace(self, wanted: np.ndarray) -> None:
        new = self._excess + (wanted - self._wanted)
        self._size = self._of_edges + float(np.abs(wanted).sum()) + float(np.abs(new).sum())
        self._count_rounding(self._size)
        self._excess, self._wanted = new, wanted
        self._wanted_flow = [float(np.maximum(sign * wanted[0], 0).sum()) for sign in (1, -1)]

    def _clipped(self, excess: np.ndarray) -> np.ndarray:
        """Excess of each copy, cut off where more makes no difference."""
        wanted = np.stack([excess, -excess][: len(self._wanted)]) / self._unit
        # No edges carry more than those of the busiest pixel; twice that still shows which side wins.
        top = 2 * self._room or float(np.abs(wanted).max(initial=0, where=np.isfinite(wanted))) or 1.0
        top = min(top, self._most)
        return np.clip(wanted, -top, top)

    def solve(self, n_threads: int, enough: Callable[[], float]) -> None:
        """Find the cut, in rounds, until its loss is at most ``enough()``, which is asked after each round."""
        self.settle()
        limit = _largest_flow(self._excess) or float(np.abs(self._excess).max()) or 1.0
        for _ in range(_ROUNDS):
            most = 2 * limit  # with only the limit itself, what carries all the flow would look full
            step = self._step(most)
            for layout, capacities, excess in zip(self._network.copies, self._capacities, self._excess, strict=True):
                round_down(self._network.g, layout, capacities, excess, most, step)
            self._network.solve(n_threads)
            self._pending = most, step
            limit = self._left(most, step)
            self.loss = limit * self._unit
            if self.loss <= max(enough(), self.error / 16):
                break
            self.settle()

    def _step(self, most: float) -> float:
        """The least power of two that lets 32 bits hold whatever a record can have.

        An edge can have twice what it began with, a pixel what all its edges bring on top of what it began with.
        """
        busiest = float(np.minimum(2 * self._tops, most).sum()) + min(float(np.abs(self._excess).max()), most)
        return float(2.0 ** (np.ceil(np.log2(busiest or 1.0)) - 30))

    def _left(self, most: float, step: float) -> float:
        """What a round leaves of the capacities over its cut."""
        sides, shape = self._network.sides, tuple(self._network.copies[0][3:])
        total = sum(excess_left(x, side, most, step) for x, side in zip(self._excess, sides, strict=True))
        for arc in self._network.arcs:
            capacities = self._capacities[arc.copy, arc.word]
            total += capacity_left(capacities, sides[arc.copy], sides[arc.to], shape, arc.offset, most, step)
        return float(total)

    def settle(self) -> None:
        """Subtract what flowed in the last round."""
        if self._pending is not None:
            pending, self._pending = self._pending, None  # if an interrupt comes between, the flow is found again
            for layout, capacities, excess in zip(self._network.copies, self._capacities, self._excess, strict=True):
                take_flow(self._network.g, layout, capacities, excess, *pending)
            self._count_rounding(self._size)

    def _count_rounding(self, size: float) -> None:
        """Another rounding of numbers that sum up to `size`."""
        if not (self._exact and self._size < WHOLE):
            self._rounding += 2 * _EPSILON * size


def _largest_flow(excess: np.ndarray) -> float:
    """What all flow together is at most."""
    return min(float(np.maximum(sign * excess, 0).sum()) for sign in (1, -1))


def write_choice(cut: RealCut, crf: GridCRF, zero: np.ndarray, one: np.ndarray, *, crossed: bool = False) -> None:
    """Write the choice between the labels `zero` and `one`, (n,) or (1,), of each pixel.

    If `crossed`, pairs are not submodular and join the copies of a doubled network; else those that are not are made
    dearer, as in :func:`classicseg.kernels.cut.records.fill`.
    """
    capacities = []
    for name, offset in crf.directions.items():
        _, forward, backward = _differences(crf, zero, one, offset)
        both = (forward + backward) / 2
        weights = _over_volume(crf, name)
        edges = weights * (-both if crossed else np.maximum(both, 0))
        if zero.size == one.size == 1 and crf.has_ties(name):  # no larger than needed: less is rounded
            edges[_ties(crf, name)] = weights.max() * crf.cost[~np.eye(crf.n_labels, dtype=bool)].min()
        capacities.append(edges)
    excess = excess_of(crf, zero, one, crossed=crossed)
    cut.write(excess, capacities, crossed=crossed, exact=all_whole(crf))


def all_whole(crf: GridCRF) -> bool:
    """Whether all costs and weights are whole numbers."""
    return all(map(is_whole, (crf.flat_unary, crf.cost, *crf.finite_weights.values())))


def excess_of(crf: GridCRF, zero: np.ndarray, one: np.ndarray, *, crossed: bool = False) -> np.ndarray:
    """What label `one` of each pixel costs more than label `zero`, with what its edges add; (n,) float64."""
    unary = crf.flat_unary.reshape(crf.n_labels, -1)
    of_zero, of_one = (
        unary[labels[0]] if labels.size == 1 else unary[labels, np.arange(labels.size)] for labels in (zero, one)
    )
    with np.errstate(invalid="ignore"):
        excess = np.subtract(of_one, of_zero, dtype=np.float64)
    excess[np.isnan(excess)] = 0  # both are forbidden
    grid = excess.reshape(as_volume(crf.shape, 1))
    for name, offset in crf.directions.items():
        last, forward, backward = _differences(crf, zero, one, offset)
        if not crossed:
            forward = np.where(forward + backward < 0, -backward, forward)
        flow = (forward - backward) / 2
        if np.any(last) or np.any(flow):
            begin, end = edge_ends(as_volume(offset, 0))
            weights = _over_volume(crf, name)
            if zero.size == one.size == 1 and crf.has_ties(name):  # whose pairs are free or forbidden, but never differ
                weights = np.where(_ties(crf, name), 0, weights)
            grid[begin] += weights * (last - flow)
            grid[end] += weights * flow
    return excess


def _differences(crf: GridCRF, zero: np.ndarray, one: np.ndarray, offset: Offset) -> tuple[Any, Any, Any]:
    """For each edge of a direction, or all: ``c11 - c00``, ``c01 - c00`` and ``c10 - c11``."""
    begin, end = edge_ends(as_volume(offset, 0))
    volume, cost = as_volume(crf.shape, 1), crf.cost
    ends = [
        (labels[0], labels[0]) if labels.size == 1 else (labels.reshape(volume)[begin], labels.reshape(volume)[end])
        for labels in (zero, one)
    ]
    (a0, b0), (a1, b1) = ends
    first = cost[a0, b0]
    last = cost[a1, b1]
    return last - first, cost[a0, b1] - first, cost[a1, b0] - last


def _ties(crf: GridCRF, name: str) -> np.ndarray:
    """Which edges of a direction have infinite weight, over a volume."""
    shape = edge_shape(as_volume(crf.shape, 1), as_volume(crf.directions[name], 0))
    return np.isinf(crf.weights[name]).reshape(shape)


def _over_volume(crf: GridCRF, name: str) -> np.ndarray:
    """Weights of a direction in float64, over a volume; infinite ones as the number that stands for them."""
    flat = crf.finite_weights[name].astype(np.float64)
    shape = edge_shape(as_volume(crf.shape, 1), as_volume(crf.directions[name], 0))
    return np.broadcast_to(flat, shape) if flat.size == 1 else flat.reshape(shape)


def rounding_of_energy(crf: GridCRF, labels: np.ndarray) -> float:
    """How far the energy of labels can be off by what float64 rounds; 0 for whole numbers of less than 50 bits."""
    depth, height, width = as_volume(crf.shape, 1)
    terms = float(np.abs(np.take_along_axis(crf.unary, labels[None], 0), dtype=np.float64).sum())
    flat, sizes = np.ascontiguousarray(labels, np.int32).reshape(-1), np.abs(crf.cost)
    for name, offset in crf.directions.items():
        terms += pairwise_energy(
            flat, crf.finite_weights[name], sizes, depth, height, width, *as_volume(offset, 0), 0.0
        )
    if terms < WHOLE and all_whole(crf):
        return 0.0
    rows = height * depth  # sums are made part by part of rows
    longest = min(PART, width) + rows * (1 + width / PART) + len(crf.directions) * (width + rows + 9)
    return _EPSILON * longest * terms
