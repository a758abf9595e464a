"""What can be read in windows by others than the process that was given it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
from distributed.client import futures_of

from classicseg.dask.labelled import is_labelled
from classicseg.errors import InputError
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


def readable(given: Any, name: str) -> Any:
    """What is given of an image, scores or a mask, as something that is read in windows, by other processes too."""
    if isinstance(given, (str, os.PathLike)):
        path = Path(os.path.abspath(as_path(given)))  # noqa: PTH100 (links stay: workers may know no other name)
        return _zarr(path, name) if path.suffix == ".zarr" else path
    if is_labelled(given):
        given = given.variable  # coordinates are of no use to readers
        given = given if given.chunks is None else given.data
    return DaskArray(given, name) if isinstance(given, dask.array.Array) else given


def _zarr(path: Path, name: str) -> Any:
    """The array of a store."""
    try:
        import zarr
    except ImportError as failure:
        raise ImportError(f"{name}: {path} needs Zarr: pip install zarr") from failure
    try:
        return zarr.open_array(path, mode="r")
    except FileNotFoundError:
        raise
    except Exception as failure:
        raise InputError(
            f"{name}: {path} is no array of Zarr ({failure}); open what is in it and give that"
        ) from failure
