"""The samples that come with the library."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from classicseg import inputs
from classicseg.types import Brief

_FOLDER = Path(__file__).parent / "_sample"

ORIGINS = {
    "coffee": (
        "Photo: 'coffee' by Rachel Michetti, CC0, as in scikit-image. Probabilities: logistic regression on colour and "
        "texture, trained on strokes in this photo (docs/sample/make_sample.py). Truth: outlines drawn by hand, "
        "with an unscored band of 2 pixels."
    ),
    "nuclei": (
        "Micrograph and truth: 2018 Data Science Bowl, with the corrections of K. Lopuhin, CC0. Probabilities: a U-Net "
        "of a fifth of the published width, trained from scratch on two other micrographs of that set "
        "(benchmarks/hybrid, docs/sample/make_nuclei.py)."
    ),
}


@dataclass(frozen=True, eq=False, repr=False)
class Sample(Brief):
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
    origin: str = field(repr=False)


def sample(name: str = "coffee") -> Sample:
    """Return an image with the probabilities of a real, imperfect classifier.

    Parameters
    ----------
    name : {"coffee", "nuclei"}
        A cup on a table, 5 labels, by logistic regression; or a micrograph, 2 labels, by a convolutional network.

    Returns
    -------
    Sample

    Raises
    ------
    ValueError
        If there is no sample of that name.

    Examples
    --------
    >>> from classicseg import data
    >>> s = data.sample()
    >>> s.image.shape, s.probabilities.shape
    ((400, 600, 3), (5, 400, 600))
    >>> data.sample("nuclei").probabilities.shape
    (2, 256, 256)
    """
    from classicseg.energies.softmax import softmax
    from classicseg.io import VOID, read_image, read_labels, read_probabilities

    inputs.choice(name, "name", tuple(ORIGINS))
    if name == "nuclei":
        logits = read_probabilities(_FOLDER / "nuclei_logits.npz").astype(np.float32)
        return Sample(
            image=read_image(_FOLDER / "nuclei.png"),
            probabilities=softmax(logits).astype(np.float16),
            truth=read_labels(_FOLDER / "nuclei_truth.png"),
            label_names=("background", "nucleus"),
            ignore_label=VOID,
            origin=ORIGINS[name],
        )
    return Sample(
        image=read_image(_FOLDER / "photo.jpg"),
        probabilities=read_probabilities(_FOLDER / "probabilities.npz"),
        truth=read_labels(_FOLDER / "truth.png"),
        label_names=("table", "porcelain", "cup inside", "coffee", "spoon"),
        ignore_label=VOID,
        origin=ORIGINS[name],
    )
