"""Files of arrays: NumPy, TIFF, PyTorch, safetensors. Nothing that a file holds is ever run."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError, InputTypeError
from classicseg.io.compressed import values_of_series
from classicseg.io.files import TIFF, suffix_of
from classicseg.io.orientation import TAG, Turn, turn_of
from classicseg.io.safetensors import SafetensorsFile

PYTORCH = (".pt", ".pth")
_ALPHA = (1, 2)  # of the tag ExtraSamples: associated and unassociated; 0 says nothing, as of a near infrared band
_LOSSY = (6, 7, 33007, 34892)  # of the tag Compression: JPEG, as it was written through the years

_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Of a number in a TIFF file, by its kind."""
_CLASSIC = 42  # the version of TIFF files whose offsets have 4 bytes

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what it finds wrong is an error here, or no matter


def read_array(source: Path, key: str | None = None) -> np.ndarray:
    """The array in a file, or that of the given name if it holds several; bfloat16 becomes float32."""
    suffix = suffix_of(source)
    if suffix in PYTORCH:
        array = _pytorch(source, key)
    elif suffix == ".safetensors":
        file = SafetensorsFile(source)
        array = file[_name(source, file.keys(), key)]
    else:
        array = _numpy_or_tiff(source, key)
    return _widened(array)


def _numpy_or_tiff(source: Path, key: str | None) -> np.ndarray:
    if suffix_of(source) in TIFF:
        import tifffile

        def read() -> np.ndarray:
            with tifffile.TiffFile(source) as tiff:
                check_pages(tiff)
                return np.asarray(values_of_series(source, tiff.series[0]))

        return _guarded(source, read)
    with source.open("rb") as file:  # what NumPy opens, it leaves open where it fails
        loaded = _guarded(source, lambda: np.load(file, allow_pickle=False))
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            name = _name(source, loaded.keys(), key)
            return _guarded(source, lambda: np.asarray(loaded[name]))


def check_pages(file: Any) -> None:
    """Raise an error unless all pages of an open TIFF file are there: tifffile is content with those before its end.

    Each page says where the next one begins, and the last one says 0. What the first one says stands behind it, too,
    as do the sizes of pixels.
    """
    layout, handle = file.tiff, file.filehandle
    if layout.tagsize != 4 + 2 * layout.offsetsize:  # slides of Hamamatsu are no TIFF files to the letter
        return

    def numbers(form: str, size: int) -> tuple[int, ...]:
        content = handle.read(size)
        if len(content) < size:
            raise InputError("it is truncated")
        return struct.unpack(layout.byteorder + form, content)

    word = layout.offsetformat[-1]
    handle.seek(4 if layout.version == _CLASSIC else 8)
    n, (start,) = 0, numbers(word, layout.offsetsize)
    while start != 0:
        handle.seek(start)
        (n_tags,) = numbers(layout.tagnoformat[-1], layout.tagnosize)
        for _ in range(n_tags if n == 0 else 0):
            _, kind, count, value = numbers(f"HH{word}{word}", layout.tagsize)
            size = count * _BYTES.get(kind, 0)
            if size > layout.offsetsize and value + size > handle.size:
                raise InputError("it is truncated")
        handle.seek(start + layout.tagnosize + n_tags * layout.tagsize)
        n, (start,) = n + 1, numbers(word, layout.offsetsize)
        if n > handle.size:
            raise InputError("its pages go round in a circle")


