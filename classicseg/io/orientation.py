"""How a camera was held: pictures are stored as its sensor saw them, with a number that says how to turn them upright.

The number, of the tag Orientation of EXIF and TIFF, is 1 for pictures that are upright as they are stored. From 5 on
rows become columns.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TAG = 0x0112
_MIRRORED_ROWS, _MIRRORED_COLUMNS = (3, 4, 7, 8), (2, 3, 6, 7)  # once rows and columns are exchanged
_FIRST_ON_ITS_SIDE, _LAST = 5, 8


@dataclass(frozen=True)
class Turn:
    """What makes a stored picture upright.

    Attributes
    ----------
    orientation : int
        2 to 8.
    size : (int, int)
        Height and width of the picture as it is stored.
    """

    orientation: int
    size: tuple[int, int]

    @property
    def is_on_its_side(self) -> bool:
        """Whether rows become columns."""
        return self.orientation >= _FIRST_ON_ITS_SIDE

    def applied(self, array: np.ndarray, rows: int = 0, columns: int = 1) -> np.ndarray:
        """An array, whose rows and columns are these axes, turned as the picture is."""
        turned = np.swapaxes(array, rows, columns) if self.is_on_its_side else array
        for axis, mirrored in ((rows, _MIRRORED_ROWS), (columns, _MIRRORED_COLUMNS)):
            if self.orientation in mirrored:
                turned = np.flip(turned, axis)
        return np.ascontiguousarray(turned)

    def is_stored_like(self, size: tuple[int, ...]) -> bool | None:
        """Whether something of this height and width lies as the picture is stored, and not upright; None: unknown."""
        if not self.is_on_its_side or 0 in size:
            return None
        lean = math.log(size[0] / size[1]) * math.log(self.size[0] / self.size[1])
        return None if lean == 0 else lean > 0


def turn_of(number: object, size: tuple[int, ...]) -> Turn | None:
    """The turn that a number asks for; None if there is nothing to turn, and for numbers that mean nothing."""
    if not isinstance(number, int) or not 1 < number <= _LAST:
        return None
    return Turn(int(number), (int(size[0]), int(size[1])))


def turn_along(turn: Turn | None, size: tuple[int, ...], of: Path, image: Path) -> Turn | None:
    """How something of this height and width, from the file `of`, is to be turned with its image; warnings say so."""
    if turn is None:
        return None
    stored = turn.is_stored_like(size)
    say_turned(stored, of, image)
    return turn if stored else None


def say_turned(stored: bool | None, of: Path, image: Path) -> None:
    """Warn that the file `of`, which belongs to an image that was turned, was turned too, or that nobody knows."""
    if stored:
        warnings.warn(
            f"{of} fits {image} as it is stored, not upright as its EXIF orientation asks: it was turned along",
            stacklevel=2,
        )
    elif stored is None:
        warnings.warn(
            f"{image} was turned upright, as its EXIF orientation asks, and {of} may belong to it or to the picture as "
            "it is stored: it is taken to be upright; with exif=False nothing is turned",
            stacklevel=2,
        )
