"""Arrays in files, read and written window by window."""

from __future__ import annotations

import errno
import itertools
import math
import mmap
import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.io.files import as_path, check_target, suffix_of

_AT_ONCE = 2**22  # pixels


class Source(Protocol):
    """Whatever can be read in windows: arrays of NumPy, HDF5 and Zarr, and what looks like one of them."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of entries along each axis."""

    @property
    def dtype(self) -> Any:
        """What an entry is."""

    def __getitem__(self, window: tuple[slice, ...]) -> Any:
        """The entries of a window, a slice for each axis, as something that NumPy can read."""


def as_source(given: Any, name: str) -> Source:
    """What is given as a source; the name of a ``.npy`` file stands for the array in it.

    Files of NumPy are read window by window, and not mapped: pages of a mapping would count as memory of the process.
    """
    if isinstance(given, (str, os.PathLike)):
        path = as_path(given)
        if suffix_of(path) != ".npy":
            raise InputError(
                f"{name} must be an array, or the name of a .npy file, got {path}; open other files with a library "
                "that reads windows, such as zarr or h5py, and pass the array"
            )
        return _opened(path, name)
    base: Any = getattr(given, "base", None)
    is_file = isinstance(given, np.memmap) and isinstance(base, mmap.mmap) and given.filename is not None
    if is_file and given.flags.c_contiguous and given.mode != "c":  # pages of such copies are in no file
        return FileArray(Path(os.fspath(given.filename)), given.offset, given.shape, given.dtype)
    if isinstance(given, np.ndarray):
        return inputs.read(given, name)
    if all(hasattr(given, part) for part in ("shape", "dtype", "__getitem__")) and not hasattr(given, "detach"):
        source: Source = given
        if np.dtype(source.dtype).hasobject:
            raise InputTypeError(f"{name} must hold real numbers, got dtype {source.dtype}")
        return source
    return inputs.as_array(given, name)


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


def _opened(path: Path, name: str) -> Source:
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
        mapped: Source = np.load(path, mmap_mode="r")
        return mapped
    return FileArray(path, offset, shape, dtype)


class LabelFile:
    """A ``.npy`` file of labels that is written piece by piece, beside its name until it is whole.

    Parameters
    ----------
    path : path
        Where it will be.
    shape : tuple of int
    dtype : dtype
    fill : int
        The label of pixels that are not written.
    """

    def __init__(self, path: str | os.PathLike[str], shape: tuple[int, ...], dtype: Any, fill: int) -> None:
        self._target, self._dtype, self._lock = check_target(as_path(path)), np.dtype(dtype), threading.Lock()
        self._temporary = self._target.parent / f".{self._target.name}.partial"
        self._file = self._temporary.open("w+b", buffering=0)
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)
        self._offset, n = self._file.tell(), math.prod(shape)
        try:
            self._reserve(n)
            for start in range(0, n if fill != 0 else 0, _AT_ONCE):
                self.write(start, np.full(min(_AT_ONCE, n - start), fill, self._dtype))
        except BaseException:
            self.discard()
            raise

    def write(self, start: int, labels: np.ndarray) -> None:
        """Labels of the pixels from `start` on, in C order."""
        data = np.ascontiguousarray(labels, self._dtype).view(np.uint8).data
        with self._lock:
            self._file.seek(self._offset + start * self._dtype.itemsize)
            while len(data) > 0:
                data = data[self._file.write(data) :]

    def finish(self) -> None:
        """All is written: the file gets its name."""
        os.fsync(self._file.fileno())
        self._file.close()
        if self._target.exists():
            shutil.copymode(self._target, self._temporary)
        self._temporary.replace(self._target)

    def discard(self) -> None:
        """Nothing is to be kept."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _reserve(self, n: int) -> None:
        reserve(self._file.fileno(), self._offset + n * self._dtype.itemsize)


def reserve(file: int, size: int) -> None:
    """Ask for all the room of a file now: a disk that is too small is to be known before anything is computed."""
    try:
        os.posix_fallocate(file, 0, size)
    except AttributeError:  # of systems that cannot promise it
        os.truncate(file, size)
    except OSError as failure:
        if failure.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
        os.truncate(file, size)


class LabelArray:
    """An array of labels that is written piece by piece.

    Parameters
    ----------
    array : ndarray, C order
    fill : int
        The label of pixels that are not written.
    """

    def __init__(self, array: np.ndarray, fill: int) -> None:
        array[...] = fill
        self._flat = array.reshape(-1)

    def write(self, start: int, labels: np.ndarray) -> None:
        """See :class:`LabelFile`."""
        self._flat[start : start + labels.size] = labels

    def finish(self) -> None:
        """See :class:`LabelFile`."""

    def discard(self) -> None:
        """See :class:`LabelFile`."""


class LabelStore:
    """An array of another library, such as Zarr: written at the end, in whole chunks, from a file.

    Parameters
    ----------
    array : object with shape, dtype and ``array[window] = labels``
    folder : path or None
        Where that file lies; None for the system's own place.
    fill : int
        The label of pixels that are not written.
    """

    def __init__(self, array: Any, folder: Path | None, fill: int) -> None:
        self._array, self._folder = array, tempfile.TemporaryDirectory(dir=folder)
        self._path = Path(self._folder.name) / "labels.npy"
        self._file = LabelFile(self._path, tuple(array.shape), array.dtype, fill)
        self.write = self._file.write

    def discard(self) -> None:
        """See :class:`LabelFile`."""
        self._file.discard()
        self._folder.cleanup()

    def finish(self) -> None:
        """See :class:`LabelFile`."""
        self._file.finish()
        labels = np.load(self._path, mmap_mode="r")
        whole = (getattr(self._array, part, None) for part in ("shards", "chunks"))  # of Zarr: what is written at once
        step = next((sides[0] for sides in whole if sides), max(1, _AT_ONCE // max(1, labels[0].size)))
        for start in range(0, len(labels), step):
            self._array[start : start + step] = np.array(labels[start : start + step])
        del labels
        self._folder.cleanup()


Labels = LabelFile | LabelArray | LabelStore
