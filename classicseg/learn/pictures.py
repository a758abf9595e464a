"""The picture that a notebook works on: one's own, or the sample."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classicseg import data, io
from classicseg.energies.softmax import softmax
from classicseg.errors import InputError
from classicseg.plot import displayable
from classicseg.types import Brief

_LONGEST = 640  # pixels of a side: enough to see, and every solver answers while one waits
_N_COLORS = 4  # clusters, as many as a learner can tell apart in a picture


@dataclass(frozen=True, eq=False, repr=False)
class Picture(Brief):
    """A photo, and what somebody who saw colours only would say about it.

    Attributes
    ----------
    image : ndarray, (H, W, 3), uint8
    probabilities : ndarray, (L, H, W), float32
        Of the sample: of a classifier. Of other photos: by distance to the means of four clusters of colours.
    names : tuple of str
        Of the L labels.
    """

    image: np.ndarray
    probabilities: np.ndarray
    names: tuple[str, ...]

    @property
    def gray(self) -> np.ndarray:
        """The mean of the channels, (H, W), uint8."""
        return self.image.mean(axis=-1).round().astype(np.uint8)


def picture(path: str | os.PathLike[str] | None = None, dropped: tuple[str, bytes] | None = None) -> Picture:
    """Read a photo at a size that is pleasant to play with.

    Parameters
    ----------
    path : path, optional
        Of a photo; without one, the sample "coffee" is returned.
    dropped : (str, bytes), optional
        Name and contents of a file that was dropped onto a notebook; goes before `path`.

    Returns
    -------
    Picture
        At most 640 pixels high and wide.

    Raises
    ------
    ValueError
        If the file holds no photo.

    Examples
    --------
    >>> from classicseg.learn.pictures import picture
    >>> p = picture()
    >>> p.image.shape, p.names[-1]
    ((400, 600, 3), 'spoon')
    """
    if dropped is not None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / Path(dropped[0]).name
            file.write_bytes(dropped[1])
            return _of_photo(io.read_image(file))
    if path is not None:
        return _of_photo(io.read_image(path))
    sample = data.sample()
    return Picture(sample.image, sample.probabilities.astype(np.float32), sample.label_names)


def _of_photo(photo: np.ndarray) -> Picture:
    from skimage.transform import resize

    if photo.ndim not in (2, 3) or (photo.ndim == 3 and photo.shape[-1] not in (3, 4)) or min(photo.shape[:2]) < 16:
        raise InputError(
            f"a photo must have 2 axes of at least 16 pixels each, and be gray or in colour, got shape {photo.shape}"
        )
    image = displayable(photo[..., :3] if photo.ndim == 3 else photo)
    size = np.array(image.shape[:2])
    if size.max() > _LONGEST:
        small = np.maximum(1, (size * _LONGEST / size.max()).round().astype(int))
        image = (
            resize(image, (*small, image.shape[-1]), anti_aliasing=True, preserve_range=True).round().astype(np.uint8)
        )
    return Picture(image, _by_color(image), tuple(f"color {k}" for k in range(1, _N_COLORS + 1)))


def _by_color(image: np.ndarray) -> np.ndarray:
    """Probabilities (L, H, W) of clusters of colours, darkest first: they fall with the distance to the mean."""
    colors = image.reshape(-1, 3).astype(float)
    sorted_ = colors[np.argsort(colors.sum(1), kind="stable")]
    means = sorted_[((np.arange(_N_COLORS) + 0.5) / _N_COLORS * len(colors)).astype(int)]
    few = colors[:: max(1, len(colors) // 5000)]
    for _ in range(10):  # k-means; one that has no colours stays where it is
        nearest = ((few - means[:, None]) ** 2).sum(-1).argmin(0)
        for k in np.unique(nearest):
            means[k] = few[nearest == k].mean(0)
    means = means[np.argsort(means.sum(1), kind="stable")]
    distances = ((colors - means[:, None]) ** 2).sum(-1)
    spread = max(distances.min(0).mean(), 1.0)
    return softmax((-distances / (2 * spread)).reshape(_N_COLORS, *image.shape[:2])).astype(np.float32)
