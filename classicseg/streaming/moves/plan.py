"""What streamed expansion moves will take, told before they begin."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from classicseg.io.sources import bytes_to_unpack, told_of_unpacking
from classicseg.streaming.cut.plan import try_bands, warm_up
from classicseg.streaming.cut.problem import IteratedOptions, checked, in_gib
from classicseg.streaming.moves.problem import MoveProblem
from classicseg.streaming.moves.state import dtype_of


@dataclass(frozen=True)
class ExpansionPlan:
    """What :func:`expansion_streamed` will take.

    Attributes
    ----------
    shape : tuple of int
        Spatial shape.
    n_labels : int
    n_points : int
        Pixels that take part.
    step : float
        Costs will be rounded to multiples of it.
    certain : float
        Share of the pixels whose costs all of their edges cannot outweigh, in the first moves of the bands that were
        tried.
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
        Of a cycle over all labels, as the bands that were tried have taken. Two cycles are the fewest, most often it is
        three to six.

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample()
    >>> plan = cs.plan_expansion(cs.unary_from_probabilities(s.probabilities), 2.0, image=s.image)
    >>> plan.n_labels, plan.n_points == s.truth.size
    (5, True)
    """

    shape: tuple[int, ...]
    n_labels: int
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
            f"{size} pixels, {self.n_points} inside, {self.n_labels} labels, costs in steps of {self.step:.3g}; "
            f"{self.certain:.1%} are certain, others depend on up to {self.reach} rows: bands of {self.n_rows} rows, "
            f"{memory} of memory ({worst} at worst), {scratch} of scratch space{told_of_unpacking(self.unpacked)}, "
            f"about {self.seconds:.3g} s a cycle"
        )


def plan_expansion(
    unary: Any,
    weights: Any = 1.0,
    *,
    image: Any = None,
    beta: float | None = None,
    connectivity: int | None = None,
    mask: Any = None,
    init: Any = None,
    **options: Unpack[IteratedOptions],
) -> ExpansionPlan:
    """Say what :func:`expansion_streamed` will take: all is looked at once, and bands are tried in the first moves.

    Parameters
    ----------
    unary, weights, image, beta, connectivity, mask, init, **options
        As in :func:`expansion_streamed`.

    Returns
    -------
    ExpansionPlan

    Raises
    ------
    ValueError, TypeError
        As :func:`expansion_streamed` does, before it begins.

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample()
    >>> unary = cs.unary_from_probabilities(s.probabilities)
    >>> plan = cs.plan_expansion(unary, 2.0, image=s.image, init=unary.argmin(axis=0), memory=5e6)
    >>> plan.reach < plan.n_rows < len(s.image)
    True
    """
    chosen = checked(options, IteratedOptions, "plan_expansion")
    problem = MoveProblem(unary, weights, image, beta, connectivity, mask, init, chosen)
    shape, n = problem.costs.shape, problem.n_labels
    n_rows = min(shape[0], problem.most_rows, chosen.get("window", shape[0]))
    warm_up(problem, n_rows)
    trials, seconds = [], 0.0
    for label in range(n):
        problem.costs.label, begin = label, time.perf_counter()
        tried, n_tried = try_bands(problem)
        trials += tried
        seconds += (time.perf_counter() - begin) / n_tried * shape[0]
    given = list(weights.values()) if isinstance(weights, Mapping) else []
    return ExpansionPlan(
        shape,
        n,
        problem.inside.n_points,
        1 / problem.costs.scale,
        float(np.mean([trial.certain for trial in trials])),
        max(trial.reach for trial in trials),
        n_rows,
        (n_rows + 2) * problem.bytes_of_row,
        (shape[0] + 2) * problem.bytes_of_row,
        float(math.prod(shape)) * (1 + dtype_of(n).itemsize),
        sum(map(bytes_to_unpack, (unary, image, mask, init, *given))),
        seconds,
    )


def refuse_moves_beforehand(problem: MoveProblem) -> None:
    """Raise if bands of the size that memory allows will not do for the first moves."""
    if problem.costs.shape[0] > problem.most_rows:
        for label in range(problem.n_labels):
            problem.costs.label = label
            try_bands(problem)
