"""Mean field of an image that passes by, only where it matters: labels are those of the same run in memory.

What :func:`classicseg.solvers.dense.active.infer_pruned` keeps of single points, the labels and marginals with which
they settled and their leads after the last update, is written to files, and only where blocks have settled or labels
might be other ones. What it keeps of blocks, whether they are active, stays in memory: a byte for 16 points.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from classicseg.filters.bands.bank import BandedBank
from classicseg.filters.streamed import StreamedBank
from classicseg.kernels.dense.active import BASE, CORNER, NEAR, WORTHWHILE
from classicseg.kernels.dense.streamed_active import Known, doubtful_of_window, label_window, settle_window
from classicseg.machine.simd import PIXELS
from classicseg.machine.threads import map_tasks
from classicseg.solvers.dense.plan import Plan
from classicseg.solvers.dense.streamed import NO_ROWS, Passage, Window

_ROUNDING = np.float32(1 + 1e-6)  # blocks are looked at once more where it is not clear without


class ActivePassage(Passage, Protocol):
    """An image that passes by, also without its costs."""

    def features(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Features of the points `start` to `stop` - 1, window by window, (sum of d, m + 16)."""


class PointValues(Protocol):
    """A number for each point, kept elsewhere; 0 where nothing was written."""

    def read(self, start: int, n: int) -> np.ndarray:
        """Those of `n` points."""

    def write(self, start: int, values: np.ndarray) -> None:
        """Keep those of some points."""


class PointMemory(NamedTuple):
    """What is known of single points."""

    certainty: PointValues  # float32: largest marginal of settled points
    label: PointValues  # int32: its label
    lead: PointValues  # float32: leads after the last update, where labels might be other ones


class Activity(NamedTuple):
    """How far the updates are."""

    done: int  # updates whose messages are known
    last: int  # the update that gives the labels
    rows: np.ndarray  # messages, a row array
    base: np.ndarray  # what settled blocks have splatted, a row array; empty: none may settle yet
    active: np.ndarray  # (n_blocks,) uint8, 1 for active blocks


class Doubt(NamedTuple):
    """What pruning did."""

    doubtful: float  # share of points whose labels may be others, had no block settled
    settled: bool  # whether any has


def update_active(
    passage: ActivePassage,
    lattices: StreamedBank | BandedBank,
    plan: Plan,
    limits: np.ndarray,
    n_iter: int,
    n_threads: int,
    points: PointMemory,
    *,
    begin: Activity | None = None,
    after: Callable[[Activity], None] = lambda activity: None,
    tick: Callable[[], None] = lambda: None,
) -> Doubt:
    """Run up to `n_iter` updates of blocks that are active, and write the labels that they lead to.

    Parameters
    ----------
    passage : ActivePassage
        Its windows have the cost of a rest, if there is one.
    lattices, plan, n_threads, begin, after, tick
        As in :func:`classicseg.solvers.dense.streamed.update_passing`.
    limits : ndarray, (4,), float32
        See :func:`classicseg.solvers.dense.active.limits_of`.
    n_iter : int, at least 1
    points : PointMemory
        Empty, or as it was left after `begin`.
    """
    return _Run(passage, lattices, plan, limits, n_threads, points, tick).whole(n_iter, begin, after)


