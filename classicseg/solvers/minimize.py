"""The one call to all solvers."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from classicseg import inputs
from classicseg.errors import InputTypeError
from classicseg.machine.threads import resolve_threads
from classicseg.solvers.registry import choose
from classicseg.solvers.run import Run
from classicseg.solvers.solver import Solver

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from classicseg.types import Result, State


def minimize(
    energy: Any,
    method: str | None = None,
    *,
    init: ArrayLike | None = None,
    max_iter: int | None = None,
    tol: float | None = None,
    callback: Callable[[State], bool | None] | None = None,
    rng: Any = None,
    n_threads: int | None = None,
    progress: bool = False,
    **options: Any,
) -> Result:
    """Find a labelling of low energy.

    Every method takes `callback`, `n_threads` and `progress`. Of `init`, `max_iter`, `tol` and `rng` each has those
    that mean something to it, and refuses the others.

    Parameters
    ----------
    energy : DenseCRF or GridCRF
        What to minimise.
    method : str, optional
        Name of a solver that accepts the energy; :func:`methods` lists them. By default its first.
    init : array_like, optional
        Where to start: marginals (L, *spatial) for mean field, else labels. Each method has its own default.
    max_iter : int, optional
        Largest number of iterations. Each method has its own default.
    tol : float, optional
        Stop when an iteration changes less than this; each method says in which measure. 0 never stops early: only
        when there is nothing left to change.
    callback : callable, optional
        Called as ``callback(state)`` after each iteration; returning True stops.
    rng : int or numpy.random.Generator, optional
        For methods that draw random numbers. Without it they draw the same ones every time.
    n_threads : int, optional
        Most threads to use; see :func:`set_num_threads`, which gives the default. Results do not depend on it.
    progress : bool
        Show a progress bar, if standard error is a terminal and tqdm is installed.
    **options
        Further arguments of the method.

    Returns
    -------
    Result

    Raises
    ------
    ValueError
        If the method is unknown or an argument is out of its range.
    TypeError
        If the method does not accept the energy, has no such option, or does not use an argument that was given.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = cs.unary_from_labels(np.eye(8, dtype=int), 2, confidence=0.6)
    >>> crf = cs.DenseCRF(unary, cs.GaussianKernel(sigma=2, weight=3))
    >>> result = cs.minimize(crf, "mean_field", max_iter=5)
    >>> int(result.labels.sum()), result.n_iter
    (0, 5)
    """
    solver = choose(energy, method)
    _refuse_unused(solver, {"init": init, "max_iter": max_iter, "tol": tol, "rng": rng})
    function = solver.load()
    _check_options(solver.name, function, options)
    mask = getattr(energy, "mask", None)  # an energy of the user's own may have none
    solved = getattr(energy, "inside", energy)  # where pixels that take no part are no points at all
    unary, grid = (
        getattr(solved, "unary", None),
        getattr(solved, "grid", None),
    )  # of costs that may be fewer than pixels
    work = None if unary is None else len(unary) * math.prod(getattr(solved, "shape", unary.shape[1:]))
    run = Run(
        solver.name,
        init=None if init is None else _checked_init(energy, init, solver.init),
        cheapest=lambda: solved.unary.argmin(axis=0).astype(np.int32) if grid is None else grid.cheapest(),
        max_iter=solver.max_iter or 1 if max_iter is None else max_iter,
        tol=tol,
        callback=callback,
        rng=rng,
        n_threads=resolve_threads(n_threads, work),
        progress=progress,
        mask=mask,
    )
    return function(solved, run, **options)


def _refuse_unused(solver: Solver, given: dict[str, Any]) -> None:
    for name, value in given.items():
        if value is not None and name not in solver.uses:
            uses = ", ".join(solver.uses) or "none of them"
            raise InputTypeError(f"{solver.name} does not use {name}; of {', '.join(given)} it uses {uses}")


def _check_options(name: str, function: Callable[..., Any], options: dict[str, Any]) -> None:
    known = list(inspect.signature(function).parameters)[2:]  # after the energy and the run
    for option in options:
        if option not in known:
            has = f"its options are {', '.join(known)}" if known else "it has no options of its own"
            raise InputTypeError(f"{name} has no option {option!r}; {has}")


def _checked_init(energy: Any, init: ArrayLike, kind: str | None) -> np.ndarray:
    mask, solved = getattr(energy, "mask", None), getattr(energy, "inside", energy)
    if kind != "marginals":
        return inputs.as_labels(init, energy.shape, energy.n_labels, name="init", mask=mask)
    filled, _ = inputs.probabilities_inside(init, mask, name="init")
    marginals = inputs.as_marginals(filled, (energy.n_labels, *energy.shape), name="init")
    return marginals if mask is None or solved.shape == energy.shape else marginals[:, mask]
