"""How much faster than PyMaxflow and gco-wrapper are minimum cuts and expansion moves of grids?

    python benchmarks/grid/speed.py [binary4] [binary8] [volumes] [expansion] [restart] [--rounds 3]

Problems are those of grid_problems.py. Times are from costs and weights to labels, building the graph included. All
contenders take turns in one run; energies are compared to the integer. PyMaxflow and gco-wrapper have one thread,
classicseg as many as a row says. Each part writes its own grid_speed_PART.json; "restart" needs no peer: it solves a
problem again after a stroke of a brush.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared import grid_peers as ours
from benchmarks.shared.grid_problems import GAMMA, PROBLEMS
from benchmarks.shared.harness import arguments, milliseconds, needs, ratio, take_turns
from benchmarks.shared.records import Row, save, this_run
from classicseg.bench.peers import gco, pymaxflow

THREADS = ("1 thread", "2 threads")


def cut(name: str, rounds: int) -> Row:
    """A minimum cut, next to PyMaxflow's."""
    crf = PROBLEMS[name]()
    calls = {
        "PyMaxflow": pymaxflow.cut_of_grid(crf),
        "1 thread": ours.classicseg(crf, "graph_cut", 1),
        "2 threads": ours.classicseg(crf, "graph_cut", 2),
    }
    energies = {key: crf.energy(call()) for key, call in calls.items()}
    assert len(set(energies.values())) == 1, (name, energies)
    seconds = take_turns(calls, rounds)
    return {
        "part": "cut",
        "problem": name,
        "connectivity": crf.connectivity,
        "pixels": crf.n_points,
        "energy": energies["1 thread"],
        "rounds": rounds,
        "ms": {key: milliseconds(runs) for key, runs in seconds.items()},
        "times_faster": {key: ratio(seconds["PyMaxflow"], seconds[key]) for key in THREADS},
    }


def summaries_of_cuts(rows: list[Row]) -> list[Row]:
    """Worst and geometric mean of the ratios of each neighbourhood."""
    return [
        {"part": "summary", "connectivity": connectivity, "threads": key}
        | worst_and_mean([row["times_faster"][key] for row in rows if row["connectivity"] == connectivity])
        for connectivity in sorted({row["connectivity"] for row in rows})
        for key in THREADS
    ]


def expansion(name: str, rounds: int) -> Row:
    """Expansion moves, next to gco-wrapper's, and PyMaxflow's where all edges weigh the same."""
    crf = PROBLEMS[name]()
    calls: dict[str, ours.Call] = {
        "gco": gco.on_grid(crf),
        "1 thread": ours.classicseg(crf, "expansion", 1),
        "2 threads": ours.classicseg(crf, "expansion", 2),
    }
    if pymaxflow.has_equal_weights(crf):
        calls["PyMaxflow"] = pymaxflow.expansion(crf)
    energies = {key: crf.energy(call()) for key, call in calls.items()}
    seconds = take_turns(calls, rounds)
    row = {
        "part": "expansion",
        "problem": name,
        "energy": energies,
        "above_gco_percent": round(100 * (energies["1 thread"] / energies["gco"] - 1), 4),
        "ms": {key: milliseconds(runs) for key, runs in seconds.items()},
        "times_faster_than_gco": {key: ratio(seconds["gco"], seconds[key]) for key in THREADS},
    }
    if "PyMaxflow" in seconds:
        row["times_faster_than_pymaxflow"] = ratio(seconds["PyMaxflow"], seconds["1 thread"])
    return row


def summaries_of_expansion(rows: list[Row]) -> list[Row]:
    return [
        {"part": "summary", "threads": key} | worst_and_mean([row["times_faster_than_gco"][key] for row in rows])
        for key in THREADS
    ]


def worst_and_mean(ratios: list[dict[str, float]]) -> Row:
    medians = np.array([ratio["median"] for ratio in ratios])
    return {
        "problems": len(medians),
        "worst": round(float(medians.min()), 2),
        "geometric_mean": round(float(np.exp(np.log(medians).mean())), 2),
    }


