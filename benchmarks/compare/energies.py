"""Energies of dense and of grid CRFs, and the solvers that minimise them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import classicseg as cs
from benchmarks.compare.digest import Answer, Problem
from benchmarks.shared.grid_problems import MIDDLEBURY, PROBLEMS
from classicseg.bench.suites.fields import costs, picture


def solved(result: cs.Result) -> Answer:
    """All that a solver says, but for times and words."""
    steps = [(step.energy, step.lower_bound, step.change) for step in result.history]
    found = {
        "labels": result.labels,
        "marginals": result.marginals,
        "energy": result.energy,
        "lower_bound": result.lower_bound,
        "n_iter": result.n_iter,
        "converged": result.converged,
        "history": [tuple(None if x is None else float(x) for x in step) for step in steps],
    }
    return {key: value for key, value in found.items() if value is not None}


def minimized(make: Callable[[], Any], method: str, **options: Any) -> Problem:
    return lambda: solved(cs.minimize(make(), method, **options))


def dense(
    shape: tuple[int, ...],
    n_labels: int,
    kernels: Callable[[np.ndarray], Any],
    compatibility: Any = None,
    **options: Any,
) -> Callable[[], cs.DenseCRF]:
    return lambda: cs.DenseCRF(costs(n_labels, shape), kernels(picture(shape)), compatibility, **options)


def usual(image: np.ndarray) -> list[Any]:
    return [cs.GaussianKernel(3, 3), cs.BilateralKernel(image, 80, 13, 10)]


def small_ranges(image: np.ndarray) -> list[Any]:
    return [cs.GaussianKernel(1.5, -2), cs.BilateralKernel(image, 9, 21, 4)]


def anisotropic(image: np.ndarray) -> list[Any]:
    return [cs.GaussianKernel((2, 5), 3, spacing=(1, 0.5)), cs.BilateralKernel(image, (30, 12), (5, 9, 13), 5)]


def gray(image: np.ndarray) -> list[Any]:
    return [cs.GaussianKernel(3, 3), cs.BilateralKernel(image[..., 1], 20, 9, 5, channel_axis=None)]


def floats(image: np.ndarray) -> list[Any]:
    return [cs.BilateralKernel(image[..., :2].astype(np.float32) / 3, 25, 4, 5)]


def own_costs(image: np.ndarray) -> list[Any]:
    n = np.random.default_rng(5).random((3, 3))
    return [
        cs.GaussianKernel(3, 2, compatibility=cs.Diagonal([1, 2, 3])),
        cs.BilateralKernel(image, 40, 13, 4, compatibility=cs.Matrix((n + n.T) * (1 - np.eye(3)))),
    ]


def features(image: np.ndarray) -> list[Any]:
    shape = image.shape[:-1]
    seven = np.concatenate([np.indices(shape) / 20, np.moveaxis(image, -1, 0) / 30, np.sin(np.indices(shape))])
    return [cs.FeatureKernel(seven.astype(np.float32), 3)]


def normalized(image: np.ndarray, how: Any) -> list[Any]:
    weight = 0.02 if how == "none" else 3
    return [
        cs.GaussianKernel(3, weight, normalization=how),
        cs.BilateralKernel(image, 20, 13, weight, normalization=how),
    ]


def of_dense() -> Iterator[tuple[str, Problem]]:
    for quality in ("fast", "high"):
        for height, width, n_labels in ((97, 131, 2), (131, 97, 3), (64, 80, 5), (240, 320, 2), (240, 320, 21)):
            crf = dense((height, width), n_labels, usual, quality=quality)
            yield f"dense {quality} {height}x{width} {n_labels} labels", minimized(crf, "mean_field", max_iter=10)
        for name, kernels, n_labels in (
            ("small ranges", small_ranges, 4),
            ("anisotropic", anisotropic, 3),
            ("gray", gray, 2),
            ("floats", floats, 6),
            ("own compatibilities", own_costs, 3),
            ("seven features", features, 3),
            ("before", partial(normalized, how="before"), 3),
            ("after", partial(normalized, how="after"), 3),
            ("none", partial(normalized, how="none"), 3),
        ):
            crf = dense((60, 83), n_labels, kernels, quality=quality)
            yield f"dense {quality} {name}", minimized(crf, "mean_field", max_iter=6)
        volume = dense((13, 22, 31), 3, lambda v: [cs.GaussianKernel(2, 3), cs.BilateralKernel(v, 9, 20, 5)])
        yield f"dense {quality} volume", minimized(volume, "mean_field", max_iter=5)
    line = dense((5000,), 3, lambda v: [cs.GaussianKernel(4, 3), cs.BilateralKernel(v, 30, 15, 5)])
    yield "dense line", minimized(line, "mean_field", max_iter=5)
    exact = dense((24, 32), 4, usual, quality="exact")
    yield "dense exact", minimized(exact, "mean_field", max_iter=5)
    yield "dense 40 labels", minimized(dense((50, 60), 40, usual), "mean_field", max_iter=5)
    truncated = dense((60, 83), 5, usual, cs.TruncatedLinear(1, truncation=2))
    yield "dense truncated linear", minimized(truncated, "mean_field", max_iter=5)
    plain = dense((60, 83), 4, usual)
    yield "dense damped, tracked", minimized(plain, "mean_field", max_iter=8, damping=0.3, track=True)
    yield "dense until calm", minimized(plain, "mean_field", max_iter=40, tol=1e-3)
    yield "dense convergent", minimized(plain, "mean_field_convergent", max_iter=8)
    start = np.full((4, 60, 83), 0.25, np.float32)
    yield "dense from flat marginals", minimized(plain, "mean_field", max_iter=3, init=start)


def grid(
    shape: tuple[int, ...],
    n_labels: int,
    compatibility: Any,
    connectivity: int | None = None,
    *,
    whole: bool = True,
    contrast: float = 40.0,
    **options: Any,
) -> Callable[[], cs.GridCRF]:
    """Noisy costs, whole numbers or not, and edges that follow the contrast of a picture."""

    def make() -> cs.GridCRF:
        unary = 60 * costs(n_labels, shape)
        weights = cs.contrast_weights(picture(shape), connectivity=connectivity)
        scaled = {name: contrast * w for name, w in weights.items()}
        if whole:
            unary, scaled = np.rint(unary).astype(np.int32), {k: np.rint(w).astype(np.int32) for k, w in scaled.items()}
        return cs.GridCRF(unary, compatibility, scaled, **options)

    return make


def equal(shape: tuple[int, ...], n_labels: int, compatibility: Any, **options: Any) -> Callable[[], cs.GridCRF]:
    return lambda: cs.GridCRF(np.rint(60 * costs(n_labels, shape)).astype(np.int32), compatibility, **options)


def asymmetric(n_labels: int) -> cs.Matrix:
    matrix = np.random.default_rng(2).integers(0, 9, (n_labels, n_labels))
    return cs.Matrix(matrix * (1 - np.eye(n_labels, dtype=int)))


def of_grid() -> Iterator[tuple[str, Problem]]:
    for shape, connectivity in (
        ((131, 97), 4),
        ((131, 97), 8),
        ((320, 410), 4),
        ((320, 410), 8),
        ((14, 22, 31), 6),
        ((14, 22, 31), 26),
    ):
        for kind, whole in (("whole", True), ("real", False)):
            crf = grid(shape, 2, cs.Potts(1), connectivity, whole=whole)
            name = f"grid cut {'x'.join(map(str, shape))} {connectivity} neighbours, {kind} costs"
            yield name, minimized(crf, "graph_cut")
    yield "grid cut again", solved_again
    families = {
        "Potts": (grid((121, 164), 6, cs.Potts(1), 4), ("expansion", "swap")),
        "Potts, 8 neighbours": (grid((90, 121), 6, cs.Potts(1), 8), ("expansion", "swap")),
        "Potts, real": (grid((90, 121), 5, cs.Potts(1), 4, whole=False), ("expansion", "swap")),
        "Potts, equal weights": (equal((90, 121), 21, cs.Potts(30)), ("expansion",)),
        "truncated linear": (grid((90, 121), 8, cs.TruncatedLinear(1, truncation=3), 4), ("expansion", "swap")),
        "truncated quadratic": (grid((70, 91), 9, cs.TruncatedQuadratic(1, truncation=9), 4), ("swap",)),
        "label costs": (grid((70, 91), 5, cs.Potts(1), 4, label_costs=[900, 0, 500, 2000, 100]), ("expansion",)),
        "volume": (grid((11, 22, 31), 4, cs.Potts(1), 6), ("expansion", "swap")),
    }
    for family, (make, moves) in families.items():
        for method in moves:
            yield f"grid {method}, {family}", minimized(make, method, max_iter=3)
        if family == "label costs":
            yield f"grid trws+expansion, {family}", minimized(make, "trws+expansion", max_iter=20)
            continue
        yield f"grid trws, {family}", minimized(make, "trws", max_iter=12, tol=0)
        if "expansion" in moves:
            yield f"grid trws+expansion, {family}", minimized(make, "trws+expansion", max_iter=30)
        yield f"grid belief propagation, {family}", minimized(make, "belief_propagation", max_iter=5)
        yield f"grid icm, {family}", minimized(make, "icm")
        yield f"grid annealing, {family}", minimized(make, "annealing", max_iter=6, rng=7)
        yield f"grid mean field, {family}", minimized(make, "mean_field", max_iter=6)
    matrix = grid((60, 71), 5, asymmetric(5), 4)
    for method in ("trws", "belief_propagation", "icm", "mean_field"):
        yield f"grid {method}, asymmetric matrix", minimized(matrix, method, max_iter=5)
    for name, make in (
        ("Potts", grid((90, 121), 2, cs.Potts(1), 8)),
        ("not submodular", grid((60, 71), 2, cs.Matrix([[0, -1], [2, 0]]), 4, whole=False)),
    ):
        yield f"grid qpbo, {name}", minimized(make, "qpbo")


def solved_again() -> Answer:
    """A cut, and the next after a stroke."""
    crf = grid((131, 97), 2, cs.Potts(1), 8)()
    cut = cs.GraphCut(crf)
    first = cut.solve()
    unary = crf.unary.copy()
    unary[1, 20:40, 10:60] = unary.max()
    cut.set_unary(unary)
    return {
        f"{turn} {key}": part for turn, r in (("1st", first), ("2nd", cut.solve())) for key, part in solved(r).items()
    }


def of_the_literature() -> Iterator[tuple[str, Problem]]:
    """Those of the literature, cut short."""
    short = {"trws": {"max_iter": 6, "tol": 0.0}, "expansion": {"max_iter": 1}, "belief_propagation": {"max_iter": 2}}
    for name in MIDDLEBURY:
        for method, options in short.items():
            yield f"{name}, {method}", minimized(PROBLEMS[name], method, **options)
    for name in ("flower-512-4", "flower-native-8", "sheep-512-8", "organ-64-6", "organ-64-26", "mr-6"):
        yield f"{name}, graph_cut", minimized(PROBLEMS[name], "graph_cut")
    yield (
        "potts5-256-contrast, trws+expansion",
        minimized(PROBLEMS["potts5-256-contrast"], "trws+expansion"),
    )
