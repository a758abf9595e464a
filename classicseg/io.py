"""Files: images and probabilities in, label maps and pictures out.

Everything is written to a temporary file beside its target, which is then renamed: a target is whole or not touched.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.plot import palette

_TIFF = (".tif", ".tiff")
_NIFTI = (".nii", ".nii.gz")
_LARGEST_IN_PALETTE = 256  # colours: 8 bits a pixel
VOID = 255
"""Label of pixels that are neither learned nor scored, in files of labels and everywhere else: the last of 8 bits."""
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
    if _suffix(source) in (".npy", *_TIFF, *_NIFTI):
        return _read_array(source, None)
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(source) as picture:
            if picture.mode in ("L", "I", "I;16", "F", "RGB"):
                return np.asarray(picture)
            return np.asarray(picture.convert("L" if picture.mode in ("1", "LA") else "RGB"))
    except (UnidentifiedImageError, OSError) as failure:
        raise InputError(f"{source} cannot be read as an image: {failure}") from failure


def read_probabilities(path: str | os.PathLike[str], key: str | None = None) -> np.ndarray:
    """Read the (L, *spatial) probabilities, logits or costs of a network.

    Parameters
    ----------
    path : path
        ``.npy``, ``.npz``, ``.tif`` or ``.tiff``.
    key : str, optional
        Which array of an ``.npz``; needed if it holds several.

    Returns
    -------
    ndarray
        As stored.

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
    if _suffix(source) not in (".npy", ".npz", *_TIFF):
        raise InputError(f"probabilities must be an .npy, .npz, .tif or .tiff file, got {source}")
    return _read_array(source, key)


def read_labels(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a label map: the palette indices of a picture, or the numbers of an array file.

    Parameters
    ----------
    path : path
        A picture of one channel, ``.npy``, ``.tif``, or ``.nii`` and ``.nii.gz`` with nibabel installed.

    Returns
    -------
    ndarray, spatial shape
        Integers.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file has colours instead of labels.

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
    if _suffix(source) in (".npy", *_TIFF, *_NIFTI):
        return _read_array(source, None)
    from PIL import Image

    with Image.open(source) as picture:
        if picture.mode not in ("P", "L", "I", "I;16", "1"):
            raise InputError(f"{source} holds colours ({picture.mode}), not labels")
        return np.asarray(picture).astype(np.int32)


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
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"no such file: {source}; it names the classes, one in a line, in the order of labels")
    classes: list[str] = []
    numbers: dict[int, int] = {}
    lines = [line.strip() for line in source.read_text(encoding="utf-8").splitlines() if line.strip()]
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


def write_labels(path: str | os.PathLike[str], labels: np.ndarray) -> None:
    """Write a label map.

    Parameters
    ----------
    path : path
        ``.png`` (2-D; with a palette up to 256 labels, 16 bits above), ``.npy`` or ``.tif`` (any number of axes).
    labels : ndarray of int, spatial shape
        Labels, at least 0.

    Raises
    ------
    ValueError
        If the format cannot hold the labels or is unknown.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_labels(pathlib.Path(folder) / "labels.npy", np.zeros((2, 3, 4), int))
    """
    array = inputs.as_labels(labels, None, 2**31 - 1)
    target = Path(path)
    largest = int(array.max())
    suffix = _suffix(target)
    if suffix == ".png":
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
            picture.save(temporary, format="PNG", optimize=True)
    else:
        _write_array(target, array, "labels", (".png", ".npy", *_TIFF))


def write_marginals(path: str | os.PathLike[str], marginals: np.ndarray) -> None:
    """Write (L, *spatial) marginals as ``.npy`` or ``.tif``.

    Raises
    ------
    ValueError
        If the format is unknown.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_marginals(pathlib.Path(folder) / "marginals.npy", np.full((2, 4, 6), 0.5, np.float32))
    """
    _write_array(Path(path), marginals, "marginals", (".npy", *_TIFF))


def write_image(path: str | os.PathLike[str], image: np.ndarray) -> None:
    """Write a uint8 picture, (H, W) or (H, W, 3), in the format that the name asks for.

    Raises
    ------
    ValueError
        If the shape is not that of a picture or the format is unknown.
    TypeError
        If the dtype is not uint8.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from classicseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_image(pathlib.Path(folder) / "black.png", np.zeros((4, 6, 3), np.uint8))
    """
    from PIL import Image

    target = Path(path)
    if image.dtype != np.uint8:
        raise InputTypeError(f"image must be uint8 to be written, got dtype {image.dtype}")
    if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise InputError(f"image must have shape (H, W) or (H, W, 3) to be written, got {image.shape}")
    file_format = Image.registered_extensions().get(_suffix(target))
    if file_format not in Image.SAVE:
        raise InputError(f"no image format is known by the name of {target}; try .png")
    with replacing(target) as temporary:
        Image.fromarray(image).save(temporary, format=file_format)


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

    target = Path(path)
    if _suffix(target) != ".gif":
        raise InputError(f"animations can be written as .gif, got {target}")
    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1:
        raise InputError(f"frames must be at least one and of one shape, got {len(frames)} of shapes {sorted(shapes)}")
    (shown,) = inputs.as_positive(seconds, "seconds", 1)
    pictures = [Image.fromarray(frame).quantize(128, dither=Image.Dither.NONE) for frame in frames]
    durations = [round(1000 * shown)] * (len(frames) - 1) + [round(3000 * shown)]
    with replacing(target) as temporary:
        pictures[0].save(temporary, format="GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)


# --- pieces -------------------------------------------------------------------------------------------------------


def _read_array(source: Path, key: str | None) -> np.ndarray:
    suffix = _suffix(source)
    if suffix in _NIFTI:
        try:
            import nibabel
        except ImportError as failure:
            raise InputError(f"to read {source}, install nibabel: pip install 'classicseg[io]'") from failure
        picture: Any = nibabel.load(source)
        return np.asarray(picture.dataobj)
    try:
        if suffix in _TIFF:
            import tifffile

            return np.asarray(tifffile.imread(source))
        loaded = np.load(source, allow_pickle=False)
    except Exception as failure:
        raise InputError(f"{source} cannot be read: {failure}") from failure
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        names = list(loaded.keys())
        if key is None and len(names) != 1:
            raise InputError(f"{source} holds the arrays {', '.join(names)}; name one of them as the key")
        name = names[0] if key is None else key
        if name not in names:
            raise InputError(f"{source} holds no array {name!r}; it has {', '.join(names)}")
        return np.asarray(loaded[name])


def _write_array(target: Path, array: np.ndarray, what: str, formats: tuple[str, ...]) -> None:
    suffix = _suffix(target)
    if suffix not in formats:
        raise InputError(f"{what} can be written as {', '.join(formats)}, got {target}")
    with replacing(target) as temporary:
        if suffix == ".npy":
            with temporary.open("wb") as file:
                np.save(file, array)
        else:
            import tifffile

            tifffile.imwrite(temporary, array, compression="zlib", photometric="minisblack")


def _existing(path: str | os.PathLike[str]) -> Path:
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"no such file: {source}")
    return source


def _suffix(path: Path) -> str:
    return ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix.lower()


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary path that becomes `target` if the block succeeds, and is removed if not."""
    if not target.parent.is_dir():
        raise FileNotFoundError(f"no such folder: {target.parent}")
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # as a plainly opened file would have
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
