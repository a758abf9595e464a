"""A minimum cut that is kept while unary costs change, with all that tells how good it is."""

from __future__ import annotations

import math

import numpy as np

from classicseg.energies.grid import edge_ends
from classicseg.energies.grid_crf import GridCRF
from classicseg.solvers.cut.boxes import Box, bounds, hull
from classicseg.solvers.cut.flows import RealFlow, WholeFlow
from classicseg.solvers.cut.integers import as_integers, is_whole
from classicseg.solvers.cut.near import Pixels
from classicseg.solvers.cut.network import Network
from classicseg.solvers.cut.remainders import ENOUGH, GAP, rounding_of_energy
from classicseg.solvers.run import Run
from classicseg.types import Result

_EPSILON = 2.0**-53  # half of what float64 distinguishes from 1


class KeptCut:
    """The network of an energy of 2 labels, its flow, and its cut.

    Attributes
    ----------
    changed : tuple of slice or None
        Bounding box of the pixels whose label the last cut changed; None if it changed none.
    """

    def __init__(self, energy: GridCRF) -> None:
        self._energy = energy
        network, grid = Network(energy.shape, energy.directions), as_integers(energy)
        self._flow = RealFlow(network, energy) if grid is None else WholeFlow(network, energy, grid)
        self._open: list[Box] | None = None  # where costs changed since the last cut; None if everywhere
        self._terms = [0.0, 0.0]  # of the energy of the cut: a sum, and what rounding left of it
        self._n_forbidden, self._loss, self._rounding, self._is_cut = 0, 0.0, 0.0, False
        self.changed: Box | None = None

    @property
    def _sides(self) -> np.ndarray:
        """1 for pixels on the side of the sink, which have label 1, else 0; (depth, height, width)."""
        return self._flow.sides

    def change(self, energy: GridCRF) -> bool:
        """Take an energy of other unary costs, and keep the flow; returns whether that was possible."""
        if not self._flow.change(energy):
            return False
        self._energy, self._open = energy, None
        return True

    def use(self, energy: GridCRF) -> None:
        """Take an energy of the same costs in other arrays."""
        self._energy = energy

    def change_within(self, box: Box, before: np.ndarray, after: np.ndarray) -> bool:
        """Learn that the unary costs in a box of the energy are others, (2, ...); returns whether that was possible."""
        box = (slice(0, 1),) * (3 - len(box)) + box
        size = tuple(side.stop - side.start for side in box)
        before, after = before.reshape(2, *size), after.reshape(2, *size)
        counts = self._flow.exact or self._rounding > 0 or is_whole(after)  # what rounding does
        if not counts or not self._flow.change_within(box, after):
            return False
        if self._open is not None:
            side = self._sides[box] == 1
            self._exchange(np.where(side, before[1], before[0]), np.where(side, after[1], after[0]))
            excess = self._flow.excess[box]
            if np.any(np.where(side, excess > 0, excess < 0)):
                self._open.append(box)
        return True

    def minimum(self, run: Run, out: np.ndarray | None = None, *, knows: bool = False) -> Result:
        """Find the minimum, and record it.

        Labels are written to `out`, if given: only those that changed, if it `knows` the last ones.
        """
        self.changed = None
        if self._open is None or not self._cut_near():
            self._cut_all(run.n_threads)
        labels = self._labels(out, knows)
        value = np.inf if self._n_forbidden else self._terms[0]
        # Where nothing is finite, rounds go on until nothing is left.
        loss = 0.0 if self._flow.exact or self._n_forbidden else self._loss + self._flow.error + self._rounding
        how = "in exact whole numbers" if loss == 0 else f"within {loss:.3g}"
        run.record(energy=value, lower_bound=value - loss, labels=lambda: labels)
        run.stop(f"minimum found {how}", converged=loss <= GAP * max(1.0, abs(value)))
        return run.result(labels, energy=value, lower_bound=value - loss)

    def settle(self) -> None:
        """Do now what the next change would have to do first."""
        self._flow.settle()

    def _labels(self, out: np.ndarray | None = None, knows: bool = False) -> np.ndarray:
        sides = self._sides.reshape(self._energy.shape)
        if out is None:
            return sides.astype(np.int32)
        if not knows:
            out[...] = sides
        elif self.changed is not None:
            box = self.changed[3 - sides.ndim :]
            out[box] = sides[box]
        return out

    def _cut_all(self, n_threads: int) -> None:
        """Cut everything, and find anew what is known about energy and labels."""
        whole = tuple(slice(0, length) for length in self._sides.shape)
        before, energy = self._sides.copy() if self._is_cut else None, self._energy
        self._open, self._is_cut = None, False
        self._loss = self._flow.solve(n_threads, lambda: ENOUGH * _size(energy.energy(self._labels())))
        labels = self._labels()
        found = energy.energy(labels)
        self.changed = whole if before is None else hull(self.changed, bounds(before != self._sides, whole))
        self._terms, self._n_forbidden, self._is_cut = [found, 0.0], int(np.isinf(found)), True
        self._rounding = 0.0 if self._flow.exact or self._n_forbidden else rounding_of_energy(energy, labels)
        if not self._n_forbidden:  # else changes could not tell the energy
            self._open = []

    def _cut_near(self) -> bool:
        """Cut again where costs changed; returns whether that did not take too long."""
        assert self._open is not None
        while self._open:
            for sign in (1, -1):
                found = self._flow.wrong_side(self._open[-1], sign)
                if found is None:
                    return False
                self._turn(found)
            self._open.pop()
        return True

    def _turn(self, pixels: Pixels) -> None:
        """Let pixels be on the other side."""
        if pixels[0].size == 0:
            return
        box = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in pixels)
        self.changed = hull(box, self.changed)
        around = tuple(
            slice(max(0, side.start - 1), min(length, side.stop + 1))
            for side, length in zip(box, self._sides.shape, strict=True)
        )
        before = self._energy_within(around)
        self._sides[pixels] ^= 1
        self._exchange(before, self._energy_within(around))

    def _energy_within(self, box: Box) -> np.ndarray:
        """Costs of the pixels in a box and of the edges between them, one after the other."""
        energy = self._energy
        box = box[3 - len(energy.shape) :]
        side = self._sides.reshape(energy.shape)[box]
        zero, one = energy.unary[(slice(None), *box)]
        costs = [np.where(side == 1, one, zero).reshape(-1)]
        for name, offset in energy.directions.items():
            begin, end = edge_ends(offset)
            edges = tuple(slice(s.start, s.stop - abs(step)) for s, step in zip(box, offset, strict=True))
            costs.append((energy.cost[side[begin], side[end]] * energy.weights[name][edges]).reshape(-1))
        return np.concatenate(costs, dtype=np.float64)

    def _exchange(self, before: np.ndarray, after: np.ndarray) -> None:
        """Replace costs that the energy of the cut is the sum of; infinite ones are only counted."""
        changed = before != after
        old, new = before[changed].astype(np.float64), after[changed].astype(np.float64)
        values = np.concatenate([-old, new])
        forbidden = np.isinf(values)
        self._n_forbidden += int(np.sign(values[forbidden]).sum())
        values = values[~forbidden]
        # As if there were no rounding: a cost that outweighed all others may have gone.
        total = [*self._terms, *values.tolist()]
        self._terms = [math.fsum(total)]
        self._terms.append(math.fsum([*total, -self._terms[0]]))
        if self._rounding > 0:
            self._rounding += 2 * _EPSILON * float(np.abs(values).sum())


def _size(value: float) -> float:
    return abs(value) if np.isfinite(value) else 0.0
