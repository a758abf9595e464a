"""Images that know what their file says beside pixels: where they lie, how large a pixel is, which hold no data."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from classicseg.errors import InputError

_METRES = 1e-3  # of a millimetre


@dataclass(frozen=True)
class Place:
    """Where an array lies.

    Attributes
    ----------
    system : object or None
        The system of coordinates, equal to that of others in the same.
    matrix : ndarray, (n + 1, n + 1)
        Coordinates of an index: pixel i reaches from i to i + 1.
    shape : tuple of int
        Pixels along the n axes.
    """

    system: Any
    matrix: np.ndarray
    shape: tuple[int, ...]

    @property
    def corners(self) -> np.ndarray:
        """Coordinates of the outermost corners, (2**n, n)."""
        ends = np.array(list(itertools.product(*((0, n) for n in self.shape))), float)
        return ends @ self.matrix[:-1, :-1].T + self.matrix[:-1, -1]

    @property
    def steps(self) -> tuple[float, ...]:
        """How far neighbouring pixels along each axis are apart."""
        return tuple(float(x) for x in np.linalg.norm(self.matrix[:-1, :-1], axis=0))


class Profile(Protocol):
    """All that a file says beside pixels."""

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Distance of neighbouring pixels along the spatial axes: millimetres of scans, units of the map of maps."""

    @property
    def metres(self) -> tuple[float, ...] | None:
        """The same in metres, if the file says how long a unit is."""

    @property
    def nodata(self) -> float | None:
        """The value of pixels that hold nothing."""

    @property
    def band_names(self) -> tuple[str | None, ...]:
        """What the bands are called."""

    @property
    def place(self) -> Place | None:
        """Where the pixels lie."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Names of files that can hold all this."""

    def write(self, temporary: Path, target: Path, array: Any, *, nodata: float | None, whole: bool) -> None:
        """Write an array, labels first if it has an axis for them, into a temporary file that will be `target`.

        With `whole` it is the image itself, with its bands last, and nothing is left out.
        """


class Raster(np.ndarray):
    """An image as :func:`read_image` returns it of a file that says more than pixels: GeoTIFF, NIfTI, stack, Zarr.

    It is an array like any other. Views, copies and what is computed of it are arrays that know nothing, as they may
    lie elsewhere; pass the image itself as ``like=`` to what writes labels.

    Parameters
    ----------
    pixels : ndarray
        The array; not copied.
    profile : object, optional
        What its file says.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg import io
    >>> image = io.Raster(np.zeros((4, 6), np.uint8))
    >>> image.spacing is None, float(image.mean())
    (True, 0.0)
    """

    profile: Profile | None = None

    def __new__(cls, pixels: np.ndarray, profile: Profile | None = None) -> Raster:
        """See :class:`Raster`."""
        raster = np.asarray(pixels).view(cls)
        raster.profile = profile
        return raster

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return np.asarray(array)[()] if return_scalar else np.asarray(array)

    def __getitem__(self, index: Any) -> Any:
        return np.asarray(self)[index]

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Distance of neighbouring pixels along each spatial axis.

        Of scans in millimetres, of maps in the units of the map; None if the file does not say.
        """
        return None if self.profile is None else self.profile.spacing

    @property
    def pixel_size(self) -> tuple[float, ...] | None:
        """The same in metres; None where that is unknown, as of degrees."""
        return None if self.profile is None else self.profile.metres

    @property
    def nodata(self) -> float | None:
        """The value of pixels that hold nothing, if the file names one."""
        return None if self.profile is None else self.profile.nodata

    @property
    def band_names(self) -> tuple[str | None, ...]:
        """What the file calls its bands; None for those without a name."""
        return () if self.profile is None else self.profile.band_names

    @property
    def crs(self) -> Any:
        """The system of coordinates of a map, as rasterio has it; None of others."""
        return getattr(self.profile, "crs", None)

    @property
    def transform(self) -> Any:
        """Coordinates of (column, row) of a map, as rasterio has it; None of others."""
        return getattr(self.profile, "transform", None)

    @property
    def affine(self) -> np.ndarray | None:
        """Coordinates of the voxels of a scan, (4, 4), as nibabel has it; None of others."""
        return getattr(self.profile, "affine", None)


def profile_of(array: Any) -> Profile | None:
    """What is known of an array beside its values."""
    return getattr(array, "profile", None)


def check_same_place(image: Profile | None, other: Profile | None, of: Any, image_of: Any) -> None:
    """Raise an error if a file, perhaps of fewer pixels, lies elsewhere than the image that it belongs to."""
    here, there = (None if profile is None else profile.place for profile in (image, other))
    if here is None or there is None or here.matrix.shape != there.matrix.shape:
        return
    if here.system is not None and there.system is not None and here.system != there.system:
        raise InputError(
            f"{of} has another system of coordinates than {image_of}: {there.system} against {here.system}"
        )
    apart = np.linalg.norm(here.corners - there.corners, axis=1).max()
    if not apart <= max(here.steps + there.steps) / 2:
        low, high = (_told(np.array([place.corners.min(0), place.corners.max(0)]).T) for place in (there, here))
        raise InputError(f"{of} lies elsewhere than {image_of}: it covers {low}, the image {high}")


def in_metres(millimetres: Sequence[float] | None) -> tuple[float, ...] | None:
    """Distances in metres."""
    return None if millimetres is None else tuple(_METRES * step for step in millimetres)


def _told(ranges: np.ndarray) -> str:
    return " x ".join(f"{low:.8g} to {high:.8g}" for low, high in ranges)
