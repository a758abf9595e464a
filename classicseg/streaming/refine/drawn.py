"""Drawn labels as the costs that a refinement starts from, read window by window."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from classicseg import inputs
from classicseg.energies.unary import unary_from_labels
from classicseg.errors import InputError
from classicseg.io.classes import VOID
from classicseg.io.raster import profile_of
from classicseg.io.windows import as_source
from classicseg.machine.threads import map_tasks
from classicseg.streaming.raster import Box, Planes, Steps, told_of_place

_CONFIDENCE = 0.7  # where nothing else is said, as `unary_from_labels` has it


class DrawnLabels:
    """Labels as a source of costs, (L, *spatial) float32: those of :func:`unary_from_labels`.

    All labels are looked at once, to know how many there are. A file of 0 and 255 alone is a mask of the object, unless
    an `ignore_label` is given.

    Parameters
    ----------
    given : array_like or path, spatial shape
    name : str
        For errors.
    confidence : float, optional
    ignore_label : int, optional
        That of unknown pixels, by default 255.
    n_threads : int

    Attributes
    ----------
    shape, dtype, chunks, profile
        As sources have them.
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self, given: Any, name: str, confidence: float | None = None, ignore_label: int | None = None,
        n_threads: int = 1,
    ) -> None:  # fmt: skip
        source = as_source(given, name)
        self._labels, self._name = Planes(source, None, name), name
        if not self._labels.grid:
            raise InputError(f"{name} must have at least 1 axis, got a single number")
        self._confidence = _CONFIDENCE if confidence is None else confidence
        self._unknown = VOID if ignore_label is None else inputs.as_int32(ignore_label, "ignore_label")
        n_known, last = self._looked_at(n_threads)
        self._is_mask = ignore_label is None and n_known not in (0, np.prod(self._labels.grid)) and last == 0
        if self._is_mask:
            warnings.warn(
                f"{name} holds 0 and {VOID} only: it is taken for a mask of the object; --ignore-label {VOID} makes "
                f"{VOID} unknown",
                stacklevel=2,
            )
            last = 1
        self._n_labels, chunk = max(2, last + 1), self._labels.chunk(0)
        self.shape = (self._n_labels, *self._labels.grid)
        self.chunks = None if chunk is None else (self._n_labels, chunk, *self._labels.grid[1:])
        self.profile = profile_of(source)
        self[tuple(slice(0, 1) for _ in self.shape)]  # refuses a confidence that cannot be one

    def __getitem__(self, window: tuple[slice, ...]) -> np.ndarray:
        """The costs of a window, a slice for the labels and one for each axis."""
        labels = self._labels.read(window[1:])[0]
        if self._is_mask:
            labels = labels == VOID
        unknown = None if self._is_mask else self._unknown
        costs = unary_from_labels(labels, self._n_labels, confidence=self._confidence, ignore_label=unknown)
        return costs[window[0]]

    def _looked_at(self, n_threads: int) -> tuple[int, int]:
        """How many pixels are known, and the largest label that is, or -1."""
        steps = Steps(self._labels.grid, self._labels.chunk(0))
        boxes: list[Box] = [box for _, box in steps.boxes(0, steps.count)]

        def look(i: int) -> tuple[int, int]:
            values = self._labels.read(boxes[i])[0]
            try:
                labels = inputs.as_labels(values, None, 2**31 - 1, self._unknown, name=self._name)
            except InputError as failure:
                where = f" (counted in the window at {told_of_place(boxes[i])})" if len(boxes) > 1 else ""
                raise InputError(f"{failure}{where}") from failure
            known = labels[labels != self._unknown]
            return known.size, int(known.max(initial=-1))

        seen = map_tasks(look, len(boxes), n_threads)
        return sum(n for n, _ in seen), max(last for _, last in seen)
