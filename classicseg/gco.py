"""The interface of gco-wrapper and pygco, computed by classicseg: ``from classicseg import gco``.

Names and argument orders are theirs, and the labels are those of a minimum that no single move lowers. Costs of any
dtype are taken as they are: nothing is scaled to whole numbers first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.compatibility import Matrix
from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError
from classicseg.solvers.minimize import minimize

__all__ = ["cut_from_graph", "cut_general_graph", "cut_grid_graph", "cut_grid_graph_simple"]

_CYCLES = 10_000  # at most, where the call says "until convergence"; moves end long before


def cut_general_graph(
    edges: ArrayLike,
    edge_weights: ArrayLike,
    unary_cost: ArrayLike,
    pairwise_cost: ArrayLike | None = None,
    n_iter: int = -1,
    algorithm: str = "expansion",
    init_labels: ArrayLike | None = None,
    down_weight_factor: Any = None,
) -> np.ndarray:
    """Minimise an energy of a graph by expansion or swap moves.

    Parameters
    ----------
    edges : array_like of int, (E, 2)
        In any order.
    edge_weights : array_like, (E,)
    unary_cost : array_like, (N, L)
    pairwise_cost : array_like, (L, L), optional
        Cost of two labels at the ends of an edge of weight 1; 1 for different labels by default.
    n_iter : int
        Largest number of cycles; -1 for as many as there are.
    algorithm : str
        "expansion" or "swap".
    init_labels : array_like of int, (N,), optional
        Where to start.
    down_weight_factor : float, optional
        Has no effect: costs need not be scaled.

    Returns
    -------
    ndarray, (N,), int32

    Raises
    ------
    ValueError
        If shapes do not fit, or the algorithm is unknown.
    TypeError
        If something does not hold numbers of its kind.

    Examples
    --------
    >>> from classicseg import gco
    >>> gco.cut_general_graph([[0, 1], [1, 2]], [2, 2], [[0, 3], [2, 0], [0, 3]]).tolist()
    [0, 0, 0]
    """
    unary, table = _costs(unary_cost, pairwise_cost, 2)
    energy = GraphCRF(unary.T, edges, Matrix(table), inputs.read(edge_weights, "edge_weights", booleans=False))
    return _moves(energy, n_iter, algorithm, init_labels)


def cut_from_graph(
    edges: ArrayLike,
    unary_cost: ArrayLike,
    pairwise_cost: ArrayLike,
    n_iter: int = 5,
    algorithm: str = "expansion",
    weights: ArrayLike | None = None,
) -> np.ndarray:
    """The same with the arguments of pygco.

    Parameters
    ----------
    edges : array_like of int, (E, 2) or (E, 3)
        A third column holds weights.
    unary_cost : array_like, (N, L)
    pairwise_cost : array_like, (L, L)
    n_iter : int
        Largest number of cycles; -1 for as many as there are.
    algorithm : str
        "expansion" or "swap".
    weights : array_like, (E,), optional
        1 by default.

    Returns
    -------
    ndarray, (N,), int32

    Raises
    ------
    ValueError, TypeError
        As :func:`cut_general_graph` does.

    Examples
    --------
    >>> from classicseg import gco
    >>> gco.cut_from_graph([[0, 1, 2], [1, 2, 2]], [[0, 3], [2, 0], [0, 3]], [[0, 1], [1, 0]]).tolist()
    [0, 0, 0]
    """
    pairs = inputs.read(edges, "edges", booleans=False)
    if pairs.ndim != 2 or pairs.shape[1] not in (2, 3):
        raise InputError(f"edges must have shape (E, 2), or (E, 3) with weights, got {pairs.shape}")
    if weights is None:
        weights = pairs[:, 2] if pairs.shape[1] == 3 else np.ones(len(pairs), np.int64)
    return cut_general_graph(pairs[:, :2], weights, unary_cost, pairwise_cost, n_iter, algorithm)


def cut_grid_graph(
    unary_cost: ArrayLike,
    pairwise_cost: ArrayLike,
    cost_v: ArrayLike,
    cost_h: ArrayLike,
    cost_dr: ArrayLike | None = None,
    cost_dl: ArrayLike | None = None,
    n_iter: int = -1,
    algorithm: str = "expansion",
) -> np.ndarray:
    """Minimise an energy of an image by expansion or swap moves.

    Parameters
    ----------
    unary_cost : array_like, (H, W, L)
    pairwise_cost : array_like, (L, L)
    cost_v : array_like, (H - 1, W)
        Weights of edges down.
    cost_h : array_like, (H, W - 1)
        Weights of edges to the right.
    cost_dr, cost_dl : array_like, (H - 1, W - 1), optional
        Weights of diagonal edges from (i, j) to (i + 1, j + 1), and from (i, j + 1) to (i + 1, j); both or neither.
    n_iter : int
        Largest number of cycles; -1 for as many as there are.
    algorithm : str
        "expansion" or "swap".

    Returns
    -------
    ndarray, (H * W,), int32
        In raster order.

    Raises
    ------
    ValueError, TypeError
        As :func:`cut_general_graph` does.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg import gco
    >>> unary = np.array([[[0, 3], [2, 0], [0, 3]]])
    >>> gco.cut_grid_graph(unary, [[0, 1], [1, 0]], np.ones((0, 3)), [[2, 2]]).tolist()
    [0, 0, 0]
    """
    unary, table = _costs(unary_cost, pairwise_cost, 3)
    weights = {"cost_v": cost_v, "cost_h": cost_h, "cost_dr": cost_dr, "cost_dl": cost_dl}
    names = {"cost_v": "down", "cost_h": "right", "cost_dr": "down_right", "cost_dl": "down_left"}
    height, width = unary.shape[:2]
    given: dict[str, np.ndarray] = {}
    for name, values in weights.items():
        shape = (height - (name != "cost_h"), width - (name != "cost_v"))
        if values is not None:
            given[names[name]] = inputs.as_edge_weights(values, shape, name)
    if len(given) == 3:
        raise InputError("cost_dr and cost_dl must be given both, or neither")
    return _moves(
        GridCRF(np.moveaxis(unary, -1, 0), Matrix(table), given, connectivity=2 * len(given)), n_iter, algorithm, None
    )


def cut_grid_graph_simple(
    unary_cost: ArrayLike,
    pairwise_cost: ArrayLike,
    n_iter: int = -1,
    connect: int = 4,
    algorithm: str = "expansion",
) -> np.ndarray:
    """The same with weights of 1.

    Parameters
    ----------
    unary_cost : array_like, (H, W, L)
    pairwise_cost : array_like, (L, L)
    n_iter : int
        Largest number of cycles; -1 for as many as there are.
    connect : int
        4 or 8.
    algorithm : str
        "expansion" or "swap".

    Returns
    -------
    ndarray, (H * W,), int32

    Raises
    ------
    ValueError, TypeError
        As :func:`cut_general_graph` does.

    Examples
    --------
    >>> from classicseg import gco
    >>> gco.cut_grid_graph_simple([[[0, 3], [2, 0], [0, 3]]], [[0, 2], [2, 0]]).tolist()
    [0, 0, 0]
    """
    unary, table = _costs(unary_cost, pairwise_cost, 3)
    if connect not in (4, 8):
        raise InputError(f"connect must be 4 or 8, got {connect!r}")
    return _moves(GridCRF(np.moveaxis(unary, -1, 0), Matrix(table), connectivity=connect), n_iter, algorithm, None)


def _costs(unary: ArrayLike, pairwise: ArrayLike | None, n_axes: int) -> tuple[np.ndarray, np.ndarray]:
    """Costs of labels, the last axis, and of pairs of labels."""
    costs = inputs.read(unary, "unary_cost", booleans=False)
    if costs.ndim != n_axes:
        wanted = "(N, L)" if n_axes == 2 else "(H, W, L)"
        raise InputError(f"unary_cost must have shape {wanted}, got {costs.shape}")
    inputs.as_costs(costs, -1, name="unary_cost")
    n = costs.shape[-1]
    table = 1 - np.eye(n) if pairwise is None else inputs.as_numbers(pairwise, "pairwise_cost", (2,), np.float64)
    if table.shape != (n, n):
        raise InputError(f"pairwise_cost must have shape {(n, n)}, labels by labels, got {table.shape}")
    if np.abs(table).max() > inputs.DEAREST:
        raise InputError(f"pairwise_cost must be at most {inputs.DEAREST:g} in size, got {np.abs(table).max():g}")
    return costs, table


def _moves(energy: GridCRF | GraphCRF, n_iter: int, algorithm: str, init: ArrayLike | None) -> np.ndarray:
    method = inputs.choice(algorithm, "algorithm", ("expansion", "swap"))
    cycles = inputs.as_count(n_iter, "n_iter", -1, 2**31 - 1)
    start = None if init is None else inputs.as_labels(init, energy.shape, energy.n_labels, name="init_labels")
    labels = minimize(energy, method, init=start, max_iter=_CYCLES if cycles < 0 else cycles).labels
    return labels.reshape(-1)
