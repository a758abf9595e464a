"""TRW-S on images that pass by in bands: time, memory, and whether all is that of the run in memory.

    python benchmarks/pipelines/streamed_messages.py [--sides 2048 12000] [--memory 268435456] [--threads 2]
        [--iterations 10]

The images of `streamed_cuts.py`, with costs of five colours, 4 neighbours, and weights that follow the contrast; all in
files, labels go to a file. Each row is measured in a process of its own: rows of a band; seconds of the wall and of all
processors, and of the wall for an iteration; what the run has added to the resident memory of a process whose kernels
have been loaded; what files it kept meanwhile; and, where the image is of up to 2048 pixels a side, in how many pixels
labels differ from those of `trws` in memory, whether energies and bounds of all iterations are the same, and how much
longer it took than that, in memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.pipelines.streamed_cuts import STEPS, make
from benchmarks.pipelines.streamed_moves import COLORS
from benchmarks.shared.harness import arguments
from benchmarks.shared.records import Row, save, this_run
from benchmarks.shared.streaming import cost_of

COMPARED = 2048
WEIGHT = 5.0


def measure(folder: Path, memory: float, n_threads: int, iterations: int) -> Row:
    """One run, in this process."""
    small = np.random.default_rng(0).integers(0, 99, (len(COLORS), 300, 300)).astype(np.uint16)
    options: dict[str, Any] = {"n_threads": n_threads, "tol": 0}
    cs.trws_streamed(small, 50.0, image=small[0].astype(np.uint8), window=100, max_iter=1, **options)
    out, done = folder / "labels.npy", []
    names = {"image": folder / "image.npy", "unary": folder / "unary.npy"}
    options |= {"max_iter": iterations}
    plan = cs.plan_trws(weights=STEPS * WEIGHT, **names, memory=memory, **options)

    def run() -> None:
        done.append(cs.trws_streamed(weights=STEPS * WEIGHT, **names, memory=memory, out=out, **options))

    cost = cost_of(run, out, ".labels.npy.partial")
    found, labels = done[0], np.load(out, mmap_mode="r")
    row: Row = {
        "iterations": len(found.energies),
        "rows_of_band": plan.n_rows,
        **cost,
        "seconds_per_iteration": round(cost["seconds"] / max(1, len(found.energies)), 2),
        "planned_MiB": round(plan.memory / 2**20),
        "gap_percent": round(100 * found.gap / found.energy, 3),
    }
    if labels.shape[0] <= COMPARED:
        image, unary = (np.load(file) for file in names.values())
        weights = cs.contrast_weights(image, connectivity=4)
        heavy = {name: w * np.float64(STEPS * WEIGHT) for name, w in weights.items()}
        crf = cs.GridCRF(unary, cs.Potts(1), heavy, connectivity=4)
        start = time.perf_counter()
        expected = cs.minimize(crf, "trws", **options)
        row["times_in_memory"] = round(cost["seconds"] / (time.perf_counter() - start), 1)
        row["other_labels"] = int(np.count_nonzero(expected.labels != labels))
        ends = [(step.energy, step.lower_bound) for step in expected.history]
        row["same_history"] = str(ends == list(zip(found.energies, found.bounds, strict=True)))
    return row


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[2048, 12000])
    parser.add_argument("--memory", type=float, default=2.0**28, help="bytes of a band")
    parser.add_argument("--threads", type=int, nargs="+", default=[2])
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        folder, n_threads = options.measure
        print(json.dumps(measure(Path(folder), options.memory, int(n_threads), options.iterations)))
        return
    run, rows = this_run(threads=" and ".join(map(str, options.threads))), []
    for side in [300] if options.tiny else options.sides:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), side, COLORS)
            for n_threads in options.threads[:1] if options.tiny else options.threads:
                how = ["--memory", str(options.memory), "--iterations", str(options.iterations)]
                command = [sys.executable, __file__, *how, "--measure", folder, str(n_threads)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                case = f"{side} x {side}, {len(COLORS)} labels, {n_threads} threads"
                rows.append({"case": case, **json.loads(done.stdout)})
                print(rows[-1], flush=True)
                save("pipelines_streamed_messages", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()
