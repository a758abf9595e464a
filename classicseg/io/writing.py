"""Writing label maps, marginals, pictures and animations."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.io.arrays import PYTORCH
from classicseg.io.files import (
    NIFTI,
    TIFF,
    ZARR,
    as_path,
    check_target,
    check_target_folder,
    replacing,
    replacing_folder,
    suffix_of,
)
from classicseg.io.nifti import plain_profile
from classicseg.io.raster import Profile, profile_of
from classicseg.io.tables import TABLES
from classicseg.io.zarr_arrays import plain_zarr
from classicseg.plot import palette

_LARGEST_IN_PALETTE = 256  # colours: 8 bits a pixel
_PNG = {"compress_type": zlib.Z_RLE}
"""How pictures are compressed: labels are runs. Against a search of all matches, Pillow's `optimize`, files of regions
and of noise were smaller, others up to twice as large, and all were written in half to a 70th of the time."""
_FORMATS = {
    "labels": (".png", ".npy", *TIFF, *NIFTI, *ZARR),
    "marginals": (".npy", *TIFF, *NIFTI, *ZARR),
    "animations": (".gif",),
    "mattes": (".png",),
    "tables": TABLES,
    "models": PYTORCH,
    "logs": (".csv", ".jsonl"),
    "pages": (".html",),
    "texts": (".md", ".txt"),
    "documents": (".json",),
}


def check_output(path: str | os.PathLike[str], what: str) -> Path:
    """Raise the error that writing would raise, before anything is computed for it.

    Parameters
    ----------
    path : path
        Where it is to be written.
    what : {"labels", "marginals", "images", "animations", "tables", "models", "logs", "pages", "texts", "documents"}

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    ValueError
        If the format cannot be written, or the path is a folder.
    FileNotFoundError, PermissionError
        If there is no such folder, or nothing may be written there.
    """
    target = as_path(path)
    suffix, formats = suffix_of(target), _FORMATS.get(what)
    if formats is None and _picture_format(target) is None:
        raise InputError(f"no image format is known by the name of {target}; try .png")
    if formats is not None and suffix not in formats:
        raise InputError(f"{what} can be written as {', '.join(formats)}, got {target}")
    (check_target_folder if suffix in ZARR else check_target)(target)
    return target


def _picture_format(path: Path) -> str | None:
    """Pillow's name of the format that the name of a file asks for, None if it cannot be written."""
    from PIL import Image

    name = Image.registered_extensions().get(suffix_of(path))
    return name if name in Image.SAVE else None


def write_labels(
    path: str | os.PathLike[str], labels: np.ndarray, *, like: ArrayLike | None = None, nodata: int | None = None
) -> None:
    """Write a label map.

    Parameters
    ----------
    path : path
        ``.png`` (2-D; with a palette up to 256 labels, 16 bits above), ``.npy``, ``.tif``, ``.nii``, ``.nii.gz`` or
        ``.zarr`` (any number of axes).
    labels : ndarray of int, spatial shape
        Labels, at least 0.
    like : Raster, optional
        The image that they are of, as :func:`read_image` returned it: a file of its format lies where the image does,
        with its header, and is stored in its way, but never with loss. Other formats and plain arrays tell nothing.
    nodata : int, optional
        The label of pixels that hold nothing, for formats that can say so.

    Raises
    ------
    ValueError
        If the format cannot hold the labels or is unknown, or they do not fit the place of the image.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_labels(pathlib.Path(folder) / "labels.npy", np.zeros((2, 3, 4), int))
    """
    array = inputs.as_labels(labels, None, 2**31 - 1)
    target = check_output(path, "labels")
    largest = int(array.max())
    profile = profile_for(target, like, array.shape)
    if profile is not None:
        held = max(largest, 0 if nodata is None else inputs.as_int32(nodata, "nodata"))
        write_like(target, array.astype(np.min_scalar_type(held)), profile, nodata=nodata)
    elif suffix_of(target) == ".png":
        if array.ndim != 2:
            raise InputError(f"a .png holds labels with 2 axes, got shape {array.shape}; write .npy or .tif")
        if largest >= 2**16:
            raise InputError(f"a .png holds labels up to 65535, got {largest}; write .npy or .tif")
        from PIL import Image

        if largest < _LARGEST_IN_PALETTE:
            picture = Image.fromarray(array.astype(np.uint8), mode=None).convert("L")
            picture.putpalette(palette(_LARGEST_IN_PALETTE).tobytes())
        else:
            picture = Image.fromarray(array.astype(np.uint16))
        with replacing(target) as temporary:
            picture.save(temporary, format="PNG", **_PNG)
    else:
        if array.ndim < 2 and suffix_of(target) != ".npy":
            raise InputError(f"labels must have 2 axes or more for {target.suffix}, got shape {array.shape}")
        _write_array(target, array)


def write_marginals(path: str | os.PathLike[str], marginals: np.ndarray, *, like: ArrayLike | None = None) -> None:
    """Write (L, *spatial) marginals as ``.npy``, ``.tif``, ``.nii``, ``.nii.gz`` or ``.zarr``.

    A ``.tif`` of an image is one page of L bands, one plane after the other (``PlanarConfiguration`` 2), as GDAL,
    rasterio and QGIS open it. That of a volume has a page for each slice of each label. In NIfTI labels come last. All
    are read back as (L, *spatial). `like` is as for :func:`write_labels`.

    Raises
    ------
    ValueError
        If the format is unknown, or they do not fit the place of the image.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_marginals(pathlib.Path(folder) / "marginals.npy", np.full((2, 4, 6), 0.5, np.float32))
    """
    array = inputs.read(marginals, "marginals")
    if array.ndim < 2 or array.size == 0:
        raise InputError(f"marginals must have shape (L, *spatial) to be written, got {array.shape}")
    target = check_output(path, "marginals")
    profile = profile_for(target, like, array.shape[1:])
    if profile is None:
        _write_array(target, array, bands=array.ndim == 3)
    else:
        write_like(target, array, profile)


