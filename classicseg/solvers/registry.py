"""All solvers by name, and the one call to them.

Solvers are imported when they are first used: to list them costs nothing.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from classicseg.errors import InputError, InputTypeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from classicseg.types import Result, State

_COMMON = ("init", "max_iter", "tol", "callback", "rng", "n_threads", "progress")


@dataclass(frozen=True)
class Solver:
    """A solver and what is known of it without importing it.

    Attributes
    ----------
    name : str
        What users pass as `method`.
    function : str
        ``"module:name"`` of a function with the arguments of :func:`minimize`.
    accepts : callable
        ``accepts(energy)`` is None if the solver can minimise the energy, else the reason why not.
    summary : str
        What it does, in a line.
    paper : str
        Where it comes from.
    """

    name: str
    function: str
    accepts: Callable[[Any], str | None]
    summary: str
    paper: str

    def load(self) -> Callable[..., Result]:
        """Import the function."""
        module, _, name = self.function.partition(":")
        function: Callable[..., Result] = getattr(importlib.import_module(module), name)
        return function


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
        Stop when an iteration changes less than this. Each method says in which measure.
    callback : callable, optional
        Called as ``callback(state)`` after each iteration; returning True stops.
    rng : int or numpy.random.Generator, optional
        For methods that draw random numbers. All are deterministic without.
    n_threads : int, optional
        Threads; by default :func:`get_num_threads`. Results do not depend on it.
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
        If the method does not accept the energy, or has no such option.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = cs.unary_from_labels(np.eye(8, dtype=int), 2, confidence=0.6)
    >>> crf = cs.DenseCRF(unary, cs.GaussianKernel(sigma=2, weight=3))
    >>> result = cs.minimize(crf, "mean_field", max_iter=5)
    >>> int(result.labels.sum()), result.n_iter
    (0, 5)
    """
    solver = _default(energy) if method is None else _find(method)
    reason = solver.accepts(energy)
    if reason is not None:
        raise InputTypeError(f"{solver.name} cannot minimise this energy: {reason}; {_alternatives(energy)}")
    function = solver.load()
    _check_options(solver.name, function, options)
    return function(
        energy,
        init=init,
        max_iter=max_iter,
        tol=tol,
        callback=callback,
        rng=rng,
        n_threads=n_threads,
        progress=progress,
        **options,
    )


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
    return tuple(name for name, solver in SOLVERS.items() if energy is None or solver.accepts(energy) is None)


def _find(method: str) -> Solver:
    if not isinstance(method, str) or method not in SOLVERS:
        raise InputError(f"method must be one of {', '.join(map(repr, SOLVERS))}, got {method!r}")
    return SOLVERS[method]


def _default(energy: Any) -> Solver:
    for name in methods(energy):
        return SOLVERS[name]
    raise InputTypeError(f"no method can minimise an energy of type {type(energy).__name__}")


def _alternatives(energy: Any) -> str:
    names = methods(energy)
    return f"methods that can: {', '.join(names)}" if names else "no method can"


def _check_options(name: str, function: Callable[..., Any], options: dict[str, Any]) -> None:
    known = [p for p in list(inspect.signature(function).parameters)[1:] if p not in _COMMON]
    for option in options:
        if option not in known:
            has = f"its options are {', '.join(known)}" if known else "it has no options of its own"
            raise InputTypeError(f"{name} has no option {option!r}; {has}")


def _needs_dense_crf(energy: Any) -> str | None:
    from classicseg.energies.dense_crf import DenseCRF

    return None if isinstance(energy, DenseCRF) else f"it needs a DenseCRF, got {type(energy).__name__}"


def _needs_grid_crf(energy: Any) -> str | None:
    from classicseg.energies.grid_crf import GridCRF

    return None if isinstance(energy, GridCRF) else f"it needs a GridCRF, got {type(energy).__name__}"


def _needs_grid_without_label_costs(energy: Any) -> str | None:
    reason = _needs_grid_crf(energy)
    return "it knows no label costs" if reason is None and energy.label_costs is not None else reason


def _needs_dense_crf_or_grid_without_label_costs(energy: Any) -> str | None:
    if _needs_dense_crf(energy) is None:
        return None
    if _needs_grid_crf(energy) is None:
        return _needs_grid_without_label_costs(energy)
    return f"it needs a DenseCRF or a GridCRF, got {type(energy).__name__}"


