"""The row of pictures on the first page and in README: what ``refine`` makes of small scores.

``python docs/landing_pictures.py`` writes that of README, which is one picture.
"""

from pathlib import Path

import numpy as np

import classicseg as cs
from classicseg import io, plot
from classicseg.energies.unary_grid import UnaryGrid

RATIO = 8
WINDOW = (slice(96, 224), slice(96, 224))


def small_logits(logits: np.ndarray) -> np.ndarray:
    """Means over squares of pixels, as a network gives them that answers at an eighth of the resolution."""
    n_labels, height, width = logits.shape
    squares = logits.reshape(n_labels, height // RATIO, RATIO, width // RATIO, RATIO)
    return squares.mean((2, 4), dtype=np.float32)


def pictures() -> dict[str, np.ndarray]:
    """The image, the small scores, the labels of the enlarged ones, and those of `refine`."""
    s = cs.sample("nuclei")
    small = small_logits(np.log(np.maximum(s.probabilities.astype(np.float32), 1e-3)))
    enlarged = UnaryGrid(-small, s.truth.shape, align_corners=False).cheapest()
    refined = cs.refine(s.image, logits=small)
    chance = 1 / (1 + np.exp(small[0] - small[1]))
    views = {
        "image": s.image,
        "scores": plot.pictures.ramp(chance).repeat(RATIO, 0).repeat(RATIO, 1),
        "enlarged": plot.overlay(s.image, enlarged),
        "refined": plot.overlay(s.image, refined),
    }
    return {name: plot.pictures.enlarged(view[WINDOW], 2) for name, view in views.items()}


def write(folder: Path) -> None:
    """One file for each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures().items():
        io.write_image(folder / f"{name}.png", picture)


if __name__ == "__main__":
    row = plot.tile(list(pictures().values()), columns=4)
    io.write_image(Path(__file__).parent / "pictures" / "refine.png", row)
