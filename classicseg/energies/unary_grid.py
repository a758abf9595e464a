"""Unary costs of pixels, stored for each pixel or on a smaller grid that is stretched over the image."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from classicseg.errors import InputError
from classicseg.inputs import LARGEST
from classicseg.kernels.dense.bank import RowLayout
from classicseg.kernels.dense.unary import Stretch, Unary, read_points, read_unary, values_to_rows
from classicseg.machine.memory import writable_alias
from classicseg.machine.parallel import new_sync, run
from classicseg.machine.threads import resolve_threads

COSTS = np.float32(-1.0)
"""Sign of costs among logits."""
_AT_ONCE = 2**16  # pixels
_FORBIDDEN = np.float32(1e38)
"""In place of an infinite cost: beyond all that costs and messages of at most 1e30 add up to, and finite in sums. The
least share of it that float32 interpolates is still above any other cost."""


class UnaryGrid:
    """Costs of labels at the pixels of an image, which are read in pieces where all would take much memory.

    Parameters
    ----------
    values : ndarray, (L, *grid), float32
        Costs at the points of a grid, C order.
    shape : tuple of int
        Spatial shape of the image, nowhere smaller than the grid.
    align_corners : bool
        How the grid lies on the image where it is smaller, see :class:`DenseCRF`.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.energies.unary_grid import UnaryGrid
    >>> grid = UnaryGrid(np.array([[0.0, 4.0], [1.0, 1.0]], np.float32), (4,), align_corners=False)
    >>> grid.full().tolist()
    [[0.0, 1.0, 3.0, 4.0], [1.0, 1.0, 1.0, 1.0]]
    """

    def __init__(self, values: np.ndarray, shape: tuple[int, ...], align_corners: bool) -> None:
        grid = values.shape[1:]
        if len(shape) != len(grid) or any(small > large for small, large in zip(grid, shape, strict=True)):
            raise InputError(
                f"unary of {' x '.join(map(str, grid))} points cannot be stretched over {' x '.join(map(str, shape))} "
                "pixels: shape must have as many axes, each at least as long"
            )
        self.values, self.shape, self.align_corners = values, shape, align_corners
        self.n_labels, self.n_points = len(values), int(np.prod(shape))
        self._layout = RowLayout.of(self.n_labels)

    @property
    def is_stretched(self) -> bool:
        """Whether there are fewer costs than pixels."""
        return self.values.shape[1:] != self.shape

    @cached_property
    def for_kernels(self) -> Unary:
        """The costs as kernels take them."""
        flat = writable_alias(self.values.reshape(-1))
        if not self.is_stretched:
            return Unary(COSTS, self.n_points, flat, None)
        grid = self.values.shape[1:]
        size = self._layout.n_panels * len(self._layout.lanes)
        rows = np.empty(size * int(np.prod(grid)), np.float32)
        run(values_to_rows, resolve_threads(None, rows.size), new_sync(1), flat, rows, self._layout, brief=True)
        below, share = zip(
            *(places(*sides, self.align_corners) for sides in zip(self.shape, grid, strict=True)), strict=True
        )
        first = np.cumsum([0, *self.shape[:-1]])
        sizes = np.array(self.shape, np.int64), np.array(grid, np.int64), first.astype(np.int64)
        stretch = Stretch(rows, *sizes, np.concatenate(below), np.concatenate(share))
        return Unary(COSTS, self.n_points, np.empty(0, np.float32), stretch)

    def difference(self) -> UnaryGrid:
        """What label 1 of two costs more than label 0, as the only channel."""
        return UnaryGrid(self.values[1:] - self.values[:1], self.shape, self.align_corners)

    def full(self) -> np.ndarray:
        """The costs at all pixels, (L, *shape) float32: `values` itself, if they are."""
        if not self.is_stretched:
            return self.values
        return self.read(0, self.n_points).reshape(self.n_labels, *self.shape)

    def read(self, begin: int, end: int, out: np.ndarray | None = None) -> np.ndarray:
        """The costs at the pixels `begin` to `end` - 1, counted in C order.

        Parameters
        ----------
        begin, end : int
            From 0 to the number of pixels.
        out : ndarray, (L, end - begin), float32, C order, optional
            Where they are written.

        Returns
        -------
        ndarray, (L, end - begin), float32
        """
        costs = np.empty((self.n_labels, end - begin), np.float32) if out is None else out
        if not self.is_stretched:
            costs[:] = self.values.reshape(self.n_labels, -1)[:, begin:end]
            return costs
        positive = self.for_kernels._replace(sign=-COSTS)
        threads = resolve_threads(None, costs.size)
        run(read_unary, threads, new_sync(1), positive, begin, costs.reshape(-1), self._layout, brief=True)
        return costs

    def at(self, points: np.ndarray) -> np.ndarray:
        """The costs at some pixels, (m,) int64 counted in C order: (L, m) float32."""
        costs = np.empty((self.n_labels, points.size), np.float32)
        flat = writable_alias(self.values.reshape(-1))
        threads = resolve_threads(None, costs.size)
        run(
            read_points, threads, new_sync(1), flat, flat.size // self.n_labels, self.for_kernels.stretch, points,
            costs.reshape(-1), brief=True,
        )  # fmt: skip
        return costs

    def cheapest(self) -> np.ndarray:
        """The label of least cost at each pixel, `shape`, int32."""
        if not self.is_stretched:
            return self.values.argmin(axis=0).astype(np.int32)
        labels = np.empty(self.n_points, np.int32)
        for begin in range(0, self.n_points, _AT_ONCE):
            end = min(begin + _AT_ONCE, self.n_points)
            labels[begin:end] = self.read(begin, end).argmin(axis=0)
        return labels.reshape(self.shape)

    def of_labels(self, labels: np.ndarray) -> float:
        """The sum of the costs of (n_points,) labels; infinite if one of them is forbidden."""
        if not self.is_stretched:
            return _sum_of(np.take_along_axis(self.values.reshape(self.n_labels, -1), labels[None], 0))
        total = 0.0
        for begin in range(0, self.n_points, _AT_ONCE):
            some = labels[None, begin : begin + _AT_ONCE]
            total += _sum_of(np.take_along_axis(self.read(begin, begin + some.size), some, 0))
        return total


def places(n: int, small: int, align_corners: bool) -> tuple[np.ndarray, np.ndarray]:
    """The grid coordinate at or below each of `n` pixels of an axis, and the weight of the one above."""
    pixels = np.arange(n)
    if align_corners:
        at = pixels * ((small - 1) / max(n - 1, 1))
    else:
        at = ((pixels + 0.5) * (small / n) - 0.5).clip(0, small - 1)
    below = np.minimum(at.astype(np.int64), max(small - 2, 0))
    return below, (at - below).astype(np.float32)


def finite_costs(costs: np.ndarray) -> np.ndarray:
    """Costs with numbers in place of infinity that leave a label no probability, and can be interpolated."""
    return costs if costs.max() < np.inf else np.minimum(costs, _FORBIDDEN)


def is_forbidden(costs: np.ndarray) -> np.ndarray:
    """Which costs stand for infinite ones, or are shares of such."""
    forbidden: np.ndarray = costs > np.float32(LARGEST)
    return forbidden


def _sum_of(costs: np.ndarray) -> float:
    return np.inf if is_forbidden(costs.max()) else float(costs.sum(dtype=np.float64))
