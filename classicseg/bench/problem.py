"""What a problem of the benchmark is, and how to add one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from classicseg.errors import InputError


@dataclass(frozen=True)
class Problem:
    """A problem, and all that is known of it before it is made.

    Attributes
    ----------
    name : str
        ``SUITE/NAME``.
    make : callable
        ``make(data)`` gives the instance, where `data` is the folder of research data (None if there is none): a
        GridCRF, a GraphCRF, a :class:`classicseg.bench.tasks.Refinement` or a :class:`classicseg.bench.tasks.Regions`.
    files : tuple of str
        What must be in that folder; without it the problem is skipped.
    origin : str
        Where these files come from.
    quick : bool
        Whether it is small and needs no data: one of those of ``--quick``.
    published : mapping of str to float
        Energies that others have reached, by their names.
    labels : mapping of str to str
        Files of the folder with labellings that others have published, in the format of the UAI competitions.
    published_bound : float, optional
        The best lower bound that others have proved.
    summary : str
        What it is, in a line.
    """

    name: str
    make: Callable[[Any], Any]
    files: tuple[str, ...] = ()
    origin: str = ""
    quick: bool = False
    published: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    published_bound: float | None = None
    summary: str = ""

    @property
    def suite(self) -> str:
        """The part of the name before the slash."""
        return self.name.split("/")[0]

    def missing(self, data: Path | None) -> list[str]:
        """Which of its files are not there."""
        return [file for file in self.files if data is None or not (data / file).is_file()]


_registered: dict[str, Problem] = {}


def registered() -> list[Problem]:
    """Those of :func:`register_problem`."""
    return list(_registered.values())


def register_problem(
    name: str,
    *,
    files: tuple[str, ...] = (),
    origin: str = "",
    quick: bool = False,
    published: Mapping[str, float] | None = None,
    summary: str = "",
) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Add a problem to the benchmark: in a file that is given as ``--plugin``.

    Parameters
    ----------
    name : str
        ``SUITE/NAME``, a suite of the library or one of your own. One that was registered before is replaced.
    files : tuple of str
        What must be in the folder of data.
    origin : str
        Where these files come from.
    quick : bool
        Whether ``--quick`` includes it: without data, and solved in a fraction of a second.
    published : mapping of str to float, optional
        Energies that others have reached, by their names.
    summary : str
        What it is, in a line.

    Returns
    -------
    callable
        A decorator of a function of the folder of data, which gives the energy.

    Raises
    ------
    ValueError
        If the name has no suite.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> from classicseg import bench
    >>> @bench.register_problem("mine/checkers", quick=True)
    ... def checkers(data):
    ...     unary = np.random.default_rng(0).integers(0, 9, (2, 8, 8))
    ...     return cs.GridCRF(unary, cs.Potts(2))
    >>> checkers(None)
    GridCRF(2 labels, 8x8 pixels, 4 neighbours, Potts)
    """
    if name.count("/") != 1 or not all(name.split("/")):
        raise InputError(f"name must be SUITE/NAME, got {name!r}")

    def register(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
        _registered[name] = Problem(name, make, tuple(files), origin, quick, dict(published or {}), summary=summary)
        return make

    return register
