"""What is done to pictures: regions, refinement, objects cut out, the layer of PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import classicseg as cs
from benchmarks.compare.digest import Answer, Problem
from classicseg.bench.suites.fields import costs, picture


def labels_of(answer: Any) -> np.ndarray:
    """Labels, bare or as a part of what is returned."""
    return answer if isinstance(answer, np.ndarray) else answer.labels


def split(image: Callable[[], np.ndarray], predicate: Any, **options: Any) -> Problem:
    return lambda: {"labels": labels_of(cs.split_and_merge(image(), predicate, **options))}


def tailored(region: Any) -> bool:
    """A predicate of a user's own."""
    return region.max[0] - region.min[0] < 40 or region.count < 6


def of_regions() -> Iterator[tuple[str, Problem]]:
    color = partial(picture, (211, 300))
    channel = partial(lambda dtype: (picture((211, 300))[..., 0] * np.float64(1.7)).astype(dtype))
    predicates = {
        "Range": cs.Range(24),
        "StdDev": cs.StdDev(9),
        "MeanDifference": cs.MeanDifference(14),
        "VarianceRatio": cs.VarianceRatio(30, noise=4),
        "HistogramDistance": cs.HistogramDistance(0.4),
        "OtsuSeparability": cs.OtsuSeparability(0.8, 20),
        "both": cs.Range(60) & cs.StdDev(12),
        "either": cs.Range(12) | cs.StdDev(7),
        "Custom": cs.Custom(tailored),
    }
    for name, predicate in predicates.items():
        for dtype in ("u1", "i2", "f4"):
            yield f"split {name}, {dtype}", split(partial(channel, dtype), predicate)
        yield f"split {name}, colour", split(color, predicate)
    for dtype in ("u2", "i4", "f8", "?"):
        yield f"split Range, {dtype}", split(partial(channel, dtype), cs.Range(24))
    for name, options in {
        "best first": {"merge": "best_first", "min_area": 20},
        "only split": {"merge": None},
        "diagonals": {"connectivity": 2, "min_size": 2},
        "strict, then loose": {"merge_homogeneity": cs.StdDev(20), "min_area": 9},
        "not deep": {"max_depth": 5},
    }.items():
        yield f"split Range, {name}", split(color, cs.Range(20), **options)
        yield f"split Range, gray, {name}", split(partial(channel, "u1"), cs.Range(20), **options)
    yield "split volume", split(partial(picture, (17, 33, 41)), cs.Range(40), channel_axis=-1)
    yield "split gray volume", split(lambda: picture((17, 33, 41))[..., 0], cs.StdDev(12), channel_axis=None)
    yield "split within a mask", lambda: split(color, cs.Range(30), mask=picture((211, 300))[..., 2] > 90)()
    yield "split large", split(lambda: picture((1400, 1100))[..., 0], cs.Range(24))
    yield "quadtree", lambda: {"blocks": labels_of(cs.quadtree(picture((211, 300))[..., 0], cs.Range(24)))}
    for name, image in (("gray", partial(channel, "u1")), ("colour", color), ("floats", partial(channel, "f4"))):
        for area in (1, 40):
            yield (
                f"srm {name}, areas from {area}",
                lambda image=image, area=area: {"labels": cs.statistical_region_merging(image(), 32, min_area=area)},
            )


def refined(sample: str, **options: Any) -> Problem:
    def call() -> Answer:
        given = cs.sample(sample)
        return {"labels": cs.refine(given.image, given.probabilities.astype(np.float32), **options)}

    return call


def cut_out(**options: Any) -> Problem:
    def call() -> Answer:
        photo = cs.sample("coffee").image
        height, width = photo.shape[:2]
        scribbles = np.full((height, width), -1)
        scribbles[height // 2 : height // 2 + 9, width // 3 : width // 2] = 1
        scribbles[:7] = scribbles[-7:] = 0
        box = (height // 6, width // 6, height - height // 6, width - width // 6)
        given = {"box": box} if options.get("colors") == "histogram" else {"scribbles": scribbles}
        return {"mask": cs.cutout(photo, **given, **options).mask}

    return call


def of_pipelines() -> Iterator[tuple[str, Problem]]:
    for sample in ("coffee", "nuclei"):
        for preset in cs.PRESETS:
            yield f"refine {sample}, {preset}", refined(sample, preset=preset)
    yield "refine coffee, high", refined("coffee", quality="high")
    yield "cutout strokes", cut_out()
    yield "cutout strokes, 1 round", cut_out(max_iter=1)
    yield "cutout box, histograms", cut_out(colors="histogram")


def trained(backend: str, learn: tuple[str, ...]) -> Answer:
    """Marginals of the layer of PyTorch, and all gradients."""
    import torch

    import classicseg.torch as ct

    torch.set_num_threads(1)
    shape = (37, 52)
    kernels = [ct.GaussianKernel(3, 3), ct.BilateralKernel(20, 13, 10)]
    crf = ct.DenseCRF(5, kernels, learn=learn, n_iter=3, output="marginals", backend=backend)
    logits = torch.from_numpy(-np.stack([costs(5, shape), costs(5, shape, seed=1)])).requires_grad_()
    image = torch.from_numpy(np.moveaxis(np.stack([picture(shape), picture(shape, seed=1)]), -1, 1).astype(np.float32))
    marginals = crf(logits, image)
    towards = torch.from_numpy(np.random.default_rng(3).standard_normal(marginals.shape).astype(np.float32))
    (marginals * towards).sum().backward()
    gradients = {name: p.grad for name, p in crf.named_parameters() if p.grad is not None}
    return {"marginals": marginals, "gradient of logits": logits.grad} | gradients


def of_torch() -> Iterator[tuple[str, Problem]]:
    for backend in ("numba", "torch"):
        for learn in (("weights", "compatibility"), ("weights", "compatibility", "sigma")):
            yield f"layer of PyTorch, {backend}, learns {len(learn)}", partial(trained, backend, learn)
