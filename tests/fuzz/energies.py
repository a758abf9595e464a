"""Energies, and cases of them and of what they are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import classicseg as cs
from classicseg.energies.grid import NEIGHBOURHOODS, directions, edge_shape
from tests.fuzz.judge import Call
from tests.fuzz.promises import check_result
from tests.fuzz.values import Draw

FAR = -300, -200, -100, -45, -20, 20, 45, 90
"""Powers of ten: by these, costs of a grid are sometimes multiplied."""

# --- parts of energies --------------------------------------------------------------------------------------------


def compatibility(draw: Draw, n_labels: int, *, symmetric: bool = False) -> Any:
    weight = draw.weight()
    truncation = draw.of((0.5, 1.0, 2.0, np.inf))
    match draw.integer(0, 6):
        case 0:
            return cs.TruncatedLinear(weight, truncation=truncation)
        case 1:
            return cs.TruncatedQuadratic(weight, truncation=truncation)
        case 2:
            return cs.Diagonal(draw.rng.normal(size=n_labels) * weight)
        case 3:
            values = draw.rng.random((n_labels, n_labels)) * weight
            return cs.Matrix(values + values.T if symmetric else values)
        case 4:
            return cs.Potts(-weight)
        case _:
            return cs.Potts(weight)


def unary(draw: Draw, n_labels: int, shape: tuple[int, ...]) -> np.ndarray:
    return draw.numbers((n_labels, *shape))


def _far(draw: Draw, numbers: np.ndarray, exponents: tuple[int, ...]) -> np.ndarray:
    """Sometimes far above or below all that is usual."""
    return numbers * np.float64(10.0) ** draw.of(exponents) if draw.chance(0.07) else numbers


def kernel(draw: Draw, shape: tuple[int, ...], n_labels: int = 2) -> Any:
    options = draw.some(
        compatibility=lambda: compatibility(draw, n_labels, symmetric=True),
        normalization=lambda: draw.of(("symmetric", "none", "before", "after")),
    )
    weight = draw.weight() * draw.of((1, 1, -1))
    match draw.integer(0, 2):
        case 0:
            return cs.GaussianKernel(draw.positive(), weight, **options)
        case 1:
            channels = draw.of((None, 1, 3))
            axis = None if channels is None else -1
            image = draw.image(shape, channels)
            return cs.BilateralKernel(image, draw.positive(), draw.positive(), weight, channel_axis=axis, **options)
        case _:
            return cs.FeatureKernel(draw.rng.normal(size=(draw.integer(1, 5), *shape)) * 3, weight, **options)


def dense_crf(draw: Draw) -> cs.DenseCRF:
    n_labels, shape = draw.of((2, 2, 3, 5, 21)), draw.shape((1, 2, 2, 3))
    kernels = [kernel(draw, shape, n_labels) for _ in range(draw.integer(0, 2))]
    quality = draw.of(("fast", "fast", "high", "exact"))
    costs = _far(draw, draw.numbers((n_labels, *shape)), (-45, -38, -20, 20))
    mask = draw.mask(shape) if draw.chance(0.2) else None
    return cs.DenseCRF(costs, kernels, compatibility(draw, n_labels, symmetric=True), quality=quality, mask=mask)


def with_kernels(draw: Draw) -> cs.DenseCRF:
    crf = dense_crf(draw)
    return crf if crf.kernels else cs.DenseCRF(crf.unary, cs.GaussianKernel())


def grid_parts(draw: Draw, n_labels: int | None = None) -> dict[str, Any]:
    """Arguments of a GridCRF, often of so few pixels that all labellings can be tried."""
    n_labels = draw.of((2, 2, 2, 3, 3, 5)) if n_labels is None else n_labels
    if draw.chance(0.5):
        shape = draw.of(((1, 3), (2, 2), (2, 3), (5,), (1, 2, 2), (1, 1)) if n_labels < 5 else ((1, 3), (2, 2), (4,)))
    else:
        shape = draw.shape((1, 2, 2, 3), 12)
    costs = unary(draw, n_labels, shape)
    if draw.chance(0.1):
        costs = costs.astype(np.float64)
        costs[1:][draw.rng.random((n_labels - 1, *shape)) < 0.2] = np.inf
    costs = _far(draw, costs, FAR)
    connectivity = draw.of(NEIGHBOURHOODS[len(shape)])
    parts: dict[str, Any] = {"unary": costs, "compatibility": compatibility(draw, n_labels)}
    if draw.chance(0.5):
        parts["weights"] = {
            name: _far(draw, np.abs(draw.numbers(edge_shape(shape, offset))), FAR)
            for name, offset in directions(len(shape), connectivity).items()
        }
    elif draw.chance(0.5):
        parts["weights"] = draw.weight()
    parts["connectivity"] = connectivity
    if draw.chance(0.15):
        parts["label_costs"] = np.abs(draw.numbers((n_labels,)))
    if draw.chance(0.2):
        parts["mask"] = draw.mask(shape)
    return parts


def grid_crf(draw: Draw, n_labels: int | None = None) -> cs.GridCRF:
    return cs.GridCRF(**grid_parts(draw, n_labels))


def graph_parts(draw: Draw) -> dict[str, Any]:
    """Arguments of a GraphCRF, often of so few nodes that all labellings can be tried."""
    n_labels = draw.of((2, 2, 3, 5))
    n = draw.integer(2, 5) if draw.chance(0.6) else draw.integer(2, 40)
    n_edges = draw.integer(0, 2 * n)
    first = draw.rng.integers(0, n, n_edges)
    edges = np.stack([first, (first + draw.rng.integers(1, n, n_edges)) % n], axis=1)
    costs = unary(draw, n_labels, (n,))
    if draw.chance(0.15):
        costs = costs.astype(np.float64)
        costs[1:][draw.rng.random((n_labels - 1, n)) < 0.2] = np.inf
    parts: dict[str, Any] = {"unary": _far(draw, costs, FAR), "edges": edges}
    if draw.chance(0.4):
        tables = draw.numbers((n_edges, n_labels, n_labels)).astype(np.float64)
        if draw.chance(0.3):
            tables[:, 1:][draw.rng.random(tables[:, 1:].shape) < 0.2] = np.inf
        parts["tables"] = _far(draw, tables, FAR)
    else:
        parts["compatibility"] = compatibility(draw, n_labels)
        if draw.chance(0.7):
            parts["weights"] = _far(draw, draw.numbers((n_edges,)), FAR) if draw.chance(0.8) else draw.weight()
    if draw.chance(0.15):
        parts["label_costs"] = np.abs(draw.numbers((n_labels,)))
    if draw.chance(0.2):
        parts["mask"] = draw.mask((n,))
    return parts


def graph_crf(draw: Draw) -> cs.GraphCRF:
    return cs.GraphCRF(**graph_parts(draw))


# --- energies -----------------------------------------------------------------------------------------------------


def _of_energy(make: Callable[[Draw], Any], method: str, arguments: Callable[[Draw, Any], dict[str, Any]]) -> Any:
    def case(draw: Draw) -> Call:
        energy = make(draw)
        attribute = getattr(energy, method)
        function = attribute if callable(attribute) else (lambda: attribute)
        fixed = ("n_threads",) if method == "lattice_bank" else ()  # solvers have checked it
        return Call(function, arguments(draw, energy), fixed=fixed, words=("unary", "features"))

    return case


def _labels(draw: Draw, energy: Any) -> dict[str, Any]:
    return {"labels": draw.labels(energy.shape, energy.n_labels)}


def _marginals(draw: Draw, energy: Any) -> dict[str, Any]:
    return {"marginals": draw.probabilities(energy.n_labels, energy.shape)} | _threads(draw)


def _labels_and_threads(draw: Draw, energy: Any) -> dict[str, Any]:
    return _labels(draw, energy) | _threads(draw)


def _threads(draw: Draw) -> dict[str, Any]:
    return draw.some(n_threads=lambda: draw.of((1, 2, 7)))


def _nothing(draw: Draw, energy: Any) -> dict[str, Any]:
    return {}


def a_dense_crf(draw: Draw) -> Call:
    n_labels, shape = draw.of((2, 3, 8)), draw.shape((1, 2, 3))
    arguments = {"unary": draw.numbers((n_labels, *shape)), "kernels": [kernel(draw, shape, n_labels)]}
    arguments |= draw.some(
        compatibility=lambda: compatibility(draw, n_labels, symmetric=True),
        label_axis=lambda: 0,
        quality=lambda: draw.of(("fast", "high", "exact")),
        mask=lambda: draw.mask(shape),
    )
    if draw.chance(0.2):
        arguments["unary"] = arguments["unary"].astype(np.float64)
        arguments["unary"][1:][draw.rng.random((n_labels - 1, *shape)) < 0.3] = np.inf
    if draw.chance(0.3):
        arguments |= {"unary": draw.numbers((n_labels, *draw.smaller(shape))), "shape": shape}
        arguments |= draw.some(align_corners=lambda: draw.chance(0.5))

    def solve(**given: Any) -> tuple[str, cs.Result]:
        energy = cs.DenseCRF(**given)
        result = cs.minimize(energy, max_iter=2)
        check_result(result, energy)
        return repr(energy)[:8], result

    return Call(solve, arguments, words=("features", "sigma"))


def _grid(draw: Draw) -> Call:
    shape, n_labels = draw.shape((1, 2, 3)), draw.of((2, 3, 21))
    small, aligned = draw.smaller(shape), draw.chance(0.5)
    crf = cs.DenseCRF(draw.numbers((n_labels, *small)), [], shape=shape, align_corners=aligned)
    pixel = draw.integer(0, crf.n_points - 1)
    return Call(lambda: (crf.grid.full(), crf.grid.cheapest(), crf.grid.read(pixel, crf.n_points)), {})


def a_grid_crf(draw: Draw) -> Call:
    arguments = grid_parts(draw)
    if not isinstance(arguments.get("weights"), dict):
        arguments |= draw.some(spacing=lambda: draw.of((1.0, 2.0)))

    def solve(**given: Any) -> tuple[str, cs.Result]:
        energy = cs.GridCRF(**given)
        result = cs.minimize(energy, "icm", max_iter=2)
        check_result(result, energy)
        return repr(energy), result

    return Call(solve, arguments)


def a_graph_crf(draw: Draw) -> Call:
    def make(**given: Any) -> tuple[Any, ...]:
        energy = cs.GraphCRF(**given)
        labels = np.zeros(energy.shape, int)
        return repr(energy), energy.unary, energy.edges, energy.tables(), energy.energy(labels)

    return Call(make, graph_parts(draw))


def _from_grid(draw: Draw) -> Call:
    return Call(lambda grid: cs.GraphCRF.from_grid(grid).edges, {"grid": grid_crf(draw)})


def _region_graph(draw: Draw) -> Call:
    shape, channels = draw.shape((1, 2, 3)), draw.of((None, 1, 3))
    arguments: dict[str, Any] = {
        "image": draw.image(shape, channels), "labels": draw.labels(shape, 5),
        "channel_axis": None if channels is None else -1,
    }  # fmt: skip
    arguments |= draw.some(connectivity=lambda: draw.of(NEIGHBOURHOODS[len(shape)]), mask=lambda: draw.mask(shape))

    def make(**given: Any) -> tuple[Any, ...]:
        graph = cs.region_graph(**given)
        numbers = np.arange(graph.sizes.size)
        return graph.edges, graph.lengths, graph.contrasts, graph.sizes, graph.means, graph.paint(numbers), repr(graph)

    return Call(make, arguments)


def _of_regions(method: str) -> Callable[[Draw], Call]:
    def case(draw: Draw) -> Call:
        shape = draw.shape((1, 2, 3))
        graph = cs.region_graph(draw.image(shape, 3), draw.labels(shape, 5))
        if method == "gather":
            return Call(graph.gather, {"unary": draw.numbers((draw.integer(2, 4), *shape))})
        return Call(graph.paint, {"labels": draw.labels(graph.sizes.shape, 4)})

    return case


def _pixel_graph(draw: Draw) -> Call:
    return Call(cs.pixel_graph, {"shape": draw.shape((1, 2, 3))})


def _of_pixels(method: str) -> Callable[[Draw], Call]:
    def case(draw: Draw) -> Call:
        shape, n_labels = draw.shape((2,)), draw.integer(2, 3)
        sizes = {"right": (shape[0], shape[1] - 1), "down": (shape[0] - 1, shape[1])}
        tail = (n_labels, n_labels) if method == "edge_tables" else ()
        given = {name: draw.numbers((*size, *tail)) for name, size in sizes.items()}
        return Call(getattr(cs.pixel_graph(shape), method), {method.removeprefix("edge_"): given})

    return case


def _point_graph(draw: Draw) -> Call:
    return Call(cs.point_graph, {"points": draw.numbers((draw.integer(5, 30), 2)), "k": draw.integer(1, 4)})


def _compatibility(cls: Any) -> Callable[[Draw], Call]:
    def case(draw: Draw) -> Call:
        n_labels = draw.integer(2, 5)
        match cls.__name__:
            case "Diagonal":
                arguments: dict[str, Any] = {"values": draw.numbers((n_labels,))}
            case "Matrix":
                values = draw.numbers((n_labels, n_labels))
                arguments = {"values": values + values.T}
            case "Potts":
                arguments = {"weight": draw.weight()}
            case _:
                arguments = {"weight": draw.weight(), "truncation": draw.positive()}

        def matrix(n_labels: Any, **given: Any) -> np.ndarray:
            made = cls(**given)
            assert repr(made)
            return made.matrix(n_labels)

        def check(result: np.ndarray, **_: Any) -> None:
            assert result.dtype == np.float64 and result.shape[0] == result.shape[1]

        return Call(matrix, arguments | {"n_labels": n_labels}, check, words=("compatibility",))

    return case


def _kernel(cls: Any) -> Callable[[Draw], Call]:
    def case(draw: Draw) -> Call:
        shape = draw.shape((1, 2, 3))
        options = draw.some(
            compatibility=lambda: draw.of((None, 2.0, cs.Potts(1))), normalization=lambda: draw.of(("none", "after"))
        )
        sizes = draw.some(spacing=lambda: draw.of((1.0, 0.5, (1.0,) * len(shape))))
        arguments: dict[str, Any] = {"weight": draw.weight()} | options
        match cls.__name__:
            case "GaussianKernel":
                arguments |= {"sigma": draw.positive()} | sizes
            case "BilateralKernel":
                image = draw.image(shape, 3)
                arguments |= {"image": image, "sigma": draw.positive(), "color_sigma": draw.positive()} | sizes
                arguments |= draw.some(mask=lambda: draw.mask(shape))
            case _:
                arguments["features"] = draw.numbers((draw.integer(1, 4), *shape))

        def columns(shape: Any, **given: Any) -> int:
            made = cls(**given)
            assert repr(made)
            return len(made.columns(shape))

        return Call(columns, arguments | {"shape": shape}, fixed=("shape",))

    return case


def _methods(draw: Draw) -> Call:
    return Call(cs.methods, {"energy": draw.of((None, dense_crf(draw), grid_crf(draw)))})


def _contrast(draw: Draw) -> Call:
    shape, channels = draw.shape(), draw.of((None, 1, 3))
    arguments: dict[str, Any] = {
        "image": draw.image(shape, channels), "channel_axis": None if channels is None else -1
    }  # fmt: skip
    arguments |= draw.some(
        beta=draw.positive, connectivity=lambda: draw.of(NEIGHBOURHOODS[len(shape)]), spacing=draw.positive,
        mask=lambda: draw.mask(shape),
    )  # fmt: skip

    def check(result: dict[str, np.ndarray], **_: Any) -> None:
        for weights in result.values():
            assert np.isfinite(weights).all() and (weights.size == 0 or weights.min() >= 0)

    return Call(cs.contrast_weights, arguments, check)


def _inside(draw: Draw) -> Call:
    crf = dense_crf(draw)
    return Call(lambda: (crf.inside.unary, crf.inside.n_points), {})


ENERGY_CASES = {
    "DenseCRF": a_dense_crf,
    "DenseCRF.costs": _of_energy(dense_crf, "costs", _nothing),
    "DenseCRF.energy": _of_energy(dense_crf, "energy", _labels_and_threads),
    "DenseCRF.energy_is_exact": _of_energy(dense_crf, "energy_is_exact", _nothing),
    "DenseCRF.free_energy": _of_energy(dense_crf, "free_energy", _marginals),
    "DenseCRF.grid": _grid,
    "DenseCRF.inside": _inside,
    "DenseCRF.lattice_bank": _of_energy(with_kernels, "lattice_bank", lambda draw, energy: {"n_threads": 1}),
    "DenseCRF.pairwise_message": _of_energy(dense_crf, "pairwise_message", _marginals),
    "DenseCRF.terms": _of_energy(dense_crf, "terms", _labels_and_threads),
    "GraphCRF": a_graph_crf,
    "GraphCRF.energy": _of_energy(graph_crf, "energy", _labels),
    "GraphCRF.from_grid": _from_grid,
    "GraphCRF.reason_against_cut": _of_energy(graph_crf, "reason_against_cut", _nothing),
    "GraphCRF.tables": _of_energy(graph_crf, "tables", lambda draw, energy: {"start": draw.integer(-3, 3)}),
    "GraphCRF.terms": _of_energy(graph_crf, "terms", _labels),
    "GridCRF": a_grid_crf,
    "GridCRF.energy": _of_energy(grid_crf, "energy", _labels),
    "GridCRF.has_ties": _of_energy(grid_crf, "has_ties", lambda draw, energy: {"name": next(iter(energy.directions))}),
    "GridCRF.n_broken": _of_energy(grid_crf, "n_broken", _labels),
    "GridCRF.reason_against_cut": _of_energy(grid_crf, "reason_against_cut", _nothing),
    "GridCRF.terms": _of_energy(grid_crf, "terms", _labels),
    "PixelGraph": _pixel_graph,
    "PixelGraph.edge_tables": _of_pixels("edge_tables"),
    "PixelGraph.edge_weights": _of_pixels("edge_weights"),
    "RegionGraph": _region_graph,
    "RegionGraph.gather": _of_regions("gather"),
    "RegionGraph.paint": _of_regions("paint"),
    "contrast_weights": _contrast,
    "methods": _methods,
    "pixel_graph": _pixel_graph,
    "point_graph": _point_graph,
    "region_graph": _region_graph,
}  # fmt: skip
for _cls in (cs.Potts, cs.Diagonal, cs.Matrix, cs.TruncatedLinear, cs.TruncatedQuadratic):
    ENERGY_CASES |= {_cls.__name__: _compatibility(_cls), f"{_cls.__name__}.matrix": _compatibility(_cls)}
for _cls in (cs.GaussianKernel, cs.BilateralKernel, cs.FeatureKernel):
    ENERGY_CASES |= {_cls.__name__: _kernel(_cls), f"{_cls.__name__}.columns": _kernel(_cls)}
