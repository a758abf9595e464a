"""Small problems that need no data: each kind of energy once. They are those of ``--quick``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import classicseg as cs
from classicseg.bench.problem import Problem
from classicseg.bench.suites import graphs
from classicseg.bench.suites.photos import of_fields


def stairs() -> cs.GridCRF:
    """A slope in noise, 16 labels, truncated linear: what stereo is like."""
    rng = np.random.default_rng(16)
    truth = np.add.outer(np.arange(40), np.arange(48)) * 15 // 86
    seen = truth + rng.normal(0, 2, truth.shape)
    unary = np.rint(np.minimum(np.abs(np.arange(16)[:, None, None] - seen) * 10, 60)).astype(np.int32)
    return cs.GridCRF(unary, cs.TruncatedLinear(8, truncation=3))


def torus(side: int = 20) -> cs.GraphCRF:
    """A spin glass on a torus: couplings of both signs."""
    rng = np.random.default_rng(side)
    node = np.arange(side * side).reshape(side, side)
    ends = [np.stack([node.ravel(), np.roll(node, -1, axis).ravel()], axis=1) for axis in (0, 1)]
    weights = rng.integers(-20, 21, 2 * node.size)
    return cs.GraphCRF(rng.integers(0, 31, (2, node.size)), np.concatenate(ends), cs.Potts(1), weights)


def ragged(n: int = 120) -> cs.GraphCRF:
    """A random graph whose nodes have 2 to 5 labels, with a table for each edge."""
    rng = np.random.default_rng(n)
    counts = rng.integers(2, 6, n)
    pairs = np.unique(np.sort(rng.integers(0, n, (2 * n, 2)), axis=1), axis=0)
    edges = pairs[pairs[:, 0] != pairs[:, 1]]
    tables = [rng.integers(0, 20, (counts[i], counts[j])) for i, j in edges]
    return cs.GraphCRF([rng.integers(0, 30, count) for count in counts], edges, tables=tables)


def rivals(n: int = 19) -> cs.GraphCRF:
    """Everybody has a random table with everybody else: few nodes, and cycles everywhere."""
    rng = np.random.default_rng(n)
    edges = [[i, j] for i in range(n) for j in range(i)]
    return cs.GraphCRF(rng.integers(0, 20, (2, n)), edges, tables=rng.integers(-20, 21, (len(edges), 2, 2)))


def superpixels() -> cs.GraphCRF:
    """Superpixels of the bundled photo: what the classifier says, borders by length and contrast.

    Of every other row and column: each process makes the problem anew.
    """
    from skimage.segmentation import slic

    sample = cs.sample()
    image, probabilities = sample.image[::2, ::2], sample.probabilities[:, ::2, ::2].astype(np.float64)
    labels = slic(image, 600, compactness=10, start_label=0)
    graph = cs.region_graph(image, labels)
    costs = graph.gather(-np.log(np.maximum(probabilities, 1e-4)))
    weights = graph.lengths * np.exp(-graph.contrasts / graph.contrasts.mean())
    return cs.GraphCRF(np.rint(10 * costs).astype(int), graph.edges, cs.Potts(1), np.rint(4 * weights).astype(int))


MAKERS: dict[str, tuple[Callable[[], Any], str]] = {
    "cut-4": (lambda: of_fields((64, 80), 2, 4), "two labels, 4 neighbours"),
    "cut-8": (lambda: of_fields((64, 80), 2, 8), "two labels, 8 neighbours"),
    "cut-volume": (lambda: of_fields((12, 16, 20), 2, 26), "two labels, a volume of 26 neighbours"),
    "potts-5": (lambda: of_fields((64, 80), 5, 4), "5 labels, Potts, edges that follow contrast"),
    "stairs": (stairs, "16 labels, truncated linear"),
    "torus": (torus, "a spin glass: two labels, weights of mixed signs"),
    "mixed-signs": (lambda: graphs.mixed_signs(300, 4, 100), "two labels, any two nodes, weights of mixed signs"),
    "directed": (lambda: graphs.random_graph(400, 3, 60).crf(), "a cut of a random graph with directed edges"),
    "ragged": (ragged, "nodes of 2 to 5 labels, a table for each edge"),
    "rivals": (rivals, "19 nodes, a table of mixed signs for any two"),
    "superpixels": (superpixels, "600 superpixels of the bundled photo, 5 labels"),
}
"""By name: what makes it, and what it is."""


def problems(data: Path | None) -> list[Problem]:
    """All of the suite."""
    return [
        Problem(f"generated/{name}", partial(_without_data, make), quick=True, summary=summary)
        for name, (make, summary) in MAKERS.items()
    ]


def _without_data(make: Callable[[], Any], data: Path | None) -> Any:
    return make()
