"""The solvers of the library as contenders, those of plugins among them."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from classicseg.bench.contender import Answer, Call, Contender, Limits, Moment
from classicseg.bench.tasks import Refinement, Regions
from classicseg.machine.jit import seconds_preparing
from classicseg.solvers.minimize import minimize
from classicseg.solvers.registry import solvers
from classicseg.types import State

_RARELY = 1.15  # the next look at the labels comes when so much more time has passed in all


def contenders() -> list[Contender]:
    """One for each name of a solver."""
    methods = dict.fromkeys(solver.name for solver in solvers())
    return [
        Contender(name, partial(_refuses, name), partial(_prepare, name), partial(_watched, name)) for name in methods
    ]


def _load(method: str) -> None:
    """Import what the solver needs, before its clock runs."""
    for solver in solvers():
        if solver.name == method:
            solver.load()


def _energy(instance: Any) -> Any:
    return instance.crf if isinstance(instance, Refinement) else instance


def _refuses(method: str, instance: Any) -> str | None:
    if isinstance(instance, Regions):
        return "it needs an energy, got an image"
    same = [solver for solver in solvers() if solver.name == method]
    reasons = [solver.accepts(_energy(instance)) for solver in same]
    if None not in reasons:
        return reasons[0]
    options = inspect.signature(same[reasons.index(None)].load()).parameters.values()
    needed = [one.name for one in options if one.kind is one.KEYWORD_ONLY and one.default is one.empty]
    return f"it needs to be given {' and '.join(needed)}" if needed else None


def _options(method: str, instance: Any, limits: Limits) -> dict[str, Any]:
    options: dict[str, Any] = {"n_threads": limits.n_threads}
    if isinstance(instance, Refinement):
        options["max_iter"] = instance.n_iter
    return options


def _prepare(method: str, instance: Any, limits: Limits) -> Call:
    energy, options = _energy(instance), _options(method, instance, limits)
    _load(method)

    def call() -> Answer:
        start, before = time.perf_counter(), seconds_preparing()
        result = minimize(energy, method, **options)
        seconds = time.perf_counter() - start - (seconds_preparing() - before)
        return Answer(result.labels, result.lower_bound, result.message, seconds=seconds)

    return call


def _watched(method: str, instance: Any, limits: Limits, keep: Callable[[Moment], None]) -> Call:
    """A run whose labels are kept now and then; its clock stands still while that is done, and for compiling."""
    energy, options = _energy(instance), _options(method, instance, limits)
    _load(method)

    def call() -> Answer:
        curve: list[Moment] = []
        start, before, looked = time.perf_counter(), seconds_preparing(), 0.0

        def clock() -> float:
            return time.perf_counter() - start - (seconds_preparing() - before) - looked

        def look(state: State) -> bool:
            nonlocal looked
            now = clock()
            if not curve or now >= _RARELY * curve[-1][0] or now > limits.seconds:
                labels = state.labels
                if labels is None and state.marginals is not None:
                    labels = state.marginals.argmax(axis=0)
                curve.append((now, None if labels is None else labels.copy(), state.lower_bound))
                keep(curve[-1])
            looked += clock() - now
            return now > limits.seconds

        result = minimize(energy, method, callback=look, **options)
        seconds = clock()
        curve.append((seconds, result.labels, result.lower_bound))
        late = seconds > limits.seconds and not result.converged
        message = "out of time" if late else result.message
        return Answer(result.labels, result.lower_bound, message, late, curve, seconds)

    return call
