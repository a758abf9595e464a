"""What is timed in two checkouts: by name, a function that prepares a call without arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import classicseg as cs
from benchmarks.shared.grid_problems import PROBLEMS
from classicseg.bench.suites.fields import costs, picture

Call = Callable[[], Any]


def dense(height: int, width: int, n_labels: int, n_threads: int, quality: Any = "fast") -> Call:
    unary, image = costs(n_labels, (height, width)), picture((height, width))
    kernels = [cs.GaussianKernel(3, 3), cs.BilateralKernel(image, 80, 13, 10)]
    return lambda: (
        cs.minimize(
            cs.DenseCRF(unary, kernels, quality=quality), "mean_field", max_iter=10, n_threads=n_threads
        ).marginals
    )


def grid(problem: str, method: str, n_threads: int, **options: Any) -> Call:
    crf = PROBLEMS[problem]()
    return lambda: cs.minimize(crf, method, n_threads=n_threads, **options).labels


def split(threshold: int, noise: float, n_threads: int) -> Call:
    size = (2048, 2048)
    gray = picture(size)[..., 0] + noise * np.random.default_rng(0).standard_normal(size)
    image = np.clip(gray, 0, 255).astype(np.uint8)
    return lambda: cs.split_and_merge(image, threshold, n_threads=n_threads)


def regions(task: Callable[[np.ndarray], Any], *, gray: bool = False) -> Call:
    image = picture((512, 512))
    image = np.ascontiguousarray(image[..., 0]) if gray else image
    return lambda: task(image)


def grown(image: np.ndarray) -> np.ndarray:
    seeds = np.zeros(image.shape[:2], np.int32)
    seeds[32::64, 32::64] = np.arange(1, 65).reshape(8, 8)
    return cs.seeded_region_growing(image, seeds)


def refined() -> Call:
    given = cs.sample("coffee")
    probabilities = given.probabilities.astype(np.float32)
    return lambda: cs.refine(given.image, probabilities)


def layer(train: bool) -> Call:
    """Forward, or forward and backward, with a new lattice each time."""
    import torch

    import classicseg.torch as ct

    torch.set_num_threads(1)
    cs.set_num_threads(1)
    shape, n_labels = (375, 500), 21
    crf = ct.DenseCRF(n_labels, [ct.GaussianKernel(3, 3), ct.BilateralKernel(80, 13, 10)], n_iter=5, backend="numba")
    logits = torch.from_numpy(-costs(n_labels, shape))[None]
    image = torch.from_numpy(np.moveaxis(picture(shape), -1, 0).astype(np.float32))[None]

    def forward() -> Any:
        with torch.no_grad():
            return crf(logits, image)

    def forward_and_backward() -> None:
        z = logits.clone().requires_grad_()
        crf(z, image).square().mean().backward()

    return forward_and_backward if train else forward


QUICK: dict[str, Callable[[], Call]] = {
    "dense 60x80x3, 1 thread": partial(dense, 60, 80, 3, 1),
    "grid organ-64-6, graph_cut, 1 thread": partial(grid, "organ-64-6", "graph_cut", 1),
}

CASES: dict[str, Callable[[], Call]] = {
    **{
        f"dense {h}x{w}x{labels}, {n} thread{'s' * (n > 1)}": partial(dense, h, w, labels, n)
        for h, w, labels in ((375, 500, 21), (240, 320, 2))
        for n in (1, 2)
    },
    "dense high 375x500x21, 2 threads": partial(dense, 375, 500, 21, 2, "high"),
    **{
        f"{problem}, {method}, {n} thread{'s' * (n > 1)}": partial(grid, problem, method, n, **options)
        for problem, method, options in (
            ("flower-512-4", "graph_cut", {}),
            ("sheep-512-8", "graph_cut", {}),
            ("organ-64-6", "graph_cut", {}),
            ("potts5-512-contrast", "expansion", {}),
            ("tsukuba", "expansion", {}),
            ("tsukuba", "trws", {"max_iter": 20, "tol": 0.0}),
            ("potts5-512", "trws", {"max_iter": 20, "tol": 0.0}),
            ("potts21-256", "trws", {"max_iter": 20, "tol": 0.0}),
            ("potts5-256", "belief_propagation", {"max_iter": 5}),
            ("potts5-512", "icm", {}),
            ("potts5-256", "mean_field", {"max_iter": 10}),
        )
        for n in (1, 2)
    },
    **{
        f"split {kind} 2048x2048, {n} thread{'s' * (n > 1)}": partial(split, 24, noise, n)
        for kind, noise in (("smooth", 0.0), ("noisy", 12.0))
        for n in (1, 2)
    },
    "srm 512x512": partial(regions, cs.statistical_region_merging),
    "region growing 512x512": partial(regions, grown, gray=True),
    **{
        f"split by deviation 512x512, {name}": partial(
            regions, lambda image: cs.split_and_merge(image, cs.StdDev(8.0), n_threads=1), gray=gray
        )
        for name, gray in (("gray", True), ("colour", False))
    },
    "refine the sample": refined,
    "layer of PyTorch forward, 1 thread": partial(layer, False),
    "layer of PyTorch forward and backward, 1 thread": partial(layer, True),
}
