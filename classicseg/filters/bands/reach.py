"""How far along the first axis of an image vertices reach, and how points are marked to find those that are near.

A point that touches a vertex lies in one of the simplices around it. Two corners of a simplex differ, in elevated
coordinates, by ``m - (d + 1)`` in m of them and by m in the others. A feature is a weighted sum of these coordinates
whose weights sum to 0, so it differs by at most ``d + 1`` times the sum of the positive weights.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from classicseg.filters.building import Space

_BETWEEN = 2**16  # points between two marks: vertices of about as many more than needed are in memory
_ROUNDING = 2.0**-20  # of elevated coordinates, which are sums of some float32 numbers


class Reach(NamedTuple):
    """How near points have to be to each other, counted in the order in which they pass by."""

    touch: int  # two that touch the same vertex
    near: int  # the first ones that touch each of two neighbours


def reach_of(space: Space, axis: int, step: float, inner: int) -> Reach:
    """The reach of the vertices of a lattice.

    Parameters
    ----------
    space : Space
    axis : int
        The feature that is the position along the first axis.
    step : float
        By how much that feature grows in one step along the axis.
    inner : int
        Points of such a step, at most.
    """
    d, features = space.features.d, space.features
    weights = np.zeros(d + 1)
    weights[: axis + 1], weights[axis + 1] = 1, -(axis + 1)
    weights /= (axis + 1) * (axis + 2)
    scale = float(space.scale[axis])
    largest = float((np.maximum(np.abs(features.low), np.abs(features.high)) * space.scale).sum())
    across = 2 * (d + 1) * weights[weights > 0].sum() + _ROUNDING * (d + 1) * (1 + largest)
    steps = np.concatenate(space.blur.shells) if space.blur.shells else (d + 1) * np.eye(d + 1)
    to_neighbour = np.abs(steps @ weights).max()
    touch, near = ((math.ceil(far / (scale * step)) + 1) * inner for far in (across, across + to_neighbour))
    return Reach(touch, near)


class Marks(NamedTuple):
    """Points that are marked, among them the first one of each stripe."""

    point: np.ndarray  # (n_marks + 1,) int64, and the number of points
    first: np.ndarray  # (n_stripes + 1,) int64: which mark each stripe begins with

    @classmethod
    def of(cls, borders: np.ndarray) -> Marks:
        """Those of stripes with these `borders`, (n_stripes + 1,)."""
        points = [np.arange(a, b, _BETWEEN) for a, b in pairwise(borders)]
        first = np.cumsum([0, *(part.size for part in points)])
        return cls(np.append(np.concatenate(points), borders[-1]).astype(np.int64), first.astype(np.int64))

    def before(self, point: int) -> int:
        """The last mark that is not behind a point; the first one if there is none."""
        return max(0, int(np.searchsorted(self.point, point, "right")) - 1)

    def behind(self, point: int) -> int:
        """The first mark that is not before a point; the last one if there is none."""
        return min(self.point.size - 1, int(np.searchsorted(self.point, point, "left")))

    def of_stripe(self, s: int) -> np.ndarray:
        """The marks of a stripe, and where it ends."""
        return self.point[self.first[s] : self.first[s + 1] + 1]
