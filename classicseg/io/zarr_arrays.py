"""Arrays of Zarr: read and written in whole shards, which are the units that are written at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError
from classicseg.io.extras import extra
from classicseg.io.files import ZARR
from classicseg.io.raster import Place

_CHUNK = 512  # pixels a side of the chunks of labels, of an image that has none
_AT_ONCE = 2**24  # bytes that are written at once, about, but always whole shards


@dataclass(frozen=True)
class ZarrProfile:
    """What an array of Zarr says beside its numbers.

    Attributes
    ----------
    shape : tuple of int
    chunks : tuple of int
    shards : tuple of int or None
    names : tuple of str or None
        Of the axes.
    attributes : dict
    more : dict
        Codecs and the fill value.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    names: tuple[str | None, ...] | None
    attributes: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict, repr=False)

    nodata = None
    band_names = ()
    suffixes = ZARR
    spacing: tuple[float, ...] | None = None
    metres: tuple[float, ...] | None = None
    place: Place | None = None

    def write(self, temporary: Path, target: Path, array: Any, *, nodata: float | None, whole: bool) -> None:
        """See :class:`~classicseg.io.raster.Profile`."""
        zarr = extra("zarr", "zarr", target)
        chunks, shards, names = (self._along(array.shape, of) for of in (self.chunks, self.shards, self.names))
        stored = zarr.create_array(
            store=temporary,
            shape=array.shape,
            dtype=array.dtype,
            chunks=chunks or tuple(min(_CHUNK, n) for n in array.shape),
            shards=shards,
            dimension_names=names,
            attributes=self.attributes if whole or names is not None else {},
            **(self.more if whole else {"fill_value": 0}),
        )
        write_whole_shards(stored, array)

    def _along(self, shape: tuple[int, ...], sides: Any) -> Any:
        """Of chunks, shards or names those of the axes that an array has; None if nobody knows."""
        if sides is None or shape == self.shape:
            return sides
        for axis in (len(self.shape) - 1, 0):  # of channels
            if shape == (*self.shape[:axis], *self.shape[axis + 1 :]):
                return (*sides[:axis], *sides[axis + 1 :])
        return None


def open_zarr(path: Path) -> Any:
    """The array of a folder, opened for reading; of a group, its only one."""
    zarr = extra("zarr", "zarr", path)
    try:
        found = zarr.open(path, mode="r")
        if isinstance(found, zarr.Array):
            return found
        names = sorted(name for name, _ in found.arrays())
    except Exception as failure:
        raise InputError(f"{path} cannot be read: {failure}") from failure
    if len(names) == 1:
        return found[names[0]]
    raise InputError(f"{path} is a group of {len(names)} arrays ({', '.join(names)}); open one of them with zarr")


def read_zarr(path: Path) -> tuple[np.ndarray, ZarrProfile]:
    """All numbers of an array, and what else it says."""
    stored = open_zarr(path)
    try:
        return np.asarray(stored[...]), profile_of_zarr(stored)
    except Exception as failure:
        raise InputError(f"{path} cannot be read: {failure}") from failure


def profile_of_zarr(stored: Any) -> ZarrProfile:
    """What an open array says beside its numbers."""
    more: dict[str, Any] = {"fill_value": stored.fill_value}
    names = None
    if stored.metadata.zarr_format == 3:
        more |= {part: getattr(stored, part) for part in ("filters", "compressors", "serializer")}
        more["serializer"] = more["serializer"] or "auto"
        names = stored.metadata.dimension_names
    return ZarrProfile(stored.shape, stored.chunks, stored.shards, names, dict(stored.attrs), more)


def plain_zarr(shape: tuple[int, ...]) -> ZarrProfile:
    """That of an array of which nothing is known."""
    return ZarrProfile(shape, tuple(min(_CHUNK, n) for n in shape), None, None)


def write_whole_shards(stored: Any, array: Any) -> None:
    """Write an array piece by piece, each of whole shards (or chunks): two writers of one shard would spoil it."""
    step = (stored.shards or stored.chunks)[0]
    step *= max(1, _AT_ONCE // max(1, step * int(np.prod(array.shape[1:])) * array.dtype.itemsize))
    for start in range(0, array.shape[0], step):
        rows = (slice(start, start + step), *(slice(None),) * (len(array.shape) - 1))
        stored[rows] = np.ascontiguousarray(array[rows])
