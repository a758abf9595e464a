"""The costs of a grid energy, read window by window in the precision that the run in memory has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from classicseg.energies.compatibility import Compatibility
from classicseg.energies.grid import Offset, edge_ends, edge_shape
from classicseg.energies.grid_crf import as_volume
from classicseg.kernels.sites.energy import pairwise_energy, unary_energy
from classicseg.machine.threads import map_tasks
from classicseg.solvers.messages.state import are_whole
from classicseg.streaming.cut.edges import ContrastEdges, Edges, EqualEdges, GivenEdges, pieces_of
from classicseg.streaming.moves.costs import Labelling
from classicseg.streaming.raster import Inside, Planes, of_mask

_INT32 = np.iinfo(np.int32)

Read = TypeVar("Read")


@dataclass(frozen=True)
class Survey:
    """What all costs are like.

    Attributes
    ----------
    low, high : float
        The least and the largest finite unary cost.
    heaviest : float
        The largest weight.
    whole : bool
        Whether all costs are whole numbers.
    """

    low: float
    high: float
    heaviest: float
    whole: bool


class GridCosts:
    """Unary costs and weights of the edges of an energy.

    Parameters
    ----------
    unary : Planes
    directions : mapping of str to offset
    edges : Edges
    inside : Inside
    compatibility : Compatibility
    n_threads : int

    Attributes
    ----------
    shape : tuple of int
        Spatial shape.
    n_labels : int
    equal : list of float or None
        The weight of each direction if that is one for all edges.
    """

    def __init__(
        self,
        unary: Planes,
        directions: Mapping[str, Offset],
        edges: Edges,
        inside: Inside,
        compatibility: Compatibility,
        n_threads: int,
    ) -> None:
        self.shape, self.directions, self.n_labels, self.n_threads = unary.grid, directions, unary.count, n_threads
        self.compatibility, self._cost = compatibility, compatibility.matrix(unary.count)
        self._unary, self._edges, self._inside = unary, edges, inside
        self.equal: list[float] | None = None
        if isinstance(edges, EqualEdges) and inside.planes is None:
            self.equal = [edges.weights[offset] for offset in directions.values()]
        self._dtype = self._dtype_of_unary()

    def unary(self, first: int, stop: int) -> np.ndarray:
        """Costs in the rows from `first` to `stop` - 1, (L, n, ...), 0 outside of the mask."""
        values = np.require(self._unary.read(self._box(first, stop)), self._dtype, ["C", "A", "W"])
        if self._inside.planes is not None:
            values = np.where(self._within(first, stop), values, self._dtype.type(0))
        return values

    def weights(self, first: int, stop: int) -> list[np.ndarray]:
        """For each direction the weights of edges whose first row is from `first` to `stop` - 1; not if `equal`."""
        length = self.shape[0]
        read = self._edges.read(first, stop, min(stop + 1, length))
        if self._inside.planes is not None and not isinstance(self._edges, GivenEdges):
            inside = self._within(first, min(stop + 1, length))
            for offset, part in zip(self.directions.values(), read, strict=True):
                begin, end = edge_ends(offset)
                some = inside[: len(part) + offset[0]]
                part *= some[begin] & some[end]
        return [np.ascontiguousarray(part, self._dtype_of_edges(part)) for part in read]

    def survey(self) -> Survey:
        """Look at all costs."""
        pieces, no_edges = self.pieces(), self.equal is not None

        def look(i: int) -> Survey:
            unary = self.unary(pieces[i].start, pieces[i].stop)
            finite = unary[np.isfinite(unary)]
            parts = [] if no_edges else self.weights(pieces[i].start, pieces[i].stop)
            heaviest = max((float(part.max()) for part in parts if part.size), default=0.0)
            whole = all(map(are_whole, (unary, *parts)))
            return Survey(float(finite.min()), float(finite.max()), heaviest, whole)

        met = map_tasks(look, len(pieces), self.n_threads)
        lives = [np.prod(edge_shape(self.shape, offset)) > 0 for offset in self.directions.values()]
        equal = [weight for weight, alive in zip(self.equal or [0.0] * len(lives), lives, strict=True) if alive]
        return Survey(
            min(one.low for one in met),
            max(one.high for one in met),
            max(*equal, *(one.heaviest for one in met), 0.0),
            all((*(one.whole for one in met), are_whole(self._cost), are_whole(np.array(self.equal or [])))),
        )

    def energy(self, labels: Labelling) -> float:
        """That of a labelling, to the bit what :meth:`GridCRF.energy` says."""
        of_unary, of_edges = 0.0, [0.0] * len(self.directions)
        length, one = self.shape[0], np.ones(1)

        def read(rows: slice) -> tuple[slice, np.ndarray, list[np.ndarray], np.ndarray]:
            weights = [] if self.equal is not None else self.weights(rows.start, rows.stop)
            around = np.require(labels.read(rows.start, min(rows.stop + 1, length)), np.int32, ["C", "W"])
            return rows, self.unary(rows.start, rows.stop), weights, around

        for rows, unary, weights, around in self.in_order(self.pieces(), read):
            n = rows.stop - rows.start
            of_unary = float(unary_energy(around[:n].reshape(-1), unary.reshape(-1), self.shape[-1], of_unary))
            for k, offset in enumerate(self.directions.values()):
                n_begin = min(n, length - offset[0] - rows.start)
                sides = (n_begin + offset[0], *self.shape[1:])
                if min(edge_shape(sides, offset)) > 0:
                    part = one if self.equal is not None else weights[k].reshape(-1)
                    some = around[: sides[0]].reshape(-1)
                    sizes = (*as_volume(sides, 1), *as_volume(offset, 0))
                    of_edges[k] = float(pairwise_energy(some, part, self._cost, *sizes, of_edges[k]))
        total, factors = of_unary, self.equal or [1.0] * len(of_edges)
        for in_direction, factor in zip(of_edges, factors, strict=True):
            total += in_direction * factor
        return total

    def pieces(self) -> list[slice]:
        """Some rows at a time."""
        return pieces_of(0, self.shape[0], self._unary)

    def in_order(self, pieces: list[slice], read: Callable[[slice], Read]) -> Iterator[Read]:
        """What `read` makes of some rows, in their order; the next ones are read by several threads at once."""
        for i in range(0, len(pieces), self.n_threads):
            some = pieces[i : i + self.n_threads]
            yield from map_tasks(_of(read, some), len(some), self.n_threads)

    def _box(self, first: int, stop: int) -> tuple[slice, ...]:
        return (slice(first, stop), *(slice(0, n) for n in self.shape[1:]))

    def _within(self, first: int, stop: int) -> np.ndarray:
        """Which pixels of some rows take part."""
        assert self._inside.planes is not None
        return of_mask(self._inside.planes.read(self._box(first, stop)))

    def _dtype_of_unary(self) -> np.dtype[Any]:
        """What :func:`classicseg.inputs.as_costs` would make of all of them."""
        given = self._unary.dtype
        if given.kind == "f":
            return np.dtype(np.float32 if given.itemsize <= 4 else np.float64)
        if np.can_cast(given, np.int32):
            return np.dtype(np.int32)
        self._dtype = np.dtype(np.int64)
        ends = [
            (int(unary.min()), int(unary.max()))
            for unary in self.in_order(self.pieces(), lambda rows: self.unary(rows.start, rows.stop))
        ]
        fits = min(low for low, _ in ends) >= _INT32.min and max(high for _, high in ends) <= _INT32.max
        return np.dtype(np.int32 if fits else np.float64)

    def _dtype_of_edges(self, part: np.ndarray) -> np.dtype[Any]:
        """What the weights of a direction are in memory, some of which are `part`."""
        if isinstance(self._edges, ContrastEdges):
            return np.dtype(np.float32 if self._edges.weight == 1 else np.float64)
        if isinstance(self._edges, GivenEdges) and part.dtype.kind != "f":
            return np.dtype(np.int32 if self._edges.heaviest <= _INT32.max else np.float64)
        return np.dtype(np.float32 if part.dtype.itemsize <= 4 else np.float64)


def _of(read: Callable[[slice], Read], pieces: list[slice]) -> Callable[[int], Read]:
    return lambda i: read(pieces[i])
