"""Tables in files, written piece by piece."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Mapping
from typing import Any

from classicseg.errors import InputError
from classicseg.io.files import as_path, check_target, suffix_of


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
        self._writer, self._has_header = csv.writer(self._file), False

    def write(self, columns: Mapping[str, Any]) -> None:
        """More rows: for each column its name, and an array or a list of its values."""
        if not self._has_header:
            self._has_header = True
            self._writer.writerow(columns)
        values = (column.tolist() if hasattr(column, "tolist") else column for column in columns.values())
        self._writer.writerows(zip(*values, strict=True))

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
