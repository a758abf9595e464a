"""Neighbourhoods, and the edges that they make of a grid of nodes."""

from __future__ import annotations

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError


def moore_structure(ndim: int = 2, directed: bool = False) -> np.ndarray:
    """All neighbours of a node, diagonal ones too.

    Parameters
    ----------
    ndim : int
        Number of axes of the grid.
    directed : bool
        Only those that come later in raster order, as symmetric edges need.

    Returns
    -------
    ndarray, (3,) * ndim, float64
        1 for neighbours, 0 for others.

    Raises
    ------
    ValueError
        If there are less than 1 or more than 8 axes.

    Examples
    --------
    >>> from classicseg import maxflow
    >>> maxflow.moore_structure(directed=True).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]]
    """
    return _halved(np.ones((3,) * inputs.as_count(ndim, "ndim", 1, 8)), bool(directed))


def vonNeumann_structure(ndim: int = 2, directed: bool = False) -> np.ndarray:  # noqa: N802 - the name of PyMaxflow
    """The neighbours of a node along the axes.

    Parameters
    ----------
    ndim : int
        Number of axes of the grid.
    directed : bool
        Only those that come later in raster order, as symmetric edges need.

    Returns
    -------
    ndarray, (3,) * ndim, float64
        1 for neighbours, 0 for others.

    Raises
    ------
    ValueError
        If there are less than 1 or more than 8 axes.

    Examples
    --------
    >>> from classicseg import maxflow
    >>> maxflow.vonNeumann_structure().tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    n = inputs.as_count(ndim, "ndim", 1, 8)
    steps = np.abs(np.indices((3,) * n) - 1).sum(axis=0)
    return _halved((steps == 1).astype(np.float64), bool(directed))


def _halved(structure: np.ndarray, directed: bool) -> np.ndarray:
    """Without the centre, and if `directed` without all that comes before it."""
    middle = structure.size // 2
    structure.reshape(-1)[: middle + 1 if directed else 0] = 0
    structure.reshape(-1)[middle] = 0
    return structure


def grid_edges(
    nodes: np.ndarray, weights: np.ndarray, structure: np.ndarray, periodic: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First node, second node and capacity of the edges that lead from each node of a grid to its neighbours."""
    if structure.ndim != nodes.ndim:
        raise InputError(f"structure must have {nodes.ndim} axes, as nodeids has, got {structure.ndim}")
    if any(length % 2 == 0 for length in structure.shape):
        raise InputError(f"structure must have a middle, and so axes of odd length, got {structure.shape}")
    firsts, seconds, capacities = [np.empty(0, nodes.dtype)], [np.empty(0, nodes.dtype)], [np.empty(0, weights.dtype)]
    for index in np.argwhere(structure):
        offset = index - np.array(structure.shape) // 2
        here = np.indices(nodes.shape).reshape(nodes.ndim, -1)
        there = here + offset[:, None]
        for axis, length in enumerate(nodes.shape):
            if periodic[axis]:
                there[axis] %= length
        inside = np.all([(at >= 0) & (at < n) for at, n in zip(there, nodes.shape, strict=True)], axis=0)
        first, second = tuple(here[:, inside]), tuple(there[:, inside])
        firsts.append(nodes[first])
        seconds.append(nodes[second])
        capacities.append(weights[first] * structure[tuple(index)])
    return np.concatenate(firsts), np.concatenate(seconds), np.concatenate(capacities)
