"""Expansions on graphs whose edges cost the same for all pairs of different labels (Potts)."""

from __future__ import annotations

import numpy as np

from classicseg.energies.graph_crf import GraphCRF
from classicseg.kernels.cut.graph import ARC_WORDS, NODE_WORDS, ROOM, graph_flow
from classicseg.kernels.cut.graph_arcs import link_edges
from classicseg.kernels.cut.graph_potts import take_expansion, write_expansion
from classicseg.kernels.cut.graph_start import LANES, guess_labels
from classicseg.machine.parallel import new_sync, run
from classicseg.solvers.cut.integers import is_whole

_INT32 = 2.0**31 - 1  # the largest number of 32 bits
_ROOM = 2.0**59
"""What a node and its edges can cost together, in whole numbers of the network."""
BRIEF = 100_000
"""Edges: a cut of so many takes some milliseconds, and Ctrl-C can wait."""


def is_potts(energy: GraphCRF) -> bool:
    """Whether :class:`PottsExpansions` serve the energy: finite costs, and edges that attract."""
    if energy.cost is None or energy.finite_weights is None or energy.finite_weights.min(initial=0) < 0:
        return False
    different = energy.cost[0, 1]
    is_uniform = different >= 0 and np.array_equal(energy.cost, different * ~np.eye(energy.n_labels, dtype=bool))
    return bool(is_uniform and (energy.unary.dtype.kind != "f" or np.isfinite(energy.unary).all()))


class PottsExpansions:
    """The network of all expansions, which each of them writes anew.

    Attributes
    ----------
    step : float
        What costs were rounded to multiples of; 0 if none was.
    """

    def __init__(self, energy: GraphCRF) -> None:
        assert energy.cost is not None
        assert energy.finite_weights is not None
        n, n_edges, unary = energy.shape[0], len(energy.edges), energy.unary
        weights = energy.finite_weights * energy.cost[0, 1]
        own = 4.0 * max(abs(float(unary.min())), abs(float(unary.max())))
        most = own + 4.0 * float(weights.sum())
        exact = is_whole(unary) and is_whole(weights)
        if not exact or most > _INT32:  # a closer look
            first, second = (np.bincount(end, weights, n) for end in energy.edges.T)
            most = own + 4.0 * float((first + second).max())
        scale = 1.0 if exact and most <= _ROOM else 2.0 ** np.floor(np.log2(_ROOM / (most or 1.0)))
        self.step = 0.0 if exact and scale == 1 else 1 / scale
        dtype = np.int32 if self.step == 0 and most <= _INT32 else np.int64
        self._unary = _rounded(unary, 2 * scale, dtype).reshape(-1)
        weights = _rounded(weights, scale, dtype)
        self._arcs, self._nodes = np.empty(2 * ARC_WORDS * n_edges, dtype), np.empty(NODE_WORDS * (n + 1), np.int32)
        self._excess = np.empty(n, dtype)
        self._work = np.empty(4 * n + 4, np.int32), np.empty(n, np.uint8), np.empty(5, np.int64)
        ends, where = np.ascontiguousarray(energy.edges, np.int32), np.empty(n_edges, np.int32)
        link_edges(ends, weights, weights, self._arcs, self._nodes, where, self._work[0])
        self._weights = self._arcs[ROOM::ARC_WORDS].copy()
        self._brief = n_edges <= BRIEF

    def guess(self) -> np.ndarray:
        """Labels to start from that heed neighbours, (n,) int32."""
        n, n_labels = self._excess.size, self._unary.size // self._excess.size
        own = self._unary.reshape(n_labels, n)
        costs = np.full((n, -(-n_labels // LANES) * LANES), np.inf, np.float32)
        costs[:, :n_labels] = (own - own.min(axis=0)).T
        labels = np.empty(n, np.int32)
        network = self._weights, self._arcs, self._nodes
        guess_labels(costs, costs.copy(), np.zeros_like(costs), *network, n_labels, labels, (0,) * LANES)
        return labels

    def expand(self, labels: np.ndarray, zero: np.ndarray, label: int) -> int:
        """Write the best choice between the labels `zero`, (n,) int32, and `label` to `labels`.

        Returns how many nodes switched.
        """
        network = self._arcs, self._nodes, self._excess
        if write_expansion(self._unary, self._weights, zero, label, *network) == 0:
            labels[:] = zero
            return 0
        run(graph_flow, 1, new_sync(0), *network, *self._work, brief=self._brief)
        return int(take_expansion(self._nodes, zero, label, labels))


def _rounded(values: np.ndarray, scale: float, dtype: type) -> np.ndarray:
    """Numbers times a power of two, rounded."""
    if values.dtype.kind != "f":
        return np.multiply(values, int(scale), dtype=dtype) if scale >= 1 else np.rint(values * scale).astype(dtype)
    return np.rint(values * np.float64(scale)).astype(dtype)