def without_alpha(source: Path, image: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """The image in a TIFF file without the channel that the file says is alpha, and where that is not 0."""
    import tifffile

    def alpha_channel() -> tuple[int, int] | None:
        with tifffile.TiffFile(source) as file:
            series = file.series[0]
            kinds = [int(kind) for kind in series.keyframe.extrasamples]
            at = next((i for i, kind in enumerate(kinds) if kind in _ALPHA), None)
            if at is None or "S" not in series.axes or series.shape != image.shape:
                return None
            return series.axes.index("S"), series.keyframe.samplesperpixel - len(kinds) + at

    found = _guarded(source, alpha_channel)
    if found is None:
        return image, None
    axis, channel = found
    rest = np.delete(image, channel, axis)
    mask: np.ndarray = image.take(channel, axis) > 0
    return (rest.squeeze(axis) if rest.shape[axis] == 1 else rest), mask


def turn_of_tiff(source: Path) -> tuple[Turn | None, tuple[int, int]]:
    """How the picture in a TIFF file is to be turned, and which of its axes are rows and columns.

    None for volumes and other stacks: nobody has held a camera.
    """
    import tifffile

    def read() -> tuple[Turn | None, tuple[int, int]]:
        with tifffile.TiffFile(source) as file:
            series = file.series[0]
            if series.axes not in ("YX", "YXS", "SYX"):
                return None, (0, 1)
            tag = series.keyframe.tags.get(TAG)
            rows, columns = series.axes.index("Y"), series.axes.index("X")
            size = series.shape[rows], series.shape[columns]
            return turn_of(None if tag is None else int(tag.value), size), (rows, columns)

    found: tuple[Turn | None, tuple[int, int]] = _guarded(source, read)
    return found


def loses_values(source: Path) -> bool:
    """Whether a TIFF file is compressed as JPEG is, so that its numbers are nearly those that were written."""
    import tifffile

    def read() -> bool:
        with tifffile.TiffFile(source) as file:
            return file.series[0].keyframe.compression in _LOSSY

    lossy: bool = _guarded(source, read)
    return lossy


def _pytorch(source: Path, key: str | None) -> np.ndarray:
    try:
        import torch
    except ImportError as failure:
        raise InputError(f"to read {source}, install PyTorch: pip install torch") from failure
    try:
        loaded = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as failure:  # PyTorch's own sentence advises to run what the file holds
        raise InputError(
            f"{source} is damaged, or holds more than tensors and would have to run code; save the tensor alone, by "
            "torch.save(probabilities.cpu(), path)"
        ) from failure
    if isinstance(loaded, dict):
        loaded = loaded[_name(source, [name for name in loaded if isinstance(loaded[name], torch.Tensor)], key)]
    if not isinstance(loaded, torch.Tensor):
        raise InputError(f"{source} must hold a tensor or a dict of tensors, got {type(loaded).__name__}")
    tensor = loaded.detach()
    return _guarded(source, lambda: (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy())


def _guarded(source: Path, read: Callable[[], Any]) -> Any:
    """What `read` returns; whatever ends it is an error of the file."""
    try:
        return read()
    except Exception as failure:
        pickled = (
            "pickle" in str(failure).lower()
        )  # NumPy's advice to load pickles, which may run anything, is not ours
        reason = "it holds Python objects, not numbers, or is damaged" if pickled else failure
        raise InputError(f"{source} cannot be read: {reason}") from failure


def _name(source: Path, names: Iterable[Any], key: str | None) -> Any:
    """The name of the array to be read."""
    known = list(names)
    if not isinstance(key, str | None):
        raise InputTypeError(f"key must be the name of an array, got {key!r}")
    if not known:
        raise InputError(f"{source} holds no array")
    if key is None and len(known) == 1:
        return known[0]
    listed = f"{source} holds the arrays {', '.join(map(str, known))}"
    if key is None:
        raise InputError(f"{listed}; name one of them, as by key={str(known[0])!r}")
    if key not in known:
        raise InputError(f"{listed}, but none of the name {key!r}")
    return key


def _widened(array: np.ndarray) -> np.ndarray:
    """`array`; as float32 if it holds bfloat16: two raw bytes to NumPy, the upper half of float32."""
    if array.dtype != np.dtype("V2"):
        return array
    return (array.view("<u2").astype(np.uint32) << 16).view(np.float32)
