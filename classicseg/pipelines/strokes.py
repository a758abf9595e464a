"""What a user marks in an image: strokes that count, labels that are probable, and a box around the object."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.io import VOID

NONE = -1
"""Label of a pixel that nobody marked."""

_OPENCV = (
    "a mask of OpenCV's grabCut (0 background, 1 object, 2 and 3 probably so) is scribbles=np.where(mask < 2, "
    "mask.astype(int), -1), probable=np.where(mask > 1, mask.astype(int) - 2, -1)"
)


def check_no_codes(scribbles: np.ndarray) -> None:
    """Refuse strokes on every pixel that are the four codes of OpenCV, as far as one can tell."""
    if scribbles.min() > NONE and scribbles.max() in (2, 3):
        raise InputError(f"scribbles must leave pixels without a stroke, -1, got labels 0 to 3 at all; {_OPENCV}")


def number_of_labels(strokes: np.ndarray, start: np.ndarray, n_before: int, has_box: bool) -> int:
    """Number of labels; raises if one of them, from 0 on, is marked nowhere."""
    n_labels = max(2, int(start.max()) + 1, n_before)
    known = {*np.unique(start).tolist(), *range(n_before)}
    missing = set(range(n_labels)) - known
    if missing:
        hint = f"; {_OPENCV}" if strokes.min() > NONE and not has_box else ""
        raise InputError(
            f"scribbles must mark background (0) and each object (1 to {n_labels - 1}), or a box must be given that "
            f"leaves background around the object; got no pixel of label {min(missing)}{hint}"
        )
    return n_labels


def inside(shape: tuple[int, ...], box: Any) -> np.ndarray:
    """Flat bool: within the box."""
    d, box = len(shape), inputs.as_sequence(box, "box", "whole numbers")
    if len(box) != 2 * d:
        raise InputError(f"box must be {2 * d} numbers for {d} spatial axes, starts before ends, got {box!r}")
    numbers = [inputs.as_count(number, "box", 0) for number in box]
    starts, ends = numbers[:d], [min(end, n) for end, n in zip(numbers[d:], shape, strict=True)]
    if any(start >= end for start, end in zip(starts, ends, strict=True)):
        raise InputError(f"box must have an inside within {shape}, got {tuple(box)!r}")
    within = np.zeros(shape, bool)
    within[tuple(map(slice, starts, ends))] = True
    return within.reshape(-1)


def read(
    shape: tuple[int, ...],
    scribbles: ArrayLike | None,
    probable: ArrayLike | None,
    box: Any,
    before: tuple[np.ndarray, np.ndarray, int] | None,
    mask: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, int]:
    """All strokes and the labels to start from, flat and NONE where nothing is known, and the number of labels.

    `before` holds those of an earlier result. New strokes win over old ones, and strokes over everything else. Outside
    of the mask nothing is known, whatever is drawn there.
    """
    nothing = np.full(int(np.prod(shape)), NONE, np.int32)
    old, labels, n_before = (nothing, nothing, 0) if before is None else before
    new = nothing if scribbles is None else inputs.as_strokes(scribbles, shape, VOID, NONE).reshape(-1)
    if before is None and box is None:
        check_no_codes(new)
    strokes = np.where(new == NONE, old, new)
    guess = labels
    if probable is not None:
        given = inputs.as_guess(probable, shape, VOID, NONE, name="probable").reshape(-1)
        guess = np.where(given == NONE, labels, given)
    if box is not None:
        outside = ~inside(shape, box)
        strokes = np.where(outside & (strokes == NONE), 0, strokes)
        guess = np.where(guess == NONE, 1, guess)  # the object is looked for inside
    start = np.where(strokes == NONE, guess, strokes)
    if mask is not None:
        strokes, start = (np.where(mask.reshape(-1), labels, NONE) for labels in (strokes, start))
    return strokes, start, number_of_labels(strokes, start, n_before, box is not None)


def drawn_over(old: np.ndarray, strokes: ArrayLike, erase: ArrayLike | None, n_labels: int) -> np.ndarray:
    """Earlier strokes with new ones on them, and those that are erased taken away."""
    new = inputs.as_strokes(strokes, old.shape, n_labels, NONE, name="strokes")
    if erase is not None:
        gone = inputs.read(erase, "erase")
        if gone.dtype != np.bool_:
            raise InputTypeError(f"erase must be booleans, true where strokes are taken away, got dtype {gone.dtype}")
        if gone.shape != old.shape:
            raise InputError(f"erase must have shape {old.shape}, got {gone.shape}")
        old = np.where(gone, NONE, old)
    return np.where(new == NONE, old, new)
