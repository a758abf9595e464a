"""How much memory do minimum cuts of grids take, next to PyMaxflow?

    python benchmarks/grid/memory.py

Peak bytes for each pixel beyond the problem itself, in processes of their own, kernels loaded before. classicseg has
two threads.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

from benchmarks.shared import grid_peers as ours
from benchmarks.shared.grid_problems import PROBLEMS
from benchmarks.shared.harness import arguments, in_own_process, needs, peak_memory
from benchmarks.shared.records import Row, save, this_run
from classicseg.bench.peers import pymaxflow

LIBRARIES = {"classicseg": lambda crf: ours.classicseg(crf, "graph_cut", 2), "PyMaxflow": pymaxflow.cut_of_grid}
PROBLEMS_AND_SMALL = {
    "flower-1024-4": "flower-256-4",
    "flower-1024-8": "flower-256-8",
    "organ-96-6": "organ-64-6",
    "organ-96-26": "organ-64-26",
}
"""Each with a small one of its kind, which loads the kernels."""
TINY = {"tiny-cut-8": "tiny-cut-8"}


def bytes_per_pixel(library: str, name: str) -> float:
    make = LIBRARIES[library]
    make(PROBLEMS[(PROBLEMS_AND_SMALL | TINY)[name]]())()
    crf = PROBLEMS[name]()
    return round(peak_memory(make(crf)) / crf.n_points, 1)


def measure(name: str) -> Row:
    peak = {library: in_own_process(__file__, "--of", library, name) for library in LIBRARIES}
    return {"problem": name, "peak_bytes_per_pixel": peak, "share": round(peak["classicseg"] / peak["PyMaxflow"], 3)}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--of", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    needs("maxflow")
    if options.of:
        print(bytes_per_pixel(*options.of))
        return
    run = this_run(threads="PyMaxflow 1, classicseg 2", libraries=["PyMaxflow"])
    rows = []
    for name in TINY if options.tiny else PROBLEMS_AND_SMALL:
        rows.append(measure(name))
        print(rows[-1], flush=True)
    save("grid_memory", rows, run, options.output, key="problem")


if __name__ == "__main__":
    main()
