"""Gaussian filtering over all pairs of points."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.filters.base import Filter
from classicseg.kernels.dense.exact import filter_all_pairs
from classicseg.machine.simd import padded_pixels
from classicseg.machine.threads import map_tasks, resolve_threads

_POINTS_PER_TASK = 64  # each is compared with all others


class ExactFilter(Filter):
    """Exact Gaussian filter over all pairs of points, quadratic in their number.

    ``filter(v)[i] = sum_j exp(-|f_i - f_j|^2 / 2) v[j]``, the term j = i included.

    Parameters
    ----------
    features : array_like, (F, *shape)
        Position of each point, in units of the kernel's standard deviation.
    n_threads : int, optional
        Threads for filtering; results do not depend on it.

    Attributes
    ----------
    shape : tuple of int
        Shape of the set of points.

    Raises
    ------
    ValueError
        If the features are empty or not finite.
    TypeError
        If they are not real numbers.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> exact = cs.ExactFilter([[0.0, 1.0]])
    >>> exact.filter([[1.0, 0.0]]).round(4).tolist()
    [[1.0, 0.6065]]
    """

    def __init__(self, features: ArrayLike, *, n_threads: int | None = None) -> None:
        array = inputs.as_features(features)
        self.shape = array.shape[1:]
        self._n_threads = resolve_threads(n_threads)
        flat = array.reshape(array.shape[0], -1).astype(np.float64)
        low, high = flat.min(axis=1, keepdims=True), flat.max(axis=1, keepdims=True)
        if (high / 2 - low / 2).max() > inputs.LARGEST:
            raise InputError(
                f"features must be within {2 * inputs.LARGEST:g} of each other, got {low.min():g} to {high.max():g}"
            )
        flat -= low / 2 + high / 2
        self._n = flat.shape[1]
        self._features = np.zeros((flat.shape[0], padded_pixels(self._n)), np.float32)
        self._features[:, : self._n] = flat

    def _apply(self, values: np.ndarray, adjoint: bool, n_threads: int) -> np.ndarray:
        n_features, n_padded = self._features.shape
        padded = np.zeros((values.shape[0], n_padded), np.float32)
        padded[:, : self._n] = values
        out = np.empty_like(padded)
        flat = self._features.reshape(-1), padded.reshape(-1), n_features, values.shape[0], n_padded

        def task(t: int) -> None:
            filter_all_pairs(*flat, t * _POINTS_PER_TASK, min(self._n, (t + 1) * _POINTS_PER_TASK), out.reshape(-1))

        map_tasks(task, -(-self._n // _POINTS_PER_TASK), n_threads)
        return np.ascontiguousarray(out[:, : self._n])
