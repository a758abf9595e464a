"""Where the labels of a streamed run go, and whether they can."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError, InputTypeError
from classicseg.io.windows import LabelArray, Labels, LabelStore, check_label_file, label_file


def state_folder(state: Any, out: Any) -> Path | None:
    """Where the state is kept, if it is."""
    if state is not None:
        return Path(state)
    return Path(f"{os.fspath(out)}.state") if isinstance(out, (str, os.PathLike)) else None


def check_out(out: Any) -> None:
    """Raise unless labels can be written there."""
    if isinstance(out, (str, os.PathLike)):
        check_label_file(out)
    elif out is not None and not all(hasattr(out, part) for part in ("shape", "dtype", "__setitem__")):
        raise InputTypeError(f"out must be the name of a file, or an array, got {out!r:.80}")
    elif isinstance(out, np.ndarray) and not out.flags.writeable:
        raise InputError("out is read-only")


def check_room(out: Any, shape: tuple[int, ...], values: list[int]) -> None:
    """Raise unless an array can hold labels of these values."""
    if out is None or isinstance(out, (str, os.PathLike)):
        return
    if tuple(out.shape) != shape:
        raise InputError(f"out must have shape {shape}, got {tuple(out.shape)}")
    for value in values:
        if np.array(value).astype(out.dtype) != value:
            raise InputError(f"out of dtype {out.dtype} cannot hold the label {value}")


def sink_of(out: Any, shape: tuple[int, ...], values: list[int], folder: Path | None, image: Any) -> Labels:
    """What takes the labels of an image, all of which are of these `values` or between; it may be None."""
    fill = values[-1] if len(values) > 2 else 0
    if isinstance(out, (str, os.PathLike)):
        dtype, nodata = np.result_type(*map(np.min_scalar_type, values)), fill if len(values) > 2 else None
        return label_file(out, shape, dtype, fill, like=image, nodata=nodata)
    if isinstance(out, np.ndarray) and out.flags.c_contiguous:
        return LabelArray(out, fill)
    return LabelStore(out, folder, fill)


@contextlib.contextmanager
def labels_written(
    out: Any, shape: tuple[int, ...], values: list[int], folder: Path | None, image: Any, what: str
) -> Iterator[Labels]:
    """What takes the labels of a run, as :func:`sink_of`: they appear at its end, or not at all.

    If the system cannot read or write, the error says that `what` is done so far is kept in `folder`, if it is.
    """
    sink = sink_of(out, shape, values, folder, image)
    try:
        yield sink
        sink.finish()
    except BaseException as failure:
        sink.discard()
        if isinstance(failure, OSError) and folder is not None and failure.errno is not None:
            text = f"{failure.strerror}; {what} kept in {folder}"
            raise OSError(failure.errno, text, failure.filename) from failure
        raise
