"""Tree-reweighted message passing on images that are larger than memory."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from classicseg import inputs
from classicseg.kernels.messages.trws import BACKWARD, CERTIFY, DECODE, FORWARD
from classicseg.solvers.messages.costs import Scale
from classicseg.solvers.messages.trws import TOLERANCE, is_checked, why_to_settle
from classicseg.solvers.run import progress_bar
from classicseg.streaming.cut.problem import IteratedOptions, checked
from classicseg.streaming.label_sink import check_out, check_room, labels_written, state_folder
from classicseg.streaming.messages.problem import TrwsProblem
from classicseg.streaming.messages.slabs import Passing
from classicseg.streaming.messages.state import MessageState
from classicseg.streaming.raster import of_mask

_ITERATIONS = 100  # at most, as in memory


@dataclass(frozen=True, eq=False)
class StreamedTrws:
    """What message passing has led to.

    Attributes
    ----------
    labels : ndarray, spatial shape, int32, or what was given as `out`
        Those of least energy that were found.
    energy : float
    lower_bound : float or None
        No labels cost less; None without an iteration.
    energies, bounds : tuple of float
        After each iteration; those between two looks repeat the last values.
    converged : bool
        Whether another iteration would be in vain.
    message : str
        Why the run has ended.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.array([[[0, 4, 0, 9, 9]], [[9, 5, 5, 5, 0]], [[5, 0, 5, 1, 1]]])
    >>> result = cs.trws_streamed(unary, 3)
    >>> result.labels.tolist(), result.energy, result.gap
    ([[0, 0, 0, 2, 2]], 9.0, 0.0)
    """

    labels: Any
    energy: float
    lower_bound: float | None
    energies: tuple[float, ...]
    bounds: tuple[float, ...]
    converged: bool
    message: str

    @property
    def gap(self) -> float | None:
        """Energy minus bound."""
        return None if self.lower_bound is None else self.energy - self.lower_bound

    def __str__(self) -> str:
        bound = "no bound" if self.gap is None else f"at most {self.gap:.3g} above the least"
        return f"energy {self.energy:.10g}, {bound}; {len(self.energies)} iterations, {self.message}"


def trws_streamed(
    unary: Any,
    weights: Any = 1.0,
    *,
    compatibility: Any = None,
    image: Any = None,
    beta: float | None = None,
    connectivity: int | None = None,
    mask: Any = None,
    out: Any = None,
    **options: Unpack[IteratedOptions],
) -> StreamedTrws:
    """Tree-reweighted message passing (TRW-S) on an image that is larger than memory.

    Messages lie in a file and pass by in bands of rows, forward and backward [1]_. Labels, energies and bounds are
    those of the method ``"trws"``, to the bit, for every size of bands.

    Parameters
    ----------
    unary : array_like or path, (L, H, W) or (L, D, H, W)
        Costs of all labels, at least two; see :func:`minimum_cut_streamed`.
    weights : float or mapping of str to array_like or path
        What each edge multiplies its cost by, at least 0 and finite: a number for all, or for each direction an array,
        as in :class:`GridCRF`.
    compatibility : Potts, TruncatedLinear, TruncatedQuadratic, Diagonal, Matrix or (L, L) array_like, optional
        Cost of the labels of two neighbours, ``Potts(1)`` by default.
    image, beta, connectivity, mask, out
        As in :func:`minimum_cut_streamed`.
    **options
        max_iter : int
            Iterations at most, 100 by default; each is a forward and a backward pass.
        tol : float
            As of the method ``"trws"``, 1e-6 by default.
        spacing, label_axis, channel_axis, fill, memory, n_threads, progress
            As in :func:`minimum_cut_streamed`.
        window : int
            How many rows (or slices) a band has at most; of rows, a multiple of 16 is taken.
        state : path
            As in :func:`minimum_cut_streamed`: messages, weights and labels. For L labels and K directions it takes
            somewhat more than 4 (L + K L + 2 K) bytes for each pixel. Without one, and if `out` is no file, they lie in
            the system's folder for temporary files while the run goes on.

    Returns
    -------
    StreamedTrws

    Raises
    ------
    ValueError, TypeError
        As :func:`minimum_cut_streamed` does, before it begins.
    OSError
        If the disk has no room for messages, beforehand, or if nothing can be written. What was done so far is kept in
        `state`.

    Notes
    -----
    Where weights follow an image, the method ``"trws"`` is that of the energy ``GridCRF(unary, compatibility,
    {name: weights * w})``, w those of :func:`contrast_weights` in float64, or as they are if `weights` is 1.

    An iteration reads and writes all messages twice, the disk permitting as fast as memory does it; costs are read
    again only where labels are decoded, after iterations 1, 2, and every fifth. A run that was ended goes on within the
    pass that it was at, with bands of the size that it began with.

    References
    ----------
    .. [1] V. Kolmogorov, "Convergent tree-reweighted message passing for energy minimization", IEEE TPAMI 28(10),
       2006. doi:10.1109/TPAMI.2006.200

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.random.default_rng(0).random((4, 50, 20))
    >>> result = cs.trws_streamed(unary, 0.3, window=16, max_iter=20)
    >>> in_memory = cs.minimize(cs.GridCRF(unary, cs.Potts(1), 0.3), "trws", max_iter=20)
    >>> np.array_equal(result.labels, in_memory.labels), result.energy == in_memory.energy
    (True, True)
    >>> result.lower_bound == in_memory.lower_bound
    True
    """
    chosen = checked(options, IteratedOptions, "trws_streamed")
    check_out(out)
    folder = state_folder(chosen.get("state"), out)
    problem = TrwsProblem(unary, weights, compatibility, image, beta, connectivity, mask, chosen)
    shape, n, fill = problem.costs.shape, problem.costs.n_labels, chosen.get("fill", inputs.OUTSIDE)
    values = [0, n - 1, *([fill] if problem.inside.planes is not None else [])]
    check_room(out, shape, values)
    n_steps = problem.n_steps
    state = MessageState(folder, {"inputs": problem.digest, "parameters": problem.parameters}, shape, n)
    labels = np.empty(shape, np.int32) if out is None else out
    with contextlib.closing(state):
        with labels_written(labels, shape, values, folder, problem.like, "what is done is") as sink:
            state.open(problem.cutting, n_steps)
            settled = _Run(problem, state, chosen).to_the_end()
            size = int(np.prod(shape[1:]))
            for rows in problem.costs.pieces():
                sink.write(rows.start * size, _labels_of(problem, state, rows, fill).reshape(-1))
        state.remove()
    done = state.progress
    bound = done.bound if done.energies else None
    message = settled or f"ran {len(done.energies)} iterations"
    ends = tuple(done.energies), tuple(done.bounds)
    return StreamedTrws(labels, done.energy, bound, *ends, bool(settled), message)


class _Run:
    """Passes, from where the state says on."""

    def __init__(self, problem: TrwsProblem, state: MessageState, options: dict[str, Any]) -> None:
        self._costs, self._cutting, self._state, self._done = problem.costs, problem.cutting, state, state.progress
        self._max_iter: int = options.get("max_iter", _ITERATIONS)
        self._tolerance: float = options.get("tol", TOLERANCE)
        self._survey, self._shows = problem.costs.survey(), options.get("progress", False)
        n_chains = self._cutting.layout.n_chains
        ends = self._survey.low, self._survey.high
        self._scale = Scale(problem.table, self._survey.heaviest, n_chains, lambda: ends)
        self._scale.sums[:] = self._done.sums
        self._slabs = self._cutting.slabs(self._done.n_steps)
        self._passing = Passing(self._costs, self._cutting, problem.table, self._scale, self._done.n_steps)
        if self._done.of_bands.size:
            self._passing.bounds[:], self._passing.carried[:] = self._done.of_bands, self._done.carried

    def to_the_end(self) -> str:
        """Iterate; returns why another iteration would be in vain, or nothing."""
        done, settled = self._done, ""
        if done.n_passes == 0:
            self._begin()
        if self._max_iter > 0 and done.n_passes == 0:
            self._pass(FORWARD, "first pass")
        if done.energies:  # a run that was ended after an iteration had settled by then, or not
            settled = why_to_settle(done.energy, done.bound, done.marks[:-1], self._tolerance)
        while not settled and len(done.energies) < self._max_iter:
            settled = self._iterate()
        return settled

    def _begin(self) -> None:
        """Labels of least unary cost are the first ones."""
        done, store = self._done, self._state.labels[0]
        for rows, labels in self._costs.in_order(self._costs.pieces(), self._cheapest):
            store.write(rows.start, labels)
        done.best, done.energy = 0, self._costs.energy(store)

    def _cheapest(self, rows: slice) -> tuple[slice, np.ndarray]:
        return rows, self._costs.unary(rows.start, rows.stop).argmin(axis=0)

    def _iterate(self) -> str:
        """Pass back and there; returns why another iteration would be in vain, or nothing."""
        done, settled = self._done, ""
        iteration = len(done.energies) + 1
        check = is_checked(iteration, self._max_iter)
        for number, what in enumerate((CERTIFY, DECODE) if check else (BACKWARD, FORWARD)):
            if done.n_passes == 2 * iteration - 1 + number:
                self._pass(what, f"iteration {iteration}")
        if check:
            other = 1 - done.best
            energy = self._costs.energy(self._state.labels[other])
            if energy < done.energy:
                done.best, done.energy = other, energy
            layout, whole = self._cutting.layout, self._survey.whole
            bound = self._scale.bound(layout, self._passing.bounds, done.lost.tolist(), self._costs.shape, whole=whole)
            done.bound = max(done.bound, bound)
            settled = why_to_settle(done.energy, done.bound, done.marks, self._tolerance)
        done.energies.append(done.energy)
        done.bounds.append(done.bound)
        self._state.keep()
        return settled

    def _pass(self, what: int, name: str) -> None:
        """Pass over all slabs that this pass has not seen yet."""
        done, passing, state = self._done, self._passing, self._state
        forward = what in (FORWARD, DECODE)
        if done.n_slabs == 0:
            passing.carried[:] = 0
        slabs = self._slabs if forward else self._slabs[::-1]
        bar = progress_bar(name, self._cutting.length) if self._shows else None
        try:
            for slab in slabs[done.n_slabs :]:
                passing.begin(slab)
                if done.n_passes == 0:
                    passing.fill()
                    state.write_weights(slab, passing.weights)
                else:
                    state.read(slab, forward, passing.planes, passing.weights)
                if what == DECODE and slab.first > 0:
                    passing.take_labels(state.labels[1 - done.best].read(slab.first - 1, slab.first)[0])
                passing.run(what)
                state.write(slab, forward, passing.planes)
                if what == DECODE:
                    state.labels[1 - done.best].write(slab.first, passing.labels)
                if done.n_passes > 0:  # the first pass begins anew if it was ended
                    done.n_slabs += 1
                    done.of_bands, done.carried = passing.bounds, passing.carried
                    state.keep()
                if bar is not None:
                    bar.update(slab.stop - slab.first)
        finally:
            if bar is not None:
                bar.close()
        if done.n_passes == 0:
            done.sums, done.lost = self._scale.sums, np.array(passing.lost())
        done.n_passes, done.n_slabs = done.n_passes + 1, 0
        state.keep()


def _labels_of(problem: TrwsProblem, state: MessageState, rows: slice, fill: int) -> np.ndarray:
    """The best labels of some rows, int32."""
    labels = state.labels[state.progress.best].read(rows.start, rows.stop).astype(np.int32)
    if problem.inside.planes is not None:
        box = (rows, *(slice(0, n) for n in problem.costs.shape[1:]))
        labels[~of_mask(problem.inside.planes.read(box))] = fill
    return labels
