"""How a lattice is blurred: along its axes, or with a stencil of all near neighbours.

A step to a neighbour is ``sum_j c_j v_j`` with the axis vectors ``v_j = (d + 1) e_j - 1`` and small whole c.
Its squared length is ``(d + 1)^2 (sum c^2 - (sum c)^2 / (d + 1))``; neighbours of equal length are a *shell*.

The blur along the axes reaches a neighbour only through vertices that exist, and between points as sparse as the
colours of a photo few do. The stencil adds every neighbour up to some length directly. Its weights and the fineness
of the lattice were fitted to exact filters: for 3 and 5 features on mean field in real images, which
``benchmarks/dense/accuracy.py`` measures, for other numbers of features on random points and signals.

Where points share few vertices a larger stencil costs little, so there are two for some numbers of features.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from classicseg.errors import InputError

MOST_FEATURES = 6
"""Of a lattice that is blurred with a stencil: stencils double in size with every feature."""
_MOST = 3000  # of any lattice: from some 3800 on its gain is more than float32 holds
_FITTED: dict[int, list[tuple[float, float, tuple[float, ...]]]] = {
    1: [(4.5, 1.4, (0.7, 0.24, 0.04))],
    2: [(6.01, 1.5, (0.65, 0.275, 0.179, 0.049, 0.021))],
    3: [(3.0, 1.0, (0.58, 0.552, 0.155, 0.089, 0.08)), (2.0, 0.8, (0.535, 0.435, 0.189))],
    4: [(12.0, 2.89, ()), (2.0, 0.7, (0.449, 0.301, 0.135))],
    5: [(2.84, 0.9, (0.29, 0.257, 0.218, 0.167, 0.082)), (2.0, 0.75, (0.228, 0.376, 0.348, 0.212))],
    6: [(2.0, 0.7, (0.565, 0.386, 0.319, 0.264))],
}
"""For each number of features the stencils, the larger one first: longest step in the measure above, variance of the
blur (that of the axes is 1), weight of each shell; without weights a sampled Gaussian, of which the longest step cuts
little off."""
_SAMPLED = 4.0  # twice the variance, along one direction in the measure above, of the sampled Gaussian


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
        if d > _MOST:
            raise InputError(
                f"features of a lattice must be at most {_MOST}, got {d}; an exact filter takes any number"
            )
        variance = 1 / 6 + self.variance / 2
        if not self.shells:  # the mass is 2^(d + 1)
            return math.sqrt(d + 1) / 2 * (math.pi / 2 * variance) ** (d / 2)
        mass = 1 + sum(w * len(s) for w, s in zip(self.weights, self.shells, strict=True))
        return math.sqrt(d + 1) * (2 * math.pi * variance) ** (d / 2) / mass


AXES = Blur(1.0, (), ())


@cache
def stencil_blurs(d: int) -> tuple[Blur, ...]:
    """The stencils for `d` features, the most accurate first; along the axes where a stencil would be too large."""
    if d > MOST_FEATURES:
        return (AXES,)
    blurs = []
    for reach, variance, weights in _FITTED[d]:
        shells = _shells(d, reach)
        if not weights:
            weights = tuple(math.exp(-length / _SAMPLED) for length in shells)
        blurs.append(Blur(variance, tuple(shells.values()), weights))
    return tuple(blurs)


def _shells(d: int, reach: float) -> dict[float, np.ndarray]:
    """Steps of each length up to `reach`, (n, d + 1) int64 in lattice coordinates, shortest first."""
    most = math.floor(math.sqrt(reach)) + 1
    c = np.array(list(itertools.product(range(1 - most, most + 1), repeat=d + 1)), np.int64)
    total = c.sum(axis=1)
    c, total = (a[(total >= 0) & (total <= d)] for a in (c, total))  # c and c + 1 are the same step
    length = (d + 1) * (c**2).sum(axis=1) - total**2
    steps = (d + 1) * c - total[:, np.newaxis]
    near = (length > 0) & (length <= (d + 1) * reach)
    return {float(n) / (d + 1): steps[length == n] for n in np.unique(length[near])}
