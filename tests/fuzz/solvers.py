"""Cases of solvers, and of what a solver of the user has to do with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import classicseg as cs
from classicseg.solvers.catalog import SOLVERS
from tests.fuzz.energies import dense_crf, graph_crf, grid_crf
from tests.fuzz.judge import Call
from tests.fuzz.promises import check_result
from tests.fuzz.values import Draw, Fresh

DENSE = ("mean_field", "mean_field_convergent")
BINARY = ("graph_cut", "qpbo", "branch_and_cut")


def minimize(method: str | None) -> Callable[[Draw], Call]:
    """Cases of one solver."""
    known = [solver for solver in SOLVERS if solver.name == method]

    def make(draw: Draw) -> Call:
        dense = (method in DENSE and (len(known) == 1 or draw.chance(0.7))) or (method is None and draw.chance(0.3))
        energy = dense_crf(draw) if dense else grid_crf(draw, 2 if method in BINARY else None)
        if not dense and draw.chance(0.3):
            graph = graph_crf(draw)
            energy = graph if method is None or method in cs.methods(graph) else energy
        if method is not None and method not in cs.methods(energy):
            energy = cs.GridCRF(draw.numbers((2, *draw.shape())), cs.Potts(draw.weight()))
        uses = next((solver.uses for solver in known if solver.accepts(energy) is None), ())
        arguments: dict[str, Any] = {"energy": energy, "method": method, "max_iter": draw.integer(0, 6)}
        if "max_iter" not in uses:
            del arguments["max_iter"]
        marginals = method is not None and method.startswith("mean_field")
        options: dict[str, Callable[[], Any]] = {"callback": lambda: lambda state: state.iteration >= 3}
        if "init" in uses:
            options["init"] = lambda: (
                draw.probabilities(energy.n_labels, energy.shape)
                if marginals
                else draw.labels(energy.shape, energy.n_labels)
            )
        if "tol" in uses:
            options["tol"] = lambda: draw.of((0, 1e-3, 1.0))
        if "rng" in uses:
            options["rng"] = lambda: draw.of((0, 7, Fresh(lambda: np.random.default_rng(5))))
        if method == "mean_field":
            options["damping"] = lambda: draw.of((0.0, 0.3, 0.9))
        if method == "mean_field" and dense:
            options["track"] = lambda: True
        if method == "belief_propagation":
            options |= {
                "temperature": lambda: draw.of((0.0, 0.1, 1.0, 50.0)),
                "damping": lambda: draw.of((0.0, 0.5)),
                "schedule": lambda: draw.of(("raster", "residual" if isinstance(energy, cs.GraphCRF) else "colours")),
            }
        if method == "qpbo":
            options |= {"weak": lambda: True, "probe": lambda: True, "improve": lambda: draw.integer(0, 3)}
        if method == "elimination":
            options["memory"] = lambda: draw.of((1e-6, 0.1))
        if method == "annealing":
            options |= {"hot": lambda: draw.of((1.0, 30.0)), "cold": lambda: draw.of((0.01, 0.5))}
        arguments |= draw.some(**options)
        if method == "fusion":
            arguments["proposals"] = [draw.labels(energy.shape, energy.n_labels) for _ in range(draw.integer(1, 3))]
        # A call of our own that knows which methods there are; only the right one is open to strangers.
        return Call(cs.minimize, arguments, check_result, ("method",) if draw.chance(0.8) else (), (*uses, "features"))

    return make


def graph_cut_again(draw: Draw) -> Call:
    energy = cs.GridCRF(draw.numbers((2, *draw.shape((1, 2, 3)))), cs.Potts(draw.weight()))

    def same_minimum(energy: Any, result: cs.Result) -> bool:
        anew = cs.minimize(energy, "graph_cut")
        # Several cuts may be minimal, and the sums of their terms differ by roundings.
        return abs(result.energy - anew.energy) <= (result.gap or 0) + (anew.gap or 0)

    def solve_twice(energy: Any, unary: Any, n_threads: Any) -> cs.Result:
        cut = cs.GraphCut(energy, n_threads=n_threads)
        cut.solve()
        other = cut.copy()
        cut.set_unary(unary)
        result = cut.solve()
        assert same_minimum(energy, other.solve()), "a copy goes its own way"
        assert cut.energy.unary.shape == np.shape(unary)
        assert same_minimum(cut.energy, result), "solved again, solved anew"
        return result

    return Call(
        solve_twice, {"energy": energy, "unary": draw.numbers(energy.unary.shape), "n_threads": draw.of((None, 1, 2))}
    )


def flow_network(draw: Draw) -> Call:
    n = draw.integer(1, 6)
    edges = draw.rng.integers(0, n, (draw.integer(0, 9), 2))
    edges = edges[edges[:, 0] != edges[:, 1]]

    def capacities(count: int) -> np.ndarray:
        return np.abs(draw.numbers((count,)))

    def cut_twice(terminals: Any, **given: Any) -> tuple[Any, ...]:
        network = cs.FlowNetwork(**given)
        first = network.solve()
        network.set_terminals(sink=terminals)
        result = network.solve()
        anew = cs.FlowNetwork(**given | {"sink": terminals}).solve()
        for cut in (first, result, anew):
            assert cut.flow <= cut.cost and set(cut.labels.tolist()) <= {0, 1}
        for one, other in ((result, anew), (anew, result)):
            assert one.flow <= other.cost + 1e-12 * abs(other.cost), "kept, found anew"
        assert network.edge_flow.shape == (len(network.residual),)
        return tuple(result)

    arguments = {"edges": edges, "capacity": capacities(len(edges)), "source": capacities(n), "sink": capacities(n)}
    arguments |= {"terminals": capacities(n)} | draw.some(reverse_capacity=lambda: capacities(len(edges)))
    return Call(cut_twice, arguments)


def a_solver(energy: Any, run: cs.Run) -> cs.Result:
    labels = run.labels()
    while not run.ended:
        labels[:] = run.rng.integers(energy.n_labels)
        run.record(energy=energy.energy(labels), change=1.0, labels=lambda: labels)
        if len(run.history) == 3:
            run.extend(2)
        if run.stopped or (run.is_watched and len(run.history) > 6):
            run.stop("enough", converged=not run.converged)
    return run.result(labels, energy=energy.energy(labels))


def run(draw: Draw) -> Call:
    energy = grid_crf(draw, 2)

    def solve(**options: Any) -> cs.Result:
        return a_solver(energy, cs.Run("a solver", init=np.zeros(energy.shape, np.int32), **options))

    return Call(
        solve,
        draw.some(
            max_iter=lambda: draw.integer(0, 8),
            tol=lambda: 0.1,
            rng=lambda: draw.integer(0, 9),
            n_threads=lambda: draw.of((1, 2, 7)),
            callback=lambda: lambda state: state.iteration > 2,
            progress=lambda: False,
        ),
        fixed=("progress",),
        words=("n",),
    )


def register(draw: Draw) -> Call:
    def use(name: Any, accepts: Any, max_iter: Any, summary: Any) -> tuple[Any, ...]:
        function = cs.register_solver(name, accepts=accepts, max_iter=max_iter, summary=summary)(a_solver)
        assert function is a_solver
        return cs.minimize(grid, name, max_iter=3).energy, name in cs.methods(grid)

    grid = grid_crf(draw, 3)
    arguments = {"name": "constant", "accepts": cs.GridCRF, "max_iter": draw.integer(1, 5), "summary": "One label."}
    return Call(use, arguments, fixed=("name", "summary", "accepts") if draw.chance(0.7) else ("name", "accepts"))


SOLVER_CASES = {f"minimize[{name}]": minimize(name) for name in dict.fromkeys(solver.name for solver in SOLVERS)} | {
    "minimize": minimize(None),
    **dict.fromkeys(("FlowNetwork", "FlowNetwork.set_terminals", "FlowNetwork.solve", "MinimumCut"), flow_network),
    "FlowNetwork.edge_flow": flow_network,
    "FlowNetwork.residual": flow_network,
    "GraphCut": graph_cut_again,
    "GraphCut.copy": graph_cut_again,
    "GraphCut.energy": graph_cut_again,
    "GraphCut.set_unary": graph_cut_again,
    "GraphCut.solve": graph_cut_again,
}
RUN_PARTS = ("converged", "ended", "extend", "is_watched", "labels", "record", "result", "stop", "stopped")
RUN_CASES = {"register_solver": register, "Run": run} | {f"Run.{part}": run for part in RUN_PARTS}
