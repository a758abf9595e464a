"""Reading images, probabilities and label maps."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from classicseg.errors import InputError
from classicseg.io.arrays import NIFTI, PYTORCH, loses_values, read_array, turn_of_tiff, without_alpha
from classicseg.io.files import TIFF, as_path, suffix_of
from classicseg.io.orientation import TAG, Turn, turn_of

_ARRAYS = (".npy", ".npz", *TIFF, *PYTORCH, ".safetensors", *NIFTI)
_IMAGES = (".npy", *TIFF, *NIFTI)  # the others are read by Pillow
_AXES_OF_SPACE = 3  # of NIfTI; then come time, which has one entry, and what there is at each point
_LARGEST_LABEL = 2**31 - 1  # of int32, which labels are everywhere
_LOSSY = ("JPEG", "MPO", "JPEG2000", "WEBP", "AVIF", "HEIF")  # formats of Pillow that keep about what was written
_NOT_LABELS = "is compressed with loss, which makes other labels of some at every border; write labels as .png"


def read_image(path: str | os.PathLike[str], *, exif: bool = True) -> np.ndarray:
    """Read an image or a volume.

    Parameters
    ----------
    path : path
        Any format that Pillow reads, ``.tif``, ``.npy``, or ``.nii`` and ``.nii.gz`` with nibabel installed.
    exif : bool
        Turn a picture upright whose file says how the camera was held.

    Returns
    -------
    ndarray
        (H, W) or (H, W, 3) from Pillow, where an alpha channel is dropped and a palette is resolved; as stored from
        the other formats, but that a ``.tif`` is turned as well.

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
        False where alpha is 0; None if the file has no transparency.

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
    path: str | os.PathLike[str], *, exif: bool = True, alpha: bool = False
) -> tuple[np.ndarray, np.ndarray | None, Turn | None]:
    """The same, and how it was turned: None if it is as it is stored. With `alpha`, that of a ``.tif`` is dropped."""
    source = _existing(path)
    if suffix_of(source) not in _IMAGES:
        return _picture(source, exif)
    image, mask = read_array(source), None
    if suffix_of(source) not in TIFF:
        return image, None, None
    turn, (rows, columns) = turn_of_tiff(source) if exif else (None, (0, 1))
    if alpha:
        image, mask = without_alpha(source, image)
    if turn is None:
        return image, mask, None
    if image.ndim == 2:  # whatever was in front of rows is gone
        rows, columns = 0, 1
    return turn.applied(image, rows, columns), None if mask is None else turn.applied(mask), turn


def read_turn(path: str | os.PathLike[str]) -> Turn | None:
    """How :func:`read_image` turns the picture in a file; None if it leaves it as it is."""
    source = _existing(path)
    if suffix_of(source) in TIFF:
        return turn_of_tiff(source)[0]
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
        ``.npy``, ``.npz``, ``.tif``, ``.safetensors``, ``.pt`` and ``.pth`` with PyTorch installed, or ``.nii`` and
        ``.nii.gz`` with nibabel installed. Nothing that a file holds is ever run.
    key : str, optional
        Which array of the file; needed if it holds several.

    Returns
    -------
    ndarray
        As stored, but that bfloat16 becomes float32, and that the labels of a NIfTI file, which come last there,
        come first: (X, Y, Z, L) or (X, Y, Z, 1, L) becomes (L, X, Y, Z).

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
    array = read_array(source, key)
    if suffix_of(source) in NIFTI and array.ndim > _AXES_OF_SPACE:
        if array.ndim == _AXES_OF_SPACE + 2 and array.shape[_AXES_OF_SPACE] == 1:
            array = array[:, :, :, 0]
        array = np.moveaxis(array, -1, 0)
    return array


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
        Integers, also where a file has them as floats, which NIfTI files often do.

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
        labels = _whole(read_array(source, key), source)
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
    if not source.is_file():
        raise FileNotFoundError(f"no such file: {source}")
    return source
