"""The cycle relaxation: a linear program over pairs of bits that differ; its inequalities are found as they are needed.

A quadratic function of bits is a sum over edges of a graph: of a pair it counts whether the bits differ, and a further
node, which is 0, stands at the other end of each single bit. Along a cycle an even number of edges differ. So, for any
odd set F of edges of a cycle C, ``sum of y over F - sum of y over C - F <= |F| - 1`` [1]_. These inequalities bound the
function from below by a linear program; those that are violated are found by shortest paths, in a graph of two copies
of each node, where an edge stays in its copy at a cost of y and changes over at a cost of 1 - y. On planar graphs, the
further node among them, the bound is the minimum.

References
----------
.. [1] F. Barahona, A. R. Mahjoub, "On the cut polytope", Mathematical Programming 36, 1986. doi:10.1007/BF02592023
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, dijkstra, minimum_spanning_tree

from classicseg.solvers.cut.quadratic import Quadratic

FRACTION = 1e-6
"""What is further from 0 and 1 than this counts as a fraction."""

_INFEASIBLE = 2  # the status of SciPy
_VIOLATED = 1e-4  # inequalities that are violated by less are left alone: they move the bound by nothing
_SLACK = 1e-3  # inequalities with more room than this are dropped, and found again if they are needed
_FEW = 50  # inequalities: if short cycles give fewer, shortest paths are searched
_SOURCES = 300  # nodes from which shortest paths are searched at once: a search takes a millisecond per 1000 nodes
_CELLS = 8_000_000  # distances that are held at once: 100 MB
_CROSSINGS = 2_000_000  # pairs of edges that share a node: with more, cycles of four edges are not listed
_ROUNDING = 2.0**-46  # NumPy sums in pairs, so that the roundings on the way of a term are a few dozen


class Solution(NamedTuple):
    """What a linear program says."""

    differs: np.ndarray  # (n + E,): y of single bits, then of pairs
    bound: float  # of the function, proven by the multipliers
    reduced: np.ndarray  # (n + E,): by how much the bound rises, at least, if y changes to its other end


class CycleRelaxation:
    """The relaxation of a quadratic function, with the inequalities that it needs so far.

    Parameters
    ----------
    function : Quadratic

    Attributes
    ----------
    ends : ndarray, (n + E, 2), int64
        The bits of each edge; n is the further node.
    """

    def __init__(self, function: Quadratic) -> None:
        n, (i, j), half = len(function.linear), function.edges.T, function.pairs / 2
        self._n, self._constant = n, function.constant
        self._cost = np.concatenate([function.linear + np.bincount(i, half, n) + np.bincount(j, half, n), -half])
        alone = np.stack([np.arange(n), np.full(n, n)], axis=1)
        self.ends = np.concatenate([alone, function.edges])
        self._number = {(a, b): e for e, pair in enumerate(self.ends.tolist()) for a, b in (pair, pair[::-1])}
        triangles = np.stack([i, j, n + np.arange(len(i))], axis=1)
        self._short = [triangles, *_squares(n, function.edges)]
        self._highest = -np.inf
        self._rows: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = {}

    def solve(self, low: np.ndarray, high: np.ndarray) -> Solution | None:
        """The least value within the limits of each y, (n + E,), or None if nothing lies within them.

        The bound is computed anew from the multipliers of the inequalities, whatever their tolerance: any multipliers
        of at least 0 give one. When it rises, inequalities that have room are forgotten.
        """
        matrix, most = self._inequalities()
        y, multipliers = np.where(self._cost > 0, low, high), np.zeros(len(most))
        if len(most):
            scale = np.abs(self._cost).max(initial=0.0) or 1.0  # tolerances are meant for costs of about 1
            limits = np.stack([low, high], axis=1)
            found = linprog(self._cost / scale, matrix, most, bounds=limits, method="highs-ds")
            if found.status == _INFEASIBLE:
                return None
            if found.x is not None:
                y, multipliers = found.x, scale * np.maximum(-found.ineqlin.marginals, 0)
        spread = matrix.T @ multipliers
        reduced = self._cost + spread
        paid = multipliers * most
        size = abs(self._constant) + paid.sum() + np.abs(self._cost).sum() + (abs(matrix).T @ multipliers).sum()
        bound = self._constant - paid.sum() + np.where(reduced > 0, reduced * low, reduced * high).sum()
        bound = float(bound - _ROUNDING * size)
        if bound > self._highest:  # else what is dropped could come back for ever
            self._highest = bound
            tight = (most - matrix @ y < _SLACK).tolist()
            self._rows = {key: row for (key, row), kept in zip(self._rows.items(), tight, strict=True) if kept}
        return Solution(y, bound, reduced)

    def tighten(self, y: np.ndarray) -> int:
        """Take up inequalities that `y` violates; returns how many are new. If none are, all hold."""
        new = sum(self._take(cycles, y) for cycles in self._short)
        new += sum(self._take(cycle[None], y) for cycle in self._round_trips(y))
        if new < _FEW:
            new += self._far(y)
        return new

    def rounded(self, y: np.ndarray) -> np.ndarray:
        """Bits, (n,): those of the tree of the edges of which `y` is most certain."""
        return self._told(y, *self._tree(y))[: self._n]

    def _inequalities(self) -> tuple[csr_array, np.ndarray]:
        rows = list(self._rows.values())
        starts = np.concatenate([[0], np.cumsum([len(edges) for edges, _ in rows])])
        edges = np.concatenate([edges for edges, _ in rows]) if rows else np.empty(0, np.int64)
        odd = np.concatenate([odd for _, odd in rows]) if rows else np.empty(0, bool)
        matrix = csr_array((np.where(odd, 1.0, -1.0), edges, starts), shape=(len(rows), len(self._cost)))
        return matrix, np.array([odd.sum() - 1.0 for _, odd in rows])

    def _take(self, cycles: np.ndarray, y: np.ndarray) -> int:
        """Of cycles of equal length, (k, length), take the odd sets that `y` violates most."""
        if not len(cycles):
            return 0
        values = y[cycles]
        odd = values > 0.5
        even = np.flatnonzero(odd.sum(axis=1) % 2 == 0)
        odd[even, np.abs(values[even] - 0.5).argmin(axis=1)] ^= True
        violated = np.where(odd, 1 - values, values).sum(axis=1) < 1 - _VIOLATED
        before = len(self._rows)
        for edges, chosen in zip(cycles[violated], odd[violated], strict=True):
            order = edges.argsort()
            key = (*edges[order].tolist(), *chosen[order].tolist())
            self._rows.setdefault(key, (edges[order], chosen[order]))
        return len(self._rows) - before

    def _tree(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Nodes from the further node on, the node before each, and the edge that leads there."""
        doubt = np.minimum(np.abs(y), np.abs(1 - y)) + FRACTION
        nodes = self._n + 1
        graph = csr_array((doubt, self.ends.T), shape=(nodes, nodes))
        order, before = breadth_first_order(minimum_spanning_tree(graph), self._n, directed=False)
        via = np.full(nodes, -1)
        via[order[1:]] = [self._number[node, there] for node, there in zip(order[1:], before[order[1:]], strict=True)]
        return order, before, via

    def _told(self, y: np.ndarray, order: np.ndarray, before: np.ndarray, via: np.ndarray) -> np.ndarray:
        """What a tree makes of all nodes if the further one is 0."""
        bits = np.zeros(self._n + 1, np.int64)
        for node in order[1:].tolist():
            bits[node] = bits[before[node]] ^ (y[via[node]] > 0.5)
        return bits

    def _round_trips(self, y: np.ndarray) -> list[np.ndarray]:
        """The cycles that edges close whose ends the tree tells otherwise than `y` does."""
        order, before, via = self._tree(y)
        bits = self._told(y, order, before, via)
        i, j = self.ends.T
        wrong = np.abs(y - (bits[i] ^ bits[j])) > 0.5
        trips = []
        for edge in np.flatnonzero(wrong).tolist():
            ways: list[dict[int, int]] = []
            for end in self.ends[edge].tolist():
                way, node = {}, end
                while node != self._n:
                    way[node] = int(via[node])
                    node = int(before[node])
                ways.append(way)
            alone = set(ways[0].values()) ^ set(ways[1].values())
            trips.append(np.array(sorted({*alone, edge})))
        return trips

    def _far(self, y: np.ndarray) -> int:
        """Take up the inequalities of shortest cycles through the ends of fractions."""
        n, y = self._n + 1, np.clip(y, 0, 1)
        i, j = self.ends.T
        there = np.concatenate([i, j, i + n, j + n, i, j, i + n, j + n])
        back = np.concatenate([j, i, j + n, i + n, j + n, i + n, j, i])
        length = np.concatenate([y] * 4 + [1 - y] * 4) + 1e-12  # zeros would be no edges
        graph = csr_array((length, (there, back)), shape=(2 * n, 2 * n))
        broken = (y > FRACTION) & (y < 1 - FRACTION)
        sources = np.setdiff1d(self.ends[broken], [self._n])
        at_once = max(1, min(_SOURCES, _CELLS // (2 * n)))
        found, parts = 0, -(-len(sources) // at_once)
        for part in range(parts):
            some = sources[part::parts]
            far, before = dijkstra(graph, indices=some, return_predecessors=True, limit=1 - _VIOLATED)
            for row, source in enumerate(some.tolist()):
                if np.isfinite(far[row, source + n]):
                    found += self._take(self._walk(before[row], source)[None], y)
            if found:
                break
        return found

    def _walk(self, before: np.ndarray, source: int) -> np.ndarray:
        """The edges of the way from a node to its copy that are passed an odd number of times."""
        n, node, passed = self._n + 1, source + self._n + 1, set[int]()
        while node != source:
            last = int(before[node])
            passed ^= {self._number[last % n, node % n]}
            node = last
        return np.array(sorted(passed))


def _squares(n: int, edges: np.ndarray) -> list[np.ndarray]:
    """The cycles of four edges, (k, 4), unless the graph has too many: numbers of edges begin after those of bits."""
    degrees = np.bincount(edges.ravel(), minlength=n)
    if (degrees * (degrees - 1)).sum() > _CROSSINGS:
        return []
    ends, number = np.concatenate([edges, edges[:, ::-1]]), np.tile(n + np.arange(len(edges)), 2)
    order = ends[:, 0].argsort(kind="stable")
    outer, number = ends[order, 1], number[order]
    starts = np.concatenate([[0], np.cumsum(degrees)])
    ways: dict[tuple[int, int], list[tuple[int, int]]] = {}  # from node to node over a third one
    for node in range(n):
        there = range(starts[node], starts[node + 1])
        for a in there:
            for b in there:
                if outer[a] < outer[b]:
                    ways.setdefault((int(outer[a]), int(outer[b])), []).append((int(number[a]), int(number[b])))
    found = {
        tuple(sorted((*one, *other)))
        for several in ways.values()
        for k, one in enumerate(several)
        for other in several[:k]
    }
    return [np.array(sorted(found))] if found else []
