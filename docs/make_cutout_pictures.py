"""The picture of ``docs/cutout.md``: hair, cut out with a mask and with a soft one, on another colour.

``python docs/make_cutout_pictures.py`` writes it. The photo, by NASA, is that of scikit-image.
"""

from pathlib import Path

import numpy as np
from skimage import data

import classicseg as cs
from classicseg import io, plot

WINDOW = (slice(10, 170), slice(125, 285))
GREEN = (40, 200, 90)


def strokes(shape: tuple[int, int]) -> np.ndarray:
    """As a user draws them: along the middle of the face, the hair and the suit, and on what is around."""
    drawn = np.full(shape, -1)
    for rows, columns in (((60, 200), (190, 250)), ((20, 40), (205, 230)), ((240, 512), (150, 350))):
        drawn[slice(*rows), slice(*columns)] = 1
    for rows, columns in (
        ((0, 60), (100, 120)),
        ((0, 200), (300, 310)),
        ((0, 130), (110, 118)),
        ((0, 300), (470, 512)),
    ):
        drawn[slice(*rows), slice(*columns)] = 0
    return drawn


def pictures() -> list[np.ndarray]:
    """The photo, its mask, and the soft mask, the last two on green, enlarged."""
    photo = data.astronaut()
    cut = cs.cutout(photo, strokes(photo.shape[:2]), alpha=True)
    hard = np.where(cut.mask[..., np.newaxis], photo, np.array(GREEN, np.uint8))
    return [plot.pictures.enlarged(view[WINDOW], 2) for view in (photo, hard, cut.matte.over(GREEN))]


if __name__ == "__main__":
    io.write_image(Path(__file__).parent / "pictures" / "cutout-alpha.png", plot.tile(pictures(), columns=3))
