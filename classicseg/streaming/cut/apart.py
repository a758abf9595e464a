"""Minimum cuts of images that are larger than memory, in bands that are cut apart from each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from classicseg.errors import BudgetError
from classicseg.solvers.cut.apart import cut_alone, cut_joint, with_joints
from classicseg.solvers.cut.bands import prove_band
from classicseg.solvers.cut.zones import OPEN, Band, rows_of
from classicseg.streaming.cut.problem import CutProblem, in_gib
from classicseg.streaming.cut.state import CutState

_BANDS = 16  # of an image, or more where memory asks for it: enough for as many threads of workers
_LEAST = 2**20  # pixels of a band: of smaller ones much is open

Each = Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], Iterator[Any]]
"""``each(task, arguments)`` gives ``task(costs, *given, n_threads)`` of all arguments, in order, whoever does it."""


def cut_apart(problem: CutProblem, state: CutState, tick: Callable[[int], None], each: Each) -> None:
    """Cut all bands, then what they have left open, and prove it; from where the state says on."""
    progress, length = state.progress, problem.costs.shape[0]
    bands = _bands(problem, progress.bands[-1].stop if progress.bands else 0)
    for band, codes in zip(bands, each(cut_alone, ((band,) for band in bands)), strict=True):
        state.codes.write(band.start, codes)
        progress.n_open += int(np.count_nonzero(codes == OPEN))
        if progress.begin == band.start:  # nothing is open yet
            progress.begin += int(np.append(_is_open(codes), True).argmax())
        progress.bands.append(band)
        state.keep()
        tick(band.stop - band.start)
    if progress.begin < length:
        _cut_joints(problem, state, each)
        progress.begin = length
        state.keep()
    left = range(progress.n_proven, len(progress.bands))
    given = ((_codes(state, progress.bands[number], length), progress.bands, number) for number in left)
    for number, proof in zip(left, each(prove_band, given), strict=True):
        progress.add(proof)
        state.keep()
        tick(progress.bands[number].stop - progress.bands[number].start)


def _bands(problem: CutProblem, start: int) -> list[Band]:
    """Those from some row on."""
    length, *rest = problem.costs.shape
    n = max(-(-length // _BANDS), -(-_LEAST // max(1, int(np.prod(rest)))))
    n = min(problem.most_rows, n if problem.window is None else problem.window)
    return [Band(first, first, min(first + n, length)) for first in range(start, length, n)]


def _cut_joints(problem: CutProblem, state: CutState, each: Each) -> None:
    """Settle what bands have left open."""
    progress, length = state.progress, problem.costs.shape[0]
    is_open = np.concatenate([_is_open(state.codes.read(*piece)) for piece in state.pieces()])
    if all(band.start < band.stop for band in progress.bands):
        bands = with_joints(progress.bands, is_open)
        _check_room(problem, bands)
        progress.bands = bands
        state.keep()
    bands = progress.bands
    left = [n for n, band in enumerate(bands) if band.start == band.stop and is_open[band.begin : band.stop].any()]
    given = ((_codes(state, bands[number], length), bands, number) for number in left)
    for number, codes in zip(left, each(cut_joint, given), strict=True):
        state.codes.write(bands[number].begin, codes)


def _check_room(problem: CutProblem, bands: list[Band]) -> None:
    """Raise if a joint would be too large."""
    joint = max((band for band in bands if band.start == band.stop), key=lambda band: band.stop - band.begin)
    n = joint.stop - joint.begin
    if n > problem.most_rows:
        raise BudgetError(
            f"the rows {joint.begin} to {joint.stop - 1} hold pixels that depend on what lies around their bands; at "
            f"once they would take {in_gib((n + 2) * problem.bytes_of_row)}: give more memory, or less weight to the "
            "edges"
        )


def _codes(state: CutState, band: Band, length: int) -> np.ndarray:
    """What a cut or a proof of a band looks at."""
    return state.codes.read(*rows_of(band, length))


def _is_open(codes: np.ndarray) -> np.ndarray:
    """Which rows have an open pixel."""
    found: np.ndarray = (codes == OPEN).reshape(len(codes), -1).any(axis=1)
    return found