def restart(name: str, rounds: int) -> Row:
    """A brush stroke more: set_unary and solve, against all from scratch."""
    crf = PROBLEMS[name]()
    times: dict[str, list[float]] = {"scratch": [], "again": []}
    for turn in range(rounds + 1):
        scratch, again = solve_again(crf, turn)
        if turn > 0:
            times["again"].append(again)
            times["scratch"].append(scratch)
    return {
        "part": "restart",
        "problem": name,
        "ms": {key: milliseconds(runs) for key, runs in times.items()},
        "times_faster": ratio(times["scratch"], times["again"]),
    }


def solve_again(crf: cs.GridCRF, turn: int) -> tuple[float, float]:
    """Seconds from scratch and again."""
    solver = cs.GraphCut(crf, n_threads=1)
    solver.solve()
    unary = with_stroke(crf, turn)
    start = time.perf_counter()
    solver.set_unary(unary)
    again = solver.solve()
    middle = time.perf_counter()
    changed = cs.GridCRF(unary, crf.compatibility, crf.weights)
    scratch = cs.GraphCut(changed, n_threads=1).solve()
    stop = time.perf_counter()
    assert again.energy == scratch.energy
    return stop - middle, middle - start


def with_stroke(crf: cs.GridCRF, turn: int) -> np.ndarray:
    """The unary costs after a stroke of background of 12 x 60 pixels somewhere in the middle of the object."""
    unary = crf.unary.copy()
    rng = np.random.default_rng(turn)
    where = [int(rng.integers(n // 4, n // 2)) for n in crf.shape]
    box = tuple(slice(at, at + size) for at, size in zip(where, ((4, 12, 60)[-len(where) :]), strict=True))
    unary[1][box] = unary.max()
    return unary


@dataclass(frozen=True)
class Part:
    """Problems, what is measured of each, and of all together."""

    measure: Callable[[str, int], Row]
    problems: tuple[str, ...]
    tiny: str
    needs: tuple[str, ...] = ()
    summarize: Callable[[list[Row]], list[Row]] = lambda rows: []

    def rounds(self, name: str, wanted: int) -> int:
        """Fewer for what takes long."""
        slow = "26" in name or self.measure is expansion
        return min(wanted, 2) if slow else min(wanted, 3) if "1024" in name else wanted


def binary(connectivity: int) -> tuple[str, ...]:
    return tuple(f"{photo}-{size}-{connectivity}" for size in ("512", "native", "1024") for photo in GAMMA)


PARTS = {
    "binary4": Part(cut, binary(4), "tiny-cut-4", ("maxflow",), summaries_of_cuts),
    "binary8": Part(cut, binary(8), "tiny-cut-8", ("maxflow",), summaries_of_cuts),
    "volumes": Part(
        cut,
        ("organ-64-6", "organ-128-6", "mr-6", "organ-64-26", "mr-26"),
        "tiny-cut-26",
        ("maxflow",),
        summaries_of_cuts,
    ),
    "expansion": Part(
        expansion,
        (
            "potts5-256",
            "potts5-512",
            "potts5-512-contrast",
            "potts21-256",
            "potts21-512-contrast",
            "tsukuba",
            "tsukuba-no-cues",
        ),
        "tiny-potts",
        ("maxflow", "gco"),
        summaries_of_expansion,
    ),
    "restart": Part(
        restart, ("flower-native-8", "sheep-1024-8", "motorcycle-1024-4", "retina-native-4", "mr-6"), "tiny-cut-8"
    ),
}


def measure(name: str, options: Any) -> None:
    part = PARTS[name]
    run = this_run(threads="peers 1, classicseg as the columns say", libraries=["PyMaxflow", "gco-wrapper"])
    rows = []
    for problem in [part.tiny] if options.tiny else part.problems:
        try:
            rows.append(part.measure(problem, 1 if options.tiny else part.rounds(problem, options.rounds)))
        except FileNotFoundError as missing:
            print(f"{problem} is left out: {missing}")
        else:
            print(rows[-1], flush=True)
    if rows:
        save(f"grid_speed_{name}", rows + part.summarize(rows), run, options.output)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help="default: all")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    chosen = options.parts or list(PARTS)
    needs(*dict.fromkeys(package for name in chosen for package in PARTS[name].needs))
    for name in chosen:
        measure(name, options)


if __name__ == "__main__":
    main()