def _needs_two_labels(energy: Any) -> str | None:
    reason = _needs_grid_crf(energy)
    if reason is None and energy.n_labels != 2:
        reason = f"it serves 2 labels, got {energy.n_labels}"
    if reason is None and energy.label_costs is not None:
        reason = "it knows no label costs"
    return reason


def _needs_submodular_pairs(energy: Any) -> str | None:
    reason = _needs_grid_crf(energy)
    return energy.reason_against_cut() if reason is None else reason


SOLVERS: dict[str, Solver] = {
    solver.name: solver
    for solver in (
        Solver(
            name="graph_cut",
            function="classicseg.solvers.cut.graph_cut:graph_cut",
            accepts=_needs_submodular_pairs,
            summary="Exact minimum for 2 labels by a minimum cut.",
            paper="Boykov and Kolmogorov 2004; Goldberg and Tarjan 1988; Goldberg et al. 2011",
        ),
        Solver(
            name="trws+expansion",
            function="classicseg.solvers.messages.trws:trws_expansion",
            accepts=_needs_grid_crf,
            summary="TRW-S, then expansion moves from its labels: the lowest energies, and how far from the best.",
            paper="Kolmogorov 2006; Boykov, Veksler and Zabih 2001",
        ),
        Solver(
            name="trws",
            function="classicseg.solvers.messages.trws:trws",
            accepts=_needs_grid_without_label_costs,
            summary="Tree-reweighted message passing: low energies and a bound on how much lower they could be.",
            paper="Kolmogorov 2006",
        ),
        Solver(
            name="expansion",
            function="classicseg.solvers.cut.moves:expansion",
            accepts=_needs_grid_crf,
            summary="Alpha-expansion: fast and good for many labels; never raises the energy; heeds label costs.",
            paper="Boykov, Veksler and Zabih 2001; Delong et al. 2012",
        ),
        Solver(
            name="swap",
            function="classicseg.solvers.cut.moves:swap",
            accepts=_needs_grid_crf,
            summary="Alpha-beta swap: for compatibilities that are no metric.",
            paper="Boykov, Veksler and Zabih 2001",
        ),
        Solver(
            name="fusion",
            function="classicseg.solvers.cut.moves:fusion",
            accepts=_needs_grid_crf,
            summary="Combines labellings from elsewhere into one that is at least as good as each.",
            paper="Lempitsky et al. 2010",
        ),
        Solver(
            name="qpbo",
            function="classicseg.solvers.cut.qpbo:qpbo",
            accepts=_needs_two_labels,
            summary="2 labels, any pairs: the part of the minimum that can be proven, and a lower bound.",
            paper="Hammer, Hansen and Simeone 1984; Rother et al. 2007",
        ),
        Solver(
            name="mean_field",
            function="classicseg.solvers.dense.mean_field:mean_field",
            accepts=_needs_dense_crf_or_grid_without_label_costs,
            summary="Mean field: fast, the usual choice for dense CRFs; on grids its free energy never rises.",
            paper="Krähenbühl and Koltun 2011; Wainwright and Jordan 2008",
        ),
        Solver(
            name="mean_field_convergent",
            function="classicseg.solvers.dense.mean_field:mean_field_convergent",
            accepts=_needs_dense_crf,
            summary="Mean field whose free energy never rises, also with repulsive compatibilities.",
            paper="Baqué et al. 2016",
        ),
        Solver(
            name="belief_propagation",
            function="classicseg.solvers.messages.belief_propagation:belief_propagation",
            accepts=_needs_grid_without_label_costs,
            summary="Min-sum and sum-product messages: exact on chains and trees; marginals at any temperature.",
            paper="Pearl 1988; Felzenszwalb and Huttenlocher 2006",
        ),
        Solver(
            name="icm",
            function="classicseg.solvers.sites.icm:icm",
            accepts=_needs_grid_crf,
            summary="Iterated conditional modes: the simplest descent, fast and weak; heeds label costs.",
            paper="Besag 1986",
        ),
        Solver(
            name="annealing",
            function="classicseg.solvers.sites.annealing:annealing",
            accepts=_needs_grid_crf,
            summary="Gibbs sampling while the temperature falls: slow, any energy; heeds label costs.",
            paper="Geman and Geman 1984",
        ),
    )
}
