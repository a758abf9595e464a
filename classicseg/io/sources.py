"""Files that are read window by window: NumPy, GeoTIFF, stacks, NIfTI, Zarr."""

from __future__ import annotations

import errno
import functools
import math
import os
import shutil
import tempfile
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError
from classicseg.io.arrays import check_pages, turn_of_tiff
from classicseg.io.compressed import values_of_page
from classicseg.io.extras import extra, is_there
from classicseg.io.files import NIFTI, TIFF, ZARR, suffix_of
from classicseg.io.geotiff import GeoProfile, held, is_alpha, is_georeferenced, open_map, profile_of_file, small_cache
from classicseg.io.nifti import AXES_OF_SPACE, NiftiProfile, load, profile_of_image
from classicseg.io.npy import FileArray, open_npy
from classicseg.io.stacks import StackProfile, stack_profile
from classicseg.io.zarr_arrays import open_zarr, profile_of_zarr

_SLAB = 2**26  # bytes of a scan that are unpacked at once
_FEWEST_ROWS = 64  # that are read at once of a map in strips, which have a row or a few each

Window = tuple[slice, ...]


def open_source(path: Path, name: str) -> Any:
    """The array in a file; the bands of a map come last if it is the "image", and first if it is anything else."""
    suffix = suffix_of(path)
    if suffix not in (".npy", *TIFF, *NIFTI, *ZARR):
        raise InputError(
            f"{name} must be an array, or the name of a .npy, .tif, .nii, .nii.gz or .zarr file, got {path}; open "
            "other files with a library that reads windows, such as h5py, and pass the array"
        )
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    if suffix == ".npy":
        return open_npy(path, name)
    if suffix in ZARR:
        return ZarrSource(path)
    if suffix in NIFTI:
        return UnpackedScan(path, bands_first=name != "image")
    if is_georeferenced(path):
        return MapSource(path, bands_first=name != "image")
    return _plain_tiff(path, name)


