"""The costs of tree-reweighted message passing on a grid: how they are scaled, and what rounding them can do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from classicseg.energies.compatibility import (
    Compatibility,
    Diagonal,
    Potts,
    TruncatedLinear,
    TruncatedQuadratic,
)
from classicseg.kernels.messages.convolution import DIAGONAL, LINEAR, MATRIX, POTTS, QUADRATIC
from classicseg.kernels.messages.memory import Model, Numbers
from classicseg.machine.memory import aligned_zeros
from classicseg.solvers.messages.layout import Layout

_LARGEST = 2.0**60  # of costs, and one over it of small ones: sums must stay far from the ends of float32
_FINEST = 1000  # powers of two: what float64 holds, and brings its smallest numbers into the range of float32


class Table(NamedTuple):
    """A compatibility as kernels know it; see :mod:`classicseg.kernels.messages.convolution`."""

    kind: int
    reach: int
    unit: float  # a factor of all weights
    values: np.ndarray

    @classmethod
    def of(cls, mu: Compatibility, n_labels: int) -> Table:
        """That of a compatibility."""
        if isinstance(mu, Potts) and mu.weight >= 0:
            return cls(POTTS, 0, mu.weight, np.ones(1))
        if isinstance(mu, TruncatedLinear) and mu.weight >= 0:
            return cls(LINEAR, 0, mu.weight, np.array([min(mu.truncation, n_labels - 1.0)]))
        if isinstance(mu, TruncatedQuadratic) and mu.weight >= 0:
            limit = min(mu.truncation, (n_labels - 1.0) ** 2)
            reach = int(np.count_nonzero(np.arange(1, n_labels) ** 2 < limit))
            return cls(QUADRATIC, reach + (limit == (n_labels - 1.0) ** 2), mu.weight, np.array([limit]))
        cost = mu.matrix(n_labels)
        scale = power_of_two(float(np.abs(cost).max()))
        if isinstance(mu, Diagonal) and np.min(mu.values) >= 0:
            return cls(DIAGONAL, 0, 1 / scale, np.ascontiguousarray(-np.diag(cost) * scale))
        return cls(MATRIX, 0, 1 / scale, cost.reshape(-1) * scale)

    @property
    def dearest(self) -> float:
        """The largest size of an entry."""
        return float(np.abs(self.values).max())

    def model(self, layout: Layout, threads: int) -> Model:
        """The compatibility, with work space for so many threads."""
        size = layout.work_size(self.reach)
        single, double = (
            Numbers(
                self.values.astype(kind), np.full(1, 1 / layout.n_chains, kind), aligned_zeros(threads * size, kind)
            )
            for kind in (np.float32, np.float64)
        )
        return Model(self.kind, self.reach, single, double, size)


class Scale:
    """A factor of all costs, and the bound on the energies of the costs as they were given.

    Parameters
    ----------
    table : Table
    heaviest : float
        The largest weight.
    n_chains : int
    finite_range : callable
        ``finite_range()`` gives the least and the largest finite unary cost.

    Attributes
    ----------
    factor, ceiling : float
        Of unary costs; they are cut off at the ceiling once they are multiplied.
    sums : ndarray, (4,), float64
        Of :func:`classicseg.kernels.messages.memory.write_unary`.
    """

    def __init__(
        self, table: Table, heaviest: float, n_chains: int, finite_range: Callable[[], tuple[float, float]]
    ) -> None:
        dear = heaviest * table.unit * table.dearest
        # A label that is dearer than the best one by more than all edges of a pixel can cost is in no best labelling:
        # cut off there, its cost loses nothing, and its rounding does not spoil the bound.
        self.ceiling = np.inf
        if dear > 0:
            spread = 4.0 * n_chains * dear
            self.factor = power_of_two(spread)
            self.ceiling = float(np.nextafter(np.float32(spread * self.factor), np.float32(np.inf)))
        else:
            low, high = finite_range()
            self.factor = power_of_two(high - low)
        self._of_weights = table.unit * self.factor if dear > 0 else 0.0
        self._dearest, self._edges, self.sums = table.dearest, 2 * n_chains * dear * self.factor, np.zeros(4)

    def weights(self, given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights as messages know them, float32, and by how much each was rounded."""
        exact = given * np.float64(self._of_weights)
        rounded = exact.astype(np.float32)
        return rounded, np.abs(exact - rounded)

    def bound(
        self, layout: Layout, bounds: np.ndarray, off: Iterable[float], shape: tuple[int, ...], *, whole: bool
    ) -> float:
        """What no energy is below, whatever was rounded.

        Parameters
        ----------
        layout : Layout
        bounds : ndarray, (2 n_bands,), float64
            What each band adds to the bound, and to the sum of its absolute terms.
        off : iterable of float
            By how much the weights of each direction were rounded, in all.
        shape : tuple of int
            Spatial shape.
        whole : bool
            Whether energies are whole numbers.
        """
        least, size_of_least, error, largest = self.sums.tolist()
        constant, size_of_constant, largest = least * self.factor, size_of_least * self.factor, largest + self._edges
        error += 2.0**-52 * (shape[-1] + math.prod(shape) / shape[-1] + 2) * size_of_constant
        for of_direction in off:
            error += self._dearest * of_direction
        total, size = bounds.reshape(-1, 2).sum(axis=0).tolist()
        # A term is the sum of some dozen numbers; terms are summed lane by lane, then band by band.
        n_lanes = len(layout.lanes)
        n_terms = layout.n_bands * layout.n_vectors * n_lanes * (1 + layout.n_chains)
        longest = layout.n_vectors * layout.n_chains + bounds.size + n_lanes
        rounding = 2.0**-52 * (32 * n_terms * largest + (longest + 2) * (size + abs(constant)))
        bound = (total + constant - error - rounding) / self.factor
        return float(np.ceil(bound)) if whole else float(bound)


def sums_of_rows(off: np.ndarray) -> np.ndarray:
    """Sums of numbers of edges, spatial shape, one for each row (or slice): the same however many come at once."""
    return off.reshape(len(off) if off.ndim > 1 else 1, -1).sum(axis=1)


def power_of_two(largest: float) -> float:
    """A power of two to multiply costs by: 1, unless the largest is too far from 1 for float32."""
    if largest > _LARGEST or 0 < largest < 1 / _LARGEST:
        return float(2.0 ** min(-np.ceil(np.log2(largest)), _FINEST))
    return 1.0
