"""What users mark in an image: labels at some pixels, and nothing at the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from classicseg.errors import InputError, InputTypeError
from classicseg.inputs.arrays import as_labels
from classicseg.inputs.reading import read


def as_strokes(
    strokes: ArrayLike, shape: tuple[int, ...] | None, n_labels: int, none: int, *, name: str = "scribbles"
) -> np.ndarray:
    """Labels 0 to L - 1 where something is drawn and `none` elsewhere, as :func:`as_labels` reads them."""
    array = read(strokes, name)
    if array.dtype == np.bool_:
        raise InputTypeError(
            f"{name} must be whole numbers, 0 on background, 1 on the object and {none} where nothing is drawn, got "
            f"booleans; np.where(mask, 1, {none}) are strokes on the object"
        )
    return as_guess(array, shape, n_labels, none, name=name)


def as_guess(labels: ArrayLike, shape: tuple[int, ...] | None, n_labels: int, none: int, *, name: str) -> np.ndarray:
    """The same of labels that are only probable: a mask of booleans says so of every pixel."""
    array = read(labels, name)
    largest = np.iinfo(array.dtype).max if array.dtype.kind == "u" else None
    if largest is not None and none < 0 and array.size and array.max() == largest:
        raise InputError(
            f"{name} must be {none} where nothing is marked, but {array.dtype} cannot hold {none}, which becomes "
            f"{largest}; give signed numbers: np.where({name} == {largest}, {none}, {name}.astype(int)), or of a mask "
            f"of 0 and {largest} np.where(mask > 0, 1, {none})"
        )
    return as_labels(array, shape, n_labels, none, name=name)
