"""Features of points, computed piece by piece when a lattice is built."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from classicseg.filters.blur import Blur
from classicseg.filters.keys import too_wide
from classicseg.machine.simd import PIXELS

_FAR = 1000.0  # standard deviations


class Column(NamedTuple):
    """One feature of all points, ``values / sigma``; `values` may be a broadcast view, which takes no memory."""

    values: np.ndarray  # (*shape), any real dtype whose quotient by a float32 is float32, or float64
    sigma: float


class Features:
    """The features of a kernel, as a lattice wants them: float32, near the origin.

    Features far from the origin are moved there, or float32 would lose their fine differences. The move is one that
    maps the lattice onto itself, so it changes nothing but rounding errors. Features that begin near 0, as those of
    images do, stay as they are: exact ties between them are kept.
    """

    def __init__(self, columns: Sequence[Column], blur: Blur) -> None:
        self.columns, self.d = columns, len(columns)
        self.n = columns[0].values.size
        self.inner = self.n // columns[0].values.shape[0]  # points of one step along the first axis
        bounds = np.array([_bounds(column) for column in columns])
        if not np.isfinite(bounds).all():
            raise too_wide()
        low, high = bounds.T
        self._shift = shift_of(low, high, blur.feature_scale(self.d))
        self.low, self.high = low - self._shift, high - self._shift

    def block(self, start: int, stop: int) -> tuple[np.ndarray, int]:
        """Features of the points `start` to `stop` and maybe some around: (d, m) float32, and the first point."""
        first, last = start // self.inner, -(-stop // self.inner)
        n = (last - first) * self.inner
        features = np.zeros((self.d, n + PIXELS), np.float32)  # the last pixels may be read past the end
        for row, column, shift in zip(features, self.columns, self._shift, strict=True):
            values, sigma = column.values[first:last], np.float32(column.sigma)
            out = row[:n].reshape(values.shape)
            if shift == 0:
                np.divide(values, sigma, out=out, casting="same_kind")
            else:
                np.subtract(values / sigma, shift, out=out, dtype=np.float64, casting="same_kind")
        return features, first * self.inner

    def at(self, points: np.ndarray) -> Features:
        """Those of some `points`, (m,) int64, counted in C order; the same numbers."""
        where = np.unravel_index(points, self.columns[0].values.shape)
        return self.like([Column(column.values[where], column.sigma) for column in self.columns])

    def window(self, where: tuple[slice, ...]) -> Features:
        """Those of the points in a window of the grid; the same numbers."""
        return self.like([Column(column.values[where], column.sigma) for column in self.columns])

    def computed(self, rows: np.ndarray) -> Features:
        """Those of other points, (d, m) float32, which were computed as :meth:`block` does."""
        part = self.like([Column(row, 1.0) for row in rows])
        part._shift = np.zeros(self.d)
        return part

    def like(self, columns: Sequence[Column]) -> Features:
        """Those of other points, moved as these are: their values lie between the smallest and the largest of these."""
        part = copy.copy(self)
        part.columns, part.n = columns, columns[0].values.size
        part.inner = part.n // columns[0].values.shape[0]
        return part


def shift_of(low: np.ndarray, high: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """What is taken from features between `low` and `high` before a lattice is built, (d,) float64."""
    middle = (low + high) / 2
    far = np.any(np.abs(middle) > (high - low) + _FAR)
    return _centre_of_lattice(middle, scale) if far else np.zeros(scale.size)


def _bounds(column: Column) -> tuple[float, float]:
    values = column.values
    once = values[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in values.strides)]
    sigma = np.float32(column.sigma)
    with np.errstate(over="ignore"):
        return float(once.min() / sigma), float(once.max() / sigma)


def _centre_of_lattice(middle: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """A point of the feature space near `middle` that is a remainder-0 vertex of the lattice."""
    d = middle.size
    scaled = middle * scale
    total, elevated = 0.0, np.zeros(d + 1)
    for j in range(d, 0, -1):
        elevated[j] = total - j * scaled[j - 1]
        total += scaled[j - 1]
    vertex = (d + 1) * np.round(elevated / (d + 1))
    total, centre = 0.0, np.empty(d)
    for j in range(d, 0, -1):
        centre[j - 1] = (total - vertex[j]) / j
        total += centre[j - 1]
    return centre / scale
