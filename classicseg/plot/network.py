"""The network of a small image: capacities, a maximum flow, and the cut."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from classicseg.errors import InputError, InputTypeError

MOST_PIXELS = 1024
"""More cannot be told apart in a picture."""

_STEPS = 1_000_000  # the largest cost, in whole numbers: sums of 1024 fit into 32 bits


class Network(NamedTuple):
    """Pixels 0 to n - 1 in raster order."""

    shape: tuple[int, int]
    places: np.ndarray
    """(n, 2): row and column."""
    wish: np.ndarray
    """(n,): by how much label 1 is cheaper than label 0 at the pixel alone."""
    edges: np.ndarray
    """(m, 2): pairs of pixels."""
    capacity: np.ndarray
    """(m,): cost of different labels at an edge."""
    flow: np.ndarray
    """(m,): what flows through it, in either direction."""
    labels: np.ndarray
    """(n,): of the minimum cut."""
    value: float
    """Of the flow."""

    def in_cut(self) -> np.ndarray:
        """Which edges have ends of different labels, (m,) bool."""
        crosses: np.ndarray = self.labels[self.edges[:, 0]] != self.labels[self.edges[:, 1]]
        return crosses

    def cut(self) -> float:
        """What the cut costs: its edges, and what pixels would rather be."""
        unwilling = (self.wish > 0) != (self.labels == 1)
        return float(self.capacity[self.in_cut()].sum() + abs(self.wish[unwilling]).sum())

    @classmethod
    def of(cls, crf: Any) -> Network:
        """The network of a GridCRF, with its flow."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import breadth_first_order, maximum_flow

        from classicseg.energies.grid import edge_ends
        from classicseg.energies.grid_crf import GridCRF

        if not isinstance(crf, GridCRF):
            raise InputTypeError(f"crf must be a GridCRF, got {type(crf).__name__}")
        if crf.n_labels != 2 or len(crf.shape) != 2 or crf.n_points > MOST_PIXELS or crf.mask is not None:
            raise InputError(f"crf must have 2 labels and at most {MOST_PIXELS} pixels, all of them inside, got {crf}")
        unary = crf.unary.reshape(2, -1).astype(float)
        cost = np.asarray(crf.cost, float)
        extra = cost[0, 1] + cost[1, 0] - cost[0, 0] - cost[1, 1]
        if not np.isfinite(unary).all() or extra < 0 or cost[0, 0] != cost[1, 1] or cost[0, 1] != cost[1, 0]:
            raise InputError("crf must have finite costs and a Potts compatibility that attracts")
        number = np.arange(unary.shape[1]).reshape(crf.shape)
        pairs, weights = [], []
        for name, offset in crf.directions.items():
            first, second = edge_ends(offset)
            pairs.append(np.stack([number[first].ravel(), number[second].ravel()], axis=1))
            weights.append(np.asarray(crf.weights[name], float).ravel() * extra / 2)
        edges, capacity = np.concatenate(pairs), np.concatenate(weights)
        if not np.isfinite(capacity).all():
            raise InputError("crf must have finite edge weights")
        wish = unary[0] - unary[1]
        unit = max(capacity.max(initial=0), abs(wish).max(), 1e-300) / _STEPS
        if not ((capacity % 1).any() or (wish % 1).any()) and unit * _STEPS < 2**20:
            unit = 1.0  # whole numbers stay as they are
        whole, amounts = np.rint(wish / unit).astype(np.int32), np.rint(capacity / unit).astype(np.int32)
        n = len(wish)
        source, sink = n, n + 1
        here = np.arange(n)
        table = csr_array(
            (
                np.concatenate([amounts, amounts, np.maximum(whole, 0), np.maximum(-whole, 0)]),
                (
                    np.concatenate([edges[:, 0], edges[:, 1], np.full(n, source), here]),
                    np.concatenate([edges[:, 1], edges[:, 0], here, np.full(n, sink)]),
                ),
            ),
            shape=(n + 2, n + 2),
        )
        found = maximum_flow(table, source, sink)
        left = csr_array(table - found.flow)
        left.eliminate_zeros()
        reached = breadth_first_order(left, source, return_predecessors=False)
        labels = np.zeros(n + 2, int)
        labels[reached] = 1
        through = np.abs(np.asarray(found.flow[edges[:, 0], edges[:, 1]])).ravel() * unit
        places = np.stack(np.divmod(here, crf.shape[1]), axis=1)
        return cls(crf.shape, places, wish, edges, capacity, through, labels[:n], float(found.flow_value * unit))
