"""Matrices of pydensecrf: here they are plain arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

MatrixXf = np.ndarray
VectorXf = np.ndarray


def matrixXf(values: ArrayLike) -> np.ndarray:  # noqa: N802 (the name that scripts use)
    """A matrix of float32."""
    return np.array(values, np.float32, ndmin=2)


def vectorXf(values: ArrayLike) -> np.ndarray:  # noqa: N802
    """A vector of float32."""
    return np.array(values, np.float32, ndmin=1)
