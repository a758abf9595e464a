"""The updates of an image that passes by, one way after the other, as they are tried in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from classicseg.filters.bands.bank import BandedBank
from classicseg.filters.building import stripes_of
from classicseg.filters.streamed import StreamedBank
from classicseg.solvers.dense.active import MOST_DIFFER, limits_of
from classicseg.solvers.dense.plan import Plan
from classicseg.solvers.dense.prospects import FEWEST
from classicseg.solvers.dense.sampled import is_sampled
from classicseg.solvers.dense.streamed import Progress, update_passing
from classicseg.solvers.dense.streamed_active import Activity, update_active
from classicseg.solvers.dense.streamed_sample import StreamedStakes, label_by_sample, stakes_of
from classicseg.solvers.run import progress_bar
from classicseg.streaming.refine.kept_state import KeptState
from classicseg.streaming.refine.lattices import lattices_of
from classicseg.streaming.refine.passage import Passing
from classicseg.streaming.refine.sampled_passage import SampledPassing
from classicseg.streaming.refine.survey import Prepared


class Job(NamedTuple):
    """A streamed run that has looked at everything, and where its labels go."""

    ready: Prepared
    state: KeptState
    options: dict[str, Any]
    n_threads: int
    write: Callable[[int, np.ndarray], None]  # takes labels of the pixels from some one on
    fill: int  # the label of pixels that take no part

    def passing(self) -> Passing:
        """The raster on its way, with the lattices of its kernels."""
        return self.ready.passing(self.write, self.fill)

    @contextlib.contextmanager
    def bar(self, n_passes: int) -> Iterator[Callable[[], None]]:
        """A progress bar of so many passes, if it is wanted: to be called whenever a stripe has passed by."""
        n_stripes = stripes_of(self.ready.raster.inside.n_points)
        bar = progress_bar("refine", n_stripes * n_passes) if self.options.get("progress", False) else None
        try:
            yield (lambda: None) if bar is None else bar.update
        finally:
            if bar is not None:
                bar.close()


class StreamRun:
    """Updates of an image that passes by.

    Parameters
    ----------
    job : Job
    """

    def __init__(self, job: Job) -> None:
        self._job, self._ready, self._state, self._n_threads = job, job.ready, job.state, job.n_threads
        self._passing, self._n_points = job.passing(), job.ready.raster.inside.n_points
        self._n_iter, self._everything = job.ready.preset.max_iter, np.arange(job.ready.raster.costs.planes.count)

    def label_all(self, *, exact: bool) -> None:
        """Write the labels that the same run in memory finds; from where the state says on.

        As there, a sample is updated, then blocks of points that are active; if either changes too many labels, or if
        the run is to be `exact`, all of the work is done.
        """
        stakes = None
        if not exact and self._n_iter >= FEWEST and self._state.progress() is None:
            sampled = SampledPassing(self._passing)
            stakes = stakes_of(sampled, self._ready.costs(), self._n_iter, self._n_threads)
            if stakes.alive.size == 1:
                self._label_alike(stakes.alive)
                return
            tried = self._state.is_begun or not is_sampled(self._n_points)
            if not tried and label_by_sample(sampled, self._passing.spaces, stakes, self._n_iter, self._n_threads):
                return
        lattices = lattices_of(
            self._ready, self._passing, self._state, self._n_threads, self._job.bar, prunes=stakes is not None
        )
        if stakes is not None:
            if self._prune(lattices, stakes):
                return
            self._state.keep(Progress(0, np.empty(0, np.float32)))  # from now on it is known that this does not do
        self._update_all(lattices)

    def _label_alike(self, label: np.ndarray) -> None:
        """Write one label everywhere."""
        self._passing.choose(label)
        for window in self._passing.windows(0, self._n_points):
            self._passing.write(window, np.zeros(window.n, np.int32))

    def _prune(self, lattices: StreamedBank | BandedBank, stakes: StreamedStakes) -> bool:
        """Update only what can still change; False if too many labels may be others for that."""
        passing, begin = self._passing, self._state.activity()
        plan = Plan(lattices.bank, lattices.gains, stakes.costs, pair=stakes.lost.size == 0)
        passing.choose(stakes.alive, stakes.lost)
        passing.is_paired = plan.is_paired
        with self._job.bar(self._n_iter + 1 - (0 if begin is None else begin.done)) as tick:
            doubt = update_active(
                passing, lattices, plan, limits_of(stakes, True), self._n_iter, self._n_threads,
                self._state.points(self._n_points), begin=begin, after=self._keeping(lattices), tick=tick,
            )  # fmt: skip
        self._state.forget_points()
        nothing_left_out = stakes.alive.size == self._everything.size and not doubt.settled
        return nothing_left_out or doubt.doubtful <= MOST_DIFFER

    def _keeping(self, lattices: StreamedBank | BandedBank) -> Callable[[Progress | Activity], None]:
        """What keeps how far updates are."""
        keep = self._state.keep
        return partial(keep, pieces=lattices.pieces) if isinstance(lattices, BandedBank) else keep

    def _update_all(self, lattices: StreamedBank | BandedBank) -> None:
        """Do all of the work."""
        passing, begin = self._passing, self._state.progress()
        plan = Plan(lattices.bank, lattices.gains, self._ready.costs(), pair=True)
        passing.choose(self._everything)
        passing.is_paired = plan.is_paired
        with self._job.bar(self._n_iter + 1 - (0 if begin is None else begin.done)) as tick:
            update_passing(
                passing, lattices, plan, self._n_iter, self._n_threads, begin=begin, after=self._keeping(lattices),
                tick=tick,
            )  # fmt: skip
