"""Costs on a smaller grid of which a part is read at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from classicseg.energies.unary_grid import COSTS, places
from classicseg.kernels.dense.bank import RowLayout
from classicseg.kernels.dense.unary import Stretch, Unary, read_points, read_unary, values_to_rows
from classicseg.machine.parallel import new_sync, run


class UnaryWindows:
    """Costs of the pixels of an image, stretched over it from a smaller grid: those of some steps of the first axis.

    Parameters
    ----------
    read : callable
        ``read(first, last)`` gives the costs (L, last - first, *grid[1:]), float32, of a part of the grid.
    n_labels : int
    grid, shape : tuple of int
        Spatial shape of the grid and of the image.
    align_corners : bool
        See :class:`classicseg.DenseCRF`.
    """

    def __init__(
        self,
        read: Callable[[int, int], np.ndarray],
        n_labels: int,
        grid: tuple[int, ...],
        shape: tuple[int, ...],
        align_corners: bool,
    ) -> None:
        self._read, self._n_labels, self._grid, self._shape = read, n_labels, grid, shape
        self._places = [places(n, small, align_corners) for n, small in zip(shape, grid, strict=True)]

    def for_kernels(self, first: int, last: int) -> Unary:
        """The costs of the pixels of the steps `first` to `last` - 1, counted from 0, as kernels take them."""
        values, stretch = self._read(*self._ends(first, last)), self._stretch(first, last)
        layout = RowLayout.of(len(values))
        rows = np.empty(layout.n_panels * len(layout.lanes) * values[0].size, np.float32)
        run(values_to_rows, 1, new_sync(1), values.reshape(-1), rows, layout, brief=True)
        return Unary(COSTS, int(stretch.shape.prod()), np.empty(0, np.float32), stretch._replace(rows=rows))

    def at(self, first: int, last: int, points: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The costs of some of these pixels, (m,) int64, after a `change` of the grid's: (L, m) float32."""
        values = np.ascontiguousarray(change(self._read(*self._ends(first, last))))
        costs = np.empty((len(values), points.size), np.float32)
        stretch, flat = self._stretch(first, last), values.reshape(-1)
        run(read_points, 1, new_sync(1), flat, values[0].size, stretch, points, costs.reshape(-1), brief=True)
        return costs

    def _ends(self, first: int, last: int) -> tuple[int, int]:
        """The part of the grid around these steps."""
        below = self._places[0][0]
        return int(below[first]), min(int(below[last - 1]) + 2, self._grid[0])

    def _stretch(self, first: int, last: int) -> Stretch:
        """How that part lies on these steps; without rows."""
        (below, share), *others = self._places
        low, high = self._ends(first, last)
        shape, small = (last - first, *self._shape[1:]), (high - low, *self._grid[1:])
        return Stretch(
            np.empty(0, np.float32),
            np.array(shape, np.int64),
            np.array(small, np.int64),
            np.cumsum([0, *shape[:-1]]).astype(np.int64),
            np.concatenate([below[first:last] - low, *(b for b, _ in others)]),
            np.concatenate([share[first:last], *(s for _, s in others)]),
        )

    def full(self, first: int, last: int) -> np.ndarray:
        """The costs of these pixels, (L, n) float32."""
        unary = self.for_kernels(first, last)
        costs = np.empty((self._n_labels, unary.n), np.float32)
        layout = RowLayout.of(self._n_labels)
        run(read_unary, 1, new_sync(1), unary._replace(sign=-COSTS), 0, costs.reshape(-1), layout, brief=True)
        return costs
