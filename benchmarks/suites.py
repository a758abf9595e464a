"""What `classicseg bench` finds on the suites whose data are there: the best of each problem, and the ranking.

    python benchmarks/suites.py [uai] [mrf] [cuts] [--time-limit 10]

Each solver, of this library and of those others that are installed, sits in a process of its own and takes its turn, on
one thread. Energies are recomputed from the labels. What is proven, what was published before, and how solvers rank by
performance profiles is written for each suite.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout that is measured

from benchmarks.shared.folders import DATA
from benchmarks.shared.harness import arguments
from benchmarks.shared.records import Row, save, this_run
from classicseg.bench import analysis, catalog, runner
from classicseg.bench.contender import Limits
from classicseg.bench.worker import Setting

SUITES = ("uai", "mrf", "cuts")
PEERS = ["PyMaxflow", "gco-wrapper", "thinqpbo", "pytoulbar2"]


def rows_of(document: dict[str, Any]) -> list[Row]:
    """One for each problem, then one for each solver."""
    rows: list[Row] = []
    for problem in document["problems"]:
        if problem["status"] != "made":
            continue
        best, who = analysis.best_score(document, problem)
        bound, by = analysis.best_bound(document, problem)
        found = [row for row in analysis.table(document) if row["problem"] == problem["name"]]
        solved = [row for row in found if row["score"] is not None]
        first = min(solved, key=lambda row: (row["score"], row["seconds"]), default=None)
        rows.append(
            {
                "part": "problem", "problem": problem["name"], "best": best, "who": who, "best_bound": bound, "by": by,
                "proven": analysis.is_proven(document, problem),
                "published": min(problem["published"].values(), default=None),
                "solver": first and first["contender"], "energy": first and first["score"],
                "seconds": first and first["seconds"],
            }
        )  # fmt: skip
    return rows + [{"part": "ranking", **one} for one in analysis.ranking(document)]


def measure(words: list[str], solvers: list[str], seconds: float) -> dict[str, Any]:
    """The document of a run."""
    data = DATA if DATA.is_dir() else None
    plan = runner.Plan(
        problems=catalog.chosen_problems(words, catalog.problems(data), quick=False),
        contenders=catalog.chosen_contenders(solvers, catalog.contenders("auto")),
        setting=Setting(data, (), Limits(seconds, 1)),
        command=f"benchmarks/suites.py {' '.join(words)}",
    )
    return runner.run(plan, lambda text: print(text, flush=True))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("suites", nargs="*", metavar="suite", help="default: all")
    parser.add_argument("--time-limit", type=float, default=10.0)
    options = parser.parse_args()
    for suite in ("generated",) if options.tiny else options.suites or SUITES:
        run = this_run(threads=1, libraries=PEERS)
        words, solvers = (["generated/torus"], ["icm"]) if options.tiny else ([suite], [])
        rows = rows_of(measure(words, solvers, options.time_limit))
        if rows:
            save(f"suite_{suite}", rows, run, options.output)


if __name__ == "__main__":
    main()
