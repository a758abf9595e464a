"""How well a segmentation agrees with those that people drew.

Arbelaez, Maire, Fowlkes, Malik, "Contour detection and hierarchical image segmentation", IEEE PAMI 33(5), 2011.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

TOLERANCE = 0.0075
"""How far a boundary pixel may lie from one of the other segmentation, as a share of the diagonal."""


def contingency(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pixels shared by every region of one segmentation and every region of the other, as a dense or sparse table."""
    from scipy.sparse import coo_matrix

    rows = np.unique(a, return_inverse=True)[1].ravel()
    columns = np.unique(b, return_inverse=True)[1].ravel()
    return coo_matrix((np.ones(a.size), (rows, columns))).tocsr()


def covering(labels: np.ndarray, human: np.ndarray) -> float:
    """For every human region the best overlap (intersection over union) with one of ours, weighted by area."""
    table = contingency(labels, human).tocoo()
    ours, theirs = np.asarray(table.sum(axis=1)).ravel(), np.asarray(table.sum(axis=0)).ravel()
    overlap = table.data / (ours[table.row] + theirs[table.col] - table.data)
    best = np.zeros(len(theirs))
    np.maximum.at(best, table.col, overlap)
    return float((best * theirs).sum() / labels.size)


def adjusted_rand(labels: np.ndarray, human: np.ndarray) -> float:
    """Share of pairs of pixels on which both agree, 0 for chance and 1 for the same segmentation."""
    table = contingency(labels, human)

    def pairs(n: np.ndarray) -> float:
        return float((n * (n - 1) / 2).sum())

    both, n = pairs(table.data), labels.size
    a, b = pairs(np.asarray(table.sum(axis=1))), pairs(np.asarray(table.sum(axis=0)))
    expected = a * b / (n * (n - 1) / 2)
    return 1.0 if a == b == both else (both - expected) / ((a + b) / 2 - expected)


def borders(labels: np.ndarray) -> np.ndarray:
    edge = np.zeros(labels.shape, bool)
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    return edge


def boundary_f(labels: np.ndarray, humans: list[np.ndarray]) -> float:
    """Harmonic mean of precision and recall of boundary pixels.

    A pixel counts as found if the other segmentation has a boundary within the tolerance (several may share one: the
    original matches them one to one, which costs all methods a few points).
    """
    reach = TOLERANCE * float(np.hypot(*labels.shape))
    ours = borders(labels)
    if not ours.any():
        return 0.0
    drawn = [borders(human) for human in humans]
    anyone = distance_transform_edt(~np.logical_or.reduce(drawn)) <= reach
    precision = float(anyone[ours].mean())
    near = distance_transform_edt(~ours) <= reach
    recall = sum(int(near[d].sum()) for d in drawn) / max(sum(int(d.sum()) for d in drawn), 1)
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def all_scores(labels: np.ndarray, humans: list[np.ndarray]) -> dict[str, float]:
    """All three, averaged over the people who drew."""
    return {
        "boundary_f": boundary_f(labels, humans),
        "covering": float(np.mean([covering(labels, human) for human in humans])),
        "adjusted_rand": float(np.mean([adjusted_rand(labels, human) for human in humans])),
    }
