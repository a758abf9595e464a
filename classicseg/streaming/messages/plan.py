"""What streamed message passing will take, told before it begins."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Unpack

from classicseg.io.sources import bytes_to_unpack, told_of_unpacking
from classicseg.kernels.messages.trws import BACKWARD, FORWARD
from classicseg.solvers.messages.costs import Scale
from classicseg.streaming.cut.problem import IteratedOptions, checked, in_gib
from classicseg.streaming.messages.problem import TrwsProblem
from classicseg.streaming.messages.slabs import Passing

_TRIED = 2**20  # pixels of the slab that is tried


@dataclass(frozen=True)
class TrwsPlan:
    """What :func:`trws_streamed` will take.

    Attributes
    ----------
    shape : tuple of int
        Spatial shape.
    n_labels : int
    n_points : int
        Pixels that take part.
    n_rows : int
        Rows (or slices) of a band.
    memory : float
        Bytes beyond those of the process before.
    scratch : float
        Bytes on the disk for the state, while it runs; labels are not counted.
    unpacked : float
        Bytes in the folder for temporary files, while it runs, into which scans (NIfTI) are unpacked.
    moved : float
        Bytes that an iteration reads and writes.
    seconds : float
        Of the passes of an iteration, as those over a few rows have taken; reading, writing and energies not counted.

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample()
    >>> plan = cs.plan_trws(cs.unary_from_probabilities(s.probabilities), 2.0, image=s.image, window=32)
    >>> plan.n_labels, plan.n_rows, plan.n_points == s.truth.size
    (5, 32, True)
    """

    shape: tuple[int, ...]
    n_labels: int
    n_points: int
    n_rows: int
    memory: float
    scratch: float
    unpacked: float
    moved: float
    seconds: float

    def __str__(self) -> str:
        size = " x ".join(map(str, self.shape))
        memory, scratch, moved = map(in_gib, (self.memory, self.scratch, self.moved))
        return (
            f"{size} pixels, {self.n_points} inside, {self.n_labels} labels: bands of {self.n_rows} rows, {memory} of "
            f"memory, {scratch} of scratch space{told_of_unpacking(self.unpacked)}; an iteration takes about "
            f"{self.seconds:.3g} s, and reads and writes {moved}"
        )


def plan_trws(
    unary: Any,
    weights: Any = 1.0,
    *,
    compatibility: Any = None,
    image: Any = None,
    beta: float | None = None,
    connectivity: int | None = None,
    mask: Any = None,
    **options: Unpack[IteratedOptions],
) -> TrwsPlan:
    """Say what :func:`trws_streamed` will take: everything is looked at once, and a few rows are tried.

    Parameters
    ----------
    unary, weights, compatibility, image, beta, connectivity, mask, **options
        As in :func:`trws_streamed`.

    Returns
    -------
    TrwsPlan

    Raises
    ------
    ValueError, TypeError
        As :func:`trws_streamed` does, before it begins.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> plan = cs.plan_trws(np.zeros((3, 500, 40)), memory=5e6)
    >>> plan.memory < 5e6, plan.scratch < 5e6
    (True, True)
    """
    chosen = checked(options, IteratedOptions, "plan_trws")
    problem = TrwsProblem(unary, weights, compatibility, image, beta, connectivity, mask, chosen)
    costs, layout, cutting = problem.costs, problem.cutting.layout, problem.cutting
    given = list(weights.values()) if isinstance(weights, Mapping) else []
    n_numbers = layout.n_bands * (2 * layout.planes_of_band + layout.weights_of_band)
    return TrwsPlan(
        costs.shape,
        costs.n_labels,
        problem.inside.n_points,
        min(problem.n_steps * cutting.step, cutting.length),
        problem.memory,
        problem.scratch,
        sum(map(bytes_to_unpack, (unary, image, mask, *given))),
        2 * 4.0 * n_numbers,
        _tried(problem),
    )


def _tried(problem: TrwsProblem) -> float:
    """Seconds of the passes of an iteration."""
    costs, cutting = problem.costs, problem.cutting
    in_a_step = math.prod(costs.shape[1:]) * cutting.step
    n_steps = min(problem.n_steps, max(1, _TRIED // in_a_step))
    scale = Scale(problem.table, 1.0, cutting.layout.n_chains, lambda: (0.0, 1.0))
    passing = Passing(costs, cutting, problem.table, scale, n_steps)
    slab = cutting.slabs(n_steps)[0]
    passing.begin(slab)
    passing.fill()
    passing.run(FORWARD)  # kernels are loaded now
    passing.begin(slab)
    start = time.perf_counter()
    passing.run(BACKWARD)
    passing.begin(slab)
    passing.run(FORWARD)
    return (time.perf_counter() - start) * cutting.length / (slab.stop - slab.first)
