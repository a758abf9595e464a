"""Arrays that lie in files as they would in memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError, InputTypeError


class FileArray:
    """An array in C order that lies in a file from `offset` on."""

    def __init__(self, path: Path, offset: int, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        self.path, self.shape, self.dtype = path, tuple(map(int, shape)), np.dtype(dtype)
        self._offset = offset
        expected = offset + math.prod(self.shape) * self.dtype.itemsize
        if (size := path.stat().st_size) < expected:
            raise InputError(
                f"{path} is truncated: it has {size} bytes, and an array of shape {self.shape} needs {expected}"
            )

    def __getitem__(self, window: tuple[slice, ...]) -> np.ndarray:
        """The entries of a window; slices have steps of 1."""
        ends = [side.indices(n)[:2] for side, n in zip(window, self.shape, strict=True)]
        sides = [max(0, stop - start) for start, stop in ends]
        out = np.empty(sides, self.dtype)
        if out.size == 0:
            return out
        # What follows the last axis that is cut lies in one piece.
        whole = len(sides)
        while whole > 0 and sides[whole - 1] == self.shape[whole - 1]:
            whole -= 1
        axis = max(0, whole - 1)
        starts, inner = [start for start, _ in ends[: axis + 1]], math.prod(self.shape[axis + 1 :])
        pieces = out.reshape(*sides[:axis], -1).view(np.uint8)
        with self.path.open("rb", buffering=0) as file:
            for index in itertools.product(*map(range, sides[:axis])):
                first = [start + i for start, i in zip(starts, (*index, 0), strict=True)]
                at = int(np.ravel_multi_index(first, self.shape[: axis + 1])) * inner
                file.seek(self._offset + at * self.dtype.itemsize)
                self._fill(file, memoryview(pieces[index]))
        return out

    def _fill(self, file: Any, piece: memoryview) -> None:
        while len(piece) > 0:
            n = file.readinto(piece)
            if not n:
                raise InputError(f"{self.path} ended before all of its array of shape {self.shape} was read")
            piece = piece[n:]


def open_npy(path: Path, name: str) -> Any:
    """The array in a ``.npy`` file."""
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, is_fortran, dtype = read_header[version](file)
        except (ValueError, KeyError) as failure:
            raise InputError(f"{name}: {path} is no array file of NumPy: {failure}") from failure
        offset = file.tell()
    if dtype.hasobject:
        raise InputTypeError(f"{name}: {path} must hold real numbers, got dtype {dtype}")
    if is_fortran:
        mapped: np.ndarray = np.load(path, mmap_mode="r")
        return mapped
    return FileArray(path, offset, shape, dtype)
