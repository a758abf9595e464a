"""An image and its mask, read window by window."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.io.windows import Source
from classicseg.machine.threads import map_tasks

Box = tuple[slice, ...]

_AT_ONCE = 2**16  # pixels of a window
_LARGE_STEP = 2**22  # pixels of a step; larger ones are cut along the next axis
_PARTS = 16  # that a digest is made of


class Steps:
    """A grid that is passed through step by step: row by row, or slice by slice.

    Parameters
    ----------
    shape : tuple of int
    window : int, optional
        Boxes do not cross multiples of it, in steps.
    """

    def __init__(self, shape: tuple[int, ...], window: int | None = None) -> None:
        self.shape, self.axis = shape, 0
        while self.axis < len(shape) - 2 and math.prod(shape[self.axis + 1 :]) > _LARGE_STEP:
            self.axis += 1
        self.count, self.size = math.prod(shape[: self.axis + 1]), math.prod(shape[self.axis + 1 :])
        self.window = window

    def boxes(self, first: int, last: int) -> Iterator[tuple[int, Box]]:
        """Boxes that hold the steps `first` to `last` - 1 in order, each with its first step."""
        n, most = self.shape[self.axis], max(1, _AT_ONCE // self.size)
        while first < last:
            place = first % n
            stop = min(place + most, place + last - first, n)
            if self.window is not None:
                stop = min(stop, (place // self.window + 1) * self.window)
            outer = np.unravel_index(first // n, self.shape[: self.axis]) if self.axis else ()
            box = (*(slice(int(i), int(i) + 1) for i in outer), slice(place, stop))
            yield first, (*box, *(slice(0, side) for side in self.shape[self.axis + 1 :]))
            first += stop - place


class Planes:
    """Planes of a grid in a source, such as channels or labels, or one without an axis for them.

    Parameters
    ----------
    source : Source
    plane_axis : int or None
        The axis of the planes.
    name : str
        For errors.
    """

    def __init__(self, source: Source, plane_axis: int | None, name: str) -> None:
        self._source, self.name, self.dtype = source, name, np.dtype(source.dtype)
        if self.dtype.kind not in "biuf":
            raise InputTypeError(f"{name} must hold real numbers, got dtype {self.dtype}")
        self.shape = shape = tuple(int(n) for n in source.shape)
        self.axis = None if plane_axis is None else inputs.as_axis(plane_axis, len(shape), f"axis of {name}", name)
        self.grid = shape if self.axis is None else (*shape[: self.axis], *shape[self.axis + 1 :])
        self.count = 1 if self.axis is None else shape[self.axis]
        self._chunks = getattr(source, "chunks", None)

    def read(self, box: Box) -> np.ndarray:
        """The values in a box of the grid, (count, *box)."""
        return self._read(box, slice(0, self.count))

    def read_some(self, box: Box, some: Sequence[int]) -> list[np.ndarray]:
        """The same of some planes: one by one, unless several are stored together."""
        if self.axis is None or (self._chunks is not None and self._chunks[self.axis] > 1):
            return list(self.read(box)[list(some)])
        return [self._read(box, slice(k, k + 1))[0] for k in some]

    def _read(self, box: Box, planes: slice) -> np.ndarray:
        where = box if self.axis is None else (*box[: self.axis], planes, *box[self.axis :])
        sides = tuple(side.stop - side.start for side in where)
        try:
            values = np.asarray(self._source[where])
        except (InputError, OSError):
            raise
        except Exception as failure:  # sources are others' code
            raise InputError(f"{self.name} cannot be read at {where}: {failure}") from failure
        if values.shape != sides:
            raise InputError(f"{self.name} gave an array of shape {values.shape} for a window of shape {sides}")
        return values[np.newaxis] if self.axis is None else np.moveaxis(values, self.axis, 0)

    def chunk(self, axis: int) -> int | None:
        """How many steps along an `axis` of the grid are stored together, if the source says so."""
        if self._chunks is None:
            return None
        return int(self._chunks[axis if self.axis is None or axis < self.axis else axis + 1])

    def held(self, axis: int, window: int | None) -> Callable[[Box], np.ndarray]:
        """Read boxes that do not cross multiples of `window` along an `axis`, so many steps at once."""
        if window is None:
            return self.read
        of: tuple[Any, ...] = ()
        slab = np.empty(0)

        def read(box: Box) -> np.ndarray:
            nonlocal of, slab
            low = box[axis].start // window * window
            wanted = (*box[:axis], low)
            if wanted != of:
                slab = np.empty(0)  # before the next one is read
                high = min(low + window, self.grid[axis])
                slab, of = self.read((*box[:axis], slice(low, high), *box[axis + 1 :])), wanted
            inner = slice(box[axis].start - low, box[axis].stop - low)
            part: np.ndarray = slab[(slice(None),) * (axis + 1) + (inner,)]
            return part

        return read


class Digest:
    """A digest of everything that is read, which does not depend on windows."""

    def __init__(self) -> None:
        self._whole = hashlib.blake2b(digest_size=16)

    def new_part(self, n_planes: int) -> list[Any]:
        """Digests of the planes of a part."""
        return [hashlib.blake2b(digest_size=16) for _ in range(n_planes)]

    def add(self, parts: list[list[Any]]) -> None:
        """All parts of a source, in order."""
        for planes in parts:
            for plane in planes:
                self._whole.update(plane.digest())

    def add_text(self, text: str) -> None:
        """Something that is known by its name."""
        self._whole.update(text.encode())

    def __str__(self) -> str:
        return self._whole.hexdigest()


def pass_through(
    planes: Planes, steps: Steps, digest: Digest, n_threads: int, look: Callable[[int, Box, np.ndarray], None]
) -> None:
    """Read all of a source once; ``look(step, box, values)`` sees it."""
    digest.add_text(f"{planes.name} {planes.dtype} {planes.grid} {planes.count}")
    borders = np.linspace(0, steps.count, min(_PARTS, steps.count) + 1).astype(int)

    def part(i: int) -> list[Any]:
        digests, read = digest.new_part(planes.count), planes.held(steps.axis, steps.window)
        for step, box in steps.boxes(int(borders[i]), int(borders[i + 1])):
            values = np.ascontiguousarray(read(box))  # NumPy is slow where channels lie side by side
            for plane, own in zip(digests, values, strict=True):
                plane.update(own.view(np.uint8).data)
            look(step, box, values)
        return digests

    digest.add(map_tasks(part, borders.size - 1, n_threads))


@dataclass
class Inside:
    """Which pixels take part: how many before each step, and the box around them.

    Attributes
    ----------
    first : ndarray, (n_steps + 1,), int64
        Number of points before each step, and of all.
    box : tuple of slice
        The smallest that holds all points.
    planes : Planes or None
        The mask; None if all pixels take part.
    """

    first: np.ndarray
    box: Box
    planes: Planes | None

    @property
    def n_points(self) -> int:
        """Number of pixels that take part."""
        return int(self.first[-1])

    @classmethod
    def of(cls, mask: Planes | None, steps: Steps, digest: Digest, n_threads: int) -> Inside:
        """That of a mask, which is read once, or of all pixels."""
        every = cls(np.arange(steps.count + 1) * steps.size, tuple(slice(0, n) for n in steps.shape), None)
        if mask is None:
            return every
        counts = np.zeros(steps.count, np.int64)
        met = [np.zeros(n, bool) for n in steps.shape]

        def look(step: int, box: Box, values: np.ndarray) -> None:
            inside = of_mask(values)
            per_step = inside.reshape(-1, steps.size).sum(axis=1)
            counts[step : step + per_step.size] = per_step
            for axis, (along, side) in enumerate(zip(met, box, strict=True)):
                along[side] |= inside.any(axis=tuple(other for other in range(inside.ndim) if other != axis))

        pass_through(mask, steps, digest, n_threads, look)
        n = int(counts.sum())
        if n == 0:
            raise InputError("mask is False everywhere: no pixel takes part")
        if n == every.n_points:
            return every
        ends = [np.flatnonzero(along)[[0, -1]] for along in met]
        box = tuple(slice(int(low), int(high) + 1) for low, high in ends)
        return cls(np.concatenate([[0], np.cumsum(counts)]), box, mask)


def of_mask(values: np.ndarray) -> np.ndarray:
    """Booleans of a window of a mask, (1, *box): 0 and 1, or 0 and 255, are booleans as well."""
    mask = values[0]
    if mask.dtype != np.bool_ and not np.isin(mask, (0, 1, 255)).all():
        raise InputError("mask must hold booleans, or 0 and 1, or 0 and 255")
    return mask != 0


@dataclass
class Colors:
    """The channels of an image as kernels take them, window by window.

    Attributes
    ----------
    planes : Planes
    dtype : dtype
        Of the channels.
    low, high : float
        The range of the image.
    ends : ndarray, (C, 2)
        The smallest and the largest value of each channel, as they are in :meth:`read`.
    is_near : bool
        Whether no value has to be drawn in.
    """

    planes: Planes
    dtype: np.dtype[Any]
    low: float
    high: float
    ends: np.ndarray
    is_near: bool

    @classmethod
    def of(cls, planes: Planes, inside: Inside, steps: Steps, digest: Digest, n_threads: int) -> Colors:
        """Those of an image, which is read once."""
        step = inputs.sample_step(inside.n_points)
        found: list[tuple[np.ndarray, np.ndarray]] = []
        samples: list[np.ndarray] = []
        read_mask = None if inside.planes is None else inside.planes.read

        def look(number: int, box: Box, values: np.ndarray) -> None:
            flat = values.reshape(len(values), -1)
            if read_mask is not None:
                flat = flat[:, of_mask(read_mask(box)).reshape(-1)]
                if flat.shape[1] == 0:
                    return
            if flat.dtype.kind not in "biuf":
                raise InputError(f"{planes.name} must hold real numbers, got dtype {flat.dtype}")
            with np.errstate(over="ignore"):
                single = flat.astype(np.float32, copy=False) if flat.dtype.kind == "f" else np.zeros(1)
            if not np.isfinite(single).all():
                raise InputError(
                    f"{planes.name} must be finite in float32, got other values in the window at {told_of_place(box)}; "
                    "a mask leaves out pixels that hold nothing"
                )
            found.append((flat.min(axis=1), flat.max(axis=1)))
            samples.append(flat[:, -int(inside.first[number]) % step :: step].reshape(-1))

        pass_through(planes, steps, digest, n_threads, look)
        lowest, highest = np.min([low for low, _ in found], axis=0), np.max([high for _, high in found], axis=0)
        ends = np.stack([lowest, highest], axis=1)
        converted = inputs.as_image(ends, None, 0, keep_bytes=True)  # as it would be of all pixels
        sample = np.require(np.concatenate(samples), converted.dtype).astype(np.float64)
        low, high = inputs.range_of_sample(sample, planes.count, converted.dtype)
        is_near = inputs.is_near(converted, low, high)
        return cls(planes, converted.dtype, low, high, inputs.without_far_values(converted, low, high), is_near)

    def read(self, values: np.ndarray) -> np.ndarray:
        """The channels of a window of the image."""
        channels = np.require(values, self.dtype, ["C", "A"])
        return channels if self.is_near else inputs.drawn_in(channels, self.low, self.high)


def told_of_place(box: Box) -> str:
    """Where a box lies, for errors."""
    return "(" + ", ".join(f"{side.start}:{side.stop}" for side in box) + ")"
