"""The flow network of an energy of 2 labels, in whole numbers or of real capacities: two classes, one interface.

Either keeps its flow while unary costs change, of all pixels or in a box of slices, rows and columns, and hands out
pieces of what is left of it, for :mod:`classicseg.solvers.cut.windows`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from classicseg.energies.compatibility import Potts
from classicseg.energies.grid_crf import GridCRF, as_volume
from classicseg.machine.memory import Workspace
from classicseg.solvers.cut.integers import IntegerGrid, differences
from classicseg.solvers.cut.network import Network
from classicseg.solvers.cut.remainders import RealCut, excess_of, write_choice
from classicseg.solvers.cut.windows import Box, Piece

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
    most : float
        More than the edges of a pixel can carry.
    """

    exact, error = True, 0.0

    def __init__(self, network: Network, energy: GridCRF, grid: IntegerGrid) -> None:
        self._network, self._ceiling, self.most = network, grid.ceiling, float(grid.ceiling)
        self._space = Workspace()
        network.fill(grid, _ZERO, _ONE)
        wanted = differences(energy.flat_unary.reshape(2, -1), grid.ceiling)
        assert wanted is not None
        self._wanted = wanted

    @property
    def excess(self) -> np.ndarray:
        """Of each pixel, (depth, height, width)."""
        return self._network.excess

    @property
    def sides(self) -> np.ndarray:
        """Of the last cut: 1 on the side of the sink, 0 on that of the source; (depth, height, width)."""
        return self._network.sides.reshape(self.excess.shape)

    def change(self, energy: GridCRF) -> bool:
        """Take other unary costs; returns whether that was possible."""
        wanted = differences(energy.flat_unary.reshape(2, -1), self._ceiling)
        if wanted is None:
            return False
        self._network.change_unary(self._wanted, wanted)
        self._wanted = wanted
        return True

    def change_within(self, box: Box, unary: np.ndarray) -> bool:
        """Take other unary costs in a box, (2, depth, height, width); returns whether that was possible."""
        wanted = differences(unary, self._ceiling)
        if wanted is None:
            return False
        before = self._wanted.reshape(self.excess.shape)[box]
        self.excess[box] += wanted - before
        before[...] = wanted
        return True

    def solve(self, n_threads: int, enough: Callable[[], float]) -> float:
        """Push a maximum flow; returns how far the cut can be from the best one: 0, whatever would be `enough`."""
        self._network.solve(n_threads)
        return 0.0

    def settle(self) -> None:
        """Nothing is left to be done before a change."""

    def piece(self, box: Box) -> Piece:
        """What is left in a box, without the edges that lead out of it."""
        self._space.reuse()
        piece = self._network.piece(box, self._space.zeros)

        def cut(n_threads: int, enough: Callable[[], float]) -> float:
            piece.solve(n_threads)
            return 0.0

        return Piece(piece.excess, piece.sides, cut, lambda: self._network.take_back(box, piece))


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
        self._space = Workspace()
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
    def most(self) -> float:
        """More than the edges of a pixel can carry."""
        return self._cut.most

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

    def piece(self, box: Box) -> Piece:
        """What is left in a box, without the edges that lead out of it."""
        self._space.reuse()
        piece = self._cut.piece(box, self._space.zeros)

        def cut(n_threads: int, enough: Callable[[], float]) -> float:
            def enough_when_settled() -> float:
                piece.settle()
                return enough()

            piece.solve(n_threads, enough_when_settled)
            return piece.loss

        return Piece(piece.excess, piece.sides, cut, lambda: self._cut.take_back(box, piece))
