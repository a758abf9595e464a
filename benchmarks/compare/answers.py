"""All problems that two checkouts must answer alike, to the bit: by name, a function that gives labelled results.

Only names are used that every version of the library has. A problem whose data or packages are missing raises
FileNotFoundError or ImportError and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.compare import energies, pictures
from benchmarks.compare.digest import Problem

FAMILIES: dict[str, Callable[[], Iterator[tuple[str, Problem]]]] = {
    "dense": energies.of_dense,
    "grid": energies.of_grid,
    "literature": energies.of_the_literature,
    "regions": pictures.of_regions,
    "pipelines": pictures.of_pipelines,
    "torch": pictures.of_torch,
}


def problems(families: list[str]) -> dict[str, Problem]:
    return {name: problem for family in families for name, problem in FAMILIES[family]()}
