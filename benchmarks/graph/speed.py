"""How much faster than PyMaxflow are minimum cuts of graphs that have no grid?

    python benchmarks/graph/speed.py [flow] [--rounds 5]

Problems are those of graph_problems.py. Times are from arrays of edges and capacities to labels, building the graph
included, on one thread. Contenders take turns in one run, and flows are compared to the integer.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.graph_problems import FLOWS, FlowProblem, random_graph
from benchmarks.shared.harness import arguments, milliseconds, needs, ratio, take_turns
from benchmarks.shared.records import Row, save, this_run

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


def measure_flows(options: Any) -> None:
    needs("maxflow")
    run = this_run(threads=1, libraries=["PyMaxflow"])
    rows = []
    problems = {"tiny": lambda: random_graph(50, 3, 9)} if options.tiny else FLOWS
    for name, make in problems.items():
        rows.append(flow(name, make(), 1 if options.tiny else options.rounds))
        print(rows[-1], flush=True)
    medians = np.array([row["times_faster"]["median"] for row in rows])
    rows.append(
        {
            "part": "summary",
            "problems": len(medians),
            "worst": round(float(medians.min()), 2),
            "geometric_mean": round(float(np.exp(np.log(medians).mean())), 2),
        }
    )
    save("graph_speed_flow", rows, run, options.output)


PARTS = {"flow": measure_flows}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help="default: all")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cs.set_num_threads(1)
    for name in options.parts or PARTS:
        PARTS[name](options)


if __name__ == "__main__":
    main()
