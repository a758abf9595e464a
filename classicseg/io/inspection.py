"""A look at a folder of images and labels before anything is learned from it: what it holds, and all that is wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from classicseg.errors import InputError
from classicseg.io.classes import VOID, check_counts, read_classes, read_colors, table_of
from classicseg.io.folders import matched_in
from classicseg.io.pairs import Pair, as_learned, read_pair


@dataclass
class Inspection:
    """What a folder holds.

    Attributes
    ----------
    classes : tuple of str
        Names of the classes.
    counts, n_seen_in : ndarray, (L,), int64
        Pixels of each class, and images in which it is.
    n_void : int
        Pixels of none.
    sizes, kinds : Counter of str
        Of images: heights and widths; dtypes and channels.
    turned : list of str
        Images that are stored otherwise than upright, and what became of their labels.
    empty : list of str
        Labels of nothing but void.
    faults : list of str
        What must be put right before a training, a sentence each.
    """

    classes: tuple[str, ...]
    counts: np.ndarray
    n_seen_in: np.ndarray
    n_void: int = 0
    n_images: int = 0
    sizes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    turned: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def inspect(root: Path, split: str | None = None, *, exif: bool = True, label_suffix: str = "") -> Inspection:
    """Read all of a folder, and go on where something is wrong.

    Raises
    ------
    FileNotFoundError, ValueError
        If folders or classes.txt are missing, or the classes cannot be read.
    """
    classes, numbers = read_classes(root / "classes.txt")
    table, colors = table_of(numbers), read_colors(root / "classes.txt")
    n = len(classes)
    found = Inspection(classes, np.zeros(n, np.int64), np.zeros(n, np.int64))
    pairs, found.faults = matched_in(root, split, label_suffix=label_suffix)
    for files in pairs.values():
        try:
            _add(found, read_pair(*files, exif=exif, colors=colors), files, table)
        except InputError as failure:
            found.faults.append(str(failure))
    if found.n_images:
        try:
            check_counts(found.counts, found.n_void, classes, str(root))
        except InputError as failure:
            found.faults.append(str(failure))
    return found


def _add(found: Inspection, pair: Pair, files: tuple[Path, Path], table: np.ndarray) -> None:
    _, labels = as_learned(pair.image, pair.labels, (str(files[0]), str(files[1])), found.classes, table)
    counts = np.bincount(labels.ravel(), minlength=VOID + 1)
    n = len(found.classes)
    found.n_images += 1
    found.counts += counts[:n]
    found.n_seen_in += counts[:n] > 0
    found.n_void += int(counts[VOID])
    height, width, channels = pair.image.shape
    found.sizes[f"{height} x {width}"] += 1
    found.kinds[f"{pair.image.dtype.name}, {channels} channel{'s' if channels > 1 else ''}"] += 1
    if not counts[:n].any():
        found.empty.append(str(files[1]))
    if pair.turn is not None:
        labels_of = {True: "its labels were turned along", False: "its labels are upright", None: "its labels may be"}
        found.turned.append(f"{files[0]} (orientation {pair.turn.orientation}): {labels_of[pair.stored]}")
