"""What the filters share: shapes in and out, and normalisation."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs

Normalization = Literal["none", "before", "after", "symmetric"]
NORMALIZATIONS = ("none", "before", "after", "symmetric")
_TINY = np.float32(1e-20)


class Filter:
    """A linear operator K on values at points. Subclasses give `shape` and `_apply`; K is computed once per object."""

    shape: tuple[int, ...]

    def _apply(self, values: np.ndarray, adjoint: bool) -> np.ndarray:
        """K or its transpose on (C, n) float32 values."""
        raise NotImplementedError

    def filter(self, values: ArrayLike, normalization: Normalization = "none", *, adjoint: bool = False) -> np.ndarray:
        """Filter values at the points.

        Parameters
        ----------
        values : array_like, (C, *shape)
            Any real dtype; C channels are filtered independently.
        normalization : {"none", "before", "after", "symmetric"}
            With ``n = 1 / K 1``: ``K v``, ``K (n v)``, ``n K v`` or ``sqrt(n) K (sqrt(n) v)``.
        adjoint : bool
            Apply the transposed operator (of the normalised filter) instead.

        Returns
        -------
        ndarray, (C, *shape), float32

        Raises
        ------
        ValueError
            If the shape does not fit, a value is not finite or the normalisation is unknown.
        """
        inputs.choice(normalization, "normalization", NORMALIZATIONS)
        array = inputs.as_values(values, self.shape, "values")
        flat = array.reshape(array.shape[0], -1)
        before, after = self.factors(normalization)
        if adjoint:
            before, after = after, before
        filtered = self._apply(flat if before is None else flat * before, adjoint)
        if after is not None:
            filtered *= after
        return filtered.reshape(array.shape)

    def factors(self, normalization: Normalization) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Factors of each point before and after K, (n,) float32 each or None."""
        return factors_of(self.row_sums() if normalization != "none" else None, normalization)

    def row_sums(self) -> np.ndarray:
        """``K 1``, (n,) float32."""
        if not hasattr(self, "_row_sums"):
            n = int(np.prod(self.shape))
            self._row_sums: np.ndarray = self._apply(np.ones((1, n), np.float32), False)[0]
        return self._row_sums


def factors_of(
    row_sums: np.ndarray | None, normalization: Normalization
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Factors before and after a filter with the given row sums."""
    if normalization == "none" or row_sums is None:
        return None, None
    if normalization == "symmetric":
        root = 1 / np.sqrt(row_sums + _TINY)
        return root, root
    inverse = 1 / (row_sums + _TINY)
    return (inverse, None) if normalization == "before" else (None, inverse)
