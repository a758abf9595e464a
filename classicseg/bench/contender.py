"""What takes part: a solver of the library or of somebody else, and how to add one's own."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from classicseg.errors import InputError

if TYPE_CHECKING:
    import numpy as np


Moment = tuple[float, Any, float | None]
"""Seconds of the solver's own clock, labels or None, lower bound or None."""


@dataclass(frozen=True)
class Limits:
    """What a contender may use.

    Attributes
    ----------
    seconds : float
        One that can be stopped returns the best labels that it has then; another is ended a little later.
    n_threads : int
    """

    seconds: float
    n_threads: int


@dataclass
class Answer:
    """What a contender found.

    Attributes
    ----------
    labels : ndarray
        One for each pixel or node.
    lower_bound : float or None
        No labels cost less, says the contender.
    message : str
        Why it stopped.
    stopped : bool
        Whether that was the limit of time.
    curve : list of (seconds, labels or None, lower bound or None)
        What it had on the way.
    seconds : float or None
        Its own time where the clock should not count everything, such as compiling.
    """

    labels: np.ndarray
    lower_bound: float | None = None
    message: str = ""
    stopped: bool = False
    curve: list[Moment] = field(default_factory=list)
    seconds: float | None = None


Call = Callable[[], Answer]


@dataclass(frozen=True)
class Contender:
    """A solver that takes part.

    Attributes
    ----------
    name : str
    refuses : callable
        ``refuses(instance)`` is None if it can solve the problem, else why not.
    prepare : callable
        ``prepare(instance, limits)`` brings the problem into the form that the solver wants, which is not timed, and
        returns a function without arguments that solves it: an :class:`Answer`, or labels.
    watched : callable, optional
        ``watched(instance, limits, keep)`` is the same for a run that is looked at: its answer has a curve, it ends in
        time where it can, and passes each moment of the curve to ``keep``, for the case that it must be ended.
    package : str
        What it imports; the library itself if empty.
    install : str
        What to install for it.
    """

    name: str
    refuses: Callable[[Any], str | None]
    prepare: Callable[[Any, Limits], Callable[[], Any]]
    watched: Callable[[Any, Limits, Callable[[Moment], None]], Callable[[], Any]] | None = None
    package: str = ""
    install: str = ""

    @property
    def is_peer(self) -> bool:
        """Whether it is another library's."""
        return bool(self.package)

    @property
    def is_installed(self) -> bool:
        """Whether it can be imported."""
        return not self.package or importlib.util.find_spec(self.package) is not None


_registered: dict[str, Contender] = {}


def registered() -> list[Contender]:
    """Those of :func:`register_contender`."""
    return list(_registered.values())


def register_contender(
    name: str, *, accepts: type | tuple[type, ...] | Callable[[Any], str | None], package: str = "", install: str = ""
) -> Callable[[Callable[[Any, Limits], Any]], Callable[[Any, Limits], Any]]:
    """Add a solver to the benchmark: in a file that is given as ``--plugin``.

    A method that :func:`classicseg.register_solver` made known to ``minimize`` takes part by itself; this is for
    programs of another kind.

    Parameters
    ----------
    name : str
    accepts : type, tuple of types or callable
        The kinds of problem that it can solve, or a function of a problem that returns None, or why it cannot.
    package : str
        What it imports, if it is another library's.
    install : str
        What to install for it.

    Returns
    -------
    callable
        A decorator of ``prepare(instance, limits)``, which brings the problem into the form that the solver wants and
        returns a function without arguments, the one that is timed; that returns labels or an :class:`Answer`.

    Raises
    ------
    ValueError
        If there is no name.

    Examples
    --------
    >>> import classicseg as cs
    >>> from classicseg import bench
    >>> @bench.register_contender("cheapest", accepts=(cs.GridCRF, cs.GraphCRF))
    ... def cheapest(instance, limits):
    ...     return lambda: instance.unary.argmin(axis=0)
    """
    if not isinstance(name, str) or not name:
        raise InputError(f"name must be a word, got {name!r}")

    def refuses(instance: Any) -> str | None:
        if not isinstance(accepts, type | tuple):
            return accepts(instance)
        return None if isinstance(instance, accepts) else f"it does not serve a {type(instance).__name__}"

    def register(prepare: Callable[[Any, Limits], Any]) -> Callable[[Any, Limits], Any]:
        _registered[name] = Contender(name, refuses, prepare, package=package, install=install)
        return prepare

    return register
