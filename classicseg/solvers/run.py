"""What all solvers do around their iterations: history, stopping rules, callbacks and the progress bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from classicseg.errors import InputTypeError
from classicseg.types import Result, State, Step

Callback = Callable[[State], bool | None]


class Watch:
    """History, stopping rules and feedback of one run. Its clock starts when it is made.

    Parameters
    ----------
    method : str
        Name of the solver.
    max_iter : int
        After so many records the run has ended.
    callback : callable or None
        Gets a :class:`State` after each record; True ends the run.
    progress : bool
        Show a progress bar, if standard error is a terminal and tqdm is installed.
    """

    def __init__(self, method: str, max_iter: int, callback: Callback | None, progress: bool) -> None:
        if callback is not None and not callable(callback):
            raise InputTypeError(f"callback must be a function of a State, got {callback!r}")
        self.start = time.perf_counter()
        self.history: list[Step] = []
        self._method, self._max_iter, self._callback = method, max_iter, callback
        self._message, self._converged = "", False
        self._bar = progress_bar(method, max_iter) if progress else None

    def ended(self) -> bool:
        """Whether the run is over."""
        if not self._message and len(self.history) >= self._max_iter:
            self._message = f"ran {self._max_iter} iterations"
        return bool(self._message)

    def stop(self, message: str, *, converged: bool) -> None:
        """End the run, and say why."""
        self._message, self._converged = message, converged

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
        self.history.append(Step(iteration, time.perf_counter() - self.start, energy, lower_bound, change))
        if self._bar is not None:
            self._bar.update()
        if self._callback is not None:
            state = State(iteration, _read_only(marginals), energy, change, lower_bound, _read_only(labels))
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
    ) -> Result:
        """The result of the run; `n_iter` where iterations were not recorded one by one."""
        if self._bar is not None:
            self._bar.close()
        return Result(
            labels=labels,
            marginals=marginals,
            energy=energy,
            lower_bound=lower_bound,
            history=tuple(self.history),
            n_iter=len(self.history) if n_iter is None else n_iter,
            converged=self._converged,
            message=self._message,
            method=self._method,
            seconds=time.perf_counter() - self.start,
        )


def _read_only(make: Callable[[], np.ndarray] | None) -> np.ndarray | None:
    if make is None:
        return None
    view = make().view()
    view.setflags(write=False)
    return view


def progress_bar(method: str, total: int) -> Any:
    """A bar of tqdm, or None if standard error is no terminal or tqdm is missing."""
    if not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(total=total, desc=method, leave=False)
