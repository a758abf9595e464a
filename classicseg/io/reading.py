"""Reading images, probabilities and label maps."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from classicseg.errors import InputError
from classicseg.io.arrays import PYTORCH, loses_values, read_array, turn_of_tiff, without_alpha
from classicseg.io.extras import is_there
from classicseg.io.files import NIFTI, TIFF, ZARR, as_path, suffix_of
from classicseg.io.geotiff import is_alpha, is_georeferenced, read_geotiff
from classicseg.io.nifti import AXES_OF_SPACE, read_nifti
from classicseg.io.orientation import TAG, Turn, turn_of
from classicseg.io.raster import Raster, profile_of
from classicseg.io.stacks import stack_profile
from classicseg.io.zarr_arrays import read_zarr

_ARRAYS = (".npy", ".npz", *TIFF, *PYTORCH, ".safetensors", *NIFTI, *ZARR)
_IMAGES = (".npy", *TIFF, *NIFTI, *ZARR)  # the others are read by Pillow
_LARGEST_LABEL = 2**31 - 1  # of int32, which labels are everywhere
_LOSSY = ("JPEG", "MPO", "JPEG2000", "WEBP", "AVIF", "HEIF")  # formats of Pillow that keep about what was written
_NOT_LABELS = "is compressed with loss, which makes other labels of some at every border; write labels as .png"


def read_image(path: str | os.PathLike[str], *, exif: bool = True) -> np.ndarray:
    """Read an image or a volume.

    Parameters
    ----------
    path : path
        Any format that Pillow reads, ``.tif``, ``.npy``, ``.nii`` and ``.nii.gz`` (extra ``medical``), or the folder of
        a ``.zarr`` array (extra ``zarr``). GeoTIFF is read with the extra ``geo``, and with a warning without it.
    exif : bool
        Turn a picture upright whose file says how the camera was held.

    Returns
    -------
    ndarray
        (H, W) or (H, W, 3) from Pillow, where an alpha channel is dropped and a palette is resolved; as stored from
        the other formats, but that a ``.tif`` is turned as well, and that the bands of a GeoTIFF come last. What says
        more than pixels, as GeoTIFF, NIfTI, Zarr and stacks of ImageJ and OME do, is a :class:`Raster`: an array that
        knows its spacing, its place and its header. :func:`write_image` writes all of it, and ``like=`` gives it to
        labels.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file cannot be read as an image.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "gray.png"
    ...     io.write_image(path, np.zeros((4, 6), np.uint8))
    ...     io.read_image(path).shape
    (4, 6)
    """
    return read_turned_image(path, exif=exif)[0]


def read_masked_image(path: str | os.PathLike[str], *, exif: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
    """Read an image or a volume, and which of its pixels are not wholly transparent.

    Parameters
    ----------
    path, exif
        As for :func:`read_image`.

    Returns
    -------
    image : ndarray
        As of :func:`read_image`, but that an alpha channel of a ``.tif`` is dropped as well, if the file says that it
        is one. A fourth channel of which nobody says so is no alpha channel.
    mask : ndarray, spatial shape, bool, or None
        False where alpha is 0, where the mask of a GeoTIFF is False, and where all of its bands have its value for no
        data; None if the file says nothing of the kind.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`read_image` does.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from PIL import Image
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "sticker.png"
    ...     Image.fromarray(np.array([[[9, 9, 9, 255], [0, 0, 0, 0]]], np.uint8)).save(path)
    ...     image, mask = io.read_masked_image(path)
    >>> image.shape, mask.tolist()
    ((1, 2, 3), [[True, False]])
    """
    return read_turned_image(path, exif=exif, alpha=True)[:2]


def read_turned_image(
    path: str | os.PathLike[str], *, exif: bool = True, alpha: bool = False, nodata: bool = True
) -> tuple[np.ndarray, np.ndarray | None, Turn | None]:
    """The same, and how it was turned: None if it is as it is stored. With `alpha`, that of a ``.tif`` is dropped.

    Without `nodata`, the value that a GeoTIFF has for no data is one like any other.
    """
    source = _existing(path)
    suffix = suffix_of(source)
    if suffix not in _IMAGES:
        return _picture(source, exif)
    if suffix in NIFTI:
        return Raster(*read_nifti(source)), None, None
    if suffix in ZARR:
        return Raster(*read_zarr(source)), None, None
    if suffix not in TIFF:
        return read_array(source), None, None
    if _lies_on_a_map(source):
        bands, mask, geo = read_geotiff(source, nodata=nodata)
        if alpha:
            bands = bands[[not is_alpha(band) for band in geo.bands]]
        image = bands[0] if len(bands) == 1 else np.ascontiguousarray(np.moveaxis(bands, 0, -1))
        return Raster(image, geo), mask, None
    image, mask = read_array(source), None
    turn, (rows, columns) = turn_of_tiff(source) if exif else (None, (0, 1))
    if alpha:
        image, mask = without_alpha(source, image)
    if turn is None:
        stack = stack_profile(source)
        return image if stack is None else Raster(image, stack), mask, None
    if image.ndim == 2:  # whatever was in front of rows is gone
        rows, columns = 0, 1
    return turn.applied(image, rows, columns), None if mask is None else turn.applied(mask), turn


def _lies_on_a_map(source: Path) -> bool:
    """Whether a TIFF file is to be read by rasterio; warns if that is missing."""
    if not is_georeferenced(source):
        return False
    if is_there("rasterio"):
        return True
    warnings.warn(
        f"{source} says where it lies, which is forgotten without rasterio: pip install rasterio", stacklevel=2
    )
    return False


def read_turn(path: str | os.PathLike[str]) -> Turn | None:
    """How :func:`read_image` turns the picture in a file; None if it leaves it as it is."""
    source = _existing(path)
    if suffix_of(source) in TIFF:
        return None if is_there("rasterio") and is_georeferenced(source) else turn_of_tiff(source)[0]
    if suffix_of(source) in _IMAGES:
        return None
    from PIL import Image

    try:
        with Image.open(source) as picture:
            return turn_of(picture.getexif().get(TAG), picture.size[::-1])
    except Exception as failure:
        raise InputError(f"{source} cannot be read as an image: {failure}") from failure


def _picture(source: Path, exif: bool) -> tuple[np.ndarray, np.ndarray | None, Turn | None]:
    """What Pillow reads, where it is not wholly transparent, and how it was turned."""
    from PIL import Image

    try:
        with Image.open(source) as picture:
            mask = None
            if picture.has_transparency_data:
                mask = np.asarray(picture.convert("RGBA"))[..., 3] > 0
            kept = picture.mode in ("L", "I", "F", "RGB") or picture.mode.startswith("I;16")
            image = np.asarray(picture if kept else picture.convert("L" if picture.mode in ("1", "LA") else "RGB"))
            turn = turn_of(picture.getexif().get(TAG), image.shape) if exif else None
    except Exception as failure:  # decoders raise what they like, such as DecompressionBombError
        raise InputError(f"{source} cannot be read as an image: {failure}") from failure
    if turn is None:
        return image, mask, None
    return turn.applied(image), None if mask is None else turn.applied(mask), turn


def read_probabilities(path: str | os.PathLike[str], key: str | None = None) -> np.ndarray:
    """Read the (L, *spatial) probabilities, logits or costs of a network.

    Parameters
    ----------
    path : path
        ``.npy``, ``.npz``, ``.tif``, ``.safetensors``, ``.pt`` and ``.pth`` with PyTorch installed, ``.nii`` and
        ``.nii.gz`` with nibabel, or the folder of a ``.zarr`` array with zarr. Nothing that a file holds is ever run.
    key : str, optional
        Which array of the file; needed if it holds several.

    Returns
    -------
    ndarray
        As stored, but that bfloat16 becomes float32, and that the labels of a NIfTI file, which come last there,
        come first: (X, Y, Z, L) or (X, Y, Z, 1, L) becomes (L, X, Y, Z). The bands of a GeoTIFF come first. A
        :class:`Raster` where :func:`read_image` returns one.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the format is unknown, the file is damaged, or the key is missing or not there.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "p.npz"
    ...     np.savez_compressed(path, probabilities=np.full((2, 4, 6), 0.5))
    ...     io.read_probabilities(path).shape
    (2, 4, 6)
    """
    source = _existing(path)
    if suffix_of(source) not in _ARRAYS:
        hint = "; unary_from_labels takes masks and other label maps" if suffix_of(source) == ".png" else ""
        raise InputError(f"probabilities must be a file of the kind {', '.join(_ARRAYS)}, got {source}{hint}")
    array = _array(source, key)
    if suffix_of(source) in NIFTI and array.ndim > AXES_OF_SPACE:
        profile, voxels = profile_of(array), np.asarray(array)
        if voxels.ndim == AXES_OF_SPACE + 2 and voxels.shape[AXES_OF_SPACE] == 1:
            voxels = voxels[:, :, :, 0]
        array = Raster(np.moveaxis(voxels, -1, 0), profile)
    return array


def _array(source: Path, key: str | None) -> np.ndarray:
    """The array in a file, with what else the file says; bands of a map come first."""
    suffix = suffix_of(source)
    if suffix in NIFTI:
        return Raster(*read_nifti(source))
    if suffix in ZARR:
        return Raster(*read_zarr(source))
    if suffix in TIFF and _lies_on_a_map(source):
        bands, _, geo = read_geotiff(source)
        return Raster(bands[0] if len(bands) == 1 else bands, geo)
    array = read_array(source, key)
    stack = stack_profile(source) if suffix in TIFF else None
    return array if stack is None else Raster(array, stack)


def read_labels(
    path: str | os.PathLike[str],
    key: str | None = None,
    *,
    exif: bool = True,
    colors: Mapping[tuple[int, int, int], int] | None = None,
) -> np.ndarray:
    """Read a label map: the palette indices of a picture, or the numbers of an array file.

    Parameters
    ----------
    path : path
        A picture of one channel, or any file that :func:`read_probabilities` reads.
    key : str, optional
        Which array of the file; needed if it holds several.
    exif : bool
        Turn a picture upright as :func:`read_image` does.
    colors : mapping, optional
        Label by colour, (red, green, blue), for a picture that has colours instead of labels.

    Returns
    -------
    ndarray, spatial shape
        Integers, also where a file has them as floats, which NIfTI files often do. A :class:`Raster` where
        :func:`read_image` returns one.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file has colours or fractions instead of labels, or a colour of no label, or is compressed with loss,
        as JPEG is.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "labels.png"
    ...     io.write_labels(path, np.array([[0, 1], [2, 1]]))
    ...     io.read_labels(path).tolist()
    [[0, 1], [2, 1]]
    """
    source = _existing(path)
    if suffix_of(source) in _ARRAYS:
        if suffix_of(source) in TIFF and loses_values(source):
            raise InputError(f"{source} {_NOT_LABELS}")
        stored = _array(source, key)
        labels, profile = _whole(np.asarray(stored), source), profile_of(stored)
        if profile is not None:
            return Raster(labels, profile)
        turn, axes = turn_of_tiff(source) if exif and suffix_of(source) in TIFF else (None, (0, 1))
        return labels if turn is None else turn.applied(labels, *axes)
    from PIL import Image

    try:
        with Image.open(source) as picture:
            kind, mode = picture.format, picture.mode
            coloured = bool(colors) and mode in ("RGB", "RGBA")
            labels = np.asarray(picture.convert("RGB") if coloured else picture)
            turn = turn_of(picture.getexif().get(TAG), labels.shape) if exif else None
    except Exception as failure:
        raise InputError(f"{source} cannot be read as labels: {failure}") from failure
    if not coloured and mode not in ("P", "L", "I", "1") and not mode.startswith("I;16"):
        raise InputError(f"{source} holds colours ({mode}), not labels")
    if kind in _LOSSY:
        raise InputError(f"{source} {_NOT_LABELS}")
    labels = _of_colors(labels, colors, source) if coloured and colors else labels.astype(np.int32)
    return labels if turn is None else turn.applied(labels)


def _of_colors(picture: np.ndarray, colors: Mapping[tuple[int, int, int], int], source: Path) -> np.ndarray:
    """The labels (H, W) of an (H, W, 3) picture."""
    codes = picture.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    known = np.array([(red << 16) + (green << 8) + blue for red, green, blue in colors], np.int32)
    order = known.argsort()
    at = np.searchsorted(known, codes, sorter=order).clip(max=len(known) - 1)
    wrong = known[order[at]] != codes
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        color = tuple(int(value) for value in picture[row, column])
        raise InputError(f"{source} has the colour {color} at row {row}, column {column}, which is that of no class")
    labels: np.ndarray = np.array(list(colors.values()), np.int32)[order[at]]
    return labels


def _whole(array: np.ndarray, source: Path) -> np.ndarray:
    """An array of numbers from a file as labels."""
    if array.dtype.kind != "f":
        return array
    numbers = array.astype(np.float64)
    if not (np.abs(numbers) <= _LARGEST_LABEL).all() or (numbers != np.floor(numbers)).any():
        raise InputError(f"{source} holds fractions or numbers that are too large, not labels")
    return numbers.astype(np.int32)


def _existing(path: str | os.PathLike[str]) -> Path:
    source = as_path(path)
    if not (source.is_dir() if suffix_of(source) in ZARR else source.is_file()):
        raise FileNotFoundError(f"no such file: {source}")
    return source
