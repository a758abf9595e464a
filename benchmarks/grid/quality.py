"""How low do the solvers of grids get, and how much of that can they prove?

    python benchmarks/grid/quality.py [tsukuba venus ...]

The problems of Szeliski et al., "A comparative study of energy minimization methods for Markov random fields with
smoothness-based priors", IEEE TPAMI 30(6), 2008, doi:10.1109/TPAMI.2007.70844, and Potts problems made of photos
(grid_problems.py). Every solver stops at its own default, or after 25 seconds (40 where there are 256 labels), with all
threads; one cycle or iteration may exceed that. "trws, long" goes on for all of these seconds. The share by which an
energy is above the best bound that any solver proved is what is left to doubt.

PUBLISHED holds what the authors' own library (MRF 2.2: ICM, swap, expansion, sequential and parallel belief
propagation, TRW-S) reached on the same integers on the same kind of machine within as many seconds; its energies are
not ours to measure again, for it may not be installed with this package.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.grid_problems import MIDDLEBURY, PROBLEMS
from benchmarks.shared.harness import arguments
from benchmarks.shared.records import save, this_run
from classicseg.bench.suites.mrf import BOUNDS, PUBLISHED

SOLVERS: dict[str, tuple[str, dict[str, Any]]] = {
    "trws+expansion": ("trws+expansion", {}),
    "trws": ("trws", {}),
    "trws, long": ("trws", {"max_iter": 100_000, "tol": 0.0}),
    "expansion": ("expansion", {}),
    "swap": ("swap", {}),
    "belief_propagation": ("belief_propagation", {}),
    "mean_field": ("mean_field", {}),
    "icm": ("icm", {}),
    "annealing": ("annealing", {"rng": 7}),
}
TINY = ("trws+expansion", "trws", "expansion", "icm")
OTHERS = ("potts5-512", "potts5-512-contrast", "potts21-512", "potts21-512-contrast")
_MANY = 30  # labels above which a cycle of swaps takes longer than all else


def solve(crf: cs.GridCRF, method: str, options: dict[str, Any]) -> dict[str, Any]:
    limit = 40 if crf.n_labels == 256 else 25  # seconds
    start = time.perf_counter()
    result = cs.minimize(crf, method, callback=lambda state: time.perf_counter() - start > limit, **options)
    seconds = time.perf_counter() - start
    assert result.energy == crf.energy(result.labels)
    return {
        "energy": result.energy,
        "lower_bound": result.lower_bound,
        "seconds": round(seconds, 2),
        "iterations": result.n_iter,
        "stopped": result.message,
    }


def measure(name: str, solvers: Iterable[str] = SOLVERS) -> dict[str, Any]:
    crf = PROBLEMS[name]()
    found = {}
    for key in solvers:
        method, options = SOLVERS[key]
        if (method == "swap" and crf.n_labels > _MANY) or (key == "trws, long" and name not in MIDDLEBURY):
            continue
        found[key] = solve(crf, method, options)
        print(f"  {name:22}{key:20}", found[key], flush=True)
    bounds = [run["lower_bound"] for run in found.values() if run["lower_bound"] is not None]
    best = max([*bounds, BOUNDS.get(name, -float("inf"))])
    for run in found.values():
        run["percent_above_bound"] = round(100 * (run["energy"] / best - 1), 4)
    study = {key: round(100 * (energy / best - 1), 4) for key, energy in PUBLISHED.get(name, {}).items()}
    return {
        "problem": name,
        "labels": crf.n_labels,
        "best_bound": best,
        "our_bound": max(bounds),
        "study_bound": BOUNDS.get(name),
        "solvers": found,
        "study": PUBLISHED.get(name, {}),
        "study_percent_above_bound": study,
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("problems", nargs="*", help="default: all")
    options = parser.parse_args()
    run, solvers = this_run(threads=cs.get_num_threads()), TINY if options.tiny else tuple(SOLVERS)
    small = cs.GridCRF([[[0, 1]], [[1, 0]], [[2, 2]]], cs.TruncatedLinear(1, truncation=2))
    for method, own in (SOLVERS[key] for key in solvers):
        cs.minimize(small, method, **(own | {"max_iter": 1}))  # compiled before the clock runs
    for name in ["tiny-potts"] if options.tiny else options.problems or (*MIDDLEBURY, *OTHERS):
        try:
            row = measure(name, solvers)
        except FileNotFoundError as missing:
            print(f"{name} is left out: {missing}")
        else:
            save("grid_quality", [row], run, options.output, key="problem")


if __name__ == "__main__":
    main()
