"""Cases of the interfaces of SimpleCRF, numpymaxflow and PyMaxflow, of the transform for MONAI, and of films."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

import classicseg as cs
from classicseg import gco, numpymaxflow
from classicseg import maxflow as pymaxflow
from classicseg.maxflow.structures import grid_edges
from classicseg.monai import CRFd
from classicseg.simplecrf import denseCRF, denseCRF3D, maxflow
from tests.fuzz.judge import Call
from tests.fuzz.values import Draw


def _binary(labels: np.ndarray, **given: Any) -> None:
    assert np.isin(labels, (0, 1)).all()


def _numpymaxflow(draw: Draw) -> Call:
    shape = draw.shape((2, 3))
    arguments = {"image": np.moveaxis(draw.image(shape, 2), -1, 0), "prob": draw.probabilities(2, shape)}
    arguments |= {"lamda": draw.weight(), "sigma": draw.positive()} | draw.some(connectivity=lambda: 0)
    if draw.chance(0.5):
        return Call(numpymaxflow.maxflow, arguments, _binary)
    seed = draw.rng.random((2, *shape)) < 0.2
    return Call(numpymaxflow.maxflow_interactive, arguments | {"seed": seed}, _binary)


def _graph(draw: Draw) -> Call:
    """A grid and its flow."""
    shape = draw.shape((1, 2, 3))
    kind = draw.of((int, float))

    def cut(
        sourcecaps: Any, sinkcaps: Any, weights: Any, i: Any, j: Any, capacity: Any, structure: Any, periodic: Any
    ) -> Any:
        graph = pymaxflow.Graph[kind](3, 3)
        grid, nodes = graph.add_grid_nodes(shape), graph.add_nodes(2)
        graph.add_grid_edges(grid, weights, structure, symmetric=True, periodic=periodic)
        graph.add_grid_tedges(grid, sourcecaps, sinkcaps)
        graph.add_edge(i, j, capacity, 0)
        graph.add_edges(nodes[:1], nodes[1:], [1], [2])
        graph.add_tedge(nodes[0], 3, 0)
        graph.mark_node(i)
        graph.mark_grid_nodes(grid)
        flow, sides = graph.maxflow(), graph.get_grid_segments(grid)
        assert sides.dtype == bool and sides.shape == shape and graph.get_segment(nodes[0]) in (0, 1)
        twin = graph.copy()
        graph.reset()
        assert graph.get_node_count() == graph.get_edge_count() == graph.get_edge_num() == 0
        assert twin.get_node_num() == sides.size + 2
        return flow, sides, twin.maxflow()

    n = int(np.prod(shape))
    arguments = {name: 9 * draw.rng.random(shape) for name in ("sourcecaps", "sinkcaps", "weights")}
    arguments |= {"i": draw.integer(0, n), "j": draw.integer(0, n + 1), "capacity": draw.integer(0, 9)}
    structure = draw.of((None, pymaxflow.moore_structure(len(shape), True)))
    return Call(cut, arguments | {"structure": structure, "periodic": draw.chance(0.3)}, fixed=("structure",))


def _networkx(draw: Draw) -> Call:
    def built(capacity: Any) -> Any:
        graph = pymaxflow.GraphInt()
        graph.add_nodes(2)
        graph.add_edge(0, 1, capacity, 1)
        return sorted((str(a), str(b), w) for a, b, w in graph.get_nx_graph().edges(data="weight"))

    return Call(built, {"capacity": draw.integer(0, 9)})


def _structure(function: Callable[..., Any]) -> Callable[[Draw], Call]:
    return lambda draw: Call(function, {"ndim": draw.integer(1, 4), "directed": draw.chance(0.5)}, fixed=("directed",))


def _grid_moves(function: Callable[..., Any]) -> Callable[[Draw], Call]:
    def make(draw: Draw) -> Call:
        shape, n = draw.shape((1, 2, 3)), draw.integer(2, 4)
        table = 9 * draw.rng.random((n, n))
        arguments = {"unary": draw.numbers((*shape, n)), "binary": table + table.T - np.diag(2 * np.diag(table))}
        if function is pymaxflow.fastmin.energy_of_grid_labeling:
            return Call(function, arguments | {"labels": draw.labels(shape, n)})
        return Call(function, arguments | draw.some(max_cycles=lambda: draw.integer(0, 3)))

    return make


def _gco(function: Callable[..., Any]) -> Callable[[Draw], Call]:
    def make(draw: Draw) -> Call:
        n = draw.integer(2, 4)
        table = 9 * draw.rng.random((n, n))
        options = draw.some(n_iter=lambda: draw.integer(-1, 3), algorithm=lambda: draw.of(("expansion", "swap")))
        if function in (gco.get_images_edges_vh, gco.get_images_edges_diag):
            return Call(function, {"height": draw.integer(1, 9), "width": draw.integer(1, 9)})
        if "grid" not in function.__name__ and "simple" not in function.__name__:
            n_nodes = draw.integer(2, 6)
            edges = np.stack([np.arange(n_nodes - 1), np.arange(1, n_nodes)], axis=1)
            arguments = {"edges": edges, "unary_cost": draw.numbers((n_nodes, n)), "pairwise_cost": table}
            if function is gco.cut_general_graph:
                arguments["edge_weights"] = 9 * draw.rng.random(n_nodes - 1)
                options |= draw.some(init_labels=lambda: draw.labels((n_nodes,), n))
            return Call(function, arguments | options, words=("weights",))
        height, width = draw.integer(2, 5), draw.integer(2, 5)
        arguments = {"unary_cost": draw.numbers((height, width, n)), "pairwise_cost": table}
        if function is gco.cut_grid_graph:
            arguments |= {
                "cost_v": draw.rng.random((height - 1, width)),
                "cost_h": draw.rng.random((height, width - 1)),
            }
        if function is gco.cut_simple_vh:
            arguments |= {name: draw.rng.random((height, width)) for name in ("costV", "costH")}
        return Call(function, arguments | options, words=("weights",))

    return make


def _gco_graph(draw: Draw) -> Call:
    def moved(unary: Any, s1: Any, s2: Any, w: Any, cost: Any, label: Any, niters: Any) -> Any:
        graph = gco.GCO()
        graph.create_general_graph(n_nodes, n)
        graph.set_data_cost(unary)
        graph.set_all_neighbors(s1, s2, w)
        graph.set_neighbor_pair(0, 1, 2.0)
        graph.set_smooth_cost(cost)
        graph.set_pair_smooth_cost(0, 1, 1.0)
        graph.set_site_data_cost(0, label, 1.0)
        graph.init_label_at_site(0, label)
        graph.expansion_on_alpha(label)
        graph.alpha_beta_swap(0, label)
        energies = graph.expansion(niters), graph.swap(niters), graph.compute_energy()
        parts = graph.compute_data_energy(), graph.compute_smooth_energy(), graph.get_label_at_site(0)
        graph.set_smooth_cost_function(lambda i, j, a, b: float(a != b))
        labels = graph.get_labels(), graph.compute_energy()
        graph.destroy_graph()
        return energies, parts, labels

    n, n_nodes = draw.integer(2, 4), draw.integer(2, 6)
    chain = np.arange(n_nodes)
    arguments = {
        "unary": draw.numbers((n_nodes, n)),
        "s1": chain[:-1],
        "s2": chain[1:],
        "w": draw.rng.random(n_nodes - 1),
    }
    arguments |= {"cost": 9 * (1 - np.eye(n)), "label": draw.integer(0, n - 1), "niters": draw.integer(-1, 3)}
    return Call(moved, arguments, words=("weights", "unary", "edges", "sites", "compatibility", "must be"))


def _edges(draw: Draw) -> Call:
    """What only the library itself calls, with what it has checked."""
    shape = draw.shape((1, 2))
    arguments = {
        "nodes": np.arange(int(np.prod(shape))).reshape(shape),
        "weights": draw.rng.random(shape),
        "structure": pymaxflow.moore_structure(len(shape)),
        "periodic": draw.rng.random(len(shape)) < 0.5,
    }
    return Call(grid_edges, arguments, fixed=tuple(arguments))


def _cut(draw: Draw) -> Call:
    n_axes = draw.of((2, 3))
    shape = draw.shape((n_axes,))
    arguments = {"I": draw.image(shape, 2), "P": np.moveaxis(draw.probabilities(2, shape), 0, -1)}
    arguments["param"] = (draw.weight(), draw.positive())
    words = ("lambda", "sigma")
    if draw.chance(0.5):
        return Call((maxflow.maxflow2d, maxflow.maxflow3d)[n_axes - 2], arguments, _binary, words=words)
    function = (maxflow.interactive_maxflow2d, maxflow.interactive_maxflow3d)[n_axes - 2]
    return Call(function, arguments | {"S": draw.rng.random((*shape, 2)) < 0.2}, _binary, words=words)


def _densecrf(draw: Draw) -> Call:
    shape, n = draw.shape((2,)), draw.integer(2, 3)
    param = (draw.weight(), draw.positive(), draw.positive(), draw.weight(), draw.positive(), draw.integer(0, 4))
    arguments = {"I": draw.image(shape, 3), "P": np.moveaxis(draw.probabilities(n, shape), 0, -1), "param": param}
    return Call(denseCRF.densecrf, arguments, words=("weight", "sigma", "sizes", "image"))


def _densecrf3d(draw: Draw) -> Call:
    shape, n = draw.shape((3,)), draw.integer(2, 3)
    param: dict[str, Any] = {f"{k}{a}Std": draw.positive() for k in ("Pos", "Bilateral") for a in "RCZ"}
    param |= {"MaxIterations": draw.integer(0, 4), "PosW": draw.weight(), "BilateralW": draw.weight()}
    param |= {"ModalityNum": 2, "BilateralModsStds": (draw.positive(), draw.positive())}
    arguments = {"I": draw.image(shape, 2), "P": np.moveaxis(draw.probabilities(n, shape), 0, -1), "param": param}
    return Call(denseCRF3D.densecrf3d, arguments, words=("weight", "sigma", "image"))


def _transform(draw: Draw) -> Call:
    shape, n = draw.shape((2, 3)), draw.integer(1, 3)
    pred = draw.numbers((n, *shape))
    arguments = {"image": np.moveaxis(draw.image(shape, 2), -1, 0), "pred": pred}
    arguments |= draw.some(preset=lambda: "pydensecrf", output=lambda: "marginals", max_iter=lambda: draw.integer(0, 3))

    def refined(image: Any, pred: Any, **options: Any) -> Any:
        return CRFd("pred", **options)({"image": image, "pred": pred})["pred"]

    words = ("the entry to refine", "logits", "unary", "p ", "color_sigma", "features")
    return Call(refined, arguments, words=words)


def _film(draw: Draw) -> Call:
    shape, n, channels = draw.shape((2,)), draw.integer(2, 3), draw.of((None, 3))
    arguments: dict[str, Any] = {"image": draw.image(shape, channels), "logits": draw.numbers((n, *shape))}
    arguments["channel_axis"] = None if channels is None else -1
    arguments |= draw.some(
        memory=lambda: draw.integer(1, 9), preset=lambda: draw.of(tuple(cs.PRESETS)), sigma=draw.positive,
        max_iter=lambda: draw.integer(0, 4),
    )  # fmt: skip

    def refined(image: Any, logits: Any, **options: Any) -> tuple[Any, ...]:
        refiner = cs.Refiner(**options)
        first = refiner(image, logits=logits)
        frames = refiner(image, logits=logits), refiner(image, logits=logits)
        refiner.reset()
        return first, *frames, refiner(image, logits=logits)

    def check(result: tuple[Any, ...], **_: Any) -> None:
        np.testing.assert_array_equal(result[0], result[-1])

    return Call(refined, arguments, check, words=("color_sigma", "features", "bilateral_sigma"))


DOOR_CASES: dict[str, Callable[[Draw], Call]] = {
    "numpymaxflow.maxflow": _numpymaxflow,
    "numpymaxflow.maxflow_interactive": _numpymaxflow,
    "simplecrf.denseCRF.densecrf": _densecrf,
    "simplecrf.denseCRF3D.densecrf3d": _densecrf3d,
    **{f"simplecrf.maxflow.{name}": _cut for name in maxflow.__all__},
    **{
        f"maxflow.graph.{cls}{part}": _graph
        for cls in ("GraphInt", "GraphFloat")
        for part in ("", *(f".{name}" for name in dir(pymaxflow.GraphInt) if not name.startswith("_")))
    },
    "maxflow.graph.GraphInt.get_nx_graph": _networkx,
    "maxflow.graph.GraphFloat.get_nx_graph": _networkx,
    **{
        f"maxflow.fastmin.{function.__name__}": _grid_moves(function)
        for function in (
            pymaxflow.abswap_grid,
            pymaxflow.aexpansion_grid,
            pymaxflow.fastmin.energy_of_grid_labeling,
        )
    },
    "maxflow.structures.moore_structure": _structure(pymaxflow.moore_structure),
    "maxflow.graph.vonNeumann_structure": _structure(pymaxflow.vonNeumann_structure),
    "maxflow.graph.grid_edges": _edges,
    **{f"gco.{name}": _gco(getattr(gco, name)) for name in gco.__all__ if inspect.isfunction(getattr(gco, name))},
    **{f"gco.GCO{part}": _gco_graph for part in ("", *(f".{x}" for x in dir(gco.GCO) if not x.startswith("_")))},
    "monai.transform.CRFd": _transform,
    "Refiner": _film,
    "Refiner.reset": _film,
}
