"""What the lattices of a streamed refinement need, in memory or in bands, and which of the two it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from classicseg.filters.bands.bank import AHEAD
from classicseg.filters.bands.linking import BYTES_OF_KEY
from classicseg.filters.bands.reach import Reach
from classicseg.filters.building import Space, stripes_of
from classicseg.filters.streamed import BYTES_OF_VERTEX
from classicseg.kernels.dense.bank import RowLayout
from classicseg.machine.limits import available_memory
from classicseg.streaming.refine.survey import Prepared

_OF_FILES = 20  # bytes of a vertex in files beside rows and neighbours: its key, mass and what ones come to
_OF_DUPLICATE = 20  # bytes in memory for each vertex that another stripe has met before, and which it is
_STEPS_AHEAD = 1.25  # vertices that are blurred at once, and those that are near, in units of the latter


class Needs(NamedTuple):
    """Bytes that lattices take."""

    memory: float  # mapped files included, of what is near the pixels that pass by
    scratch: float  # on the disk, the state included
    in_bands: bool
    least: float = 0.0  # of memory that is not that of mapped files, in bands: without so much there is no way


def needs_of(ready: Prepared, vertices: Sequence[float], n_threads: int, *, prunes: bool) -> Needs:
    """What the lattices need if they have so many `vertices`: in bands if there is no memory for them otherwise.

    Where blocks that have settled are left alone, `prunes`, they have one row more.
    """
    row = _bytes_of_row(ready.raster.costs.planes.count)
    in_memory = Needs(
        (BYTES_OF_VERTEX + (2 + prunes) * row) * sum(vertices), (12 + (1 + prunes) * row) * sum(vertices), False
    )
    available = available_memory()
    if available is None or in_memory.memory <= available:
        return in_memory
    passing, n_points = ready.passing(lambda start, labels: None, 0), ready.raster.inside.n_points
    reaches = passing.reaches()
    parts = [
        _of_lattice(*lattice, n_points, row, n_threads, 2 + prunes, available)
        for lattice in zip(passing.spaces, reaches, vertices, strict=True)
    ]
    memory, scratch, least = np.sum(parts, axis=0).tolist()
    kept = 2 * (1 + prunes) * row  # the rows of the last update, and of this one
    return Needs(memory, scratch + kept * sum(vertices), True, least)


def most_in_memory(ready: Prepared) -> float:
    """Bytes in memory if points shared no vertices."""
    spaces = ready.passing(lambda start, labels: None, 0).spaces
    n_corners, row = sum(space.n_corners for space in spaces), _bytes_of_row(ready.raster.costs.planes.count)
    return (BYTES_OF_VERTEX + 3 * row) * n_corners * ready.raster.inside.n_points


def _bytes_of_row(n_labels: int) -> int:
    layout = RowLayout.of(n_labels)
    return 4 * layout.n_panels * len(layout.lanes)


def _of_lattice(
    space: Space, reach: Reach, vertices: float, n_points: int, row: int, n_threads: int, n_rows: int, available: float
) -> tuple[float, float, float]:
    """Bytes of a lattice in bands: in memory, on the disk, and the least of the former that is not of mapped files.

    Of one that reaches far, all vertices that a stripe meets are near, and all of the lattice where neighbours are.
    Neighbours are looked for by as many threads as there is memory for.
    """
    dense, n_shells, n_stripes = vertices / n_points, len(space.blur.shells), stripes_of(n_points)
    neighbours = 4 * (n_shells + space.steps().size) if n_shells else 8 * space.n_corners
    again = _OF_DUPLICATE * min(n_stripes * dense * reach.touch, vertices)
    of_stripe = n_threads * min(dense * (reach.touch + max(AHEAD, reach.touch)), vertices / n_stripes)
    part = min(3 * dense * reach.near, vertices) * BYTES_OF_KEY + min(dense * reach.near, vertices) * neighbours
    at_once = max(1, min(n_threads, math.ceil(n_points / reach.near), (available - again) // max(part, 1)))
    n_steps = 2 if n_shells else space.n_corners + 1
    blur = min(_STEPS_AHEAD * (n_steps + 1) * dense * reach.near, vertices) * (2 * row + neighbours)
    memory = max(of_stripe * (BYTES_OF_KEY + n_rows * row), at_once * part, blur)
    least = max(of_stripe * BYTES_OF_KEY, part)
    return memory + again, (_OF_FILES + neighbours + n_rows * row) * vertices, least
