"""What labels are worth: computed from plain arrays, whoever found them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from classicseg.bench.tasks import Refinement, Regions
from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid import edge_ends
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError, InputTypeError
from classicseg.reference import graph

ENERGY = "energy"
UNIT = {ENERGY: "energy", "refinement": "100 - mean IoU, %", "regions": "100 - covering, %"}
"""What the score of each kind of problem is. Lower is better."""


def kind_of(instance: Any) -> str:
    """``"energy"``, ``"refinement"`` or ``"regions"``.

    Raises
    ------
    TypeError
        If it is of none of these kinds.
    """
    if isinstance(instance, GridCRF | GraphCRF):
        return ENERGY
    if isinstance(instance, Refinement):
        return "refinement"
    if isinstance(instance, Regions):
        return "regions"
    raise InputTypeError(
        f"make must return a GridCRF, a GraphCRF, a Refinement or Regions, got {type(instance).__name__}"
    )


def judge(instance: Any) -> Callable[[np.ndarray], float]:
    """The function that gives labels their score, from NumPy alone where it is an energy.

    Raises
    ------
    TypeError
        If the instance is no problem.
    """
    kind = kind_of(instance)
    if kind == "refinement":
        return lambda labels: _refinement(instance, checked(labels, instance))
    if kind == "regions":
        return lambda labels: 100 * (1 - float(np.mean([covering(labels, human) for human in instance.humans])))
    arrays = plain_arrays(instance)
    mask = None if instance.mask is None else instance.mask.ravel()

    def energy(labels: np.ndarray) -> float:
        flat = checked(labels, instance).ravel()
        if mask is None:
            return graph.energy_of_arrays(flat, **arrays)
        return graph.energy_of_arrays(flat[mask], **arrays)

    return energy


def checked(labels: Any, instance: Any) -> np.ndarray:
    """Labels as int64, or what is wrong with them.

    Raises
    ------
    ValueError
        If the shape does not fit, they are no integers, or out of range.
    """
    array = np.asarray(labels)
    if array.shape != tuple(instance.shape):
        raise InputError(f"labels must have the shape {tuple(instance.shape)}, got {array.shape}")
    if array.dtype.kind not in "iub":
        raise InputError(f"labels must be integers, got dtype {array.dtype}")
    array = array.astype(np.int64)
    mask = getattr(instance, "mask", None)
    inside = array if mask is None else array[mask]
    n_labels = len(instance.unary) if isinstance(instance, Refinement) else instance.n_labels
    if inside.size and (inside.min() < 0 or inside.max() >= n_labels):
        raise InputError(f"labels must lie in 0 to {n_labels - 1}, got {inside.min()} to {inside.max()}")
    return array


def plain_arrays(crf: GridCRF | GraphCRF) -> dict[str, Any]:
    """Costs, edges and weights or tables of an energy, those of nodes in a mask alone, for ``energy_of_arrays``."""
    mask = None if crf.mask is None else crf.mask.ravel()
    unary = crf.unary.reshape(crf.n_labels, -1)
    if isinstance(crf, GraphCRF):
        edges = crf.edges.astype(np.int64)
        of_edges = {"tables": crf.edge_tables, "weights": crf.weights, "cost": crf.cost}
    else:
        pixels = np.arange(unary.shape[1]).reshape(crf.shape)
        ends, weights = [np.empty((0, 2), np.int64)], [np.empty(0)]
        for name, offset in crf.directions.items():
            first, second = edge_ends(offset)
            ends.append(np.stack([pixels[first].ravel(), pixels[second].ravel()], axis=1))
            weights.append(np.asarray(crf.weights[name], np.float64).ravel())
        edges = np.concatenate(ends)
        of_edges = {"tables": None, "weights": np.concatenate(weights), "cost": crf.cost}
    if mask is not None:
        kept = mask[edges].all(axis=1)
        edges = (np.cumsum(mask) - 1)[edges[kept]]
        of_edges |= {key: value[kept] for key in ("tables", "weights") if (value := of_edges[key]) is not None}
        unary = unary[:, mask]
    return {"unary": unary, "edges": edges, **of_edges, "label_costs": crf.label_costs}


def probe(instance: Any) -> float | None:
    """The energy of fixed labels, by which a problem is known again when another version may have made it otherwise."""
    if kind_of(instance) != ENERGY:
        return None
    n = instance.unary[0].size
    counts = getattr(instance, "label_counts", None)
    labels = np.arange(n) * 7919 % (instance.n_labels if counts is None else counts)  # 7919, a prime: no pattern
    return judge(instance)(labels.reshape(instance.shape))


def hash_of(labels: np.ndarray) -> str:
    """SHA-256 of the shape and the labels as little-endian 32-bit integers."""
    array = np.ascontiguousarray(labels, "<i4")
    return hashlib.sha256(repr(tuple(map(int, array.shape))).encode() + array.tobytes()).hexdigest()


def covering(labels: np.ndarray, human: np.ndarray) -> float:
    """For each region of the second the best overlap, intersection over union, in the first, weighted by area [1]_.

    References
    ----------
    .. [1] Arbelaez, Maire, Fowlkes, Malik, "Contour detection and hierarchical image segmentation", IEEE TPAMI 33(5),
       2011. doi:10.1109/TPAMI.2010.161
    """
    if np.shape(labels) != np.shape(human):
        raise InputError(f"labels must have the shape {np.shape(human)}, got {np.shape(labels)}")
    ours, mine = np.unique(labels, return_inverse=True)
    theirs, yours = np.unique(human, return_inverse=True)
    pairs, shared = np.unique(mine.ravel() * len(theirs) + yours.ravel(), return_counts=True)
    areas = np.bincount(mine.ravel(), minlength=len(ours)), np.bincount(yours.ravel(), minlength=len(theirs))
    row, column = np.divmod(pairs, len(theirs))
    overlap = shared / (areas[0][row] + areas[1][column] - shared)
    best = np.zeros(len(theirs))
    np.maximum.at(best, column, overlap)
    return float((best * areas[1]).sum() / mine.size)


def _refinement(instance: Refinement, labels: np.ndarray) -> float:
    known = instance.truth != 255
    table = np.zeros((len(instance.unary),) * 2)
    np.add.at(table, (labels[known], instance.truth[known].astype(np.int64)), 1)
    union = table.sum(axis=0) + table.sum(axis=1) - np.diag(table)
    return 100 * (1 - float((np.diag(table)[union > 0] / union[union > 0]).mean()))
