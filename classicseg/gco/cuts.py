"""Whole tasks in one call: a graph or an image, its costs, and the labels that moves end at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.compatibility import Matrix
from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError
from classicseg.machine.memory import check_memory
from classicseg.solvers.minimize import minimize

MOST_CYCLES = 10_000
"""At most, where a call says "until convergence"; moves end long before."""


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


def cut_simple(
    unary_cost: ArrayLike, pairwise_cost: ArrayLike, n_iter: int = 5, algorithm: str = "expansion"
) -> np.ndarray:
    """Minimise an energy of an image whose edges have a weight of 1, as pygco does.

    Parameters
    ----------
    unary_cost : array_like, (H, W, L)
    pairwise_cost : array_like, (L, L)
    n_iter : int
        Largest number of cycles; -1 for as many as there are.
    algorithm : str
        "expansion" or "swap".

    Returns
    -------
    ndarray, (H, W), int32

    Raises
    ------
    ValueError, TypeError
        As :func:`cut_general_graph` does.

    Examples
    --------
    >>> from classicseg import gco
    >>> gco.cut_simple([[[0, 3], [2, 0], [0, 3]]], [[0, 2], [2, 0]]).tolist()
    [[0, 0, 0]]
    """
    unary = _costs(unary_cost, pairwise_cost, 3)[0]
    return cut_grid_graph_simple(unary, pairwise_cost, n_iter, 4, algorithm).reshape(unary.shape[:2])


def cut_simple_vh(
    unary_cost: ArrayLike,
    pairwise_cost: ArrayLike,
    costV: ArrayLike,
    costH: ArrayLike,
    n_iter: int = 5,
    algorithm: str = "expansion",
) -> np.ndarray:
    """Minimise an energy of an image with a weight for each edge, as pygco does.

    Parameters
    ----------
    unary_cost : array_like, (H, W, L)
    pairwise_cost : array_like, (L, L)
    costV, costH : array_like, (H, W)
        Weight of the edge from each pixel down, and to the right; the last row and the last column are not read.
    n_iter : int
        Largest number of cycles; -1 for as many as there are.
    algorithm : str
        "expansion" or "swap".

    Returns
    -------
    ndarray, (H, W), int32

    Raises
    ------
    ValueError, TypeError
        As :func:`cut_general_graph` does.

    Examples
    --------
    >>> from classicseg import gco
    >>> gco.cut_simple_vh([[[0, 3], [2, 0], [0, 3]]], [[0, 1], [1, 0]], [[0, 0, 0]], [[2, 2, 0]]).tolist()
    [[0, 0, 0]]
    """
    unary = _costs(unary_cost, pairwise_cost, 3)[0]
    shape = unary.shape[:2]
    down, right = (inputs.as_edge_weights(each, shape, name) for name, each in (("costV", costV), ("costH", costH)))
    labels = cut_grid_graph(unary, pairwise_cost, down[:-1], right[:, :-1], n_iter=n_iter, algorithm=algorithm)
    return labels.reshape(shape)


def get_images_edges_vh(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The edges of an image down and to the right; pixels are counted in raster order.

    Parameters
    ----------
    height, width : int
        At least 1.

    Returns
    -------
    down_from, right_from, down_to, right_to : ndarray, (E,), int64

    Raises
    ------
    ValueError, TypeError
        If a size is not a whole number above 0.
    BudgetError
        If the edges would not fit into memory.

    Examples
    --------
    >>> from classicseg import gco
    >>> [nodes.tolist() for nodes in gco.get_images_edges_vh(2, 2)]
    [[0, 1], [0, 2], [2, 3], [1, 3]]
    """
    pixels = _pixels(height, width)
    parts = pixels[:-1], pixels[:, :-1], pixels[1:], pixels[:, 1:]
    down_from, right_from, down_to, right_to = (part.ravel() for part in parts)
    return down_from, right_from, down_to, right_to


def get_images_edges_diag(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The diagonal edges of an image; pixels are counted in raster order.

    Parameters
    ----------
    height, width : int
        At least 1.

    Returns
    -------
    right_from, left_from, right_to, left_to : ndarray, (E,), int64
        From pixels to those below and to the right, and to those below and to the left.

    Raises
    ------
    ValueError, TypeError
        If a size is not a whole number above 0.
    BudgetError
        If the edges would not fit into memory.

    Examples
    --------
    >>> from classicseg import gco
    >>> [nodes.tolist() for nodes in gco.get_images_edges_diag(2, 2)]
    [[0], [1], [3], [2]]
    """
    pixels = _pixels(height, width)
    parts = pixels[:-1, :-1], pixels[:-1, 1:], pixels[1:, 1:], pixels[1:, :-1]
    right_from, left_from, right_to, left_to = (part.ravel() for part in parts)
    return right_from, left_from, right_to, left_to


def _pixels(height: int, width: int) -> np.ndarray:
    shape = inputs.as_count(height, "height", 1), inputs.as_count(width, "width", 1)
    check_memory(5 * 8.0 * shape[0] * shape[1], f"the edges of height={shape[0]} by width={shape[1]} pixels")
    return np.arange(shape[0] * shape[1]).reshape(shape)


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
    labels = minimize(energy, method, init=start, max_iter=MOST_CYCLES if cycles < 0 else cycles).labels
    return labels.reshape(-1)
