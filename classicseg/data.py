"""The sample that comes with the library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

_FOLDER = Path(__file__).parent / "_sample"

ORIGIN = (
    "Photo: 'coffee' by Rachel Michetti, CC0, as in scikit-image. Probabilities: logistic regression on colour and "
    "texture, trained on strokes in this photo (docs/sample/make_sample.py). Truth: outlines drawn by hand, "
    "with an unscored band of 2 pixels."
)


@dataclass(frozen=True, eq=False)
class Sample:
    """A photo with the output of a classifier and the truth.

    Attributes
    ----------
    image : ndarray, (H, W, 3), uint8
    probabilities : ndarray, (L, H, W), float16
    truth : ndarray, (H, W), uint8
        Labels, `ignore_label` where nothing is scored.
    label_names : tuple of str
    ignore_label : int
    origin : str
        Where all this comes from and under which licence.
    """

    image: np.ndarray
    probabilities: np.ndarray
    truth: np.ndarray
    label_names: tuple[str, ...]
    ignore_label: int
    origin: str


def sample() -> Sample:
    """Return a photo of a cup of coffee with the probabilities of a real, imperfect classifier.

    Returns
    -------
    Sample

    Examples
    --------
    >>> from classicseg import data
    >>> s = data.sample()
    >>> s.image.shape, s.probabilities.shape
    ((400, 600, 3), (5, 400, 600))
    """
    from classicseg.io import read_image, read_labels, read_probabilities

    return Sample(
        image=read_image(_FOLDER / "photo.jpg"),
        probabilities=read_probabilities(_FOLDER / "probabilities.npz"),
        truth=read_labels(_FOLDER / "truth.png"),
        label_names=("table", "porcelain", "cup inside", "coffee", "spoon"),
        ignore_label=255,
        origin=ORIGIN,
    )
