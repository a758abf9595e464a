"""NIfTI through nibabel: where a scan lies in the body, and all else that its header says."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError
from classicseg.io.extras import extra
from classicseg.io.files import NIFTI, suffix_of
from classicseg.io.raster import Place, in_metres

AXES_OF_SPACE = 3  # then come time, which has one entry, and what there is at each point
_MILLIMETRES = {"meter": 1000.0, "micron": 0.001}
_LEVEL = 6  # of gzip: 9 takes four times as long and saves a hundredth


@dataclass(frozen=True)
class NiftiProfile:
    """What a NIfTI file says beside voxels.

    Attributes
    ----------
    kind : type
        The class of nibabel: NIfTI of version 1 or 2.
    header : object
        As it is stored, with its extensions.
    affine : ndarray, (4, 4)
        Coordinates of voxels.
    shape : tuple of int
    scaling : (float, float)
        Slope and intercept of stored numbers.
    """

    kind: type
    header: Any = field(repr=False)
    affine: np.ndarray
    shape: tuple[int, ...]
    scaling: tuple[float, float]

    nodata = None
    band_names = ()
    suffixes = NIFTI

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Size of a voxel along the axes of space in millimetres; None if the header has none."""
        zooms = self.header.get_zooms()[: min(len(self.shape), AXES_OF_SPACE)]
        unit = _MILLIMETRES.get(self.header.get_xyzt_units()[0], 1.0)
        steps = tuple(float(f"{unit * float(zoom):.7g}") for zoom in zooms)  # they are stored as float32
        return steps if steps and all(0 < step < np.inf for step in steps) else None

    @property
    def metres(self) -> tuple[float, ...] | None:
        """The same in metres."""
        return in_metres(self.spacing)

    @property
    def place(self) -> Place | None:
        """Where it lies; None of slices."""
        if len(self.shape) < AXES_OF_SPACE or not np.isfinite(self.affine).all():
            return None
        matrix = self.affine.copy()
        matrix[:3, 3] -= matrix[:3, :3].sum(axis=1) / 2  # coordinates are those of the middles of voxels
        return Place(None, matrix, self.shape[:AXES_OF_SPACE])

    def write(self, temporary: Path, target: Path, array: Any, *, nodata: float | None, whole: bool) -> None:
        """See :class:`~classicseg.io.raster.Profile`."""
        header = self.header.copy()
        if whole:
            slope, inter = self.scaling
            dtype = header.get_data_dtype()
            if (slope, inter) != (1.0, 0.0):
                raw = (np.asarray(array, np.float64) - inter) / slope
                array = np.rint(raw).astype(dtype) if dtype.kind in "iu" else raw.astype(dtype)
            elif array.dtype != dtype:
                header.set_data_dtype(array.dtype)
        else:
            array = np.moveaxis(array, 0, -1) if array.ndim > AXES_OF_SPACE else array
            self._check(array.shape, target)
            array = array.astype(np.int32) if array.dtype.kind == "u" and array.dtype.itemsize > 2 else array
            header.set_data_dtype(array.dtype)
            header["cal_max"] = header["cal_min"] = 0  # how gray values are shown
            header["intent_code"] = 0
        image = self.kind(array, self.affine, header)
        scaled = whole and "scl_slope" in header
        for name in ("scl_slope", "scl_inter") if scaled else ():  # nibabel forgets them, and would choose others
            image.header[name] = self.header[name]
        save(temporary, target, image)

    def _check(self, shape: tuple[int, ...], target: Path) -> None:
        n = min(len(self.shape), AXES_OF_SPACE)
        if shape[:n] != self.shape[:n]:
            raise InputError(f"{target} would have shape {shape}, but lies where a scan of shape {self.shape} does")


def read_nifti(path: Path) -> tuple[np.ndarray, NiftiProfile]:
    """The voxels of a scan, as numbers of the header's scale, and what else the file says."""
    image = load(path)
    try:
        return np.asarray(image.dataobj), profile_of_image(image, path)
    except Exception as failure:  # damaged files raise whatever they like
        raise InputError(f"{path} cannot be read: {failure}") from failure


def load(path: Path) -> Any:
    """An image of nibabel whose voxels are not read yet."""
    nibabel = extra("nibabel", "medical", path)
    try:
        image = nibabel.load(path)
    except Exception as failure:
        raise InputError(f"{path} cannot be read: {failure}") from failure
    if not hasattr(image.header, "get_xyzt_units"):
        raise InputError(f"{path} cannot be read: it is no NIfTI file, but of the kind {type(image).__name__}")
    return image


def profile_of_image(image: Any, path: Path) -> NiftiProfile:
    """All that a file says beside voxels."""
    from nibabel.openers import ImageOpener

    with ImageOpener(str(path)) as file:
        stored = type(image.header).from_fileobj(file)  # nibabel's own forgets slope and intercept
    header = image.header.copy()
    header["scl_slope"], header["scl_inter"] = stored["scl_slope"], stored["scl_inter"]
    scaling = float(image.dataobj.slope), float(image.dataobj.inter)
    return NiftiProfile(type(image), header, image.affine, tuple(map(int, image.shape)), scaling)


def plain_profile(shape: tuple[int, ...], target: Path) -> NiftiProfile:
    """That of a scan of which nothing is known: voxels of 1 mm."""
    nibabel = extra("nibabel", "medical", target)
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape[:AXES_OF_SPACE])
    header.set_xyzt_units("mm")
    return NiftiProfile(nibabel.Nifti1Image, header, np.eye(4), tuple(shape), (1.0, 0.0))


def save(temporary: Path, target: Path, image: Any) -> None:
    """Write an image of nibabel to a file that has no suffix yet."""
    with temporary.open("wb") as raw:
        if suffix_of(target) != ".nii.gz":
            image.to_stream(raw)
            return
        with gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as file:  # without a date: equal files for equal labels
            image.to_stream(file)