class _Run:
    """See :func:`update_active`."""

    def __init__(
        self,
        passage: ActivePassage,
        lattices: StreamedBank | BandedBank,
        plan: Plan,
        limits: np.ndarray,
        n_threads: int,
        points: PointMemory,
        tick: Callable[[], None],
    ) -> None:
        self._passage, self._lattices, self._plan, self._limits = passage, lattices, plan, limits
        self._n_threads, self._points, self._tick = n_threads, points, tick
        self._bank, self._layout = lattices.bank, plan.pairwise.layout
        self._rows, self._base = [lattices.new_rows(self._layout), lattices.new_rows(self._layout)], NO_ROWS
        self._active = np.ones(int(self._bank.stripe[-1]), np.uint8)
        self._near = np.zeros(self._active.size, np.uint8)

    def whole(self, n_iter: int, begin: Activity | None, after: Callable[[Activity], None]) -> Doubt:
        """All updates, and what they have left in doubt."""
        it, last = 0, n_iter
        if begin is not None:
            it, last = begin.done, begin.last
            self._active[:] = begin.active
            self._rows[(it - 1) % 2] = self._lattices.copied(begin.rows)
            if begin.base.size > 0:
                self._base = self._lattices.copied(begin.base)
        while it < last:
            begins = 3 * it <= n_iter  # only a block that settles soon saves more than it costs to look after it
            watched = it < last - 1 and (self._base.size > 0 or begins)
            n_sure = sum(self._pass(functools.partial(self._settle, it, watched)))
            if begins and self._base.size == 0 and self._is_worthwhile(n_sure):
                self._base = self._lattices.new_rows(self._layout)
            self._blur(it)
            it += 1
            if not self._active.any():
                last = it
            after(Activity(it, last, self._rows[(it - 1) % 2], self._base, self._active))
        found = self._pass(functools.partial(self._label, it))
        n_doubtful, n = sum(below for below, _ in found), int(self._lattices.borders[-1])
        if any(changed for _, changed in found):
            self._blur(it)
            n_doubtful = sum(self._pass(functools.partial(self._doubtful, it)))
        return Doubt(n_doubtful / n, not self._active.all())

    def _pass(self, stripe: Callable[[int], Any]) -> list[Any]:
        """Let all stripes pass by."""
        return map_tasks(stripe, self._bank.stripe.size - 1, self._n_threads)

    def _is_worthwhile(self, n_sure: int) -> bool:
        """Whether so many blocks that settle are worth rows that start from a base."""
        saved = n_sure * PIXELS * int(self._bank.corner_start[-1]) * CORNER
        return n_sure >= WORTHWHILE * self._active.size and saved >= BASE * 4 * self._plan.rows_size

    def _blur(self, it: int) -> None:
        """Turn what was splatted in an update into messages."""
        self._lattices.blur(self._plan.pairwise, self._rows[it % 2], self._rows[1 - it % 2], self._n_threads)

    def _windows(self, s: int) -> Iterator[tuple[Window, slice]]:
        """Those of a stripe, and which of all blocks are theirs."""
        for window in self._passage.windows(int(self._lattices.borders[s]), int(self._lattices.borders[s + 1])):
            first = window.start // PIXELS
            yield window, slice(first, first + window.n_blocks)

    def _settle(self, it: int, watched: bool, s: int) -> int:
        """Update the active blocks of a stripe; returns how many are sure."""
        source, target = self._rows[1 - it % 2] if it > 0 else NO_ROWS, self._rows[it % 2]
        enough, n_sure = self._limits[min(it, 2)] if watched else np.float32(np.inf), 0
        stripe = self._lattices.stripe(s, source, self._base, target, self._layout)
        for window, blocks in self._windows(s):
            active = self._active[blocks]
            stripe.reach(window.start, window.start + window.n)
            if not active.any():
                continue
            room = stripe.located(window.features, active)
            before, known = active.copy(), _known(active, window.n)
            n_sure += settle_window(
                room, window.n_blocks, window.unary, window.at, window.rest, source, target, self._base, self._layout,
                enough, known,
            )  # fmt: skip
            self._keep(window.start, before != active, known)
        self._tick()
        return n_sure

    def _keep(self, start: int, settled: np.ndarray, known: Known) -> None:
        """Write what is known of blocks that have `settled` just now."""
        if not settled.any():
            return
        which = np.repeat(settled, PIXELS)[: known.label.size]
        for values, new in ((self._points.certainty, known.certainty), (self._points.label, known.label)):
            values.write(start, np.where(which, new, values.read(start, new.size)))

    def _label(self, it: int, s: int) -> tuple[int, int]:
        """Write the labels of a stripe; returns how many leads could be turned by less than a change, and how many
        blocks have changed.
        """
        source, target, n_below, n_changed = self._rows[1 - it % 2], self._rows[it % 2], 0, 0
        near = _ROUNDING * (NEAR * self._limits[2] + self._limits[3])
        stripe = self._lattices.stripe(s, source, NO_ROWS, target, self._layout)
        for window, blocks in self._windows(s):
            n, active = window.n, self._active[blocks]
            stripe.reach(window.start, window.start + n)
            room = stripe.located(window.features, np.ones_like(active))
            known = _known(active, n)
            if not active.all():
                known = Known(
                    active, self._points.certainty.read(window.start, n), self._points.label.read(window.start, n)
                )
            leads, labels = np.empty(n, np.float32), np.empty(n, np.int32)
            n_changed += label_window(
                room, window.n_blocks, window.unary, window.at, window.rest, source, target, self._layout, known, leads,
                labels,
            )  # fmt: skip
            self._passage.write(window, labels)
            n_below += int(np.count_nonzero(leads < self._limits[3]))
            self._near[blocks] = np.minimum.reduceat(leads, np.arange(0, n, PIXELS)) < near
            if self._near[blocks].any():
                self._points.lead.write(window.start, leads)
        self._tick()
        return n_below, n_changed

    def _doubtful(self, it: int, s: int) -> int:
        """How many points of a stripe might have another label, as blocks have changed after they settled."""
        changes, n_doubtful, start = self._rows[it % 2], 0, int(self._lattices.borders[s])
        stripe = self._lattices.stripe(s, changes, NO_ROWS, NO_ROWS, self._layout)
        for features in self._passage.features(start, int(self._lattices.borders[s + 1])):
            n, first = features.shape[1] - PIXELS, start // PIXELS
            near = self._near[first : first + -(-n // PIXELS)]
            stripe.reach(start, start + n)
            if near.any():
                room = stripe.located(features, near)
                leads = self._points.lead.read(start, n)
                n_doubtful += doubtful_of_window(room, near, changes, self._layout, leads, self._limits)
            start += n
        return n_doubtful


def _known(active: np.ndarray, n: int) -> Known:
    """Of `n` points whose blocks are `active`, nothing."""
    return Known(active, np.empty(n, np.float32), np.empty(n, np.int32))
