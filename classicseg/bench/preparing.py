"""Compile what the solvers of the library need for the problems of ``--quick``."""

from __future__ import annotations

import contextlib

from classicseg.bench import catalog, dividers, ours
from classicseg.bench.contender import Limits, Moment
from classicseg.errors import BudgetError


def compile_all() -> None:
    """Let each solver of the library solve each quick problem that it accepts, in this process."""
    limits = Limits(60.0, 1)
    for problem in catalog.problems(None).values():
        if not problem.quick:
            continue
        instance = problem.make(None)
        for contender in (*ours.contenders(), *dividers.contenders()):
            if contender.refuses(instance) is None:
                watched = contender.watched
                call = watched(instance, limits, _forget) if watched else contender.prepare(instance, limits)
                with contextlib.suppress(BudgetError):  # what does not fit into memory needs no kernels
                    call()


def _forget(moment: Moment) -> None:
    """Nobody looks at what is found."""
