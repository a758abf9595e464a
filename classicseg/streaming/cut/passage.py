"""An image passes by in bands, each of which is cut."""

from __future__ import annotations

from collections.abc import Callable

from classicseg.errors import BudgetError
from classicseg.machine.memory import give_back
from classicseg.solvers.cut.bands import cut_band
from classicseg.solvers.cut.zones import Band
from classicseg.streaming.cut.plan import LEAST
from classicseg.streaming.cut.problem import CutProblem, in_gib
from classicseg.streaming.cut.state import BandState


def settle(problem: CutProblem, state: BandState, tick: Callable[[int], object]) -> None:
    """Cut band after band, each with what the ones before it have left open, from where the state says on.

    ``tick(n)`` is called whenever `n` rows were cut.
    """
    costs, progress, length = problem.costs, state.progress, problem.costs.shape[0]
    while min(stop := progress.bands[-1].stop if progress.bands else 0, progress.begin) < length:
        band = _next_band(progress.begin, stop, problem)
        bands = [*progress.bands, band]
        begin, n_open = cut_band(costs, state.codes, bands, problem.n_threads)
        progress.bands, progress.begin, progress.n_open = bands, begin, max(progress.n_open, n_open)
        state.keep()
        give_back()
        tick(band.stop - band.start)


def _next_band(begin: int, start: int, problem: CutProblem) -> Band:
    """The next band; raises if it would be too large."""
    most, length = problem.most_rows, problem.costs.shape[0]
    left, room, least = length - start, most - (start - begin), max(1, most // LEAST)
    if room < min(left, least):
        raise BudgetError(
            f"the rows {begin} to {start - 1} hold pixels that depend on what lies behind them; with {least} rows more "
            f"a band would take {in_gib((start - begin + least + 2) * problem.bytes_of_row)}: give "
            f"{problem.remedy}"
        )
    return Band(begin, start, start + min(left, room, left if problem.window is None else problem.window))
