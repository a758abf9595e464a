"""Tiny grid energies at the edges of what is legal, and their least energy, exactly."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

import classicseg as cs
from classicseg.energies.grid import directions, edge_ends, edge_shape

SHAPES = {
    2: [((6,), 2), ((1, 5), 4), ((2, 4), 4), ((3, 3), 8), ((2, 2, 2), 6)],
    3: [((5,), 2), ((2, 3), 4), ((2, 3), 8)],
}


def energy_of(seed: int, *, n_labels: int | None = None, infinite: bool = True) -> cs.GridCRF:
    """A grid energy of a few pixels: wide ranges, fractions, ties, zeros, infinities, any compatibility."""
    rng = np.random.default_rng(seed)
    n_labels = int(rng.integers(2, 4)) if n_labels is None else n_labels
    shape, connectivity = SHAPES[n_labels][rng.integers(len(SHAPES[n_labels]))]
    unary = numbers(rng, (n_labels, *shape)) * rng.choice([-1, 1], (n_labels, *shape), p=[0.2, 0.8])
    compatibility = _compatibility(rng, n_labels)
    cost = compatibility.matrix(n_labels)
    ties = not np.diag(cost).any() and cost[~np.eye(n_labels, dtype=bool)].min() > 0
    weights = {}
    for name, offset in directions(len(shape), connectivity).items():
        weights[name] = numbers(rng, edge_shape(shape, offset))
        if infinite and ties and rng.random() < 0.3:
            weights[name][rng.random(weights[name].shape) < 0.3] = np.inf
    if infinite and rng.random() < 0.4:
        unary[rng.random(unary.shape) < 0.3] = np.inf
        unary[0][np.isinf(unary).all(axis=0)] = 1.5
    return cs.GridCRF(unary, compatibility, weights, connectivity=connectivity)


def numbers(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of at least 0: whole or fractions, of one size or of many, some of them 0."""
    values = rng.integers(0, 10, shape).astype(float) if rng.random() < 0.5 else 10 * rng.random(shape)
    reach = rng.choice([0, 0, 2, 6, 12])
    values *= 10.0 ** rng.integers(-reach, reach + 1, shape)
    if rng.random() < 0.5:
        values[rng.random(shape) < 0.2] = 0
    return np.rint(values) if rng.random() < 0.2 else values


def _compatibility(rng: np.random.Generator, n_labels: int):
    weight = float(numbers(rng, (1,))[0])
    match rng.integers(6):
        case 0:
            return cs.Potts(weight)
        case 1:
            return cs.TruncatedLinear(weight, truncation=rng.choice([0.7, 1, 2.5, np.inf]))
        case 2:
            return cs.TruncatedQuadratic(weight, truncation=rng.choice([0.7, 1, 2.5, np.inf]))
        case 3:
            return cs.Diagonal(numbers(rng, (n_labels,)))
        case 4:
            return cs.Potts(-weight)
        case _:
            return cs.Matrix(numbers(rng, (n_labels, n_labels)))


energies = st.integers(0, 2**32 - 1).map(energy_of)


def exact_energy(crf: cs.GridCRF, labels: np.ndarray) -> Fraction | float:
    """The energy of labels without any rounding; infinite where they are forbidden."""
    unary = np.take_along_axis(crf.unary, np.asarray(labels)[None], 0).ravel().tolist()
    terms = [(value, 1.0) for value in unary]
    for name, offset in crf.directions.items():
        begin, end = edge_ends(offset)
        pairs = crf.cost[labels[begin], labels[end]]
        terms += zip(crf.weights[name].ravel().tolist(), pairs.ravel().tolist(), strict=True)
    if any(np.isinf(a) and b > 0 for a, b in terms):
        return np.inf
    return sum((Fraction(a) * Fraction(b) for a, b in terms if b != 0), Fraction(0))


def least_energy(crf: cs.GridCRF) -> Fraction | float:
    """The least energy of all labellings, without any rounding."""
    labels = np.array(list(itertools.product(range(crf.n_labels), repeat=crf.n_points)), np.int32)
    unary, size = crf.unary.reshape(crf.n_labels, -1), np.zeros(len(labels))
    total = unary[labels, np.arange(crf.n_points)].sum(axis=1)
    size += np.abs(unary[labels, np.arange(crf.n_points)]).sum(axis=1)
    grid = labels.reshape(-1, *crf.shape)
    for name, offset in crf.directions.items():
        begin, end = edge_ends(offset)
        with np.errstate(invalid="ignore"):
            pairs = crf.weights[name] * crf.cost[grid[:, *begin], grid[:, *end]]
        pairs = np.nan_to_num(pairs, nan=0.0, posinf=np.inf).reshape(len(labels), -1)
        total += pairs.sum(axis=1)
        size += np.abs(pairs).sum(axis=1)
    if np.isinf(total).all():
        return np.inf
    finite = np.isfinite(total)
    grid, total, size = grid[finite], total[finite], size[finite]
    near = total - 1e-13 * size <= (total + 1e-13 * size).min()
    return min(exact_energy(crf, x) for x in grid[near])
