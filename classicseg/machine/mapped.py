"""Arrays that lie in files and are mapped into memory: what nobody works on can leave memory at any time.

The system writes what has changed to the file when it wants the memory for something else, and reads it again when it
is asked for. So arrays may be larger than memory, as long as what is worked on at a time lies together.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import weakref
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_PIECE = 2**24  # bytes that are written at once where a file is filled with zeros
_DROP = getattr(mmap, "MADV_DONTNEED", None)  # of mapped files it loses nothing; not every system has it


class MappedArrays:
    """Arrays in the files of a folder.

    Parameters
    ----------
    folder : Path
        Is made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._pages: dict[int, mmap.mmap] = {}  # by the address of the array

    def zeros(self, name: str, n: int, dtype: Any) -> np.ndarray:
        """A new array of `n` zeros of `dtype` in the file `name`, for which there is room; OSError if there is not."""
        with (self.folder / name).open("w+b") as file:
            _reserve(file, max(1, n) * np.dtype(dtype).itemsize)
            return self._mapped(file, n, dtype)

    def opened(self, name: str, dtype: Any) -> np.ndarray:
        """All numbers of `dtype` that are in the file `name`."""
        path = self.folder / name
        n = path.stat().st_size // np.dtype(dtype).itemsize
        if n == 0:
            return np.empty(0, dtype)
        with path.open("r+b") as file:
            return self._mapped(file, n, dtype)

    def let_go(self, array: np.ndarray, start: int, stop: int) -> None:
        """Values `start` to `stop` - 1 of an `array` of this folder need not stay in memory; of others nothing goes."""
        pages = self._pages.get(array.ctypes.data)
        if pages is None or _DROP is None or start >= stop:
            return
        first = -(-start * array.itemsize // mmap.PAGESIZE) * mmap.PAGESIZE
        last = min(stop, array.size) * array.itemsize
        last = last if stop >= array.size else last // mmap.PAGESIZE * mmap.PAGESIZE
        if first < last:
            pages.madvise(_DROP, first, last - first)

    def forget(self, *names: str) -> None:
        """Delete the files `names`; memory that is mapped goes when nobody holds it."""
        for name in names:
            with contextlib.suppress(PermissionError):  # where what is mapped cannot be deleted it goes with the folder
                (self.folder / name).unlink(missing_ok=True)

    def _mapped(self, file: BinaryIO, n: int, dtype: Any) -> np.ndarray:
        """The first `n` numbers of `dtype` in a `file`."""
        pages = mmap.mmap(file.fileno(), max(1, n) * np.dtype(dtype).itemsize)
        array = np.frombuffer(pages, dtype)[:n]
        self._pages[array.ctypes.data] = pages
        weakref.finalize(array, self._pages.pop, array.ctypes.data, None)
        return array


def _reserve(file: BinaryIO, size: int) -> None:
    """Fill a `file` with `size` zeros; to write into mapped memory for which there is no room ends the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    zeros = bytes(min(size, _PIECE))
    for start in range(0, size, _PIECE):
        file.write(zeros[: size - start])
    file.flush()
