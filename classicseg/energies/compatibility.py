"""Label compatibilities: what it costs that two alike pixels carry the labels l and l'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import _validate
from classicseg.errors import InputError, InputTypeError


@dataclass(frozen=True)
class Potts:
    """Different labels cost `weight`, equal labels nothing.

    Parameters
    ----------
    weight : float
        Positive smooths, negative repels.

    Raises
    ------
    ValueError
        If the weight is not finite.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.Potts(2.0).matrix(2).tolist()
    [[0.0, 2.0], [2.0, 0.0]]
    """

    weight: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", _validate.as_weight(self.weight, "weight"))

    @property
    def potts_weight(self) -> float | None:
        """The weight, for code with a short cut for Potts; None for other compatibilities."""
        return self.weight

    def matrix(self, n_labels: int) -> np.ndarray:
        """Cost of each pair of labels, (L, L) float32."""
        cost = np.full((n_labels, n_labels), self.weight, np.float32)
        np.fill_diagonal(cost, 0)
        return cost


@dataclass(frozen=True, eq=False)
class Diagonal:
    """Equal labels are rewarded, each label by its own value; different labels cost nothing.

    Parameters
    ----------
    values : float or array_like, (L,)
        Reward of agreeing on each label; one number stands for all. Positive smooths. With all values equal to w the
        labellings and marginals are those of ``Potts(w)``: the two differ by a constant cost.

    Raises
    ------
    ValueError
        If a value is not finite, or, when used, their number is not that of the labels.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.Diagonal([1.0, 3.0]).matrix(2).tolist()
    [[-1.0, 0.0], [0.0, -3.0]]
    """

    values: ArrayLike

    def __post_init__(self) -> None:
        values = _validate.as_numbers(self.values, "values", axes=(0, 1))
        object.__setattr__(self, "values", _frozen(values.reshape(-1)))

    @property
    def potts_weight(self) -> float | None:
        """None: this is not a Potts compatibility."""
        return None

    def matrix(self, n_labels: int) -> np.ndarray:
        """Cost of each pair of labels, (L, L) float32."""
        values = np.asarray(self.values)
        if values.size not in (1, n_labels):
            raise InputError(f"a Diagonal compatibility of {values.size} values cannot serve {n_labels} labels")
        cost = np.zeros((n_labels, n_labels), np.float32)
        np.fill_diagonal(cost, -values)
        return cost


@dataclass(frozen=True, eq=False)
class Matrix:
    """Any symmetric cost of pairs of labels.

    Parameters
    ----------
    values : array_like, (L, L)
        ``values[l, m]`` is the cost of labels l and m at two alike pixels.

    Raises
    ------
    ValueError
        If the matrix is not square, symmetric and finite, or, when used, its size is not the number of labels.

    Examples
    --------
    >>> import classicseg as cs
    >>> sky_ground_water = cs.Matrix([[0, 3, 3], [3, 0, 1], [3, 1, 0]])
    >>> sky_ground_water.matrix(3)[1].tolist()
    [3.0, 0.0, 1.0]
    """

    values: ArrayLike

    def __post_init__(self) -> None:
        values = _validate.as_numbers(self.values, "values", axes=(2,))
        if values.shape[0] != values.shape[1]:
            raise InputError(f"values must be a square matrix, got shape {values.shape}")
        if not np.allclose(values, values.T, rtol=1e-5, atol=1e-6):
            row, column = np.unravel_index(np.abs(values - values.T).argmax(), values.shape)
            raise InputError(
                f"values must be symmetric, got {values[row, column]:g} for labels ({row}, {column}) and "
                f"{values[column, row]:g} for ({column}, {row}); use (m + m.T) / 2"
            )
        object.__setattr__(self, "values", _frozen(values))

    @property
    def potts_weight(self) -> float | None:
        """None: this is not a Potts compatibility."""
        return None

    def matrix(self, n_labels: int) -> np.ndarray:
        """Cost of each pair of labels, (L, L) float32."""
        values = np.asarray(self.values)
        if values.shape[0] != n_labels:
            raise InputError(f"a Matrix compatibility of {values.shape[0]} labels cannot serve {n_labels} labels")
        return values.copy()


Compatibility = Potts | Diagonal | Matrix


def as_compatibility(compatibility: Any, n_labels: int) -> Compatibility:
    """A compatibility, or an (L, L) array_like as a :class:`Matrix`; either must fit the number of labels."""
    if not isinstance(compatibility, (Potts, Diagonal, Matrix)):
        if np.ndim(compatibility) != 2:
            raise InputTypeError(
                f"compatibility must be Potts, Diagonal, Matrix or an (L, L) matrix, got {compatibility!r}"
            )
        compatibility = Matrix(compatibility)
    compatibility.matrix(n_labels)
    return compatibility


def _frozen(values: np.ndarray) -> np.ndarray:
    copy = values.copy()
    copy.setflags(write=False)
    return copy
