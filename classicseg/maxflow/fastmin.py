"""Expansion and swap moves on grids with the same compatibility at all edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.compatibility import Matrix
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError
from classicseg.solvers.minimize import minimize

_CYCLES = 10_000  # at most, where no number is given; moves end long before


def aexpansion_grid(
    unary: ArrayLike, binary: ArrayLike, max_cycles: int | None = None, labels: np.ndarray | None = None
) -> np.ndarray:
    """Minimise an energy by alpha-expansion.

    Parameters
    ----------
    unary : array_like, (S1, ..., SN, L)
        Cost of each label at each node; 1 to 3 axes before that of the labels.
    binary : array_like, (L, L)
        Cost of two labels of neighbours along the axes; symmetric.
    max_cycles : int, optional
        Largest number of cycles over all labels.
    labels : ndarray of int, (S1, ..., SN), optional
        Where to start, by default the labels of least unary cost. It is changed, and returned.

    Returns
    -------
    ndarray, (S1, ..., SN), or `labels`
        Of the smallest signed dtype that holds all labels.

    Raises
    ------
    ValueError
        If shapes do not fit, or `binary` is not symmetric.

    Examples
    --------
    >>> from classicseg import maxflow
    >>> maxflow.aexpansion_grid([[0, 3], [2, 0], [0, 3]], [[0, 2], [2, 0]]).tolist()
    [0, 0, 0]
    """
    return _moves("expansion", unary, binary, max_cycles, labels)


def abswap_grid(
    unary: ArrayLike, binary: ArrayLike, max_cycles: int | None = None, labels: np.ndarray | None = None
) -> np.ndarray:
    """Minimise an energy by alpha-beta swap; the arguments are those of :func:`aexpansion_grid`.

    Pairs of labels are swapped in an order of classicseg's own, which often ends in a lower minimum.

    Parameters
    ----------
    unary : array_like, (S1, ..., SN, L)
    binary : array_like, (L, L)
    max_cycles : int, optional
    labels : ndarray of int, (S1, ..., SN), optional

    Returns
    -------
    ndarray, (S1, ..., SN), or `labels`
        Of the smallest signed dtype that holds all labels.

    Raises
    ------
    ValueError
        As :func:`aexpansion_grid` does.

    Examples
    --------
    >>> from classicseg import maxflow
    >>> maxflow.abswap_grid([[0, 3], [2, 0], [0, 3]], [[0, 2], [2, 0]]).tolist()
    [0, 0, 0]
    """
    return _moves("swap", unary, binary, max_cycles, labels)


def energy_of_grid_labeling(unary: ArrayLike, binary: ArrayLike, labels: ArrayLike) -> float:
    """The energy of a labelling.

    Parameters
    ----------
    unary : array_like, (S1, ..., SN, L)
    binary : array_like, (L, L)
    labels : array_like of int, (S1, ..., SN)

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If shapes do not fit, or a label is out of range.

    Examples
    --------
    >>> from classicseg import maxflow
    >>> maxflow.fastmin.energy_of_grid_labeling([[0, 3], [2, 0], [0, 3]], [[0, 2], [2, 0]], [0, 1, 0])
    4.0
    """
    return _energy(unary, binary).energy(labels)


def _energy(unary: ArrayLike, binary: ArrayLike) -> GridCRF:
    costs = inputs.read(unary, "unary", booleans=False)
    if costs.ndim not in (2, 3, 4):
        raise InputError(f"unary must have 1 to 3 axes and one of labels, got shape {costs.shape}")
    table = inputs.as_numbers(binary, "binary", (2,), np.float64)
    if table.shape != costs.shape[-1:] * 2:
        raise InputError(f"binary must have shape {costs.shape[-1:] * 2}, labels by labels, got {table.shape}")
    if np.abs(table).max() > inputs.DEAREST:
        raise InputError(f"binary must be at most {inputs.DEAREST:g} in size, got {np.abs(table).max():g}")
    connectivity = {2: 2, 3: 4, 4: 6}[costs.ndim]
    return GridCRF(np.moveaxis(costs, -1, 0), Matrix(table), connectivity=connectivity)


def _moves(
    method: str, unary: ArrayLike, binary: ArrayLike, max_cycles: int | None, labels: np.ndarray | None
) -> np.ndarray:
    energy = _energy(unary, binary)
    start = energy.unary.argmin(axis=0) if labels is None else labels
    cycles = _CYCLES if max_cycles is None else inputs.as_count(max_cycles, "max_cycles", 0, 2**31 - 1)
    found = minimize(energy, method, init=start, max_iter=cycles).labels
    if labels is None:
        return found.astype(np.min_scalar_type(-energy.n_labels))
    labels[...] = found
    return labels
