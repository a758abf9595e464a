"""What can be read in windows by others than the process that was given it, and what can be written by that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
from distributed.client import futures_of

from classicseg.dask.labelled import is_labelled
from classicseg.errors import InputError, InputTypeError
from classicseg.io.files import as_path


class DaskArray:
    """An array of Dask that is computed window by window, each in the thread that asks for it.

    Parameters
    ----------
    array : dask.array.Array
    name : str
        For errors.
    """

    def __init__(self, array: Any, name: str) -> None:
        if any(np.isnan(n) for n in array.shape):
            raise InputError(f"{name} has an unknown shape, {array.shape}; call its compute_chunk_sizes()")
        if futures_of(array):
            raise InputError(
                f"{name} holds results that lie in the memory of a cluster, as persist() leaves them; write it to a "
                "Zarr store, and give the array that reads that"
            )
        self._array, self.shape, self.dtype = array, array.shape, array.dtype
        self.chunks = tuple(max(sides, default=1) for sides in array.chunks)

    def __getitem__(self, window: tuple[slice, ...]) -> Any:
        """The entries of a window."""
        return self._array[window].compute(scheduler="synchronous")


def check_writable(out: Any) -> None:
    """Raise if what is given as `out` is an array that only looks like one that can be written."""
    if is_labelled(out) or isinstance(out, dask.array.Array):
        raise InputTypeError("out must be the name of a file, or an array that can be written, as of Zarr")


def readable(given: Any, name: str) -> Any:
    """What is given of an image, scores or a mask, as something that is read in windows, by other processes too."""
    if isinstance(given, (str, os.PathLike)):
        return Path(os.path.abspath(as_path(given)))  # noqa: PTH100 (links stay: workers may know no other name)
    if is_labelled(given):
        given = given.variable  # coordinates are of no use to readers
        given = given if given.chunks is None else given.data
    return DaskArray(given, name) if isinstance(given, dask.array.Array) else given
