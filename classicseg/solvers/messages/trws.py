"""Tree-reweighted message passing: good labels, and a bound that says how good."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError
from classicseg.machine.threads import resolve_threads
from classicseg.solvers.cut.moves import expansion
from classicseg.solvers.messages.state import MessagePassing
from classicseg.solvers.run import Callback, Watch
from classicseg.types import Result, State

_ITERATIONS = 100
_MOST_CYCLES = 1000  # of expansion; it ends long before

_TOLERANCE = 1e-6

_CHECK_EVERY = 5
"""Labels are decoded, their energy found and the bound certified after iterations 1, 2, and every fifth."""

_PATIENCE = 4  # checks that may bring next to nothing


def trws(
    energy: GridCRF,
    *,
    init: ArrayLike | None = None,
    max_iter: int | None = None,
    tol: float | None = None,
    callback: Callback | None = None,
    rng: Any = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> Result:
    """Sequential tree-reweighted message passing (TRW-S) [1]_.

    Messages along the edges raise a lower bound on the energies of all labellings; labels are read off them on the way.

    Parameters
    ----------
    energy : GridCRF
        Any compatibility and neighbourhood, in lines, images and volumes; no label costs.
    init : array_like of int, spatial shape, optional
        Labels that are returned if no better ones are found. Messages start from zero.
    max_iter : int, optional
        Largest number of iterations, 100 by default. Each is a forward and a backward pass.
    tol : float, optional
        Relative to the larger of energy and bound: stop when they are nearer to each other than this, or when for 20
        iterations neither has come nearer to the other by as much. 1e-6 by default; 0 stops only at a gap of 0.
    callback : callable, optional
        Called as ``callback(state)`` after every iteration; returning True stops.
    rng
        Not used.
    n_threads : int, optional
        Threads; the result does not depend on it.
    progress : bool
        Show a progress bar, if standard error is a terminal and tqdm is installed.

    Returns
    -------
    Result
        The labels of least energy that were found, and ``lower_bound``. Messages are float32, but the bound holds for
        them as they are: it is summed in float64, less all that rounding can have done. If all costs are whole
        numbers it is rounded up. ``history`` has one row for each iteration; energies never rise and bounds never
        fall. Both are looked at after iterations 1, 2, and every fifth; rows between repeat the last values.

    Raises
    ------
    ValueError
        If `init` does not fit or an argument is out of its range.

    Notes
    -----
    In chains the labels are the best ones after one iteration. With 2 labels and a submodular cost the bound rises
    towards the least energy; ``"graph_cut"`` finds that at once.

    References
    ----------
    .. [1] V. Kolmogorov, "Convergent tree-reweighted message passing for energy minimization", IEEE TPAMI 28(10),
       2006. doi:10.1109/TPAMI.2006.200

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.array([[[0, 4, 0, 9, 9]], [[9, 5, 5, 5, 0]], [[5, 0, 5, 1, 1]]])
    >>> result = cs.minimize(cs.GridCRF(unary, cs.Potts(3)), "trws")
    >>> result.labels.tolist(), result.energy, result.gap
    ([[0, 0, 0, 2, 2]], 9.0, 0.0)
    """
    limit = _ITERATIONS if max_iter is None else inputs.as_count(max_iter, "max_iter", 0)
    watch = Watch("trws", limit, callback, progress)
    best = _Best(energy, init)
    _pass_messages(energy, best, watch, limit, tol, n_threads, last=True)
    watch.ended()
    return watch.result(best.labels, energy=best.energy, lower_bound=best.bound)


def trws_expansion(
    energy: GridCRF,
    *,
    init: ArrayLike | None = None,
    max_iter: int | None = None,
    tol: float | None = None,
    callback: Callback | None = None,
    rng: Any = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> Result:
    """TRW-S [1]_, then expansion moves [2]_ from its labels and from another start; the best of all is returned.

    TRW-S alone leaves many small faults, expansion alone large ones, and only TRW-S knows a bound.

    Parameters
    ----------
    energy : GridCRF
        As for ``"trws"``, but label costs are legal: only the moves heed them, and the bound is one without them.
    init : array_like of int, spatial shape, optional
        The other start of the expansion moves; by default that of ``"expansion"``.
    max_iter : int, optional
        Largest number of iterations of TRW-S, 100 by default. Expansion runs until no move lowers the energy.
    tol : float, optional
        Of ``"trws"``.
    callback : callable, optional
        Called as ``callback(state)`` after every iteration and every cycle of moves; returning True stops.
    rng, n_threads, progress
        As for ``"trws"``.

    Returns
    -------
    Result
        As of ``"trws"``. Moves are left out if the gap is 0 before. ``converged`` if no expansion lowers the energy.

    Raises
    ------
    ValueError
        If `init` does not fit or an argument is out of its range.

    References
    ----------
    .. [1] V. Kolmogorov, "Convergent tree-reweighted message passing for energy minimization", IEEE TPAMI 28(10),
       2006. doi:10.1109/TPAMI.2006.200
    .. [2] Y. Boykov, O. Veksler, R. Zabih, "Fast approximate energy minimization via graph cuts", IEEE TPAMI 23(11),
       2001. doi:10.1109/34.969114

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.random.default_rng(0).integers(0, 9, (4, 12, 12))
    >>> result = cs.minimize(cs.GridCRF(unary, cs.Potts(2), label_costs=5), "trws+expansion")
    >>> result.gap >= 0
    True
    """
    limit = _ITERATIONS if max_iter is None else inputs.as_count(max_iter, "max_iter", 0)
    watch = Watch("trws+expansion", limit + 2 * _MOST_CYCLES, callback, progress)
    best = _Best(energy, init)
    plain = copy.copy(energy)
    plain.label_costs = None
    _pass_messages(plain, best, watch, limit, tol, n_threads, last=False)

    def after_cycle(state: State) -> bool:
        assert state.labels is not None
        assert state.energy is not None
        best.offer(state.labels, state.energy)
        watch.record(energy=best.energy, lower_bound=best.bound, change=state.change, labels=lambda: best.labels)
        return watch.ended()

    for start in (best.labels, init):
        if not watch.ended():
            moved = expansion(energy, init=start, max_iter=_MOST_CYCLES, callback=after_cycle, n_threads=n_threads)
            best.offer(moved.labels, float(moved.energy))  # type: ignore[arg-type]
            if best.is_proved():
                watch.stop(_PROVED, converged=True)
    if not watch.ended():
        watch.stop("no expansion lowers the energy", converged=True)
    return watch.result(best.labels, energy=best.energy, lower_bound=best.bound)


_PROVED = "the bound proves that no labels are better"


class _Best:
    """The best labels so far, and the bound."""

    def __init__(self, energy: GridCRF, init: ArrayLike | None) -> None:
        if init is None:
            self.labels = energy.unary.argmin(axis=0).astype(np.int32)
        else:
            self.labels = inputs.as_labels(init, energy.shape, energy.n_labels, name="init").copy()
        self.evaluate = energy.energy
        self.energy = energy.energy(self.labels)
        self.bound: float | None = None

    def offer(self, labels: np.ndarray, energy: float) -> None:
        """Take labels, a copy of them, if they are better."""
        if energy < self.energy:
            self.labels, self.energy = labels.copy(), energy

    def gap(self) -> float:
        """How far the energy is from the bound."""
        return np.inf if self.bound is None else self.energy - self.bound

    def is_proved(self) -> bool:
        """Whether no labels are better."""
        return self.gap() <= 0


def _pass_messages(
    energy: GridCRF,
    best: _Best,
    watch: Watch,
    limit: int,
    tol: float | None,
    n_threads: int | None,
    *,
    last: bool,
) -> None:
    """Iterate until the bound is near, nothing moves any more, or the watch ends. `last` if nothing comes after."""
    tolerance = _TOLERANCE if tol is None else inputs.as_weight(tol, "tol")
    if tolerance < 0:
        raise InputError(f"tol must be at least 0, got {tol!r}")
    if limit == 0:
        return
    messages = MessagePassing(energy, resolve_threads(n_threads))
    marks = [(np.inf, -np.inf)]  # energy and bound of each check
    for iteration in range(1, limit + 1):
        check = iteration <= 2 or iteration % _CHECK_EVERY == 0 or iteration == limit
        messages.iterate(check=check)
        settled = ""
        if check:
            best.offer(messages.labels, best.evaluate(messages.labels))
            best.bound = messages.bound
            settled = _why_to_settle(best, marks, tolerance)
        if settled and (last or best.is_proved()):
            watch.stop(settled, converged=True)
        watch.record(energy=best.energy, lower_bound=best.bound, labels=lambda: best.labels)
        if settled or watch.ended():
            break


def _why_to_settle(best: _Best, marks: list[tuple[float, float]], tolerance: float) -> str:
    """Why another iteration would be in vain, or nothing."""
    assert best.bound is not None
    if best.is_proved():
        return _PROVED
    enough = tolerance * max(abs(best.energy), abs(best.bound))
    if best.gap() <= enough:
        return f"energy and bound differ by {best.gap():.3g}"
    marks.append((best.energy, best.bound))
    energy, bound = marks[max(0, len(marks) - 1 - _PATIENCE)]
    if max(energy - best.energy, best.bound - bound) < enough:
        return f"{_PATIENCE * _CHECK_EVERY} iterations brought energy and bound nearer by less than {enough:.3g}"
    return ""
