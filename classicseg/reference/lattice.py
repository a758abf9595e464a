"""The permutohedral lattice, step by step: a Gaussian filter of points in many dimensions.

The filter is a sum over all pairs of points. Adams, Baek and Davis [1]_ avoid it: values go to the few lattice points
around, are blurred there, and come back; the cells of their lattice are simplices with only d + 1 vertices:

1. *Embed*: lift the d features to d + 1 coordinates that sum to 0 (:func:`elevate`).
2. *Locate*: find the simplex around each point and its barycentric weights there (:func:`locate`).
3. *Splat* the values onto the vertices, *blur* along the d + 1 axes, *slice* back with the same weights.

.. [1] A. Adams, J. Baek, M. A. Davis, "Fast high-dimensional filtering using the permutohedral lattice", Computer
   Graphics Forum 29(2), 2010. doi:10.1111/j.1467-8659.2009.01645.x
"""

from __future__ import annotations

import numpy as np


def elevate(features: np.ndarray) -> np.ndarray:
    """Lift points onto the plane of d + 1 coordinates that sum to 0.

    Parameters
    ----------
    features : ndarray, (d, n)
        In standard deviations.

    Returns
    -------
    ndarray, (d + 1, n)
        Scaled so that splat, blur and slice together have unit variance.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference.lattice import elevate
    >>> bool(np.allclose(elevate(np.random.default_rng(0).random((3, 5))).sum(axis=0), 0))
    True
    """
    d = len(features)
    i = np.arange(d)
    scale = (d + 1) * np.sqrt(2 / 3) / np.sqrt((i + 1) * (i + 2))
    scaled = np.asarray(features, float) * scale[:, None]
    lifted = np.empty((d + 1, scaled.shape[1]))
    total = np.zeros(scaled.shape[1])  # of the scaled features from j on
    for j in range(d, 0, -1):
        lifted[j] = total - j * scaled[j - 1]
        total += scaled[j - 1]
    lifted[0] = total
    return lifted


def locate(lifted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the simplex around each point.

    Parameters
    ----------
    lifted : ndarray, (d + 1, n)
        As :func:`elevate` gives.

    Returns
    -------
    vertices : ndarray, (n, d + 1, d), int64
        Vertex of each remainder 0 to d; the first d coordinates, which determine the last.
    weights : ndarray, (n, d + 1)
        Barycentric weights; they sum to 1.
    """
    size, n = lifted.shape
    d = size - 1
    nearest = np.rint(lifted / size) * size  # a vertex of remainder 0, but its coordinates may not sum to 0
    residual = lifted - nearest
    rank = np.zeros((size, n), int)  # 0 for the largest residual
    for i in range(size):
        for j in range(i + 1, size):
            lower = residual[i] < residual[j]
            rank[i] += lower
            rank[j] += ~lower
    rank += np.rint(nearest.sum(axis=0) / size).astype(int)
    step = (rank < 0).astype(int) - (rank > d)  # bring the sum back to 0 where the rounding error is the largest
    nearest += size * step
    rank += size * step
    residual = (lifted - nearest) / size

    by_rank = np.empty((size, n))
    np.put_along_axis(by_rank, rank, residual, axis=0)
    weights = np.empty((n, size))
    weights[:, 0] = 1 + by_rank[d] - by_rank[0]
    for r in range(1, size):  # remainder r
        weights[:, r] = by_rank[d - r] - by_rank[d - r + 1]
    remainder = np.arange(size)
    canonical = remainder[:, None, None] - size * (rank[None] > d - remainder[:, None, None])
    vertices = (nearest[None] + canonical)[:, :d]  # shape: (remainder, d, n)
    return vertices.transpose(2, 0, 1).astype(np.int64), weights


class Lattice:
    """A permutohedral lattice over points, with dictionaries and plain loops over axes.

    Parameters
    ----------
    features : ndarray, (d, n)
        In standard deviations.
    gain : float, optional
        Factor of the result. By default that which makes a densely filled lattice sum like the Gaussian;
        pydensecrf uses ``1 / (1 + 2 ** -d)``.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference.lattice import Lattice
    >>> y, x = np.mgrid[:9, :9].reshape(2, -1) / 2.0
    >>> Lattice(np.stack([x, y])).filter(np.ones((1, 81)), "after").round(6).min()
    np.float64(1.0)
    """

    def __init__(self, features: np.ndarray, gain: float | None = None) -> None:
        d = len(features)
        vertices, self.weights = locate(elevate(features))
        flat, index = np.unique(vertices.reshape(-1, d), axis=0, return_inverse=True)
        self.vertices = flat
        self.index: np.ndarray = index.reshape(self.weights.shape)
        self.gain = np.sqrt(d + 1) * (4 * np.pi / 3) ** (d / 2) / 2 ** (d + 1) if gain is None else gain
        number = {tuple(vertex): v for v, vertex in enumerate(flat.tolist())}
        self.neighbours = []  # of each axis: the two neighbours of each vertex, -1 if there is none
        for axis in range(d + 1):
            step = np.where(np.arange(d) == axis, d, -1)
            both = [[number.get(tuple(v), -1) for v in (flat + sign * step).tolist()] for sign in (1, -1)]
            self.neighbours.append(np.array(both))

    def splat(self, values: np.ndarray) -> np.ndarray:
        """Values (c, n) of points to values (c, m + 1) of vertices; the last one stays 0: no vertex."""
        rows = np.zeros((len(values), len(self.vertices) + 1))
        for r in range(self.index.shape[1]):
            for channel, row in zip(values, rows, strict=True):
                np.add.at(row, self.index[:, r], self.weights[:, r] * channel)
        return rows

    def blur(self, rows: np.ndarray, adjoint: bool = False) -> np.ndarray:
        """Add half of both neighbours along one axis after the other."""
        for up, down in self.neighbours[::-1] if adjoint else self.neighbours:
            blurred = rows[:, :-1] + 0.5 * (rows[:, up] + rows[:, down])
            rows = np.pad(blurred, ((0, 0), (0, 1)))
        return rows

    def slice(self, rows: np.ndarray) -> np.ndarray:
        """Values of vertices to values (c, n) of points."""
        return np.einsum("cnr,nr->cn", rows[:, self.index], self.weights)

    def filter(self, values: np.ndarray, normalization: str = "none", *, adjoint: bool = False) -> np.ndarray:
        """Filter (c, n) values; normalisations as in :meth:`classicseg.PermutohedralLattice.filter`."""
        sums = self._raw(np.ones((1, len(self.weights))), False)
        before, after = {
            "none": (1, 1),
            "before": (1 / sums, 1),
            "after": (1, 1 / sums),
            "symmetric": (1 / np.sqrt(sums), 1 / np.sqrt(sums)),
        }[normalization]
        if adjoint:
            before, after = after, before
        return after * self._raw(before * np.asarray(values, float), adjoint)

    def _raw(self, values: np.ndarray, adjoint: bool) -> np.ndarray:
        """Filter (c, n) values without normalisation."""
        return self.gain * self.slice(self.blur(self.splat(values), adjoint))
