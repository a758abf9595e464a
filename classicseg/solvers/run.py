"""One run of a solver: where it starts, when it ends, what it tells; checked once, before any work."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from classicseg import inputs
from classicseg.energies.points import spread
from classicseg.errors import InputError, InputTypeError
from classicseg.machine.jit import seconds_preparing
from classicseg.machine.threads import resolve_threads
from classicseg.types import Result, State, Step

Callback = Callable[[State], bool | None]

_MOST = 2**31 - 1  # iterations: kernels count them
_SEED = 0  # of methods that draw random numbers and were given no `rng`: they, too, give the same result every time


def _worked() -> float:
    """Seconds on a clock that stands still while kernels are loaded or compiled."""
    return time.perf_counter() - seconds_preparing()


class Run:
    """What a solver is given beside the energy. Its clock starts when it is made.

    :func:`classicseg.minimize` makes it; a solver reads its limits, tells it about each iteration, and returns what
    :meth:`result` makes of its labels.

    Parameters
    ----------
    method : str
        Name of the solver.
    init : ndarray or None
        Checked labels or marginals.
    cheapest : callable, optional
        ``cheapest()`` gives the labels of least unary cost.
    max_iter : int
        After so many records the run has ended.
    tol, callback, rng, n_threads, progress
        As users give them to :func:`classicseg.minimize`.
    mask : ndarray, bool, or None
        Which pixels take part: labels and marginals of these alone, or of all, become those of the whole image, with
        -1 and 0 elsewhere.

    Attributes
    ----------
    init : ndarray or None
        Labels, spatial shape, int32, or marginals, (L, *spatial), float32; None if the user gave neither. Not to be
        written to.
    max_iter : int
    tol : float or None
        At least 0; None if the user left it to the solver.
    rng : numpy.random.Generator
    n_threads : int
    history : list of Step

    Raises
    ------
    ValueError
        If an argument is out of its range.
    TypeError
        If it is of a type that cannot work.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> def constant(energy, run):  # a solver; see :func:`classicseg.register_solver`
    ...     labels = run.labels()
    ...     while not run.ended:
    ...         labels[:] = len(run.history) % energy.n_labels
    ...         run.record(energy=energy.energy(labels), labels=lambda: labels)
    ...     return run.result(labels, energy=energy.energy(labels))
    >>> crf = cs.GridCRF(np.array([[[0, 4]], [[3, 0]]]), cs.Potts(9))
    >>> result = constant(crf, cs.Run("constant", init=np.zeros((1, 2), np.int32), max_iter=2))
    >>> result.labels.tolist(), result.energy, result.n_iter, result.message
    ([[1, 1]], 3.0, 2, 'ran 2 iterations')
    """

    def __init__(
        self,
        method: str,
        *,
        init: np.ndarray | None = None,
        cheapest: Callable[[], np.ndarray] | None = None,
        max_iter: int = 1,
        tol: float | None = None,
        callback: Callback | None = None,
        rng: Any = None,
        n_threads: int | None = None,
        progress: bool = False,
        mask: np.ndarray | None = None,
    ) -> None:
        if callback is not None and not callable(callback):
            raise InputTypeError(f"callback must be a function of a State, got {callback!r}")
        self._method, self._cheapest, self._callback = method, cheapest, callback
        self.init, self._mask = init, mask
        self.max_iter = inputs.as_count(max_iter, "max_iter", 0, _MOST)
        self.tol = None if tol is None else inputs.as_weight(tol, "tol", at_least=0)
        self.rng = inputs.as_generator(_SEED if rng is None else rng)
        self.n_threads = resolve_threads(n_threads)
        self.history: list[Step] = []
        self._limit, self._message, self._converged = self.max_iter, "", False
        self._progress = inputs.as_flag(progress, "progress")
        self._bar = progress_bar(method, self.max_iter) if self._progress else None
        self._start = _worked()

    @property
    def ended(self) -> bool:
        """Whether the run is over: something stopped it, or the iterations have run out."""
        return bool(self._message) or len(self.history) >= self._limit

    @property
    def stopped(self) -> bool:
        """Whether the run is over for another reason than that the iterations have run out."""
        return bool(self._message)

    @property
    def is_watched(self) -> bool:
        """Whether single iterations matter to anyone: to a callback, a progress bar, or a tolerance."""
        return self._callback is not None or self._progress or self.tol is not None

    @property
    def converged(self) -> bool:
        """Whether what stopped the run said so."""
        return self._converged

    def extend(self, n_iter: int) -> None:
        """Let up to `n_iter` more iterations follow those recorded so far: a second phase."""
        self._limit = len(self.history) + n_iter
        if self._bar is not None:
            self._bar.total = self._limit

    def stop(self, message: str, *, converged: bool) -> None:
        """End the run, and say why. Of several reasons the last counts."""
        self._message, self._converged = message, converged

    def labels(self) -> np.ndarray:
        """Labels to start from, spatial shape, int32: a copy of `init`, or the labels of least unary cost."""
        if self.init is not None:
            return self.init.copy()
        if self._cheapest is None:
            raise InputError("a Run must be made with init or cheapest to have labels to start from, got neither")
        return self._cheapest()

    def record(
        self,
        *,
        energy: float | None = None,
        lower_bound: float | None = None,
        change: float | None = None,
        labels: Callable[[], np.ndarray] | None = None,
        marginals: Callable[[], np.ndarray] | None = None,
    ) -> None:
        """Note one iteration. `labels` and `marginals` are asked for only if the callback will see them."""
        iteration = len(self.history) + 1
        self.history.append(Step(iteration, _worked() - self._start, energy, lower_bound, change))
        if self._bar is not None:
            self._bar.update()
        if self._callback is not None:
            q = None if marginals is None else _read_only(self._whole_marginals(marginals()))
            x = None if labels is None else _read_only(self._whole_labels(labels()))
            state = State(iteration, q, energy, change, lower_bound, x)
            if self._callback(state):
                self.stop("the callback asked to stop", converged=False)

    def result(
        self,
        labels: np.ndarray,
        *,
        energy: float | Callable[[], float],
        lower_bound: float | None = None,
        marginals: np.ndarray | None = None,
        n_iter: int | None = None,
        may_differ: float | None = None,
    ) -> Result:
        """The result of the run; `n_iter` where iterations were not recorded one by one, `may_differ` after pruning."""
        if self._bar is not None:
            self._bar.close()
        n_iter = len(self.history) if n_iter is None else n_iter
        return Result(
            labels=self._whole_labels(labels),
            marginals=None if marginals is None else self._whole_marginals(marginals),
            energy=energy,
            lower_bound=lower_bound,
            history=tuple(self.history),
            n_iter=n_iter,
            may_differ=may_differ,
            converged=self._converged,
            message=self._message or f"ran {n_iter} iterations",
            method=self._method,
            seconds=_worked() - self._start,
        )

    def _whole_labels(self, labels: np.ndarray) -> np.ndarray:
        if self._mask is None:
            return labels
        inside = labels[self._mask] if labels.shape == self._mask.shape else labels
        return spread(inside, self._mask, inputs.OUTSIDE)

    def _whole_marginals(self, marginals: np.ndarray) -> np.ndarray:
        if self._mask is None:
            return marginals
        return spread(marginals[:, self._mask] if marginals.shape[1:] == self._mask.shape else marginals, self._mask)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.setflags(write=False)
    return view


def progress_bar(description: str, total: int) -> Any:
    """A bar of tqdm, or None if standard error is no terminal or tqdm is missing."""
    if not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(total=total, desc=description, leave=False)
