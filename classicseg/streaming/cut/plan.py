"""What a streamed minimum cut will take, told before it begins."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from classicseg.errors import BudgetError
from classicseg.io.sources import bytes_to_unpack, told_of_unpacking
from classicseg.machine.memory import give_back
from classicseg.solvers.cut.bands import Trial, try_band
from classicseg.streaming.cut.problem import CutOptions, CutProblem, checked, in_gib

LEAST = 8
"""A band has room for new rows: one in so many of those that memory allows."""

_PLACES = 3  # of the image where bands are tried
_FEWEST = 64  # rows of a band that is tried first


@dataclass(frozen=True)
class CutPlan:
    """What :func:`minimum_cut_streamed` will take.

    Attributes
    ----------
    shape : tuple of int
        Spatial shape.
    n_points : int
        Pixels that take part.
    step : float
        Costs will be rounded to multiples of it.
    certain : float
        Share of the pixels whose costs all of their edges cannot outweigh, in the bands that were tried.
    reach : int
        From how many rows, at most, pixels of those bands depend on what lies behind the band.
    n_rows : int
        Rows (or slices) of a band.
    memory : float
        Bytes beyond those of the process before.
    worst : float
        Bytes that a band of everything would take: where no pixel can be told without all of the others.
    scratch : float
        Bytes on the disk for the state, while it runs; labels are not counted.
    unpacked : float
        Bytes in the folder for temporary files, while it runs, into which scans (NIfTI) are unpacked.
    seconds : float
        As the bands that were tried have taken.

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample("nuclei")
    >>> plan = cs.plan_minimum_cut(cs.unary_from_probabilities(s.probabilities), 2.0, image=s.image)
    >>> plan.shape, plan.n_points, plan.n_rows
    ((256, 256), 65536, 256)
    """

    shape: tuple[int, ...]
    n_points: int
    step: float
    certain: float
    reach: int
    n_rows: int
    memory: float
    worst: float
    scratch: float
    unpacked: float
    seconds: float

    def __str__(self) -> str:
        size = " x ".join(map(str, self.shape))
        memory, worst, scratch = map(in_gib, (self.memory, self.worst, self.scratch))
        return (
            f"{size} pixels, {self.n_points} inside, costs in steps of {self.step:.3g}; {self.certain:.1%} are "
            f"certain, others depend on up to {self.reach} rows: bands of {self.n_rows} rows, {memory} of memory "
            f"({worst} at worst), {scratch} of scratch space{told_of_unpacking(self.unpacked)}, about "
            f"{self.seconds:.3g} s"
        )


def plan_minimum_cut(
    unary: Any,
    weights: Any = 1.0,
    *,
    image: Any = None,
    beta: float | None = None,
    connectivity: int | None = None,
    mask: Any = None,
    **options: Unpack[CutOptions],
) -> CutPlan:
    """Say what :func:`minimum_cut_streamed` will take: everything is looked at once, and a few bands are tried.

    Parameters
    ----------
    unary, weights, image, beta, connectivity, mask, **options
        As in :func:`minimum_cut_streamed`.

    Returns
    -------
    CutPlan

    Raises
    ------
    ValueError, TypeError
        As :func:`minimum_cut_streamed` does, before it begins.

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample("nuclei")
    >>> plan = cs.plan_minimum_cut(cs.unary_from_probabilities(s.probabilities), 2.0, image=s.image, memory=2e6)
    >>> plan.reach < plan.n_rows < 256
    True
    """
    start = time.perf_counter()
    chosen = checked(options)
    problem = CutProblem(unary, weights, image, beta, connectivity, mask, chosen)
    shape, looked = problem.costs.shape, time.perf_counter()
    n_rows = min(shape[0], problem.most_rows, chosen.get("window", shape[0]))
    warm_up(problem, n_rows)
    begin = time.perf_counter()
    trials, tried = try_bands(problem)
    seconds = looked - start + 2 * (time.perf_counter() - begin) / tried * shape[0]
    given = list(weights.values()) if isinstance(weights, Mapping) else []
    return CutPlan(
        shape,
        problem.inside.n_points,
        1 / problem.costs.scale,
        float(np.mean([trial.certain for trial in trials])),
        max(trial.reach for trial in trials),
        n_rows,
        (n_rows + 2) * problem.bytes_of_row,
        (shape[0] + 2) * problem.bytes_of_row,
        float(math.prod(shape)),
        sum(map(bytes_to_unpack, (unary, image, mask, *given))),
        seconds,
    )


def warm_up(problem: CutProblem, n_rows: int) -> None:
    """Load kernels, so that trials tell the time."""
    _tried(problem, min(n_rows, _FEWEST))


def refuse_beforehand(problem: CutProblem) -> None:
    """Raise if bands of the size that memory allows will not do."""
    if problem.costs.shape[0] > problem.most_rows:
        try_bands(problem)


def try_bands(problem: CutProblem) -> tuple[list[Trial], int]:
    """What bands in some places are like, and how many rows they had in all; raises if what they leave is too much.

    They become larger until fewer than half of their rows depend on what lies behind.
    """
    length, most = problem.costs.shape[0], min(problem.most_rows, problem.costs.shape[0])
    n, total = min(most, max(_FEWEST, most // LEAST)), 0
    while True:
        trials = _tried(problem, n)
        total += n * len(trials)
        reach = max(trial.reach for trial in trials)
        if 2 * reach < n or most == length:
            return trials, total
        if n == most:
            worst = max(trials, key=lambda trial: trial.n_open)
            raise BudgetError(
                f"of a band of {n} rows, as memory allows, {worst.n_open} pixels depend on what lies around it, in "
                f"{reach} rows; all rows at once would take {in_gib((length + 2) * problem.bytes_of_row)}: give "
                f"{problem.remedy}"
            )
        n = min(2 * n, most)


def _tried(problem: CutProblem, n: int) -> list[Trial]:
    """What bands of `n` rows in some places are like."""
    last = problem.costs.shape[0] - n
    firsts = sorted({int(first) for first in np.linspace(0, last, _PLACES)})
    trials = []
    for first in firsts:
        trials.append(try_band(problem.costs, first, first + n, problem.n_threads))
        give_back()
    return trials
