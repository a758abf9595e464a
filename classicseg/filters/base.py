"""What all filters share: values in and out, and normalisation.

A filter is a linear operator K on values at points. With the row sums ``r = K 1``, normalising multiplies the values of
each point by a power of r before K and by another one after it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.machine.threads import resolve_threads

Normalization = Literal["none", "before", "after", "symmetric"]
NORMALIZATIONS = ("none", "before", "after", "symmetric")

POWERS = {"none": (0.0, 0.0), "before": (-1.0, 0.0), "after": (0.0, -1.0), "symmetric": (-0.5, -0.5)}
"""Powers of the row sums before and after K."""

_TINY = np.float32(1e-20)


class Filter(ABC):
    """A linear operator K on values at points.

    A subclass computes what depends on the points when it is made, sets the attributes, and gives `_apply`.

    Attributes
    ----------
    shape : tuple of int
        Shape of the set of points.
    """

    shape: tuple[int, ...]
    _n_threads: int

    @abstractmethod
    def _apply(self, values: np.ndarray, adjoint: bool, n_threads: int) -> np.ndarray:
        """K, or its transpose if `adjoint`, on (C, n) float32 values: a new array."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'x'.join(map(str, self.shape))} points)"

    def filter(
        self,
        values: ArrayLike,
        normalization: Normalization = "none",
        *,
        adjoint: bool = False,
        n_threads: int | None = None,
    ) -> np.ndarray:
        """Filter values at the points.

        Parameters
        ----------
        values : array_like, (C, *shape)
            Any real dtype; C channels are filtered independently.
        normalization : {"none", "before", "after", "symmetric"}
            With ``n = 1 / K 1``: ``K v``, ``K (n v)``, ``n K v`` or ``sqrt(n) K (sqrt(n) v)``.
        adjoint : bool
            Apply the transposed operator (of the normalised filter) instead.
        n_threads : int, optional
            Threads of this call; those that the filter was made with if None.

        Returns
        -------
        ndarray, (C, *shape), float32

        Raises
        ------
        ValueError
            If the shape does not fit, a value is not finite or the normalisation is unknown.
        """
        threads = self._n_threads if n_threads is None else resolve_threads(n_threads)
        before, after = self.factors(normalization)
        array = inputs.as_values(values, self.shape, "values")
        flat = array.reshape(array.shape[0], -1)
        if inputs.as_flag(adjoint, "adjoint"):
            before, after = after, before
        filtered = self._apply(flat if before is None else flat * before, adjoint, threads)
        if after is not None:
            filtered *= after
        return filtered.reshape(array.shape)

    def factors(self, normalization: Normalization) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Factors of each point before and after K, (n,) float32 each; None stands for 1."""
        before, after = POWERS[inputs.choice(normalization, "normalization", NORMALIZATIONS)]
        first = self._power_of_row_sums(before)
        return first, first if after == before else self._power_of_row_sums(after)

    def row_sums(self) -> np.ndarray:
        """``K 1``, (n,) float32."""
        return self._row_sums

    @cached_property
    def _row_sums(self) -> np.ndarray:
        ones = np.ones((1, int(np.prod(self.shape))), np.float32)
        return self._apply(ones, False, self._n_threads)[0]

    def _power_of_row_sums(self, power: float) -> np.ndarray | None:
        if power == 0:
            return None
        positive = self._row_sums + _TINY
        return 1 / (np.sqrt(positive) if power == -0.5 else positive)
