"""Flow networks and energies that have no grid: meshes, volumes of any outline, superpixels, random graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import classicseg as cs


class FlowProblem(NamedTuple):
    """Whole capacities; the source offers what is positive in `excess`, the sink asks for the rest."""

    edges: np.ndarray
    forward: np.ndarray
    backward: np.ndarray
    excess: np.ndarray

    def crf(self) -> cs.GraphCRF:
        """The energy whose minimum is the cut: 1 is the side of the sink, whose nodes pay what the source offers."""
        unary = np.stack([np.maximum(-self.excess, 0), np.maximum(self.excess, 0)])
        if np.array_equal(self.forward, self.backward):
            return cs.GraphCRF(unary, self.edges, cs.Potts(1), self.forward)
        tables = np.zeros((len(self.edges), 2, 2))
        tables[:, 0, 1], tables[:, 1, 0] = self.forward, self.backward
        return cs.GraphCRF(unary, self.edges, tables=tables)


def mesh(n: int, strength: int) -> FlowProblem:
    """A ball in noise, on the edges of tetrahedra between random points."""
    from scipy.spatial import Delaunay

    rng = np.random.default_rng(n)
    points = rng.random((n, 3))
    simplices = Delaunay(points).simplices
    pairs = np.concatenate([simplices[:, [i, j]] for i in range(4) for j in range(i)])
    edges = np.unique(np.sort(pairs, axis=1), axis=0)
    capacity = (strength * rng.random(len(edges))).astype(int)
    far = np.linalg.norm(points - 0.5, axis=1)
    return FlowProblem(edges, capacity, capacity, (100 * (8 * (0.3 - far) + rng.normal(0, 1, n))).astype(int))


def ball(side: int, strength: int, *, shuffled: bool = False) -> FlowProblem:
    """Voxels of a ball, six neighbours each; in raster order or in none."""
    rng = np.random.default_rng(side)
    far = np.linalg.norm(np.indices((side,) * 3) - side / 2, axis=0) / side
    inside = far < 0.5
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(inside.sum())
    if shuffled:
        number[inside] = rng.permutation(number[inside])
    edges = []
    for axis in range(3):
        along = np.moveaxis(number, axis, 0)
        pairs = np.stack([along[:-1].ravel(), along[1:].ravel()], axis=1)
        edges.append(pairs[(pairs >= 0).all(axis=1)])
    pairs = np.concatenate(edges)
    excess = np.empty(int(inside.sum()), int)
    excess[number[inside]] = 100 * (6 * (0.25 - far[inside]) + rng.normal(0, 1, excess.size))
    capacity = (strength * rng.random(len(pairs))).astype(int)
    return FlowProblem(pairs, capacity, capacity, excess)


def random_graph(n: int, degree: int, largest: int) -> FlowProblem:
    """Edges between any two nodes, with a capacity of its own for each direction."""
    rng = np.random.default_rng(n * degree)
    edges = rng.integers(0, n, (n * degree, 2))
    edges = edges[edges[:, 0] != edges[:, 1]]
    forward, backward = rng.integers(0, largest, (2, len(edges)))
    return FlowProblem(edges, forward, backward, rng.integers(-100, 101, n))


def superpixels(photo: str, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean colours of the superpixels of a photo, pairs that touch, and along how many pixels."""
    from skimage import data
    from skimage.segmentation import slic

    image = getattr(data, photo)()[:1000, :1000]
    labels = slic(image, n, compactness=10, start_label=0)
    pairs = np.concatenate(
        [
            np.stack([a.ravel(), b.ravel()], axis=1)
            for a, b in ((labels[:-1], labels[1:]), (labels[:, :-1], labels[:, 1:]))
        ]
    )
    edges, lengths = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0, return_counts=True)
    sizes = np.bincount(labels.ravel())
    colors = [np.bincount(labels.ravel(), image[..., c].ravel()) / sizes for c in range(image.shape[-1])]
    return np.stack(colors, axis=1), edges, lengths


