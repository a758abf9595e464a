"""What the edges of a graph cost, brought into the form that all else reads: finite, sorted, of one size."""

from __future__ import annotations

import numpy as np

from classicseg.errors import InputError


def padded(rows: list[np.ndarray]) -> np.ndarray:
    """Costs of nodes with different numbers of labels as (L, N), infinite where a node has no such label."""
    costs = np.full((max(2, *(row.size for row in rows)), len(rows)), np.inf)
    for node, row in enumerate(rows):
        costs[: row.size, node] = row
    return costs


def ends_of(keys: np.ndarray, n_nodes: int) -> np.ndarray:
    """Pairs of nodes of keys ``first * n_nodes + second``, as (E, 2) int32."""
    return np.stack(np.divmod(keys, n_nodes), axis=1).astype(np.int32)


def read_only(array: np.ndarray) -> np.ndarray:
    """A view of the same memory that cannot be written to."""
    view = array.view()
    view.setflags(write=False)
    return view


def finite_weights(weights: np.ndarray, cost: np.ndarray, spread: float) -> np.ndarray:
    """Weights of edges; where some are infinite, a copy with a number in their place that all else cannot outweigh.

    `cost` is the compatibility as a matrix, `spread` by how much nodes can change an energy.
    """
    tied = np.isinf(weights)
    if not tied.any():
        return weights
    different = cost[~np.eye(len(cost), dtype=bool)]
    if np.diag(cost).any() or different.min() <= 0:
        raise InputError(
            "infinite weights need a compatibility by which equal labels cost 0 and others more, got costs of "
            f"{different.min():g} and more for different labels, {np.diag(cost).max():g} at most for equal ones"
        )
    spread += float(np.abs(weights[~tied]).sum() * (cost.max() - cost.min()))
    return np.where(tied, _enough(spread / float(different.min())), weights)


def finite_tables(tables: np.ndarray, edges: np.ndarray, spread: float) -> np.ndarray:
    """Tables of edges; where some hold infinity, a copy with a number there that all else cannot outweigh.

    `spread` is by how much nodes can change an energy.
    """
    forbidden = np.isinf(tables)
    if not forbidden.any():
        return tables
    hopeless = forbidden.all(axis=(1, 2))
    if hopeless.any():
        at = int(hopeless.argmax())
        raise InputError(
            f"tables must leave a pair of labels at each edge, got all of them forbidden between the nodes "
            f"{edges[at].tolist()}"
        )
    highest = np.where(forbidden, -np.inf, tables).max(axis=(1, 2))
    spread += float((highest - tables.min(axis=(1, 2))).sum())
    return np.where(forbidden, highest[:, None, None] + _enough(spread), tables)


def _enough(spread: float) -> float:
    """A power of two that is well above `spread`."""
    return float(4.0 * 2.0 ** np.ceil(np.log2(spread or 1.0)))
