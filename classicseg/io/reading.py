"""Reading images, probabilities, label maps and lists of classes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from classicseg.errors import InputError
from classicseg.io.arrays import NIFTI, PYTORCH, read_array, without_alpha
from classicseg.io.files import TIFF, as_path, suffix_of

VOID = 255
"""Label of pixels that are neither learned nor scored, in files of labels and everywhere else: the last of 8 bits."""
_ARRAYS = (".npy", ".npz", *TIFF, *PYTORCH, ".safetensors", *NIFTI)
_IMAGES = (".npy", *TIFF, *NIFTI)  # the others are read by Pillow
_AXES_OF_SPACE = 3  # of NIfTI; then come time, which has one entry, and what there is at each point
_LARGEST_LABEL = 2**31 - 1  # of int32, which labels are everywhere
_VOID_NAMES = ("void", "ignore", "unlabelled", "unlabeled")


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an image or a volume.

    Parameters
    ----------
    path : path
        Any format that Pillow reads, ``.tif``, ``.npy``, or ``.nii`` and ``.nii.gz`` with nibabel installed.

    Returns
    -------
    ndarray
        (H, W) or (H, W, 3) from Pillow, where an alpha channel is dropped and a palette is resolved; as stored from
        the other formats.

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
    source = _existing(path)
    return read_array(source) if suffix_of(source) in _IMAGES else _picture(source)[0]


def read_masked_image(path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray | None]:
    """Read an image or a volume, and which of its pixels are not wholly transparent.

    Parameters
    ----------
    path : path
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
    source = _existing(path)
    if suffix_of(source) in TIFF:
        return without_alpha(source, read_array(source))
    return (read_array(source), None) if suffix_of(source) in _IMAGES else _picture(source)


def _picture(source: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """What Pillow reads, and where it is not wholly transparent."""
    from PIL import Image

    try:
        with Image.open(source) as picture:
            mask = None
            if picture.has_transparency_data:
                mask = np.asarray(picture.convert("RGBA"))[..., 3] > 0
            if picture.mode in ("L", "I", "I;16", "F", "RGB"):
                return np.asarray(picture), mask
            return np.asarray(picture.convert("L" if picture.mode in ("1", "LA") else "RGB")), mask
    except Exception as failure:  # decoders raise what they like, such as DecompressionBombError
        raise InputError(f"{source} cannot be read as an image: {failure}") from failure


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
        raise InputError(f"probabilities must be a file of the kind {', '.join(_ARRAYS)}, got {source}")
    array = read_array(source, key)
    if suffix_of(source) in NIFTI and array.ndim > _AXES_OF_SPACE:
        if array.ndim == _AXES_OF_SPACE + 2 and array.shape[_AXES_OF_SPACE] == 1:
            array = array[:, :, :, 0]
        array = np.moveaxis(array, -1, 0)
    return array


def read_labels(path: str | os.PathLike[str], key: str | None = None) -> np.ndarray:
    """Read a label map: the palette indices of a picture, or the numbers of an array file.

    Parameters
    ----------
    path : path
        A picture of one channel, or any file that :func:`read_probabilities` reads.
    key : str, optional
        Which array of the file; needed if it holds several.

    Returns
    -------
    ndarray, spatial shape
        Integers, also where a file has them as floats, which NIfTI files often do.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file has colours or fractions instead of labels.

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
        array = read_array(source, key)
        if array.dtype.kind != "f":
            return array
        numbers = array.astype(np.float64)
        if not (np.abs(numbers) <= _LARGEST_LABEL).all() or (numbers != np.floor(numbers)).any():
            raise InputError(f"{source} holds fractions or numbers that are too large, not labels")
        return numbers.astype(np.int32)
    from PIL import Image

    try:
        with Image.open(source) as picture:
            mode, labels = picture.mode, np.asarray(picture)
    except Exception as failure:
        raise InputError(f"{source} cannot be read as labels: {failure}") from failure
    if mode not in ("P", "L", "I", "I;16", "1"):
        raise InputError(f"{source} holds colours ({mode}), not labels")
    return labels.astype(np.int32)


def read_classes(path: str | os.PathLike[str]) -> tuple[tuple[str, ...], dict[int, int]]:
    """The names of the classes in a file, and which class each label of the files is.

    One class stands in a line, in the order of the labels or with its number before it. One called void, ignore or
    unlabelled, and the number 255, are no class.

    Returns
    -------
    classes : tuple of str
    numbers : dict of int to int
        Class, or 255 for void, by label.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a number stands twice or there is no class.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "classes.txt"
    ...     _ = path.write_text("floor, wall, void".replace(", ", chr(10)))
    ...     io.read_classes(path)
    (('floor', 'wall'), {0: 0, 1: 1, 2: 255})
    """
    source = as_path(path)
    if not source.is_file():
        raise FileNotFoundError(f"no such file: {source}; it names the classes, one in a line, in the order of labels")
    classes: list[str] = []
    numbers: dict[int, int] = {}
    try:
        text = source.read_text(encoding="utf-8")
    except ValueError as failure:
        raise InputError(f"{source} must name the classes as text in UTF-8: {failure}") from failure
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for position, line in enumerate(lines):
        first, _, rest = line.partition(" ")
        number, name = (int(first), rest.strip()) if first.isdecimal() and rest else (position, line)
        if number in numbers or not 0 <= number <= VOID:
            raise InputError(f"{source} gives the label {number} twice or out of 0 to {VOID}: {line!r}")
        if name.lower().startswith(_VOID_NAMES) or number == VOID:
            numbers[number] = VOID
        else:
            numbers[number] = len(classes)
            classes.append(name)
    if not classes:
        raise InputError(f"{source} names no class")
    return tuple(classes), numbers


def _existing(path: str | os.PathLike[str]) -> Path:
    source = as_path(path)
    if not source.is_file():
        raise FileNotFoundError(f"no such file: {source}")
    return source
