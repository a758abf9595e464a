"""Calls of scikit-image, whose errors and warnings are not what our users should have to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from classicseg.errors import BudgetError, ClassicsegError, InputError

_LARGEST = 1e150  # squares of differences are finite


def called(
    method: str, function: Callable[..., np.ndarray], image: np.ndarray, channel_axis: int | None, options: Any
) -> np.ndarray:
    """Labels by a `function` that calls scikit-image; an error says for what `method` it was.

    Raises
    ------
    ValueError
        If values are so large that their squares are infinite, or scikit-image raises an error of any kind.
    """
    if image.dtype.kind == "f" and image.dtype.itemsize >= 8:
        largest = np.abs(image).max(initial=0, where=np.isfinite(image))
        if largest > _LARGEST:
            raise InputError(f"image must hold numbers of at most {_LARGEST:g} in size for {method}, got {largest:g}")
    try:
        with np.errstate(all="ignore"):  # scikit-image divides by what may be 0
            return function(image, channel_axis=channel_axis, **options)
    except (ClassicsegError, ImportError):
        raise
    except MemoryError as failure:
        raise BudgetError(f"{method} has not enough memory: {failure}") from failure
    except Exception as failure:
        given = "".join(f", {name}={value!r}" for name, value in options.items() if not isinstance(value, np.ndarray))
        raise InputError(
            f"{method} of scikit-image fails for an image of shape {image.shape}{given}: "
            f"{type(failure).__name__}: {failure}"
        ) from failure