def write_image(path: str | os.PathLike[str], image: np.ndarray, *, like: ArrayLike | None = None) -> None:
    """Write a picture in the format that the name asks for, or an image with all that its file said.

    Parameters
    ----------
    path : path
        A format of Pillow; ``.tif``, ``.nii``, ``.nii.gz`` or ``.zarr`` for a :class:`Raster` of that format.
    image : ndarray
        (H, W) or (H, W, 3), uint8; or of any dtype and shape that :func:`read_image` returned as a :class:`Raster`, or
        that is `like` one.
    like : Raster, optional
        Where an array belongs that was computed of an image.

    Raises
    ------
    ValueError
        If the shape is not that of a picture, nor that of `like`, or the format is unknown.
    TypeError
        If the dtype of a picture is not uint8.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_image(pathlib.Path(folder) / "black.png", np.zeros((4, 6, 3), np.uint8))
    """
    from PIL import Image

    target = as_path(path)
    profile = profile_of(image if like is None else like)
    if profile is not None and suffix_of(target) in profile.suffixes:
        write_like(target, inputs.read(image, "image"), profile, nodata=profile.nodata, whole=True)
        return
    picture = _as_picture(image, "image")
    target = check_output(path, "images")
    with replacing(target) as temporary:
        kind = _picture_format(target)
        Image.fromarray(picture).save(temporary, format=kind, **(_PNG if kind == "PNG" else {}))


def write_matte(path: str | os.PathLike[str], rgba: np.ndarray) -> None:
    """Write a picture that is transparent in places, (H, W, 4) uint8, as ``.png``.

    Raises
    ------
    ValueError
        If the shape is another one, or the format cannot hold transparency.
    TypeError
        If the dtype is not uint8.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_matte(pathlib.Path(folder) / "nothing.png", np.zeros((4, 6, 4), np.uint8))
    """
    from PIL import Image

    array = inputs.read(rgba, "rgba")
    if array.dtype != np.uint8:
        raise InputTypeError(f"rgba must be uint8 to be written, got dtype {array.dtype}")
    if not (array.size and array.ndim == 3 and array.shape[2] == 4):
        raise InputError(f"rgba must have shape (H, W, 4) to be written, got {array.shape}")
    target = check_output(path, "mattes")
    with replacing(target) as temporary:
        Image.fromarray(array).save(temporary, format="PNG", **_PNG)


def write_animation(path: str | os.PathLike[str], frames: Sequence[np.ndarray], *, seconds: float = 0.6) -> None:
    """Write pictures as an animated ``.gif`` that repeats; the last one is shown three times as long.

    Parameters
    ----------
    path : path
        ``.gif``.
    frames : sequence of ndarray, (H, W, 3), uint8
        At least one, all of one shape.
    seconds : float
        How long each is shown.

    Raises
    ------
    ValueError
        If there is no frame, shapes differ, or the format is another one.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_animation(pathlib.Path(folder) / "film.gif", [np.zeros((4, 6, 3), np.uint8)] * 2)
    """
    from PIL import Image

    shown_frames = [_as_picture(frame, "frames") for frame in inputs.as_sequence(frames, "frames", "pictures")]
    shapes = {frame.shape for frame in shown_frames}
    if len(shapes) != 1:
        raise InputError(
            f"frames must be at least one and of one shape, got {len(shown_frames)} of shapes {sorted(shapes)}"
        )
    shown = inputs.as_positive_number(seconds, "seconds")
    target = check_output(path, "animations")
    pictures = [Image.fromarray(frame).quantize(128, dither=Image.Dither.NONE) for frame in shown_frames]
    durations = [round(1000 * shown)] * (len(pictures) - 1) + [round(3000 * shown)]
    with replacing(target) as temporary:
        pictures[0].save(temporary, format="GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)


def _as_picture(image: ArrayLike, name: str) -> np.ndarray:
    array = inputs.read(image, name)
    if array.dtype != np.uint8:
        raise InputTypeError(f"{name} must be uint8 to be written, got dtype {array.dtype}")
    if not (array.size and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3))):
        raise InputError(f"{name} must have shape (H, W) or (H, W, 3) to be written, got {array.shape}")
    return array


def _write_array(target: Path, array: np.ndarray, *, bands: bool = False) -> None:
    """Write an array of any shape as the suffix says; in a TIFF its first axis may be that of the bands of one page."""
    with replacing(target) as temporary:
        if suffix_of(target) == ".npy":
            with temporary.open("wb") as file:
                np.save(file, array)
        else:
            import tifffile

            planes = "separate" if bands else None
            tifffile.imwrite(temporary, array, compression="zlib", photometric="minisblack", planarconfig=planes)


def profile_for(target: Path, like: object, shape: tuple[int, ...]) -> Profile | None:
    """What a file is to say beside its array of a spatial shape; None if its format is one that says nothing."""
    suffix, profile = suffix_of(target), profile_of(like)
    if profile is not None and suffix in profile.suffixes:
        return profile
    if suffix in NIFTI:
        return plain_profile(shape, target)
    return plain_zarr(shape) if suffix in ZARR else None


def write_like(
    target: Path, array: np.ndarray, profile: Profile | None, *, nodata: float | None = None, whole: bool = False
) -> None:
    """Write an array with what is known of it."""
    if profile is None:
        _write_array(target, array)
        return
    with (replacing_folder if suffix_of(target) in ZARR else replacing)(target) as temporary:
        profile.write(temporary, target, array, nodata=nodata, whole=whole)
