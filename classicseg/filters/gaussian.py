"""Gaussian filtering of positions on a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from classicseg import inputs
from classicseg.filters.base import Filter
from classicseg.kernels.dense.exact import correlate_lines
from classicseg.machine.memory import check_memory
from classicseg.machine.threads import map_tasks, resolve_threads

_MANY = 2**24  # points; fewer are filtered without asking how much memory is free
_REACH = 6.0  # standard deviations; what lies beyond weighs less than 2e-8


class GaussianFilter(Filter):
    """Exact Gaussian filter of the position on a regular grid, computed axis by axis.

    ``filter(v)[i] = sum_j exp(-|p_i - p_j|^2 / (2 sigma^2)) v[j]`` over the points of the grid, with no points
    outside it. Terms beyond six standard deviations, below 2e-8, are left out.

    Parameters
    ----------
    shape : sequence of int
        Shape of the grid.
    sigma : float or sequence of float
        Standard deviation along each axis, in the units of `spacing`.
    spacing : float or sequence of float
        Distance of neighbouring points along each axis.
    n_threads : int, optional
        Threads for filtering; results do not depend on it.

    Attributes
    ----------
    shape : tuple of int
        Shape of the grid.

    Raises
    ------
    ValueError
        If a size, sigma or spacing is not positive.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> gaussian = cs.GaussianFilter((1, 3), sigma=1.0)
    >>> gaussian.filter(np.array([[[0.0, 1.0, 0.0]]])).round(4).tolist()
    [[[0.6065, 1.0, 0.6065]]]
    """

    def __init__(
        self,
        shape: Sequence[int],
        sigma: float | Sequence[float] = 3.0,
        *,
        spacing: float | Sequence[float] = 1.0,
        n_threads: int | None = None,
    ) -> None:
        self.shape = inputs.as_shape(shape, "shape")
        if (n_points := math.prod(self.shape)) > _MANY:
            # A channel, what is read and what is written; and up to three numbers for each place of a long kernel.
            check_memory(12 * n_points + 48 * max(self.shape), f"a channel of the shape {self.shape}")
        sigmas = inputs.as_scale(sigma, "sigma", len(self.shape))
        spacings = inputs.as_scale(spacing, "spacing", len(self.shape))
        self._n_threads = resolve_threads(n_threads)
        self._taps = []
        for size, s, step in zip(self.shape, sigmas, spacings, strict=True):
            radius = min(size - 1, int(_REACH * s / step))
            distance = np.arange(-radius, radius + 1) * (step / s)
            self._taps.append(np.exp(-0.5 * distance**2).astype(np.float32))

    def _apply(self, values: np.ndarray, adjoint: bool, n_threads: int) -> np.ndarray:
        def one(channel: int) -> None:
            source, stride = values[channel].copy(), values.shape[1]
            target = np.empty_like(source)
            n_lines = 1
            for size, taps in zip(self.shape, self._taps, strict=True):
                stride //= size
                correlate_lines(source, target, taps, n_lines, size, stride)
                source, target = target, source
                n_lines *= size
            out[channel] = source

        out = np.empty_like(values)
        map_tasks(one, values.shape[0], n_threads)
        return out
