"""Training images from plain folders.

Two layouts are read. One set of pictures::

    data/images/a.jpg  data/images/b.png …      data/labels/a.png  data/labels/b.png …      data/classes.txt

or several, that of the split ``train`` being either of ::

    data/train/a.png …   data/train_labels/a.png …        data/train/images/a.png …   data/train/labels/a.png …

``classes.txt`` has one class in a line, in the order of the labels or with its number before it. A class called void,
ignore or unlabelled is not learned and not scored, nor is the label 255. Label pictures with colours are read by those
that ``classes.txt`` has after the names, as in ``road 128 64 128``. Files in folders within these count as well,
by the names of both.

A split may also be a list, a text file such as ``data/train.txt`` with a pair in each line: an image, a tab and its
labels, as they lie from the folder of the list.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from classicseg import inputs, io
from classicseg.errors import InputError
from classicseg.io.classes import read_colors, table_of
from classicseg.io.folders import pairs_in
from classicseg.io.orientation import say_turned
from classicseg.io.pairs import as_learned, read_pair
from classicseg.torch.train.dataset import Survey, survey
from classicseg.torch.train.resize import resize_image, resize_labels

_KEPT = 2**30  # bytes: small data sets stay in memory, of large ones a share


class ArrayData:
    """Images and labels that are in memory.

    Parameters
    ----------
    images : sequence of array_like, (H, W) or (H, W, C)
        Those of 8 bits stay as they are; the range of others becomes 0 to 255, see :func:`predict`.
    labels : sequence of array_like of int, (H, W)
        0 to L - 1, or 255 for void.
    classes : sequence of str
        Names of the labels.

    Raises
    ------
    ValueError
        If there is no image, numbers or shapes do not fit, an image is not finite, or a label is out of range.

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
        table = table_of({i: i for i in range(len(self.classes))})
        self._pairs = [
            as_learned(
                inputs.read(image, f"image {i}"), inputs.read(label, f"labels {i}"), (f"image {i}", f"labels {i}"),
                self.classes, table,
            )
            for i, (image, label) in enumerate(zip(images, labels, strict=True))
        ]  # fmt: skip

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self._pairs[index]

    def name(self, index: int) -> str:
        """Name of the image in error messages."""
        return f"image {index}"

    @cached_property
    def survey(self) -> Survey:
        """What the data set holds."""
        return survey(self)


class FolderData:
    r"""Images and labels of a folder, see the module. They are read when they are asked for.

    Parameters
    ----------
    root : path
    split : str, optional
        Such as ``"train"``; None for a folder of one set. That of a file within, such as ``"train.txt"``, is a list.
    names : sequence of str, optional
        Only the pictures of these names, without suffix; by default all.
    size : (int, int), optional
        Height and width to which all are resized: images by areas, labels by the nearest pixel.
    exif : bool
        Turn images upright whose files say how the camera was held, and labels with them that fit only the picture as
        it is stored; a warning says so once.
    keep : int
        Bytes of images and labels that stay in memory; others are read anew each time.
    label_suffix : str
        What stands after the name of an image in that of its labels, such as ``"_mask"``; others are left out.

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
        If an image has no labels, labels have no image, two files have one name but for the suffix, or labels are in a
        format that loses values; when it is read, if a file is damaged, sizes differ, an image is not finite or a
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
        exif: bool = True,
        keep: int = _KEPT,
        label_suffix: str = "",
    ) -> None:
        self.root, self.split = Path(root), split
        self.size = None if size is None else tuple(inputs.as_count(n, "size", 1) for n in size)
        self.exif, self._room = inputs.as_flag(exif, "exif"), inputs.as_count(keep, "keep", 0)
        self.classes, numbers = io.read_classes(self.root / "classes.txt")
        self._table, self._colors = table_of(numbers), read_colors(self.root / "classes.txt")
        self._files = pairs_in(self.root, split, label_suffix=label_suffix)
        if names is not None:
            missing = sorted(set(names) - set(self._files))
            if missing:
                raise InputError(f"{self.root} has no picture {missing[0]!r}")
            self._files = {name: self._files[name] for name in names}
        self.names = tuple(self._files)
        self._read: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._said: set[bool | None] = {False}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if index in self._read:
            return self._read[index]
        files = self._files[self.names[index]]
        pair = read_pair(*files, exif=self.exif, colors=self._colors)
        self._say(pair.stored, *files)
        image, labels = as_learned(pair.image, pair.labels, (str(files[0]), str(files[1])), self.classes, self._table)
        if self.size is not None:
            image, labels = resize_image(image, self.size), resize_labels(labels, self.size)
        with self._lock:
            size = image.nbytes + labels.nbytes
            if size <= self._room and index not in self._read:
                self._room -= size
                self._read[index] = image, labels
        return image, labels

    def name(self, index: int) -> str:
        """The file of the image."""
        return str(self._files[self.names[index]][0])

    @cached_property
    def survey(self) -> Survey:
        """What the data set holds."""
        return survey(self)

    def _say(self, stored: bool | None, image: Path, labels: Path) -> None:
        """Warn of labels that were turned, or may have to be; once will do."""
        with self._lock:
            is_new = stored not in self._said
            self._said.add(stored)
        if is_new:
            say_turned(stored, labels, image)
