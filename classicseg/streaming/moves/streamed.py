"""Expansion moves on images that are larger than memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.solvers.run import progress_bar
from classicseg.streaming.cut.passage import settle
from classicseg.streaming.cut.problem import IteratedOptions, checked
from classicseg.streaming.label_sink import check_out, check_room, labels_written, state_folder
from classicseg.streaming.moves.plan import refuse_moves_beforehand
from classicseg.streaming.moves.problem import MoveProblem
from classicseg.streaming.moves.state import MoveState
from classicseg.streaming.raster import of_mask

_CYCLES = 100  # at most, as in memory


@dataclass(frozen=True, eq=False)
class StreamedExpansion:
    """What expansion moves have led to.

    Attributes
    ----------
    labels : ndarray, spatial shape, int32, or what was given as `out`
    energy : float
        Of the labels, with costs rounded to multiples of `step`.
    energies : tuple of float
        At the start, and after each cycle over all labels; they never rise.
    n_moves : int
        How many expansions were tried: those that nothing has changed for are left out.
    converged : bool
        Whether no expansion of a single label lowers the energy, or the last cycle lowered it by less than `tol`.
    step : float
        Costs were rounded to multiples of it; those that are such multiples, as whole numbers are, are exact.
    n_open : int
        The most pixels that had to wait for the next band of a move.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.array([[[0, 4, 0, 9, 9]], [[9, 5, 5, 5, 0]], [[5, 0, 5, 1, 1]]])
    >>> result = cs.expansion_streamed(unary, 3)
    >>> result.labels.tolist(), result.energies, result.converged
    ([[0, 0, 0, 2, 2]], (12.0, 9.0, 9.0), True)
    """

    labels: Any
    energy: float
    energies: tuple[float, ...]
    n_moves: int
    converged: bool
    step: float
    n_open: int

    def __str__(self) -> str:
        end = "nothing more to gain" if self.converged else "not settled yet"
        return (
            f"energy {self.energy:.10g} in steps of {self.step:.3g}: {len(self.energies) - 1} cycles, {self.n_moves} "
            f"moves, {end}; {self.n_open} pixels open between two bands at most"
        )


def expansion_streamed(
    unary: Any,
    weights: Any = 1.0,
    *,
    image: Any = None,
    beta: float | None = None,
    connectivity: int | None = None,
    mask: Any = None,
    init: Any = None,
    out: Any = None,
    **options: Unpack[IteratedOptions],
) -> StreamedExpansion:
    """Lower an energy of many labels by expansion moves, on an image that is larger than memory.

    The energy is that of a :class:`GridCRF` with :class:`Potts` compatibility. For one label after the other, every
    pixel may switch to it [1]_; the best of all ways to do so is found by a cut in bands, as of
    :func:`minimum_cut_streamed`. Start, order and ties are those of the method ``"expansion"``, so that labels and
    energy are the same, for every size of bands.

    Parameters
    ----------
    unary : array_like or path, (L, H, W) or (L, D, H, W)
        Costs of all labels, at least two; see :func:`minimum_cut_streamed`.
    weights, image, beta, connectivity, mask, out
        As in :func:`minimum_cut_streamed`.
    init : array_like or path, spatial shape, optional
        Labels to start from; by default the one label that is cheapest everywhere.
    **options
        max_iter : int
            Cycles over all labels at most, 100 by default.
        tol : float
            End when a cycle lowers the energy by less; 0 by default.
        spacing, label_axis, channel_axis, fill, memory, window, n_threads, progress
            As in :func:`minimum_cut_streamed`.
        state : path
            As in :func:`minimum_cut_streamed`: labels so far, and what is known after each band of a move. It takes two
            bytes for each pixel, of more than 256 labels three or five.

    Returns
    -------
    StreamedExpansion

    Raises
    ------
    ValueError, TypeError, OSError
        As :func:`minimum_cut_streamed` does.

    Notes
    -----
    Costs are rounded to multiples of a power of two, some 2e-8 of what the edges of a pixel can cost: labels and energy
    are those of the method ``"expansion"`` where costs are such multiples, and small enough for it to count them
    exactly; else, of that method with costs rounded to these multiples.

    Where the label of a pixel and the one that is expanded are equally bad, nothing near tells the best move: from one
    label everywhere, that is so in areas of other labels whose costs say no more than that they are others. An `init`
    that is right in most places, such as the cheapest label of each pixel, is told by fewer rows, and by less memory.

    A cycle reads everything once for each label, but of the costs only those of the label that is expanded and those
    that pixels have. A run that was ended goes on within the move that it was at.

    References
    ----------
    .. [1] Y. Boykov, O. Veksler, R. Zabih, "Fast approximate energy minimization via graph cuts", IEEE TPAMI 23(11),
       2001. doi:10.1109/34.969114

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.random.default_rng(0).integers(0, 20, (4, 30, 20))
    >>> result = cs.expansion_streamed(unary, 3, window=8)
    >>> in_memory = cs.minimize(cs.GridCRF(unary, cs.Potts(3)), "expansion")
    >>> np.array_equal(result.labels, in_memory.labels), result.energy == in_memory.energy
    (True, True)
    """
    chosen = checked(options, IteratedOptions, "expansion_streamed")
    check_out(out)
    folder = state_folder(chosen.get("state"), out)
    problem = MoveProblem(unary, weights, image, beta, connectivity, mask, init, chosen)
    shape, n, fill = problem.costs.shape, problem.n_labels, chosen.get("fill", inputs.OUTSIDE)
    values = [0, n - 1, *([fill] if problem.inside.planes is not None else [])]
    check_room(out, shape, values)
    state = MoveState(folder, {"inputs": problem.digest, "parameters": f"expansion {problem.parameters}"}, shape, n)
    labels = np.empty(shape, np.int32) if out is None else out
    with contextlib.closing(state):
        with labels_written(labels, shape, values, folder, problem.like, "what is done is") as sink:
            settled = _run(problem, state, chosen)
            size = int(np.prod(shape[1:]))
            for first, stop in state.pieces():
                sink.write(first * size, _labels_of(problem, state, first, stop, fill).reshape(-1))
        state.remove()
    done = state.progress
    energies, step = tuple(done.energies), 1 / problem.costs.scale
    return StreamedExpansion(labels, energies[-1], energies, done.n_made, settled, step, done.n_open)


def _run(problem: MoveProblem, state: MoveState, options: dict[str, Any]) -> bool:
    """Make moves, from where the state says on; returns whether they have come to an end by themselves."""
    costs, progress = problem.costs, state.progress
    if not progress.energies:
        refuse_moves_beforehand(problem)
        state.begin(costs.labels)
    costs.labels = state.labels
    if not progress.energies:
        progress.energies.append(costs.energy())
        state.keep()
    while not (settled := _has_settled(state, options)) and len(progress.energies) <= options.get("max_iter", _CYCLES):
        bar = progress_bar(f"cycle {len(progress.energies)}", problem.n_labels * costs.shape[0])
        bar = bar if options.get("progress", False) else None
        try:
            _cycle(problem, state, (lambda n: None) if bar is None else bar.update)
        finally:
            if bar is not None:
                bar.close()
    return settled


def _has_settled(state: MoveState, options: dict[str, Any]) -> bool:
    """Whether the last cycle brought nothing, or next to nothing."""
    energies = state.progress.energies
    return state.progress.has_settled or (len(energies) > 1 and energies[-2] - energies[-1] < options.get("tol", 0.0))


def _cycle(problem: MoveProblem, state: MoveState, tick: Callable[[int], object]) -> None:
    """Expand one label after the other."""
    costs, progress = problem.costs, state.progress
    while progress.in_cycle:
        if progress.is_in_vain:
            progress.move += 1
            continue
        costs.label = progress.label
        settle(problem, state, tick)
        state.take()
    before = progress.energies[-1]
    progress.energies.append(costs.energy())
    if progress.energies[-1] > before:
        raise InputError(
            f"costs have changed while they were read: the energy rose from {before} to {progress.energies[-1]}"
        )
    state.keep()


def _labels_of(problem: MoveProblem, state: MoveState, first: int, stop: int, fill: int) -> np.ndarray:
    """The labels of some rows, int32."""
    labels = state.labels.read(first, stop).astype(np.int32)
    if problem.inside.planes is not None:
        box = (slice(first, stop), *(slice(0, n) for n in problem.costs.shape[1:]))
        labels[~of_mask(problem.inside.planes.read(box))] = fill
    return labels