class MapSource:
    """The bands of a GeoTIFF.

    Attributes
    ----------
    shape : tuple of int
        (H, W), (H, W, B) or (B, H, W).
    profile : GeoProfile
    inside : MapInside or None
        Which pixels hold data; None if the file says nothing about that.
    """

    def __init__(self, path: Path, *, bands_first: bool) -> None:
        self._path, self._first, self._local, self._lock = path, bands_first, threading.local(), threading.Lock()
        file = self._file()
        self.profile: GeoProfile = profile_of_file(file, path, masked=False)
        self._bands = [i for i, band in zip(file.indexes, self.profile.bands, strict=True) if not is_alpha(band)]
        self._is_masked = any(flag.name == "per_dataset" for flag in file.mask_flag_enums[0])
        self.dtype = np.dtype(file.dtypes[0])
        block = file.block_shapes[0]
        rows = block[0] * max(1, _FEWEST_ROWS // block[0])
        self.shape, self.chunks = self._shaped(self.profile.shape), self._shaped((rows, block[1]))
        says = self.profile.nodata is not None or self._is_masked or len(self._bands) < len(self.profile.bands)
        self.inside = MapInside(self) if says else None

    def __reduce__(self) -> Any:
        """In another process the file is opened again."""
        return functools.partial(MapSource, bands_first=self._first), (self._path,)

    def _shaped(self, sides: tuple[int, int]) -> tuple[int, ...]:
        n = len(self._bands)
        if n == 1:
            return sides
        return (n, *sides) if self._first else (*sides, n)

    def _file(self) -> Any:
        """That of this thread: rasterio's are not to be shared."""
        if not hasattr(self._local, "file"):
            with self._lock:
                self._local.file = open_map(self._path)
        return self._local.file

    def __getitem__(self, window: Window) -> np.ndarray:
        """The values of a window."""
        n = len(self._bands)
        which = slice(None) if n == 1 else window[0 if self._first else -1]
        sides = window if n == 1 else window[1:] if self._first else window[:-1]
        values = self.bands(self._bands[which], sides)
        return values[0] if n == 1 else values if self._first else np.moveaxis(values, 0, -1)

    def bands(self, bands: list[int], sides: Window) -> np.ndarray:
        """Some bands, counted from 1, of rows and columns."""
        return self._guarded(lambda file: file.read(bands, window=self._rectangle(sides)))

    def held(self, sides: Window) -> np.ndarray:
        """Which pixels of some rows and columns hold data."""
        every = self.bands(list(range(1, len(self.profile.bands) + 1)), sides)
        mask = None
        if self._is_masked:
            mask = self._guarded(lambda file: file.read_masks(1, window=self._rectangle(sides))) > 0
        inside = held(every, self.profile, mask)
        return np.ones(every.shape[1:], bool) if inside is None else inside

    def _rectangle(self, sides: Window) -> tuple[tuple[int, int], ...]:
        return tuple(side.indices(n)[:2] for side, n in zip(sides, self.profile.shape, strict=True))

    def _guarded(self, read: Any) -> np.ndarray:
        file = self._file()
        try:
            with small_cache():
                values: np.ndarray = read(file)
        except OSError as failure:  # of rasterio, too
            raise InputError(f"{self._path} cannot be read: {failure.__cause__ or failure}") from failure
        return values


class MapInside:
    """Which pixels of a map hold data, as a source."""

    dtype = np.dtype(bool)

    def __init__(self, of: MapSource) -> None:
        self._of, self.shape = of, of.profile.shape

    def __getitem__(self, window: Window) -> np.ndarray:
        """Booleans of a window."""
        return self._of.held(window)


class ZarrSource:
    """An array of Zarr, with what it says beside its numbers."""

    def __init__(self, path: Path) -> None:
        self._path, self._array = path, open_zarr(path)
        self.profile = profile_of_zarr(self._array)
        self.shape, self.dtype, self.chunks = self._array.shape, self._array.dtype, self._array.chunks

    def __reduce__(self) -> Any:
        """In another process the store is opened again, and has to be there: chunks that are not would be read as 0."""
        return ZarrSource, (self._path,)

    def __getitem__(self, window: Window) -> np.ndarray:
        """The values of a window."""
        try:
            return np.asarray(self._array[window])
        except Exception as failure:  # of codecs and of the disk
            raise InputError(f"{self._path} cannot be read: {failure}") from failure


class UnpackedScan(FileArray):
    """The voxels of a NIfTI file, unpacked slice by slice into a file of scratch space.

    There the first axis lies fastest, and often all is compressed: to read a window would mean to read everything.
    """

    def __init__(self, path: Path, *, bands_first: bool) -> None:
        image = load(path)
        self.profile: NiftiProfile = profile_of_image(image, path)
        shape, dtype = _unpacked(image)
        has_bands = bands_first and len(shape) > AXES_OF_SPACE
        self.nbytes = math.prod(shape) * dtype.itemsize
        _check_room(path, self.nbytes)
        handle, name = tempfile.mkstemp(suffix=".voxels")
        os.close(handle)
        weakref.finalize(self, os.unlink, name)
        os.truncate(name, self.nbytes)
        last = len(shape) - 1
        step = max(1, _SLAB * shape[last] // max(1, self.nbytes))
        order = (last, *range(AXES_OF_SPACE)) if has_bands else tuple(range(len(shape)))
        kept = tuple(shape[axis] for axis in order)  # of time, which has one entry, nothing is kept
        for start in range(0, shape[last], step):
            where = (..., slice(start, start + step))
            try:
                slab = np.asarray(image.dataobj[where])
            except Exception as failure:  # damaged files raise whatever they like
                raise InputError(f"{path} cannot be read: {failure}") from failure
            slab = slab.reshape(*slab.shape[:AXES_OF_SPACE], -1) if has_bands else slab
            voxels = np.memmap(name, dtype, "r+", shape=kept)  # anew each time: what is mapped counts as memory
            (np.moveaxis(voxels, 0, -1) if has_bands else voxels)[where] = slab
            del voxels
        super().__init__(Path(name), 0, kept, dtype)
        self._again = functools.partial(UnpackedScan, path, bands_first=bands_first)

    def __reduce__(self) -> Any:
        """In another process the file is unpacked again."""
        return self._again, ()


def bytes_to_unpack(given: Any) -> int:
    """How much scratch space is taken by what is unpacked before it is read: scans, as names of files or opened."""
    if isinstance(given, UnpackedScan):
        return given.nbytes
    if not isinstance(given, (str, os.PathLike)) or suffix_of(Path(given)) not in NIFTI:
        return 0
    shape, dtype = _unpacked(load(Path(given)))
    return math.prod(shape) * dtype.itemsize


def told_of_unpacking(nbytes: float) -> str:
    """What a plan says of that."""
    return f", {nbytes / 2**20:.3g} MiB more in {tempfile.gettempdir()}, where scans are unpacked" if nbytes else ""


def _unpacked(image: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype of the voxels of a scan, with its factors applied."""
    shape = tuple(int(n) for n in image.shape)
    return shape, np.asarray(image.dataobj[(slice(0, 1),) * len(shape)]).dtype


def _check_room(path: Path, needed: int) -> None:
    """Raise an error unless a scan can be unpacked."""
    folder = tempfile.gettempdir()
    if (free := shutil.disk_usage(folder).free) < needed:
        raise OSError(
            errno.ENOSPC, f"{path} takes {needed} bytes of scratch space, but {folder} has {free}; TMPDIR names another"
        )


class StackSource:
    """A stack of pages that are compressed, or do not follow each other."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: Any) -> None:
        self._path, self.shape, self.dtype = path, shape, np.dtype(dtype)
        self.chunks = (1, *shape[1:])

    def __getitem__(self, window: Window) -> np.ndarray:
        """The values of a window."""
        import tifffile

        start, stop, _ = window[0].indices(self.shape[0])
        try:
            with tifffile.TiffFile(self._path) as file:
                pages: Any = file.series[0].pages
                slices = [values_of_page(self._path, pages[i])[window[1:]] for i in range(start, stop)]
        except Exception as failure:
            raise InputError(f"{self._path} cannot be read: {failure}") from failure
        return np.stack(slices)


def _plain_tiff(path: Path, name: str) -> Any:
    """A TIFF file that says nothing of a place: a stack, or a picture."""
    import tifffile

    if turn_of_tiff(path)[0] is not None:
        raise InputError(f"{name}: {path} is stored on its side, as its orientation says; save it upright first")
    with tifffile.TiffFile(path) as file:
        try:
            check_pages(file)
        except InputError as failure:
            raise InputError(f"{path} cannot be read: {failure}") from failure
        series = file.series[0]
        shape, dtype, offset = tuple(series.shape), series.dtype, series.dataoffset
        n_pages = len(series.pages)
        is_plain = series.keyframe.compression == 1
        order = file.byteorder
    source: Any
    if offset is not None and is_plain:
        source = _FileOfStack(path, offset, shape, dtype.newbyteorder(order))
    elif n_pages == shape[0] > 1:
        source = StackSource(path, shape, dtype)
    elif n_pages == 1 and is_there("rasterio"):
        return MapSource(path, bands_first=name != "image")
    else:
        extra("rasterio", "geo", path)
        raise InputError(f"{name}: {path} has {n_pages} pages of shape {shape}, which cannot be read in windows")
    source.profile = stack_profile(path)
    return source


class _FileOfStack(FileArray):
    profile: StackProfile | None = None
