"""Numbers of all pixels that a streamed run keeps, read and written a few rows (or slices) at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from classicseg.io.npy import FileArray
from classicseg.io.windows import reserve
from classicseg.streaming.state_folder import has_size, lost


class ImageStore(Protocol):
    """A number for each pixel."""

    def read(self, first: int, stop: int) -> np.ndarray:
        """Those of the rows from `first` to `stop` - 1."""

    def write(self, first: int, values: np.ndarray) -> None:
        """Keep those of the rows from `first` on."""


def image_store(path: Path | None, shape: tuple[int, ...], dtype: Any, *, begun: bool) -> ImageStore:
    """One in memory, or in a file; of a run that has `begun`, the file must be there."""
    return _InMemory(np.zeros(shape, dtype)) if path is None else _InFile(path, shape, np.dtype(dtype), begun)


class _InMemory:
    """See :class:`ImageStore`."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def read(self, first: int, stop: int) -> np.ndarray:
        return self._values[first:stop]

    def write(self, first: int, values: np.ndarray) -> None:
        self._values[first : first + len(values)] = values


class _InFile:
    """See :class:`ImageStore`."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], begun: bool) -> None:
        self._path, self._rest = path, shape[1:]
        size = int(np.prod(shape)) * dtype.itemsize
        self._row = size // shape[0]
        if not has_size(path, size):
            if begun:
                raise lost(path, path.parent)
            with path.open("wb") as file:
                reserve(file.fileno(), size)
        self._array = FileArray(path, 0, shape, dtype)

    def read(self, first: int, stop: int) -> np.ndarray:
        return self._array[(slice(first, stop), *(slice(0, n) for n in self._rest))]

    def write(self, first: int, values: np.ndarray) -> None:
        with self._path.open("r+b", buffering=0) as file:
            file.seek(first * self._row)
            data = np.ascontiguousarray(values, self._array.dtype).reshape(-1).view(np.uint8).data
            while len(data) > 0:
                data = data[file.write(data) :]
