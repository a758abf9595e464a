"""What can be trained on, and what it holds, from one look at all of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

import numpy as np

from classicseg.errors import InputError, InputTypeError
from classicseg.io import VOID


class Data(Protocol):
    """What can be trained on: any sequence of images and labels."""

    classes: tuple[str, ...]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The image, (H, W, C) uint8, and its labels, (H, W) uint8 with 255 for void."""
        ...

    def name(self, index: int) -> str:
        """Name of the image in error messages."""
        ...


@dataclass(frozen=True)
class Survey:
    """What a data set holds.

    Attributes
    ----------
    sizes : ndarray, (n, 2), int64
        Height and width of each image.
    channels : tuple of int
        Of each image.
    counts : ndarray, (L,), int64
        Pixels of each class.
    n_void : int
        Pixels of none.
    digests : dict of str to str
        Of the names, the images and the labels: others for any change of them.
    """

    sizes: np.ndarray
    channels: tuple[int, ...]
    counts: np.ndarray
    n_void: int
    digests: dict[str, str]

    def balanced_weights(self) -> list[float]:
        """A weight for each class: the median of their shares of the pixels over its own [1]_.

        A class without a pixel, of which nothing is learned, has a weight of 1.

        References
        ----------
        .. [1] D. Eigen, R. Fergus, "Predicting depth, surface normals and semantic labels with a common multi-scale
           convolutional architecture", ICCV 2015. :arxiv:`1411.4734`
        """
        seen = self.counts > 0
        weights = np.ones(len(self.counts))
        weights[seen] = np.median(self.counts[seen]) / self.counts[seen]
        return [float(weight) for weight in weights]


def survey(data: Data) -> Survey:
    """Look at all images and labels of a data set.

    Raises
    ------
    ValueError, TypeError
        If there is no image, or one is not as :class:`Data` has it.
    """
    if len(data) == 0:
        raise InputError("the data set has no image")
    sizes, channels = np.zeros((len(data), 2), np.int64), []
    counts = np.zeros(VOID + 1, np.int64)
    digests = {what: hashlib.blake2b(digest_size=16) for what in ("names", "images", "labels")}
    for i in range(len(data)):
        image, labels = _pair(data, i)
        sizes[i] = labels.shape
        channels.append(image.shape[2])
        counts += np.bincount(labels.ravel(), minlength=VOID + 1)
        shape = f"{image.shape};".encode()
        digests["names"].update(PurePath(data.name(i)).name.encode() + b";")  # a folder may be moved
        digests["images"].update(shape + np.ascontiguousarray(image).data)
        digests["labels"].update(shape + np.ascontiguousarray(labels).data)
    n = len(data.classes)
    found = {what: digest.hexdigest() for what, digest in digests.items()}
    return Survey(sizes, tuple(channels), counts[:n], int(counts[VOID]), found)


def _pair(data: Data, i: int) -> tuple[np.ndarray, np.ndarray]:
    image, labels = data[i]
    for array, name, axes in ((image, "image", 3), (labels, "labels", 2)):
        if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
            kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise InputTypeError(f"{name} of {data.name(i)} must be an array of uint8, got {kind}")
        if array.ndim != axes or array.size == 0 or array.shape[:2] != image.shape[:2]:
            raise InputError(
                f"image and labels of {data.name(i)} must have shapes (H, W, C) and (H, W), got {image.shape} and "
                f"{labels.shape}"
            )
    unknown = (labels >= len(data.classes)) & (labels != VOID)
    if unknown.any():
        raise InputError(
            f"labels of {data.name(i)} must be below {len(data.classes)}, the number of classes, or {VOID} for void, "
            f"got {labels[unknown][0]}"
        )
    return image, labels
