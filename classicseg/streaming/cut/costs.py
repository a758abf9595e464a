"""The costs of a minimum cut, read window by window and counted in steps of one size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from classicseg import inputs
from classicseg.energies.grid import Offset, edge_shape
from classicseg.errors import InputError
from classicseg.machine.threads import map_tasks
from classicseg.solvers.cut.zones import Costs, Rows
from classicseg.streaming.cut.edges import Edges, pieces_of
from classicseg.streaming.raster import Box, Digest, Inside, Planes, Steps, of_mask, pass_through

LIMIT = 2.0**30
"""Of what a pixel may ever have in whole numbers: its own difference, and three times what its edges can cost."""

_FINEST = 500  # powers of two: what float64 can multiply any cost by


class ScaledCosts(Costs, Protocol):
    """Costs that were counted in steps."""

    scale: float
    """Steps in a cost of 1, a power of two."""

    n_threads: int
    """That read."""


class CutCosts:
    """Unary costs and weights in steps that are the same everywhere; see :class:`classicseg.solvers.cut.zones.Costs`.

    Parameters
    ----------
    unary : Planes
        Of two labels.
    directions : mapping of str to offset
    edges : Edges
    inside : Inside
    n_threads : int

    Attributes
    ----------
    scale : float
        Steps in a cost of 1, a power of two.
    n_threads : int
        That read.
    """

    def __init__(
        self, unary: Planes, directions: Mapping[str, Offset], edges: Edges, inside: Inside, n_threads: int
    ) -> None:
        self.shape, self.directions = unary.grid, directions
        self._unary, self._edges, self._inside, self.n_threads = unary, edges, inside, n_threads
        self.scale, self._ceiling = scale_and_ceiling(2 * len(directions) * edges.heaviest, LIMIT)

    def rows(self, first: int, stop: int) -> Rows:
        """See :class:`classicseg.solvers.cut.zones.Costs`."""
        shape = (stop - first, *self.shape[1:])
        unary, least = np.zeros((2, *shape), np.int32), np.empty(shape[0])
        weights = [np.empty(edge_shape(shape, offset), np.int32) for offset in self.directions.values()]
        mask = None if self._inside.planes is None else np.empty(shape, bool)
        pieces = pieces_of(first, stop, self._unary)

        def count(i: int) -> None:
            rows = pieces[i]
            at = slice(rows.start - first, rows.stop - first)
            box = (rows, *(slice(0, n) for n in self.shape[1:]))
            costs = self._unary.read(box).astype(np.float64)
            if mask is not None and self._inside.planes is not None:
                mask[at] = of_mask(self._inside.planes.read(box))
                costs[:, ~mask[at]] = 0
            costs *= self.scale
            np.rint(costs, out=costs)
            least[at] = np.minimum(costs[0], costs[1]).reshape(len(costs[0]), -1).sum(axis=1) / self.scale
            costs[1] -= costs[0]
            unary[1, at] = np.clip(costs[1], -self._ceiling, self._ceiling, out=costs[1])
            for target, part in zip(weights, self._edges.read(rows.start, rows.stop, stop), strict=True):
                target[at.start : at.start + len(part)] = np.rint(part * np.float64(self.scale))

        map_tasks(count, len(pieces), self.n_threads)
        return Rows(unary, weights, mask, least)


def scale_and_ceiling(most: float, limit: float) -> tuple[float, float]:
    """Steps in a cost of 1, a power of two, and a difference of unary costs, in steps, that no edges outweigh.

    The edges of a pixel can cost `most`; what it may ever have is below `limit` steps.
    """
    scale = float(2.0 ** min(np.floor(np.log2(limit / 5) - np.log2(most)), _FINEST)) if most > 0 else 2.0**20
    return scale, np.floor(2 * most * scale) + 1


def look_at_unary(unary: Planes, steps: Steps, inside: Inside, digest: Digest, n_threads: int) -> None:
    """Read all unary costs once, and refuse what cannot work."""

    def look(_: int, box: Box, values: np.ndarray) -> None:
        if inside.planes is not None:
            values = values[:, of_mask(inside.planes.read(box))]
        if values.size:
            try:
                inputs.as_costs(values)
            except InputError as failure:
                where = ", ".join(f"{side.start}:{side.stop}" for side in box)
                raise InputError(f"{failure} (counted in the window at ({where}))") from failure

    pass_through(unary, steps, digest, n_threads, look)
