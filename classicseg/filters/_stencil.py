"""How a lattice is blurred: along its axes, or with a stencil of all near neighbours.

A step to a neighbour is ``sum_j c_j v_j`` with the axis vectors ``v_j = (d + 1) e_j - 1`` and small whole c.
Its squared length is ``(d + 1)^2 (sum c^2 - (sum c)^2 / (d + 1))``; neighbours of equal length are a *shell*.

The blur along the axes reaches a neighbour only through vertices that exist, and between points as sparse as the
colours of a photo few do. The stencil adds every neighbour up to some length directly. Its weights and the fineness
of the lattice were fitted to exact filters: for 5 features on mean field in real images, which
``benchmarks/dense_accuracy.py`` measures, for other numbers of features on random points and signals.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cache

import numpy as np

_MOST_FEATURES = 6  # stencils double in size with every feature
_FITTED = {
    1: (4.5, 1.4, (0.7, 0.24, 0.04)),
    2: (6.01, 1.5, (0.65, 0.275, 0.179, 0.049, 0.021)),
    3: (2.0, 0.8, (0.535, 0.435, 0.189)),
    4: (2.0, 0.7, (0.449, 0.301, 0.135)),
    5: (2.0, 0.75, (0.228, 0.376, 0.348, 0.212)),
    6: (2.0, 0.7, (0.565, 0.386, 0.319, 0.264)),
}  # longest step in the measure above, blur variance (that of the axes is 1), weight of each shell


@dataclass(frozen=True, eq=False)
class Blur:
    """A way to blur a lattice of d features.

    Attributes
    ----------
    variance : float
        Of the blur, in units of that along the axes; the lattice is scaled so that its kernel has unit variance.
    shells : tuple of ndarray, (n, d + 1), int64
        Steps of each shell in lattice coordinates; none for the blur along the axes.
    weights : tuple of float
        Weight of each shell; a vertex itself has 1.
    """

    variance: float
    shells: tuple[np.ndarray, ...]
    weights: tuple[float, ...]

    def feature_scale(self, d: int) -> np.ndarray:
        """Scale of each feature that gives the lattice's kernel unit variance, (d,) float64.

        The common factor is rounded to float32 as in other implementations: where points of regular grids lie on
        the borders of simplices, the last bit decides which vertices exist.
        """
        i = np.arange(d)
        return np.float32((d + 1) * math.sqrt(1 / 6 + self.variance / 2)) / np.sqrt((i + 1) * (i + 2))

    def gain(self, d: int) -> float:
        """Factor that makes the raw lattice sum that of Gaussians, for densely filled lattices."""
        mass = 1 + sum(w * len(s) for w, s in zip(self.weights, self.shells, strict=True))
        if not self.shells:
            mass = 2.0 ** (d + 1)
        return math.sqrt(d + 1) * (2 * math.pi * (1 / 6 + self.variance / 2)) ** (d / 2) / mass


AXES = Blur(1.0, (), ())


@cache
def stencil_blur(d: int) -> Blur:
    """The stencil for `d` features; along the axes where a stencil would be too large."""
    if d > _MOST_FEATURES:
        return AXES
    reach, variance, weights = _FITTED[d]
    found: dict[float, set[tuple[int, ...]]] = {}
    coefficients = range(-2, 3) if d <= 2 else range(-1, 2)
    for c in itertools.product(coefficients, repeat=d + 1):
        total = sum(c)
        length = sum(x * x for x in c) - total**2 / (d + 1)
        if 0 < length <= reach:
            # c and c + 1 are the same step; the set keeps one
            found.setdefault(round(length, 6), set()).add(tuple((d + 1) * x - total for x in c))
    shells = tuple(np.array(sorted(found[length]), np.int64) for length in sorted(found))
    return Blur(variance, shells, weights)
