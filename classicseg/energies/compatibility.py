"""Label compatibilities: what it costs that two pixels that interact carry the labels l and m."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.machine.memory import check_memory
from classicseg.types import Brief


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
        _check_weight(self)

    def matrix(self, n_labels: int) -> np.ndarray:
        """Cost of each pair of labels, (L, L) float64."""
        n = _checked(n_labels)
        cost = np.full((n, n), self.weight)
        np.fill_diagonal(cost, 0)
        return cost


@dataclass(frozen=True)
class TruncatedLinear:
    """Labels l and m cost ``weight * min(|l - m|, truncation)``.

    Parameters
    ----------
    weight : float
        Cost of labels that differ by 1 (if the truncation is at least 1). Positive smooths.
    truncation : float
        Positive; where the cost stops growing, so that true jumps stay affordable. Infinite for none.

    Raises
    ------
    ValueError
        If the weight is not finite or the truncation not positive.

    References
    ----------
    .. [1] Y. Boykov, O. Veksler, R. Zabih, "Fast approximate energy minimization via graph cuts", IEEE TPAMI 23(11),
       2001. doi:10.1109/34.969114

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.TruncatedLinear(20, truncation=2).matrix(4)[0].tolist()
    [0.0, 20.0, 40.0, 40.0]
    """

    weight: float = 1.0
    truncation: float = np.inf

    def __post_init__(self) -> None:
        _check_truncated(self)

    def matrix(self, n_labels: int) -> np.ndarray:
        """Cost of each pair of labels, (L, L) float64."""
        return self.weight * np.minimum(_label_distance(n_labels), self.truncation)


@dataclass(frozen=True)
class TruncatedQuadratic:
    """Labels l and m cost ``weight * min((l - m)**2, truncation)``.

    Parameters
    ----------
    weight : float
        Cost of labels that differ by 1 (if the truncation is at least 1). Positive smooths.
    truncation : float
        Positive; where the cost stops growing. Infinite for none.

    Raises
    ------
    ValueError
        If the weight is not finite or the truncation not positive.

    References
    ----------
    .. [1] R. Szeliski et al., "A comparative study of energy minimization methods for Markov random fields with
       smoothness-based priors", IEEE TPAMI 30(6), 2008. doi:10.1109/TPAMI.2007.70844

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.TruncatedQuadratic(50, truncation=7).matrix(5)[0].tolist()
    [0.0, 50.0, 200.0, 350.0, 350.0]
    """

    weight: float = 1.0
    truncation: float = np.inf

    def __post_init__(self) -> None:
        _check_truncated(self)

    def matrix(self, n_labels: int) -> np.ndarray:
        """Cost of each pair of labels, (L, L) float64."""
        return self.weight * np.minimum(_label_distance(n_labels) ** 2, self.truncation)


@dataclass(frozen=True, eq=False, repr=False)
class Diagonal(Brief):
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
        values = inputs.as_numbers(self.values, "values", axes=(0, 1))
        object.__setattr__(self, "values", _frozen(values.reshape(-1)))

    def matrix(self, n_labels: int) -> np.ndarray:
        """Cost of each pair of labels, (L, L) float64."""
        values = np.asarray(self.values)
        n = _checked(n_labels)
        if values.size not in (1, n):
            raise InputError(f"a Diagonal compatibility of {values.size} values cannot serve {n} labels")
        cost = np.zeros((n, n))
        np.fill_diagonal(cost, -values)
        return cost


@dataclass(frozen=True, eq=False, repr=False)
class Matrix(Brief):
    """Any cost of pairs of labels.

    Parameters
    ----------
    values : array_like, (L, L)
        ``values[l, m]`` is the cost of labels l and m at two pixels that interact. It must be symmetric for a dense
        CRF. In a grid CRF l is the label of the pixel that comes first in raster order.

    Raises
    ------
    ValueError
        If the matrix is not square and finite, or, when used, its size is not the number of labels.

    Examples
    --------
    >>> import classicseg as cs
    >>> sky_ground_water = cs.Matrix([[0, 3, 3], [3, 0, 1], [3, 1, 0]])
    >>> sky_ground_water.matrix(3)[1].tolist()
    [3.0, 0.0, 1.0]
    """

    values: ArrayLike

    def __post_init__(self) -> None:
        values = inputs.as_numbers(self.values, "values", axes=(2,), dtype=np.float64)
        if values.shape[0] != values.shape[1]:
            raise InputError(f"values must be a square matrix, got shape {values.shape}")
        object.__setattr__(self, "values", _frozen(values))

    def matrix(self, n_labels: int) -> np.ndarray:
        """Cost of each pair of labels, (L, L) float64."""
        values = np.asarray(self.values)
        if values.shape[0] != _checked(n_labels):
            raise InputError(f"a Matrix compatibility of {values.shape[0]} labels cannot serve {n_labels} labels")
        return values.copy()


_MANY = 1000  # labels; the matrix of fewer is small
_COPIES = 4  # of a matrix that exist at the same time while it is checked and used

Compatibility = Potts | TruncatedLinear | TruncatedQuadratic | Diagonal | Matrix


def as_compatibility(compatibility: Any, n_labels: int, *, symmetric: bool) -> Compatibility:
    """The compatibility that was given, or a :class:`Matrix` of an (L, L) array_like.

    It must fit the number of labels. With `symmetric`, its matrix must be symmetric as well.
    """
    if not isinstance(compatibility, Compatibility):
        if inputs.read(compatibility, "compatibility").ndim != 2:
            raise InputTypeError(
                "compatibility must be Potts, TruncatedLinear, TruncatedQuadratic, Diagonal, Matrix or an (L, L) "
                f"matrix, got {compatibility!r}"
            )
        values = inputs.as_numbers(compatibility, "compatibility", axes=(2,), dtype=np.float64)
        if values.shape[0] != values.shape[1]:
            raise InputError(f"compatibility must be a square matrix, got shape {values.shape}")
        compatibility = Matrix(values)
    cost = compatibility.matrix(n_labels)
    if (largest := np.abs(cost).max()) > inputs.DEAREST:
        raise InputError(f"compatibility must cost at most {inputs.DEAREST:g} in size, got {largest:g}")
    if symmetric and not np.allclose(cost, cost.T, rtol=1e-5, atol=1e-6):
        row, column = np.unravel_index(np.abs(cost - cost.T).argmax(), cost.shape)
        raise InputError(
            f"compatibility must be symmetric, got {cost[row, column]:g} for labels ({row}, {column}) and "
            f"{cost[column, row]:g} for ({column}, {row}); use (m + m.T) / 2"
        )
    return compatibility


def split_reward(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, float]:
    """Write the transpose of a cost matrix as ``level - diag(factors) @ matrix``.

    Costs that are equal off the diagonal (Potts above all) need no matrix product; the level cancels in the softmax.

    Parameters
    ----------
    cost : ndarray, (L, L), float32

    Returns
    -------
    factors : ndarray, (L,), float32
    matrix : ndarray, (L, L), float32, or None
        None for the identity.
    level : float
    """
    n = cost.shape[0]
    off = cost[~np.eye(n, dtype=bool)]
    if off.size == 0 or np.all(off == off[0]):
        level = float(off[0]) if off.size else 0.0
        return (level - np.diag(cost)).astype(np.float32), None, level
    return np.ones(n, np.float32), np.ascontiguousarray(-cost.T), 0.0


def _check_weight(cost: Potts | TruncatedLinear | TruncatedQuadratic) -> None:
    weight = inputs.as_weight(cost.weight, "weight", at_least=-inputs.DEAREST, below=inputs.DEAREST)
    object.__setattr__(cost, "weight", weight)


def _check_truncated(cost: TruncatedLinear | TruncatedQuadratic) -> None:
    truncation = cost.truncation
    if not (isinstance(truncation, (int, float, np.number)) and truncation > 0):
        raise InputError(f"truncation must be a positive number or infinite, got {truncation!r}")
    _check_weight(cost)
    object.__setattr__(cost, "truncation", float(truncation))


def _checked(n_labels: int) -> int:
    """The number of labels, if there is memory for their matrix."""
    n = inputs.as_count(n_labels, "n_labels", 1)
    if n > _MANY:
        check_memory(_COPIES * 8 * n * n, f"the costs of all pairs of n_labels={n} labels")
    return n


def _label_distance(n_labels: int) -> np.ndarray:
    labels = np.arange(_checked(n_labels), dtype=np.float64)
    return np.abs(labels[:, None] - labels)


def _frozen(values: np.ndarray) -> np.ndarray:
    copy = values.copy()
    copy.setflags(write=False)
    return copy
