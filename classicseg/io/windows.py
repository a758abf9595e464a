"""Arrays in files, read and written window by window."""

from __future__ import annotations

import errno
import math
import mmap
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.io.files import NIFTI, TIFF, ZARR, as_path, check_target, suffix_of
from classicseg.io.geotiff import GeoProfile
from classicseg.io.npy import FileArray, open_npy
from classicseg.io.sources import open_source
from classicseg.io.writing import check_output, profile_for, write_like
from classicseg.io.zarr_arrays import ZarrProfile

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
    """What is given as a source; the name of a file stands for the array in it.

    Files of NumPy are read window by window, and not mapped: pages of a mapping would count as memory of the process.
    A source of a file has a `profile`, what else the file says, and `inside`, a source of which pixels hold data.
    """
    if isinstance(given, (str, os.PathLike)):
        opened: Source = open_source(as_path(given), name)
        return opened
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


def mask_of(image: Source, mask: Any) -> Source | None:
    """A mask as a source, less the pixels of the image that its file says hold no data; None if all take part."""
    held: Source | None = getattr(image, "inside", None)
    if mask is None:
        return held
    given = as_source(mask, "mask")
    return given if held is None else _Held(given, held)


class _Held:
    """A mask, and False where an image holds no data."""

    def __init__(self, mask: Source, held: Source) -> None:
        self._mask, self._held, self.shape, self.dtype = mask, held, mask.shape, mask.dtype
        self.profile = getattr(mask, "profile", None)

    def __getitem__(self, window: tuple[slice, ...]) -> Any:
        """The entries of a window."""
        values = np.asarray(self._mask[window])
        return np.where(self._held[window], values, values.dtype.type(0))


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


class LabelRaster:
    """A file of labels of any format: written at the end, in whole tiles or shards, from a file beside it.

    Parameters
    ----------
    path : path
        Where it will be.
    shape : tuple of int
    dtype : dtype
    fill : int
        The label of pixels that are not written.
    like : object
        The source of the image: what it says beside pixels goes into the file.
    nodata : int or None
        The label of pixels that hold nothing.
    """

    def __init__(
        self, path: Path, shape: tuple[int, ...], dtype: Any, fill: int, *, like: Any, nodata: int | None
    ) -> None:
        self._target, self._nodata = check_label_file(path), nodata
        self._profile = profile_for(path, like, shape)
        self._path = self._target.resolve().parent / f".{path.name}.npy"
        self._file = LabelFile(self._path, shape, dtype, fill)
        self.write = self._file.write

    def discard(self) -> None:
        """See :class:`LabelFile`."""
        self._file.discard()
        self._path.unlink(missing_ok=True)

    def finish(self) -> None:
        """See :class:`LabelFile`."""
        self._file.finish()
        in_pieces = isinstance(self._profile, GeoProfile | ZarrProfile)  # what is mapped would count as memory
        labels = open_npy(self._path, "labels") if in_pieces else np.load(self._path, mmap_mode="r")
        write_like(self._target, labels, self._profile, nodata=self._nodata)
        del labels
        self._path.unlink()


Labels = LabelFile | LabelArray | LabelStore | LabelRaster


def check_label_file(path: str | os.PathLike[str]) -> Path:
    """Raise an error unless labels can be written piece by piece to a file of this name; return the path."""
    target = as_path(path)
    if suffix_of(target) not in (".npy", *TIFF, *NIFTI, *ZARR):
        raise InputError(f"out must be the name of a .npy, .tif, .nii, .nii.gz or .zarr file, or an array, got {path}")
    return check_output(target, "labels")


def label_file(
    path: str | os.PathLike[str],
    shape: tuple[int, ...],
    dtype: Any,
    fill: int,
    *,
    like: Any = None,
    nodata: int | None = None,
) -> Labels:
    """A file that takes labels piece by piece, of the format that its name asks for."""
    target = check_label_file(path)
    if suffix_of(target) == ".npy":
        return LabelFile(target, shape, dtype, fill)
    return LabelRaster(target, shape, dtype, fill, like=like, nodata=nodata)
