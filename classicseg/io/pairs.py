"""An image and its labels, from their files or from memory, as they are learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.io.classes import VOID
from classicseg.io.orientation import Turn
from classicseg.io.reading import read_labels, read_turned_image


class Pair(NamedTuple):
    """What two files hold.

    Attributes
    ----------
    image : ndarray, (H, W, C)
        Upright and without alpha, as it is in its file otherwise.
    labels : ndarray, (H, W)
        As they are in their file, but turned as the image was where they fit only so.
    turn : Turn or None
        How the image was turned.
    stored : bool or None
        Whether the labels were turned along; None if nobody knows whether they should have been.
    """

    image: np.ndarray
    labels: np.ndarray
    turn: Turn | None
    stored: bool | None


def read_pair(
    of_image: Path, of_labels: Path, *, exif: bool = True, colors: Mapping[tuple[int, int, int], int] | None = None
) -> Pair:
    """Read an image and its labels, which may be coloured; ValueError names the file that cannot be read."""
    image, _, turn = read_turned_image(of_image, exif=exif, alpha=True)
    try:
        labels = read_labels(of_labels, exif=exif, colors=colors)
    except OSError as failure:
        raise InputError(f"{of_labels} cannot be read as labels: {failure}") from failure
    stored = False if turn is None or labels.ndim != 2 else turn.is_stored_like(labels.shape)
    if turn is not None and stored:
        labels = turn.applied(labels)
    image = np.asarray(image)
    return Pair(image if image.ndim != 2 else image[:, :, None], np.asarray(labels), turn, stored)


def as_learned(
    image: np.ndarray,
    labels: np.ndarray,
    names: tuple[str, str],
    classes: Sequence[str],
    table: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Both as uint8: the image, (H, W, C), in steps of 8 bits, labels, (H, W), counted as the classes are.

    Parameters
    ----------
    image, labels : ndarray
        As they were read.
    names : (str, str)
        What errors call them.
    classes : sequence of str
        Names of the classes.
    table : ndarray, (256,)
        As of :func:`table_of`.
    """
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.size == 0:
        raise InputError(f"{names[0]} must be a picture, (H, W) or (H, W, C), got shape {image.shape}")
    if labels.shape != image.shape[:2]:
        raise InputError(f"{names[1]} must have the size of its image, {image.shape[:2]}, got {labels.shape}")
    if labels.dtype.kind == "f":
        raise InputError(f"{names[1]} must hold integers, got dtype {labels.dtype}")
    known = (labels >= 0) & (labels <= VOID)
    mapped = table[np.where(known, labels, 0).astype(np.intp)]
    wrong = ~known | (mapped < 0)
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        raise InputError(
            f"{names[1]} has the label {int(labels[row, column])} at row {row}, column {column}, which is none of "
            f"the {len(classes)} classes ({', '.join(classes)}) nor void ({VOID})"
        )
    return inputs.as_bytes(image, -1, name=names[0]), mapped.astype(np.uint8)
