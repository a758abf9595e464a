"""The flow network of an energy of 2 labels, in whole numbers or of real capacities: two classes, one interface.

Either keeps its flow while unary costs change, of all pixels or in a box of slices, rows and columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from classicseg.energies.compatibility import Potts
from classicseg.energies.grid_crf import GridCRF, as_volume
from classicseg.kernels.cut.near import Residual
from classicseg.kernels.cut.paths import EXTRA
from classicseg.solvers.cut.boxes import Box
from classicseg.solvers.cut.integers import IntegerGrid, differences
from classicseg.solvers.cut.near import NearSearch, Pixels
from classicseg.solvers.cut.network import Network
from classicseg.solvers.cut.remainders import RealCut, excess_of, write_choice

_ZERO, _ONE = np.zeros(1, np.int32), np.ones(1, np.int32)


class WholeFlow:
    """A network in exact whole numbers.

    Parameters
    ----------
    network : Network
        Is filled.
    energy : GridCRF
    grid : IntegerGrid
        The same in whole numbers.

    Attributes
    ----------
    exact : bool
        Whether cuts are exact.
    error : float
        How far rounding can have moved what a cut costs.
    """

    exact, error = True, 0.0

    def __init__(self, network: Network, energy: GridCRF, grid: IntegerGrid) -> None:
        self._network, self._grid = network, replace(grid, unary=grid.unary[:, :0])
        self._near: NearSearch | None = None
        self._side: np.ndarray | None = None  # of each slot, if searches changed it after the last cut
        network.fill(grid, _ZERO, _ONE)
        wanted = differences(energy.flat_unary.reshape(2, -1), grid)
        assert wanted is not None
        self._wanted = wanted

    @property
    def excess(self) -> np.ndarray:
        """Of each pixel, (depth, height, width)."""
        return self._network.excess

    @property
    def sides(self) -> np.ndarray:
        """Of the last cut: 1 on the side of the sink, 0 on that of the source; (depth, height, width)."""
        if self._side is None:
            return self._network.sides.reshape(self.excess.shape)
        inner: np.ndarray = self._side[1:-1, 1:-1, 1:-1]
        return inner

    def change(self, energy: GridCRF) -> bool:
        """Take other unary costs; returns whether that was possible."""
        wanted = differences(energy.flat_unary.reshape(2, -1), self._grid)
        if wanted is None:
            return False
        self._network.change_unary(self._wanted, wanted)
        self._wanted = wanted
        return True

    def change_within(self, box: Box, unary: np.ndarray) -> bool:
        """Take other unary costs in a box, (2, depth, height, width); returns whether that was possible."""
        wanted = differences(unary, self._grid)
        if wanted is None:
            return False
        before = self._wanted.reshape(self.excess.shape)[box]
        self.excess[box] += wanted - before
        before[...] = wanted
        return True

    def solve(self, n_threads: int, enough: Callable[[], float]) -> float:
        """Push a maximum flow; returns how far the cut can be from the best one: 0, whatever would be `enough`."""
        self._network.solve(n_threads)
        self._side = None
        return 0.0

    def settle(self) -> None:
        """Nothing is left to be done before a change."""

    def wrong_side(self, box: Box, sign: int) -> Pixels | None:
        """What has to change its side, as of a :class:`classicseg.solvers.cut.near.NearSearch`."""
        g, n_directions = self._network.g, len(self._network.steps)
        if self._near is None:
            self._near = NearSearch(self.excess.shape, 1)
        if self._side is None:
            self._side = np.pad(self.sides, 1)
        steps, words = self._near.steps(self._network.offsets), n_directions + EXTRA
        residual = Residual(g, g[n_directions:], words, 1, steps, self._side.reshape(-1))
        return self._near.wrong_side(residual, box, sign)[0]


class RealFlow:
    """A network of real capacities; attributes as of :class:`WholeFlow`.

    Parameters
    ----------
    network : Network
    energy : GridCRF
    """

    exact = False

    def __init__(self, network: Network, energy: GridCRF) -> None:
        self._network, self._cut = network, RealCut(network)
        self._near: NearSearch | None = None
        self._is_tied = any(map(energy.has_ties, energy.directions))
        write_choice(self._cut, energy, _ZERO, _ONE)
        # What edges add to the excess of their pixels. Those of equal costs both ways add nothing.
        self._of_edges: np.ndarray | None = None
        if not isinstance(energy.compatibility, Potts):
            plain = GridCRF(
                np.zeros_like(energy.unary), energy.compatibility, energy.weights, connectivity=energy.connectivity
            )
            self._of_edges = excess_of(plain, _ZERO, _ONE).reshape(as_volume(energy.shape, 1))

    @property
    def error(self) -> float:
        """How far rounding can have moved what a cut costs."""
        return self._cut.error

    @property
    def excess(self) -> np.ndarray:
        """Of each pixel, (depth, height, width)."""
        return self._cut.excess

    @property
    def sides(self) -> np.ndarray:
        """Of the last cut: 1 on the side of the sink, 0 on that of the source; (depth, height, width)."""
        return self._network.sides.reshape(self.excess.shape)

    def change(self, energy: GridCRF) -> bool:
        """Take other unary costs; returns whether that was possible."""
        # Numbers that stand for infinite weights may have changed.
        return not self._is_tied and self._cut.change(excess_of(energy, _ZERO, _ONE))

    def change_within(self, box: Box, unary: np.ndarray) -> bool:
        """Take other unary costs in a box, (2, depth, height, width); returns whether that was possible."""
        excess = np.subtract(unary[1], unary[0], dtype=np.float64)
        if self._of_edges is not None:
            excess += self._of_edges[box]
        return self._cut.change_within(box, excess)

    def solve(self, n_threads: int, enough: Callable[[], float]) -> float:
        """Push a maximum flow, to a loss that is `enough`; returns how far the cut can be from the best one."""
        self._cut.solve(n_threads, enough)
        return self._cut.loss

    def settle(self) -> None:
        """Do now what a change would have to do first."""
        self._cut.settle()

    def wrong_side(self, box: Box, sign: int) -> Pixels | None:
        """What has to change its side, as of a :class:`classicseg.solvers.cut.near.NearSearch`."""
        if self._near is None:
            self._near = NearSearch(self.excess.shape, 0)
        return self._cut.wrong_side(self._near, box, sign)
