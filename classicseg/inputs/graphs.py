"""Graphs: costs of nodes that may have different numbers of labels, edges, and what edges cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg.errors import InputError, InputTypeError
from classicseg.inputs.arrays import DEAREST
from classicseg.inputs.reading import as_sequence, index_of, of_shape, read, text

_MOST_NODES = 2**31 - 1  # edges are pairs of int32


def as_node_rows(unary: Any) -> list[np.ndarray] | None:
    """Costs given node by node, as rows of different lengths; None for all else, such as (L, N) costs."""
    if isinstance(unary, np.ndarray) and (unary.dtype != object or unary.ndim != 1):
        return None
    try:
        lengths = {len(row) for row in unary} if isinstance(unary, (list, tuple, np.ndarray)) else set()
    except TypeError:
        return None
    if len(lengths) <= 1 and not (isinstance(unary, np.ndarray) and lengths):
        return None
    rows = [read(row, f"unary[{i}]", booleans=False) for i, row in enumerate(unary)]
    for i, row in enumerate(rows):
        if row.ndim != 1 or row.size == 0:
            raise InputError(f"unary[{i}] must be the costs of the labels of node {i}, got shape {text(row.shape)}")
    return rows


def as_edges(edges: ArrayLike, n_nodes: int) -> np.ndarray:
    """Pairs of different nodes, 0 to N - 1, as (E, 2) int64, perhaps the array given; E may be 0."""
    array = read(edges, "edges", booleans=False)
    if array.size == 0:
        return np.empty((0, 2), np.int64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise InputError(f"edges must have shape (E, 2), two nodes for each edge, got {text(array.shape)}")
    if array.dtype.kind == "f":
        raise InputTypeError(f"edges must hold integers, got dtype {array.dtype}; convert with .astype(int)")
    if n_nodes > _MOST_NODES:
        raise InputError(f"edges can join at most {_MOST_NODES} nodes, unary has {n_nodes}")
    if array.min() < 0 or array.max() >= n_nodes:
        at = int(((array < 0) | (array >= n_nodes)).any(axis=1).argmax())
        raise InputError(f"edges must join nodes 0 to {n_nodes - 1}, got {array[at].tolist()} at edge {at}")
    loops = array[:, 0] == array[:, 1]
    if loops.any():
        at = int(loops.argmax())
        raise InputError(f"edges must join different nodes, got {array[at].tolist()} at edge {at}: a loop")
    return array.astype(np.int64, copy=False)


def as_signed(values: ArrayLike, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Numbers of either sign, of at most 1e100 in size, or +inf, of a shape, as float64."""
    array = of_shape(read(values, name, booleans=False), shape, name)
    if array.dtype.kind in "iu" and array.size and max(abs(int(array.min())), abs(int(array.max()))) > 2**53:
        raise InputError(f"{name} must be integers of at most 2**53 in size, got {array.min()} to {array.max()}")
    with np.errstate(over="ignore"):
        numbers = np.require(array, np.float64, ["C", "A"])
    if numbers.size and not (numbers.min() >= -DEAREST and numbers.max() <= DEAREST):
        wrong = np.isnan(numbers) | (np.abs(numbers) > DEAREST) & (numbers != np.inf)
        if wrong.any():
            where = index_of(int(wrong.argmax()), numbers.shape)
            raise InputError(
                f"{name} must be numbers of at most {DEAREST:g} in size, or +inf, got {array[where]} at index "
                f"{text(where)}"
            )
    return numbers


def as_tables(tables: Any, edges: np.ndarray, n_labels: int, counts: np.ndarray | None) -> np.ndarray:
    """A table of costs for each of (E, 2) edges, as (E, L, L) float64.

    With `counts`, the number of labels of each node, a list of tables that have as many rows and columns as the ends of
    their edges have labels is legal as well; 0 stands beyond.
    """
    if (isinstance(tables, np.ndarray) and tables.dtype != object) or counts is None or len(edges) == 0:
        return as_signed(tables, (len(edges), n_labels, n_labels), "tables")
    given: Sequence[Any] = as_sequence(tables, "tables", "arrays")
    if len(given) != len(edges):
        raise InputError(f"tables must be one for each of {len(edges)} edges, got {len(given)}")
    padded = np.zeros((len(edges), n_labels, n_labels))
    for i, ((first, second), table) in enumerate(zip(edges.tolist(), given, strict=True)):
        rows, columns = int(counts[first]), int(counts[second])
        padded[i, :rows, :columns] = as_signed(table, (rows, columns), f"tables[{i}]")
    return padded
