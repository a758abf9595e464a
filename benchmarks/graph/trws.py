"""What do passes of TRW-S cost on a graph, next to those of the grid that it was made of?

    python benchmarks/graph/trws.py [--rounds 7]

Nanoseconds for each edge, label and iteration (a forward and a backward pass, the bound included), on one thread: runs
of 5 and of 25 iterations, and the difference of the two, so that what a call does once is not in it. Grid and graph
have the same energy, and take turns; how many times slower the graph is, is compared within rounds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.harness import arguments, ratio, take_turns
from benchmarks.shared.records import Row, save, this_run

FEW, MANY = 5, 25
COSTS = {
    "Potts, 2 labels": (2, cs.Potts(1)),
    "Potts, 5 labels": (5, cs.Potts(1)),
    "Potts, 16 labels": (16, cs.Potts(1)),
    "Potts, 21 labels": (21, cs.Potts(1)),
    "truncated linear, 16 labels": (16, cs.TruncatedLinear(1, truncation=5)),
    "truncated linear, 60 labels": (60, cs.TruncatedLinear(1, truncation=10)),
    "truncated quadratic, 16 labels": (16, cs.TruncatedQuadratic(1, truncation=9)),
    "matrix, 8 labels": (8, cs.Matrix(np.random.default_rng(0).random((8, 8)))),
}


def measure(name: str, height: int, width: int, rounds: int) -> Row:
    """Times of the grid and of its graph."""
    n_labels, compatibility = COSTS[name]
    rng = np.random.default_rng(n_labels)
    weights = cs.contrast_weights(rng.random((height, width, 3)), connectivity=4)
    grid = cs.GridCRF(rng.random((n_labels, height, width)), compatibility, weights)
    graph = cs.GraphCRF.from_grid(grid)
    calls = {
        (kind, n): lambda energy=energy, n=n: cs.minimize(energy, "trws", max_iter=n, tol=0, n_threads=1)
        for kind, energy in (("grid", grid), ("graph", graph))
        for n in (FEW, MANY)
    }
    bounds = {kind: calls[kind, MANY]().lower_bound for kind in ("grid", "graph")}
    seconds = take_turns(calls, rounds)
    more = {kind: np.subtract(seconds[kind, MANY], seconds[kind, FEW]) for kind in ("grid", "graph")}
    work = (MANY - FEW) * len(graph.edges) * n_labels
    return {
        "problem": name,
        "edges": len(graph.edges),
        "ns": {kind: round(1e9 * float(np.median(of)) / work, 2) for kind, of in more.items()},
        "times_slower": ratio(more["graph"].tolist(), more["grid"].tolist()),
        "bounds": bounds,
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    run, rows = this_run(threads=1), []
    for name in list(COSTS)[:1] if options.tiny else COSTS:
        side = 8 if options.tiny else 200
        rows.append(measure(name, side, side + side // 2, 1 if options.tiny else options.rounds))
        print(rows[-1], flush=True)
    save("graph_trws", rows, run, options.output, key="problem")


if __name__ == "__main__":
    main()
