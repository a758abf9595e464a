"""Costs on a smaller grid of which a part is read at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from classicseg.energies.unary_grid import COSTS, places
from classicseg.kernels.dense.bank import RowLayout
from classicseg.kernels.dense.unary import Stretch, Unary, read_unary, values_to_rows
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
        (below, share), *others = self._places
        low = int(below[first])
        high = min(int(below[last - 1]) + 2, self._grid[0])
        values = self._read(low, high)
        layout = RowLayout.of(len(values))
        flat = values.reshape(-1)
        rows = np.empty(layout.n_panels * len(layout.lanes) * (flat.size // len(values)), np.float32)
        run(values_to_rows, 1, new_sync(1), flat, rows, layout, brief=True)
        shape, small = (last - first, *self._shape[1:]), (high - low, *self._grid[1:])
        stretch = Stretch(
            rows,
            np.array(shape, np.int64),
            np.array(small, np.int64),
            np.cumsum([0, *shape[:-1]]).astype(np.int64),
            np.concatenate([below[first:last] - low, *(b for b, _ in others)]),
            np.concatenate([share[first:last], *(s for _, s in others)]),
        )
        return Unary(COSTS, math.prod(shape), np.empty(0, np.float32), stretch)

    def full(self, first: int, last: int) -> np.ndarray:
        """The costs of these pixels, (L, n) float32."""
        unary = self.for_kernels(first, last)
        costs = np.empty((self._n_labels, unary.n), np.float32)
        layout = RowLayout.of(self._n_labels)
        run(read_unary, 1, new_sync(1), unary._replace(sign=-COSTS), 0, costs.reshape(-1), layout, brief=True)
        return costs
