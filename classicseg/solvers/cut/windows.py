"""A minimum cut found again where costs changed: in a window, which grows until nothing flows over its border.

A cut is minimal if no pixel on the side of the source has a deficit, none on that of the sink an excess, and no edge
from the one side to the other has room. After a change that can only be wrong near the change. A window around it is
cut on its own, with the pixels at its border held on their sides: those on the side of the source have as much excess
as can flow, the others as much deficit. If nothing flows to or from them, what is outside is as right as it was before,
and window and rest together are a minimum cut. Otherwise the window grows beyond the borders that something flowed
over; the flow is kept, and what flowed is what the larger window begins with.

Kohli, Torr, "Dynamic graph cuts for efficient inference in Markov random fields", IEEE TPAMI 29(12), 2007,
doi:10.1109/TPAMI.2007.1128 (flows that outlive a change of costs).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np

Box = tuple[slice, ...]

_MARGIN = {1: 64, 2: 16, 3: 4}
"""Pixels around a change that the first window has, by the number of axes."""

_SHARE = 0.25  # of the pixels: cutting a larger window takes as long as cutting all


class Piece(NamedTuple):
    """A part of a flow network, as if there were nothing around it."""

    excess: np.ndarray
    """Of each pixel, (depth, height, width); may be written to."""
    sides: np.ndarray
    """After a cut, 1 for pixels on the side of the sink, 0 on that of the source: (1, n)."""
    cut: Callable[[int, Callable[[], float]], float]
    """Push a maximum flow with so many threads, in rounds until the loss is what the callable gives as enough.

    It may look at `excess`. Returns the loss.
    """
    give_back: Callable[[], None]
    """Let the network be what the piece has become."""


class Flow(Protocol):
    """A flow network of a whole grid."""

    @property
    def most(self) -> float:
        """More than the edges of a pixel can carry."""
        ...

    def piece(self, box: Box) -> Piece:
        """What is left in a box of slices, rows and columns, without the edges that lead out of it."""
        ...


class Found(NamedTuple):
    """The cut in a window."""

    box: Box
    sides: np.ndarray
    loss: float
    """How much further the cut can be from the best one than it was before."""


def cut_near(flow: Flow, sides: np.ndarray, change: Box, enough: float, n_threads: int) -> Found | None:
    """Cut again after the excess changed in a box.

    Parameters
    ----------
    flow : Flow
    sides : ndarray, (depth, height, width), uint8
        Of the cut before the change; not written to.
    change : tuple of slice
    enough : float
        How much may be lost, where numbers are rounded.
    n_threads : int

    Returns
    -------
    Found or None
        None if the window would have to be so large that all may as well be cut. The flow is kept then, too.
    """
    shape = sides.shape
    margin = _MARGIN[max(1, sum(length > 1 for length in shape))]
    box = tuple(_widened(side, margin, margin, length) for side, length in zip(change, shape, strict=True))
    while math.prod(side.stop - side.start for side in box) <= _SHARE * sides.size:
        piece = flow.piece(box)
        border = _border(box, shape)
        before = sides[box]
        kept = piece.excess[border]
        held = np.where(before[border] == 1, -flow.most, flow.most).astype(kept.dtype)
        piece.excess[border] = held
        loss = piece.cut(n_threads, partial(_enough, piece.excess, border, held, enough))
        leak = piece.excess[border] - held
        piece.excess[border] = kept + leak
        piece.give_back()
        leak = np.abs(leak)
        leaked = float(leak.sum(dtype=np.float64))
        if leaked <= enough:
            after = piece.sides.reshape(before.shape)
            after[border] = before[border]
            return Found(box, after, loss + leaked)
        leaks = np.zeros(before.shape, bool)
        leaks[border] = leak * leak.size > enough
        box = _grown(box, leaks, shape)
    return None


def bounds(where: np.ndarray, box: Box) -> Box | None:
    """The bounding box of where an array over a box is not 0; None if that is nowhere."""
    if not where.any():
        return None
    sides = []
    for axis, side in enumerate(box):
        found = np.flatnonzero(where.any(axis=tuple(other for other in range(len(box)) if other != axis)))
        sides.append(slice(side.start + int(found[0]), side.start + int(found[-1]) + 1))
    return tuple(sides)


def hull(a: Box | None, b: Box | None) -> Box | None:
    """The bounding box of two boxes, either of which may be missing."""
    if a is None or b is None:
        return a or b
    return tuple(slice(min(x.start, y.start), max(x.stop, y.stop)) for x, y in zip(a, b, strict=True))


def _enough(excess: np.ndarray, border: np.ndarray, held: np.ndarray, enough: float) -> float:
    """What loss is enough for a window: any if it must grow anyway."""
    return enough if np.abs(excess[border] - held).sum() <= enough else np.inf


def _widened(side: slice, before: int, behind: int, length: int) -> slice:
    return slice(max(0, side.start - before), min(length, side.stop + behind))


def _border(box: Box, shape: tuple[int, ...]) -> np.ndarray:
    """Bool: the pixels of a box that have neighbours outside of it."""
    border = np.zeros([side.stop - side.start for side in box], bool)
    for axis, (side, length) in enumerate(zip(box, shape, strict=True)):
        faces = np.moveaxis(border, axis, 0)
        if side.start > 0:
            faces[0] = True
        if side.stop < length:
            faces[-1] = True
    return border


def _grown(box: Box, leaks: np.ndarray, shape: tuple[int, ...]) -> Box:
    """The box, half as large again on each side that has leaks."""
    sides = []
    for axis, (side, length) in enumerate(zip(box, shape, strict=True)):
        faces = np.moveaxis(leaks, axis, 0)
        step = max(8, (side.stop - side.start) // 2)
        before = step if side.start > 0 and faces[0].any() else 0
        behind = step if side.stop < length and faces[-1].any() else 0
        sides.append(_widened(side, before, behind, length))
    return tuple(sides)
