"""Numbers of points in files of their own, read and written piece by piece."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError


class PointFile:
    """A number for each of `n` points, in a file that takes room only where something was written.

    Parameters
    ----------
    path : Path
        A file that is there already goes on.
    n : int
    dtype : dtype
    """

    def __init__(self, path: Path, n: int, dtype: Any) -> None:
        self._path, self._dtype, self._lock, size = (
            path,
            np.dtype(dtype),
            threading.Lock(),
            n * np.dtype(dtype).itemsize,
        )
        self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        before = path.stat().st_size
        if before not in (0, size):
            self._file.close()
            raise InputError(f"{path} has {before} bytes, not {size}; delete its folder to begin anew")
        self._file.truncate(size)

    def read(self, start: int, n: int) -> np.ndarray:
        """The numbers of the `n` points from `start` on; 0 where nothing was written."""
        values = np.empty(n, self._dtype)
        data = values.view(np.uint8).data
        with self._lock:
            self._file.seek(start * self._dtype.itemsize)
            while len(data) > 0:
                n_read = self._file.readinto(data)
                if not n_read:
                    raise InputError(f"{self._path} ended before all of it was read")
                data = data[n_read:]
        return values

    def write(self, start: int, values: np.ndarray) -> None:
        """Keep the numbers of the points from `start` on."""
        data = np.ascontiguousarray(values, self._dtype).view(np.uint8).data
        with self._lock:
            self._file.seek(start * self._dtype.itemsize)
            while len(data) > 0:
                data = data[self._file.write(data) :]

    def close(self) -> None:
        """Nobody reads or writes any more."""
        self._file.close()

    def remove(self) -> None:
        """Nobody will."""
        self.close()
        self._path.unlink(missing_ok=True)
