"""An image passes by in bands, each of which is cut."""

from __future__ import annotations

from collections.abc import Callable

from classicseg.errors import BudgetError
from classicseg.machine.memory import give_back
from classicseg.pipelines.cut_plan import LEAST
from classicseg.pipelines.cut_problem import CutProblem, in_gib
from classicseg.pipelines.cut_state import BandState
from classicseg.solvers.cut.bands import Band, cut_band


def settle(problem: CutProblem, state: BandState, window: int | None, tell: Callable[[int], object]) -> None:
    """Settle all pixels, band by band, from where the state says on; ``tell(n)`` hears of `n` rows more."""
    costs, progress, length = problem.costs, state.progress, problem.costs.shape[0]
    while (stop := progress.bands[-1].stop if progress.bands else 0) < length:
        band = _next_band(progress.begin, stop, problem, window)
        bands = [*progress.bands, band]
        begin, n_open = cut_band(costs, state.codes, bands, problem.n_threads)
        progress.bands, progress.begin, progress.n_open = bands, begin, max(progress.n_open, n_open)
        state.keep()
        give_back()
        tell(band.stop - band.start)


def _next_band(begin: int, start: int, problem: CutProblem, window: int | None) -> Band:
    """The next band; raises if it would be too large."""
    most, length = problem.most_rows, problem.costs.shape[0]
    left, room, least = length - start, most - (start - begin), max(1, most // LEAST)
    if room < min(left, least):
        raise BudgetError(
            f"the rows {begin} to {start - 1} hold pixels that depend on what lies behind them; with {least} rows more "
            f"a band would take {in_gib((start - begin + least + 2) * problem.bytes_of_row)}: give "
            f"{problem.remedy}"
        )
    return Band(begin, start, start + min(left, room, left if window is None else window))
