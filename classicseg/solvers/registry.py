"""Finding a solver, and adding one of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.solvers.catalog import SOLVERS
from classicseg.solvers.solver import Solver

if TYPE_CHECKING:
    from classicseg.types import Result

Function = TypeVar("Function", bound="Callable[..., Result]")

_registered: dict[str, Solver] = {}


def solvers() -> tuple[Solver, ...]:
    """All solvers, those of the library first."""
    return (*SOLVERS, *_registered.values())


def methods(energy: Any = None) -> tuple[str, ...]:
    """Names of the solvers.

    Parameters
    ----------
    energy : DenseCRF or GridCRF, optional
        List only those that accept it, the default first.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.methods(cs.DenseCRF([[[0.0]], [[1.0]]], cs.GaussianKernel()))
    ('mean_field', 'mean_field_convergent')
    """
    fitting = (solver.name for solver in solvers() if energy is None or solver.accepts(energy) is None)
    return tuple(dict.fromkeys(fitting))


def register_solver(
    name: str,
    *,
    accepts: type | Callable[[Any], str | None],
    init: Literal["labels", "marginals"] | None = None,
    max_iter: int | None = None,
    tol: bool = False,
    rng: bool = False,
    summary: str = "",
    paper: str = "",
) -> Callable[[Function], Function]:
    """Make a function a solver that :func:`minimize` and :func:`methods` know.

    The function gets the energy and a :class:`classicseg.solvers.run.Run`, which holds what the user asked for,
    checked; its keyword-only parameters are options that users pass to :func:`minimize` by name.

    Parameters
    ----------
    name : str
        What users pass as `method`. A solver that was registered under it before is replaced; those of the library
        cannot be.
    accepts : type or callable
        The kind of energy that it can minimise, or a function of an energy that returns None, or why it cannot.
    init : {"labels", "marginals"}, optional
        What it can start from: what `init` of :func:`minimize` has to be. By default it takes no `init`.
    max_iter : int, optional
        How many iterations it runs if the user does not say. By default it takes no `max_iter`.
    tol, rng : bool
        Whether it takes `tol` and `rng`.
    summary, paper : str
        What it does and where it comes from, in a line each.

    Returns
    -------
    callable
        A decorator, which returns the function as it is.

    Raises
    ------
    ValueError
        If the name is that of a solver of the library, or `init` or `max_iter` is out of its range.
    TypeError
        If `accepts` is neither a type nor a function, or `tol` or `rng` is not a boolean.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> @cs.register_solver("one_label", accepts=cs.GridCRF, summary="The one label that is cheapest everywhere.")
    ... def one_label(energy, run):
    ...     constant = [np.full(energy.shape, label, np.int32) for label in range(energy.n_labels)]
    ...     best = min(constant, key=energy.energy)
    ...     return run.result(best, energy=energy.energy(best))
    >>> cs.minimize(cs.GridCRF(np.array([[[0, 4]], [[3, 0]]]), cs.Potts(9)), "one_label").labels.tolist()
    [[1, 1]]
    """
    if not callable(accepts):
        raise InputTypeError(f"accepts must be a type of energy or a function of one, got {accepts!r}")
    if not isinstance(name, str) or not name:
        raise InputTypeError(f"name must be a word, got {name!r}")
    if any(solver.name == name for solver in SOLVERS):
        raise InputError(f"name must not be that of a solver of the library, got {name!r}")
    if init is not None:
        inputs.choice(init, "init", ("labels", "marginals"))
    max_iter = None if max_iter is None else inputs.as_count(max_iter, "max_iter", 0)
    tol, rng = inputs.as_flag(tol, "tol"), inputs.as_flag(rng, "rng")
    reason = _needs(accepts) if isinstance(accepts, type) else accepts

    def register(function: Function) -> Function:
        _registered[name] = Solver(name, lambda: function, reason, summary, paper, init, max_iter, tol, rng)
        return function

    return register


def choose(energy: Any, method: str | None) -> Solver:
    """The solver of that name for this energy; the first that accepts it if `method` is None.

    Raises
    ------
    ValueError
        If there is no solver of that name.
    TypeError
        If none of that name, or none at all, accepts the energy.
    """
    if method is not None and not (isinstance(method, str) and method in methods()):
        raise InputError(f"method must be one of {', '.join(map(repr, methods()))}, got {method!r}")
    reasons = []
    for solver in solvers():
        if method in (None, solver.name):
            reason = solver.accepts(energy)
            if reason is None:
                return solver
            reasons.append(reason)
    if method is None:
        raise InputTypeError(f"no method can minimise an energy of type {type(energy).__name__}")
    names = methods(energy)
    instead = f"methods that can: {', '.join(names)}" if names else "no method can"
    raise InputTypeError(f"{method} cannot minimise this energy: {', and '.join(reasons)}; {instead}")


def _needs(kind: type) -> Callable[[Any], str | None]:
    def reason(energy: Any) -> str | None:
        return None if isinstance(energy, kind) else f"it needs a {kind.__name__}, got {type(energy).__name__}"

    return reason