def contrast(colors: np.ndarray, edges: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Weights of borders: long ones between similar colours weigh most."""
    differences = ((colors[edges[:, 0]] - colors[edges[:, 1]]) ** 2).sum(axis=1)
    weights: np.ndarray = lengths * np.exp(-differences / (2 * differences.mean()))
    return weights


def two_regions(photo: str, n: int, strength: int) -> FlowProblem:
    """Superpixels, bright ones against dark ones."""
    colors, edges, lengths = superpixels(photo, n)
    capacity = (strength * contrast(colors, edges, lengths)).astype(int)
    bright = colors.mean(axis=1)
    return FlowProblem(edges, capacity, capacity, (10 * (bright - bright.mean())).astype(int))


def many_regions(photo: str, n: int, n_labels: int, strength: int) -> cs.GraphCRF:
    """Superpixels, each to get one of some typical colours."""
    colors, edges, lengths = superpixels(photo, n)
    rng = np.random.default_rng(n_labels)
    typical = colors[rng.choice(len(colors), n_labels, replace=False)]
    unary = np.abs(colors[:, None] - typical).sum(axis=2).T.astype(int)
    return cs.GraphCRF(unary, edges, cs.Potts(1), (strength * contrast(colors, edges, lengths)).astype(int))


FLOWS: dict[str, Callable[[], FlowProblem]] = {
    "mesh, 100k nodes": lambda: mesh(100_000, 50),
    "mesh, 100k nodes, strong": lambda: mesh(100_000, 200),
    "ball, 137k voxels": lambda: ball(64, 100),
    "ball, 523k voxels, strong": lambda: ball(100, 300),
    "ball, 137k voxels, shuffled": lambda: ball(64, 300, shuffled=True),
    "random, 50k nodes, degree 4": lambda: random_graph(50_000, 2, 60),
    "random, 50k nodes, degree 8": lambda: random_graph(50_000, 4, 60),
    "superpixels of astronaut, 15k": lambda: two_regions("astronaut", 20_000, 20),
    "superpixels of coffee, 26k": lambda: two_regions("coffee", 30_000, 60),
    "superpixels of coffee, 26k, strong": lambda: two_regions("coffee", 30_000, 600),
    "superpixels of retina, 20k": lambda: two_regions("retina", 25_000, 60),
}
"""For minimum cuts."""


EXPANSIONS: dict[str, Callable[[], cs.GraphCRF]] = {
    "astronaut, 15k, 5 labels": lambda: many_regions("astronaut", 20_000, 5, 2),
    "astronaut, 5k, 8 labels": lambda: many_regions("astronaut", 5_000, 8, 4),
    "astronaut, 15k, 16 labels": lambda: many_regions("astronaut", 20_000, 16, 8),
    "coffee, 26k, 8 labels": lambda: many_regions("coffee", 30_000, 8, 4),
    "coffee, 26k, 21 labels": lambda: many_regions("coffee", 30_000, 21, 8),
    "chelsea, 8k, 12 labels": lambda: many_regions("chelsea", 10_000, 12, 5),
    "rocket, 10k, 12 labels": lambda: many_regions("rocket", 10_000, 12, 8),
}
"""For expansion moves."""


def mixed_signs(n: int, degree: int, noise: int) -> cs.GraphCRF:
    """Two labels, and edges between any two nodes that want them equal or different."""
    rng = np.random.default_rng(n * degree + noise)
    edges = rng.integers(0, n, (n * degree // 2, 2))
    edges = edges[edges[:, 0] != edges[:, 1]]
    unary = rng.integers(-noise, noise + 1, (2, n))
    return cs.GraphCRF(unary, edges, cs.Potts(1), rng.integers(-50, 51, len(edges)))


ROOFS: dict[str, Callable[[], cs.GraphCRF]] = {
    "2k nodes, degree 4": lambda: mixed_signs(2_000, 4, 100),
    "20k nodes, degree 4": lambda: mixed_signs(20_000, 4, 100),
    "20k nodes, degree 4, weak": lambda: mixed_signs(20_000, 4, 40),
    "20k nodes, degree 8": lambda: mixed_signs(20_000, 8, 200),
}
"""For roof duality."""
