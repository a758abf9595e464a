"""The permutohedral lattice of two features, which is one of triangles, to be drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.errors import InputError

_MOST_VERTICES = 10_000  # more cannot be seen

_AXES = ((0, 1), (1, -1), (1, 0))
"""Steps to the neighbours of a vertex, in its two whole numbers."""

_SIDES = np.array([[0.0, np.sqrt(6)], [np.sqrt(9 / 2), np.sqrt(3 / 2)]]) / np.sqrt(6)
"""The two sides of a triangle, in standard deviations: splat, blur and slice together have unit variance then."""


class Triangles(NamedTuple):
    """A lattice over n points of the plane."""

    vertices: np.ndarray
    """(m, 2): where they are, in units of the points."""
    corners: np.ndarray
    """(n, 3): vertices of the triangle of each point."""
    weights: np.ndarray
    """(n, 3): how near it is to each; they sum to 1."""
    neighbours: np.ndarray
    """(3 axes, 2, m): the neighbours of each vertex; m where there is none."""

    @classmethod
    def of(cls, points: np.ndarray) -> Triangles:
        """The lattice of points (2, n)."""
        whole = np.linalg.solve(_SIDES.T, points)  # (2, n): how many sides lead there
        base = np.floor(whole)
        s, t = whole - base
        upper = s + t > 1
        ends = np.array([[0, 0], [1, 0], [0, 1]])[None] + np.where(upper, 1, 0)[:, None, None] * np.array(
            [[1, 1], [-1, 1], [1, -1]]
        )
        weights = np.where(upper, [s + t - 1, 1 - s, 1 - t], [1 - s - t, s, t]).T
        found, index = np.unique((base.T[:, None] + ends).reshape(-1, 2).astype(int), axis=0, return_inverse=True)
        if len(found) > _MOST_VERTICES:
            raise InputError(f"features touch {len(found)} vertices of the lattice, too many to be drawn")
        number = {tuple(vertex): v for v, vertex in enumerate(found.tolist())}
        neighbours = [
            [[number.get((v[0] + sign * a, v[1] + sign * b), len(found)) for v in found.tolist()] for sign in (1, -1)]
            for a, b in _AXES
        ]
        return cls(found @ _SIDES, index.reshape(-1, 3), weights, np.array(neighbours))

    def splat(self, values: np.ndarray) -> np.ndarray:
        """Values of points to values of vertices."""
        shares = self.weights * values[:, None]
        return np.bincount(self.corners.ravel(), shares.ravel(), len(self.vertices))

    def blur(self, rows: np.ndarray) -> np.ndarray:
        """Add half of both neighbours along one axis after the other."""
        for up, down in self.neighbours:
            padded = np.append(rows, 0.0)
            rows = rows + 0.5 * (padded[up] + padded[down])
        return rows

    def slice(self, rows: np.ndarray) -> np.ndarray:
        """Values of vertices to values of points."""
        values: np.ndarray = (rows[self.corners] * self.weights).sum(axis=1)
        return values
