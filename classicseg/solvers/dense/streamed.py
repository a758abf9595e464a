"""Mean field of an image that passes by in windows: labels are those of the run in memory, to the bit.

What depends on the number of vertices stays in memory: their keys, which say where they are, their neighbours, and two
arrays of rows, one with the messages that points read and one that they splat into. What depends on the number of
points passes by once for every update: colours and costs. The corners of points are found again each time, and their
marginals live for as long as a block of 16 points is worked on. So neither halo nor seam exists: there is one lattice,
that of the whole image, in absolute coordinates.

Why labels are the same to the bit: a sum of floating-point numbers depends on its order alone. Points are cut into the
stripes of the run in memory, at most 16 with borders that depend on their number only. A stripe meets its vertices, and
splats, in the order of its points, whatever windows these come in, into rows of its own; what stripes have in common is
added afterwards, in the order of the stripes. A window holds whole blocks; what is left of one begins the next. All
else, such as barycentric weights, row sums and softmax, belongs to single points, and is done by the same code.

Two stripes pass by at the same time with two threads. After every update the rows can be saved: together with the
vertices they are all that the next update starts from.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np

from classicseg.filters.bands.bank import BandedBank
from classicseg.filters.streamed import PassingLattices, StreamedBank
from classicseg.kernels.dense.bank import RowLayout
from classicseg.kernels.dense.streamed import update_window
from classicseg.kernels.dense.unary import Unary
from classicseg.machine.simd import PIXELS, padded_pixels
from classicseg.machine.threads import map_tasks
from classicseg.solvers.dense.plan import Plan

NO_ROWS = np.empty(0, np.float32)
"""In place of a row array."""


class Window(NamedTuple):
    """Points that follow each other: a multiple of 16 but for the last window of a stripe."""

    start: int  # the first point
    features: np.ndarray  # (sum of d, n + 16) float32, lattice after lattice
    unary: Unary  # costs of the labels, or their difference where two are paired
    at: int  # where among the points of `unary` the window begins
    pixels: np.ndarray | None  # (n,) int64: where the points lie in the image, in C order; None: as many points before
    rest: np.ndarray = NO_ROWS  # (n,) float32: cost of one label that stands for those that were left out, or empty

    @property
    def n(self) -> int:
        """Number of points."""
        return self.features.shape[1] - PIXELS

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return padded_pixels(self.n) // PIXELS


class Passage(Protocol):
    """An image that passes by."""

    def windows(self, start: int, stop: int) -> Iterator[Window]:
        """The points `start` to `stop` - 1, window by window."""

    def write(self, window: Window, labels: np.ndarray) -> None:
        """Take (n,) int32 labels of the points of a window."""


class Progress(NamedTuple):
    """How far the updates are."""

    done: int  # updates whose messages are known
    rows: np.ndarray  # these messages, a row array; empty before the first update


def pass_stripe(
    passage: Passage, lattices: PassingLattices, s: int, source: np.ndarray, target: np.ndarray, layout: RowLayout
) -> None:
    """Update the points of stripe `s` from the messages in `source`; splat them into `target`, or write labels.

    Parameters
    ----------
    passage : Passage
    lattices : PassingLattices
    s : int
    source, target : row arrays, or `NO_ROWS`
        Before the first update there is no source, and after the last one no target, but labels.
    layout : RowLayout
    """
    stripe = lattices.stripe(s, source, NO_ROWS, target, layout)
    for window in passage.windows(int(lattices.borders[s]), int(lattices.borders[s + 1])):
        stripe.reach(window.start, window.start + window.n)
        room = stripe.located(window.features, np.ones(window.n_blocks, np.uint8))
        labels = np.empty(window.n if target.size == 0 else 0, np.int32)
        update_window(room, window.n_blocks, window.unary, window.at, source, target, layout, labels)
        if target.size == 0:
            passage.write(window, labels)


def update_passing(
    passage: Passage,
    lattices: StreamedBank | BandedBank,
    plan: Plan,
    n_iter: int,
    n_threads: int,
    *,
    begin: Progress | None = None,
    after: Callable[[Progress], None] = lambda progress: None,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Run `n_iter` updates, and write the labels that they lead to.

    Parameters
    ----------
    passage : Passage
    lattices : StreamedBank or BandedBank
    plan : Plan
        Of the bank of these lattices.
    n_iter, n_threads : int
    begin : Progress, optional
        Go on from there.
    after : callable
        Called after every update; the rows are its own until it returns.
    tick : callable
        Called whenever a stripe has passed by.
    """
    bank, layout = lattices.bank, plan.pairwise.layout
    rows = [lattices.new_rows(layout), lattices.new_rows(layout)]
    done = 0
    if begin is not None and begin.done > 0:
        done = begin.done
        rows[(done - 1) % 2] = lattices.copied(begin.rows)

    def update(it: int, s: int) -> None:
        source, target = rows[1 - it % 2] if it > 0 else NO_ROWS, rows[it % 2] if it < n_iter else NO_ROWS
        pass_stripe(passage, lattices, s, source, target, layout)
        tick()

    for it in range(done, n_iter + 1):
        map_tasks(functools.partial(update, it), bank.stripe.size - 1, n_threads)
        if it < n_iter:
            lattices.blur(plan.pairwise, rows[it % 2], rows[1 - it % 2], n_threads)
            after(Progress(it + 1, rows[it % 2]))
