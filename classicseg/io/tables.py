"""Tables in files, written piece by piece."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence

import numpy as np

from classicseg.errors import InputError
from classicseg.io.files import as_path, check_target, suffix_of

_END = "\r\n"  # of lines, as in all files of this kind


class TableFile:
    """A ``.csv`` file that grows by rows, beside its name until it is whole.

    Parameters
    ----------
    path : path
        Where it will be.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        name = as_path(path)
        if suffix_of(name) != ".csv":
            raise InputError(f"table must be the name of a .csv file, got {name}")
        self._target = check_target(name)
        self._temporary = self._target.parent / f".{self._target.name}.partial"
        self._file = self._temporary.open("w", newline="", encoding="utf-8")
        self._has_header = False

    def write(self, columns: Mapping[str, np.ndarray | Sequence[str]]) -> None:
        """More rows: for each column its name, and its numbers, or texts without commas, quotes and ends of lines."""
        if not self._has_header:
            self._has_header = True
            self._file.write(",".join(columns) + _END)
        texts = [_texts(column) if isinstance(column, np.ndarray) else column for column in columns.values()]
        self._file.writelines(line + _END for line in map(",".join, zip(*texts, strict=True)))

    def finish(self) -> None:
        """All is written: the file gets its name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if self._target.exists():
            shutil.copymode(self._target, self._temporary)
        self._temporary.replace(self._target)

    def discard(self) -> None:
        """Nothing is to be kept."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)


def _texts(numbers: np.ndarray) -> list[str]:
    """Numbers as Python writes them; what occurs often, as most measures of small regions, is written once."""
    values, which = np.unique(numbers, return_inverse=True)
    if 2 * len(values) > len(numbers):
        return list(map(repr, numbers.tolist()))
    texts: list[str] = np.array(list(map(repr, values.tolist())), object)[which].tolist()
    return texts
