"""Tables in files, written piece by piece."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from classicseg.errors import InputError
from classicseg.io.extras import extra
from classicseg.io.files import as_path, check_target, suffix_of

TABLES = (".csv", ".parquet")
_END = "\r\n"  # of lines, as in all files of this kind

Columns = Mapping[str, np.ndarray | Sequence[str]]
"""Of some rows: for each column its name, and its numbers, or texts without commas, quotes and ends of lines."""


class TableFile:
    """A table that grows by rows, beside its name until it is whole: ``.csv``, or ``.parquet`` where PyArrow is there.

    Parameters
    ----------
    path : path
        Where it will be.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        name = as_path(path)
        if suffix_of(name) not in TABLES:
            raise InputError(f"table must be the name of a .csv or .parquet file, got {name}")
        arrow = extra("pyarrow", "parquet", name) if suffix_of(name) == ".parquet" else None
        self._target = check_target(name)
        self._temporary = self._target.parent / f".{self._target.name}.partial"
        self._file = self._temporary.open("wb")
        self._rows: _Lines | _Groups = _Lines(self._file) if arrow is None else _Groups(self._file, arrow)

    def write(self, columns: Columns) -> None:
        """More rows."""
        self._rows.write(columns)

    def finish(self) -> None:
        """All is written: the file gets its name."""
        self._rows.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if self._target.exists():
            shutil.copymode(self._target, self._temporary)
        self._temporary.replace(self._target)

    def discard(self) -> None:
        """Nothing is to be kept."""
        with contextlib.suppress(OSError):  # of a full disk
            self._rows.close()
            self._file.close()
        self._temporary.unlink(missing_ok=True)


class _Lines:
    """Rows as lines of text."""

    def __init__(self, file: Any) -> None:
        self._file, self._has_header = file, False

    def write(self, columns: Columns) -> None:
        if not self._has_header:
            self._has_header = True
            self._file.write(f"{','.join(columns)}{_END}".encode())
        texts = [_texts(column) if isinstance(column, np.ndarray) else column for column in columns.values()]
        self._file.write("".join(f"{line}{_END}" for line in map(",".join, zip(*texts, strict=True))).encode())

    def close(self) -> None:
        """Nothing is left to write."""


class _Groups:
    """Rows as groups of Parquet."""

    def __init__(self, file: Any, arrow: Any) -> None:
        self._file, self._arrow = file, arrow
        self._writer: Any = None

    def write(self, columns: Columns) -> None:
        table = self._arrow.table({name: self._arrow.array(column) for name, column in columns.items()})
        if self._writer is None:
            from pyarrow.parquet import ParquetWriter

            self._writer = ParquetWriter(self._file, table.schema)
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _texts(numbers: np.ndarray) -> list[str]:
    """Numbers as Python writes them; what occurs often, as most measures of small regions, is written once."""
    values, which = np.unique(numbers, return_inverse=True)
    if 2 * len(values) > len(numbers):
        return list(map(repr, numbers.tolist()))
    texts: list[str] = np.array(list(map(repr, values.tolist())), object)[which].tolist()
    return texts
