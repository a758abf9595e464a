"""How much faster than PyMaxflow, gco-wrapper and thinqpbo are cuts, expansions and roof duality of graphs?

    python benchmarks/graph/speed.py [flow] [expansion] [qpbo] [--rounds 5]

Problems are those of classicseg/bench/suites/graphs.py. Times are from arrays of edges and costs to labels, building
the network included, on one thread. Contenders take turns in one run; flows and numbers of labelled nodes are compared
to the integer, and energies of expansion are listed. thinqpbo is given its edges one call after the other, since it
knows no other way: a column tells what its search alone takes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.harness import arguments, milliseconds, needs, ratio, take_turns
from benchmarks.shared.records import Row, save, this_run
from classicseg.bench.peers import gco
from classicseg.bench.suites.graphs import (
    EXPANSIONS,
    FLOWS,
    ROOFS,
    FlowProblem,
    many_regions,
    mixed_signs,
    random_graph,
)

Answer = tuple[float, np.ndarray]


def ours(problem: FlowProblem) -> Answer:
    network = cs.FlowNetwork(
        problem.edges,
        problem.forward,
        None if problem.backward is problem.forward else problem.backward,
        source=np.maximum(problem.excess, 0),
        sink=np.maximum(-problem.excess, 0),
    )
    cut = network.solve()
    return cut.flow, cut.labels


def pymaxflow(problem: FlowProblem) -> Answer:
    import maxflow

    graph = maxflow.GraphInt(problem.excess.size, len(problem.edges))
    nodes = graph.add_nodes(problem.excess.size)
    graph.add_edges(problem.edges[:, 0], problem.edges[:, 1], problem.forward, problem.backward)
    graph.add_grid_tedges(nodes, np.maximum(problem.excess, 0), np.maximum(-problem.excess, 0))
    flow = graph.maxflow()
    return flow, graph.get_grid_segments(nodes)


def flow(name: str, problem: FlowProblem, rounds: int) -> Row:
    """A minimum cut, next to PyMaxflow's."""
    calls = {"PyMaxflow": lambda: pymaxflow(problem), "classicseg": lambda: ours(problem)}
    (their_flow, their_labels), (our_flow, our_labels) = (call() for call in calls.values())
    assert their_flow == our_flow, (name, their_flow, our_flow)
    assert np.array_equal(their_labels, our_labels == 1), name
    seconds = take_turns(calls, rounds)
    return {
        "part": "flow",
        "problem": name,
        "nodes": problem.excess.size,
        "edges": len(problem.edges),
        "rounds": rounds,
        "ms": {key: milliseconds(runs, 2) for key, runs in seconds.items()},
        "times_faster": ratio(seconds["PyMaxflow"], seconds["classicseg"]),
    }


def expansion(name: str, crf: cs.GraphCRF, rounds: int) -> Row:
    """Expansion moves, next to gco-wrapper's."""
    calls = {"gco": gco.on_graph(crf), "classicseg": lambda: cs.minimize(crf, "expansion", n_threads=1).labels}
    energies = {key: crf.energy(call()) for key, call in calls.items()}
    seconds = take_turns(calls, rounds)
    return {
        "part": "expansion",
        "problem": name,
        "energy": energies,
        "above_gco_percent": round(100 * (energies["classicseg"] / energies["gco"] - 1), 4),
        "rounds": rounds,
        "ms": {key: milliseconds(runs) for key, runs in seconds.items()},
        "times_faster": ratio(seconds["gco"], seconds["classicseg"]),
    }


def thinqpbo(crf: cs.GraphCRF, searches: list[float]) -> np.ndarray:
    """Labels of thinqpbo, -1 where none is proven; notes what its search alone took."""
    import thinqpbo as library

    n, tables = crf.shape[0], crf.tables().astype(int)
    graph = library.QPBOInt(n, len(crf.edges))
    graph.add_node(n)
    for node, (zero, one) in enumerate(crf.unary.T.tolist()):
        graph.add_unary_term(node, zero, one)
    for (i, j), table in zip(crf.edges.tolist(), tables.reshape(-1, 4).tolist(), strict=True):
        graph.add_pairwise_term(i, j, *table)
    start = time.perf_counter()
    graph.solve()
    searches.append(time.perf_counter() - start)
    return np.array([graph.get_label(node) for node in range(n)])


def roof(name: str, crf: cs.GraphCRF, rounds: int) -> Row:
    """Roof duality, next to thinqpbo's: the same nodes are labelled, and alike."""
    searches: list[float] = []
    calls = {"thinqpbo": lambda: thinqpbo(crf, searches), "classicseg": lambda: cs.minimize(crf, "qpbo").marginals}
    theirs, ours = calls["thinqpbo"](), calls["classicseg"]()
    assert np.array_equal(np.where(ours[1] == 0.5, -1, ours[1]), theirs), name
    searches.clear()
    seconds = take_turns(calls, rounds)
    return {
        "part": "qpbo",
        "problem": name,
        "labelled_percent": round(100 * float((theirs >= 0).mean()), 1),
        "rounds": rounds,
        "ms": {key: milliseconds(runs, 2) for key, runs in seconds.items()},
        "ms_of_their_search": milliseconds(searches[1:], 2),
        "times_faster": ratio(seconds["thinqpbo"], seconds["classicseg"]),
        "times_faster_than_their_search": ratio(searches[1:], seconds["classicseg"]),
    }


def measure(name: str, options: Any) -> None:
    part, problems, tiny, package = PARTS[name]
    needs(package)
    run = this_run(threads=1, libraries=["PyMaxflow", "gco-wrapper", "thinqpbo"])
    rows = []
    for problem, make in ({"tiny": tiny} if options.tiny else problems).items():
        rows.append(part(problem, make(), 1 if options.tiny else options.rounds))
        print(rows[-1], flush=True)
    medians = np.array([row["times_faster"]["median"] for row in rows])
    summary = {
        "part": "summary",
        "problems": len(medians),
        "worst": round(float(medians.min()), 2),
        "geometric_mean": round(float(np.exp(np.log(medians).mean())), 2),
    }
    save(f"graph_speed_{name}", [*rows, summary], run, options.output)


PARTS: dict[str, tuple[Callable[..., Row], dict[str, Callable[[], Any]], Callable[[], Any], str]] = {
    "flow": (flow, FLOWS, lambda: random_graph(50, 3, 9), "maxflow"),
    "expansion": (expansion, EXPANSIONS, lambda: many_regions("coffee", 100, 3, 2), "gco"),
    "qpbo": (roof, ROOFS, lambda: mixed_signs(50, 4, 90), "thinqpbo"),
}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help="default: all")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cs.set_num_threads(1)
    for name in options.parts or PARTS:
        measure(name, options)


if __name__ == "__main__":
    main()
