"""What is known of a solver without importing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from classicseg.types import Result


@dataclass(frozen=True)
class Solver:
    """A solver and what is known of it without importing it.

    Attributes
    ----------
    name : str
        What users pass as `method`. A name may have several solvers, for energies of different kinds.
    load : callable
        ``load()`` imports the solver and returns it: a function of an energy, a
        :class:`classicseg.solvers.run.Run`, and options of its own by keyword.
    accepts : callable
        ``accepts(energy)`` is None if the solver can minimise the energy, else the reason why not.
    summary : str
        What it does, in a line.
    paper : str
        Where it comes from.
    init : {"labels", "marginals"} or None
        What it can start from, if anything.
    max_iter : int or None
        How many iterations it runs if the user does not say; None if it has none to limit.
    tol : bool
        Whether it stops when an iteration changes little.
    rng : bool
        Whether it draws random numbers.
    """

    name: str
    load: Callable[[], Callable[..., Result]]
    accepts: Callable[[Any], str | None]
    summary: str
    paper: str
    init: Literal["labels", "marginals"] | None = None
    max_iter: int | None = None
    tol: bool = False
    rng: bool = False

    @property
    def uses(self) -> tuple[str, ...]:
        """Which of the arguments `init`, `max_iter`, `tol` and `rng` of :func:`classicseg.minimize` it uses."""
        said = {"init": self.init, "max_iter": self.max_iter, "tol": self.tol, "rng": self.rng}
        return tuple(name for name, value in said.items() if value)
