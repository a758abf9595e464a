"""A minimum cut found again where unary costs changed, in the time of what changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from classicseg.kernels.cut.near import Residual, Space, flow_near
from classicseg.machine.memory import aligned_zeros
from classicseg.solvers.cut.boxes import Box

_PATIENCE = 2.0  # steps for each pixel of the grid: cutting all takes as long
_FEW = 100_000  # steps that are always worth it

Pixels = tuple[np.ndarray, ...]
"""Slices, rows and columns of some pixels."""


class NearSearch:
    """Searches in what is left of a flow network; they share their work space.

    Parameters
    ----------
    shape : tuple of int
        Depth, height and width of the grid.
    border : int
        How wide a border without capacities lies around it, in slots.
    """

    def __init__(self, shape: tuple[int, ...], border: int) -> None:
        self._shape, self._border = tuple(length + 2 * border for length in shape), border
        n = int(np.prod(self._shape))
        self._space = Space(*(aligned_zeros(size, np.int32) for size in (n, n, n, n + 3)))

    def __deepcopy__(self, memo: dict[int, Any]) -> NearSearch:
        # Work space is not worth a copy.
        return NearSearch(tuple(length - 2 * self._border for length in self._shape), self._border)

    def steps(self, offsets: np.ndarray) -> np.ndarray:
        """Distances between the slots of neighbours, (K,), for (K/2, 3) slices, rows and columns to them."""
        _, height, width = self._shape
        forward = offsets @ np.array([height * width, width, 1])
        return np.stack([forward, -forward], axis=1).reshape(-1)

    def wrong_side(self, residual: Residual, box: Box, sign: int) -> tuple[Pixels | None, float]:
        """Let what can flow to pixels of a box that are on the wrong side; returns which have to change theirs.

        With a `sign` of 1 those that have an excess on the side of the sink, with -1 those that have a deficit on that
        of the source. None if that would take too long: the flow is one then, too, but not the largest. The other
        number is the sum of the sizes of all numbers that were written.
        """
        there = tuple(np.arange(side.start, side.stop) + self._border for side in box)
        roots = np.ravel_multi_index(np.ix_(*there), self._shape).reshape(-1)
        patience = max(_FEW, int(_PATIENCE * len(residual.side)))
        count, size = flow_near(residual, self._space, roots, sign, patience)
        if count < 0:
            return None, float(size)
        found = np.unravel_index(self._space.reached[:count], self._shape)
        return tuple(axis - self._border for axis in found), float(size)
