"""The picture of README's section on refining: python docs/make_refine_picture.py"""

from pathlib import Path

import numpy as np

import classicseg as cs
from classicseg import io, plot
from classicseg.energies.unary_grid import UnaryGrid

RATIO = 8


def small_logits(logits: np.ndarray) -> np.ndarray:
    """Means over squares of pixels, as a network gives them that answers at an eighth of the resolution."""
    n_labels, height, width = logits.shape
    squares = logits.reshape(n_labels, height // RATIO, RATIO, width // RATIO, RATIO)
    return squares.mean((2, 4), dtype=np.float32)


def picture() -> np.ndarray:
    """The image, the small scores, the labels of the enlarged ones, and those of `refine`."""
    s = cs.sample("nuclei")
    small = small_logits(np.log(np.maximum(s.probabilities.astype(np.float32), 1e-3)))
    enlarged = UnaryGrid(-small, s.truth.shape, align_corners=False).cheapest()
    refined = cs.refine(s.image, logits=small)
    for name, labels in (("enlarged", enlarged), ("refined", refined)):
        print(name, round(cs.scores(labels, s.truth, ignore_label=255).mean_iou, 3))
    cells = plot.label_image(small.argmax(0)).repeat(RATIO, 0).repeat(RATIO, 1)
    views = [s.image, cells, plot.overlay(s.image, enlarged), plot.overlay(s.image, refined)]
    return plot.tile(views, columns=4)


if __name__ == "__main__":
    io.write_image(Path(__file__).parent / "pictures" / "refine.png", picture())
