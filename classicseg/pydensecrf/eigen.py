"""Matrices of pydensecrf: here they are plain arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs

MatrixXf = np.ndarray
VectorXf = np.ndarray


def matrixXf(values: ArrayLike) -> np.ndarray:  # noqa: N802 (the name that scripts use)
    """A matrix of float32."""
    return _read(values, 2)


def vectorXf(values: ArrayLike) -> np.ndarray:  # noqa: N802
    """A vector of float32."""
    return _read(values, 1)


def _read(values: ArrayLike, ndmin: int) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.array(inputs.read(values, "values"), np.float32, ndmin=ndmin)
