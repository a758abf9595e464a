"""What the lattices of a streamed refinement need, in memory or in bands, and which of the two it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from classicseg.filters.bands.bank import AHEAD
from classicseg.filters.bands.reach import Reach
from classicseg.filters.building import Space, stripes_of
from classicseg.filters.streamed import BYTES_OF_VERTEX
from classicseg.kernels.dense.bank import RowLayout
from classicseg.machine.limits import available_memory
from classicseg.streaming.refine.survey import Prepared

_ROW_OF_TABLE = 80  # bytes: two to four places of 16, key and row
_OF_FILES = 20  # bytes of a vertex in files beside rows and neighbours: its key, mass and what ones come to
_OF_DUPLICATE = 20  # bytes in memory for each vertex that another stripe has met before, and which it is
_STEPS_AHEAD = 1.25  # vertices that are blurred at once, and those that are near, in units of the latter


class Needs(NamedTuple):
    """Bytes that lattices take."""

    memory: float
    scratch: float  # on the disk, the state included
    in_bands: bool


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
        _of_lattice(*lattice, n_points, row, n_threads, 2 + prunes)
        for lattice in zip(passing.spaces, reaches, vertices, strict=True)
    ]
    kept = 2 * (1 + prunes) * row  # the rows of the last update, and of this one
    return Needs(sum(memory for memory, _ in parts), sum(scratch for _, scratch in parts) + kept * sum(vertices), True)


def most_in_memory(ready: Prepared) -> float:
    """Bytes in memory if points shared no vertices."""
    spaces = ready.passing(lambda start, labels: None, 0).spaces
    n_corners, row = sum(space.n_corners for space in spaces), _bytes_of_row(ready.raster.costs.planes.count)
    return (BYTES_OF_VERTEX + 3 * row) * n_corners * ready.raster.inside.n_points


def _bytes_of_row(n_labels: int) -> int:
    layout = RowLayout.of(n_labels)
    return 4 * layout.n_panels * len(layout.lanes)


def _of_lattice(
    space: Space, reach: Reach, vertices: float, n_points: int, row: int, n_threads: int, n_rows: int
) -> tuple[float, float]:
    """Bytes of a lattice in bands: in memory, and on the disk.

    Of one that reaches far, all vertices that a stripe meets are near, and all of the lattice where neighbours are.
    """
    dense, n_shells, n_stripes = vertices / n_points, len(space.blur.shells), stripes_of(n_points)
    neighbours = 4 * (n_shells + space.steps().size) if n_shells else 8 * space.n_corners
    of_stripe = min(dense * (reach.touch + max(AHEAD, reach.touch)), vertices / n_stripes)
    stripe = n_threads * of_stripe * (_ROW_OF_TABLE + n_rows * row)
    linking = min(n_threads * dense * 4 * reach.near, vertices) * (_ROW_OF_TABLE + neighbours)
    n_steps = 2 if n_shells else space.n_corners + 1
    blur = min(_STEPS_AHEAD * (n_steps + 1) * dense * reach.near, vertices) * (2 * row + neighbours)
    again = _OF_DUPLICATE * min(n_stripes * dense * reach.touch, vertices)
    return max(stripe, linking, blur) + again, (_OF_FILES + neighbours + n_rows * row) * vertices
