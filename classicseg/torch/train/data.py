"""Training images from plain folders.

Two layouts are read. One set of pictures::

    data/images/a.jpg  data/images/b.png …      data/labels/a.png  data/labels/b.png …      data/classes.txt

or several, that of the split ``train`` being either of ::

    data/train/a.png …   data/train_labels/a.png …        data/train/images/a.png …   data/train/labels/a.png …

``classes.txt`` has one class in a line, in the order of the labels or with its number before it. A class called void,
ignore or unlabelled is not learned and not scored, nor is the label 255.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from classicseg import inputs, io
from classicseg.errors import InputError
from classicseg.io import VOID
from classicseg.torch.train.resize import resize_image, resize_labels

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".npy")


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


class ArrayData:
    """Images and labels that are in memory.

    Parameters
    ----------
    images : sequence of array_like, (H, W) or (H, W, C), uint8
    labels : sequence of array_like of int, (H, W)
        0 to L - 1, or 255 for void.
    classes : sequence of str
        Names of the labels.

    Raises
    ------
    ValueError
        If there is no image, numbers or shapes do not fit, or a label is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.torch import train
    >>> data = train.ArrayData([np.zeros((8, 9, 3), np.uint8)], [np.ones((8, 9), int)], ["floor", "wall"])
    >>> data[0][1].max()
    np.uint8(1)
    """

    def __init__(self, images: Sequence[np.ndarray], labels: Sequence[np.ndarray], classes: Sequence[str]) -> None:
        self.classes = tuple(map(str, classes))
        if len(images) != len(labels) or len(images) == 0:
            raise InputError(f"images and labels must be equally many, at least 1, got {len(images)} and {len(labels)}")
        self._pairs = [
            _checked(image, label, f"image {i}", f"labels {i}", self.classes, range(len(self.classes)))
            for i, (image, label) in enumerate(zip(images, labels, strict=True))
        ]

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self._pairs[index]

    def name(self, index: int) -> str:
        """Name of the image in error messages."""
        return f"image {index}"


class FolderData:
    r"""Images and labels of a folder, see the module. They are read when they are asked for.

    Parameters
    ----------
    root : path
    split : str, optional
        Such as ``"train"``; None for a folder of one set.
    names : sequence of str, optional
        Only the pictures of these names, without suffix; by default all.
    size : (int, int), optional
        Height and width to which all are resized: images by areas, labels by the nearest pixel.

    Attributes
    ----------
    classes : tuple of str
        Without void.
    names : tuple of str

    Raises
    ------
    FileNotFoundError
        If a folder or ``classes.txt`` is missing.
    ValueError
        If an image has no labels or labels have no image; when it is read, if a file is damaged, sizes differ or a
        label is no class. The error names the file and the rule.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from classicseg import io
    >>> from classicseg.torch import train
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     root = pathlib.Path(folder)
    ...     (root / "images").mkdir(), (root / "labels").mkdir()
    ...     (root / "classes.txt").write_text("floor\nwall\nvoid\n")
    ...     io.write_image(root / "images" / "a.png", np.zeros((8, 9, 3), np.uint8))
    ...     io.write_labels(root / "labels" / "a.png", np.full((8, 9), 2))
    ...     data = train.FolderData(root)
    ...     data.classes, int(data[0][1].min())
    (None, None)
    16
    (('floor', 'wall'), 255)
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str | None = None,
        *,
        names: Sequence[str] | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        self.root, self.split = Path(root), split
        self.size = None if size is None else tuple(inputs.as_count(n, "size", 1) for n in size)
        self.classes, self._labels = io.read_classes(self.root / "classes.txt")
        images, labels = _folders(self.root, split)
        self._files = _matched(images, labels)
        if names is not None:
            missing = sorted(set(names) - set(self._files))
            if missing:
                raise InputError(f"{images} has no picture {missing[0]!r}")
            self._files = {name: self._files[name] for name in names}
        self.names = tuple(self._files)
        self._read: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if index not in self._read:
            of_image, of_labels = self._files[self.names[index]]
            image, labels = _checked(
                _picture(of_image), _label_picture(of_labels), str(of_image), str(of_labels),
                self.classes, self._labels,
            )  # fmt: skip
            if self.size is not None:
                image, labels = resize_image(image, self.size), resize_labels(labels, self.size)
            self._read[index] = image, labels
        return self._read[index]

    def name(self, index: int) -> str:
        """The file of the image."""
        return str(self._files[self.names[index]][0])


def _folders(root: Path, split: str | None) -> tuple[Path, Path]:
    if split is None:
        choices = [(root / "images", root / "labels")]
    else:
        choices = [
            (root / split / "images", root / split / "labels"),
            (root / split, root / f"{split}_labels"),
        ]
    for images, labels in choices:
        if images.is_dir() and labels.is_dir():
            return images, labels
    wanted = " or ".join(f"{images} with {labels}" for images, labels in choices)
    raise FileNotFoundError(f"no such folders: {wanted}")


def _matched(images: Path, labels: Path) -> dict[str, tuple[Path, Path]]:
    """Files of images and labels by name."""
    found = [
        {file.stem: file for file in sorted(folder.iterdir()) if file.suffix.lower() in _SUFFIXES}
        for folder in (images, labels)
    ]
    if not found[0]:
        raise InputError(f"{images} has no picture ({', '.join(_SUFFIXES)})")
    for mine, other, here in ((found[0], found[1], labels), (found[1], found[0], images)):
        alone = sorted(set(mine) - set(other))
        if alone:
            raise InputError(
                f"{mine[alone[0]]} has no partner of the same name in {here}; every image needs its labels "
                f"({len(alone)} without)"
            )
    return {name: (file, found[1][name]) for name, file in found[0].items()}


def _picture(path: Path) -> np.ndarray:
    image = io.read_image(path)
    return image if image.ndim == 3 else image[:, :, None]


def _label_picture(path: Path) -> np.ndarray:
    try:
        return io.read_labels(path)
    except OSError as failure:
        raise InputError(f"{path} cannot be read as labels: {failure}") from failure


def _checked(
    image: np.ndarray,
    labels: np.ndarray,
    image_name: str,
    labels_name: str,
    classes: Sequence[str],
    numbers: dict[int, int] | range,
) -> tuple[np.ndarray, np.ndarray]:
    """Both as uint8, labels counted as the classes are."""
    image, labels = np.asarray(image), np.asarray(labels)
    if image.ndim == 2:
        image = image[:, :, None]
    if image.dtype != np.uint8 or image.ndim != 3:
        raise InputError(f"{image_name} must be an 8-bit picture, got dtype {image.dtype} of shape {image.shape}")
    if labels.shape != image.shape[:2]:
        raise InputError(f"{labels_name} must have the size of its image, {image.shape[:2]}, got {labels.shape}")
    table = np.full(VOID + 1, -1, np.int16)
    for number in numbers:
        table[number] = numbers[number]
    table[VOID] = VOID
    known = (labels >= 0) & (labels <= VOID)
    mapped = table[np.where(known, labels, 0)]
    wrong = ~known | (mapped < 0)
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        raise InputError(
            f"{labels_name} has the label {int(labels[row, column])} at row {row}, column {column}, which is none of "
            f"the {len(classes)} classes ({', '.join(classes)}) nor void (255)"
        )
    return image, mapped.astype(np.uint8)
