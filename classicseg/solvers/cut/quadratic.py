"""Quadratic functions of bits: energies of 2 labels as roof duality takes them apart and puts them together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from classicseg.solvers.cut.flow_network import FlowNetwork
from classicseg.solvers.cut.integers import is_whole

UNKNOWN = -1
"""In place of a bit."""


class Quadratic(NamedTuple):
    """``constant + sum of linear x + sum of pairs x y`` of n bits."""

    constant: float
    linear: np.ndarray  # (n,)
    edges: np.ndarray  # (E, 2) int64: different bits, each pair once
    pairs: np.ndarray  # (E,): not 0

    def value(self, bits: np.ndarray) -> float:
        """The value for (n,) bits."""
        first, second = bits[self.edges].T
        return self.constant + float(self.linear @ bits) + float(self.pairs @ (first * second))

    def substituted(self, base: np.ndarray, sign: np.ndarray, bit: np.ndarray, n: int) -> Quadratic:
        """The same function of n other bits y, where ``x = base + sign y[bit]``."""
        (i, j), w = self.edges.T, self.pairs
        constant = self.constant + float(self.linear @ base) + float(w @ (base[i] * base[j]))
        both, a, b = w * sign[i] * sign[j], bit[i], bit[j]
        same = a == b
        where = np.concatenate([bit, a, b, a[same]])
        terms = [self.linear * sign, w * sign[i] * base[j], w * base[i] * sign[j], both[same]]
        linear = np.bincount(where, np.concatenate(terms), n)[:n]  # `where` is 0 even if no bit is left
        kept = ~same & (both != 0)
        keys, places = np.unique(np.minimum(a, b)[kept] * n + np.maximum(a, b)[kept], return_inverse=True)
        pairs = np.bincount(places, both[kept], len(keys))
        edges = np.stack(np.divmod(keys[pairs != 0], max(n, 1)), axis=1)
        return Quadratic(constant, linear, edges, pairs[pairs != 0])


class Roof:
    """The roof dual of a quadratic function, also with some bits held.

    Each bit has a copy that stands for its opposite. A pair of a negative factor joins bits and joins copies; another
    one joins bits with the copies of their partners. What is known of one cut serves the next. From the first, bits are
    held that `only` knows.
    """

    def __init__(self, function: Quadratic, only: np.ndarray | None = None) -> None:
        self.function = function
        n, (i, j), w = len(function.linear), function.edges.T, function.pairs
        self._n, crossed, size = n, w > 0, np.abs(w)
        half = np.floor(size / 2) if is_whole(w) else size / 2
        excess = np.bincount(i, np.where(crossed, half, w + half), n) + np.bincount(
            j, np.where(crossed, half, -half), n
        )
        self._constant = 2 * function.constant + float(w[~crossed].sum())
        there, back = j + n * crossed, j + n * ~crossed
        self._edges = np.concatenate([np.stack([i, there], axis=1), np.stack([i + n, back], axis=1)])
        self._source = np.concatenate([function.linear + excess, -excess])
        self._sink = np.concatenate([np.zeros(n), function.linear])
        self._enough = 1 + np.ceil(np.abs(function.linear) + np.bincount(i, size, n) + np.bincount(j, size, n))
        rest = size - half
        forward, backward = np.concatenate([half, rest]), np.concatenate([rest, half])
        self._network = FlowNetwork(self._edges, forward, backward, source=self._source, sink=self._sink)
        if only is not None and (only != UNKNOWN).any():
            known = np.flatnonzero(only != UNKNOWN)
            self.hold(known, only[known])

    def hold(self, bits: np.ndarray, values: np.ndarray) -> None:
        """Hold some bits, (k,) int, at values of 0 or 1, or let them go where `UNKNOWN`."""
        nodes, force = np.concatenate([bits, bits + self._n]), self._enough[bits]
        zero, one = np.where(values == 0, force, 0), np.where(values == 1, force, 0)
        source = self._source[nodes] + np.concatenate([zero, one])
        self._network.set_terminals(source, self._sink[nodes] + np.concatenate([one, zero]), nodes)

    def solve(self, *, weak: bool = False) -> tuple[float, np.ndarray]:
        """A bound of the function, and bits (n,) that every minimum has, `UNKNOWN` where there are no such.

        If `weak`, as many bits as roof duality can tell that some minimum has all of them.
        """
        cut = self._network.solve()
        first, second = cut.labels[: self._n], cut.labels[self._n :]
        bits = np.where(first != second, first, UNKNOWN)
        if weak:
            open_bits = np.flatnonzero(bits == UNKNOWN)
            bits[open_bits] = self._untied()[open_bits]
        return (self._constant + cut.flow) / 2, bits

    def _untied(self) -> np.ndarray:
        """Bits that are not tied to their opposite by arcs that can still carry flow either way [1]_.

        That is the case unless a bit and its copy are in one strongly connected component. Else the one that comes
        first, in an order of the components along the arcs, is put on the side of the sink.

        References
        ----------
        .. [1] A. Billionnet, B. Jaumard, "A decomposition method for minimizing quadratic pseudo-boolean functions",
           Operations Research Letters 8(3), 1989. doi:10.1016/0167-6377(89)90043-6
        """
        n, residual, ends = self._n, self._network.residual, self._edges
        e = len(residual) // 2
        along = (residual[:e, 0] > 0) | (residual[e:, 1] > 0)  # the mean of the flow and of its mirror image
        back = (residual[:e, 1] > 0) | (residual[e:, 0] > 0)
        there = np.concatenate([ends[:e][along], ends[:e][back][:, ::-1]])
        arcs = np.concatenate([there, (there[:, ::-1] + n) % (2 * n)])
        graph = csr_array((np.ones(len(arcs)), arcs.T), shape=(2 * n, 2 * n))
        _, part = connected_components(graph, directed=True, connection="strong")
        if (part[arcs[:, 0]] < part[arcs[:, 1]]).any():  # SciPy numbers components as it finishes them, the last first
            part = -part
        if (part[arcs[:, 0]] < part[arcs[:, 1]]).any():  # it does not promise to
            return np.full(n, UNKNOWN)
        first, second = part[:n], part[n:]
        return np.where(first == second, UNKNOWN, (first > second).astype(int))
