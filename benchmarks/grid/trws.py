"""How fast are passes of TRW-S, and how close to its bound does trws+expansion get, in what time?

    python benchmarks/grid/trws.py [--rounds 3]

Nanoseconds for each pixel, label and iteration (a forward and a backward pass, the certified bound included): runs of 5
and of 25 iterations, and the difference of the two, so that what a call does once is not in it. Then one run of
trws+expansion with all its defaults and two threads.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.grid_problems import PROBLEMS
from benchmarks.shared.harness import arguments, take_turns
from benchmarks.shared.records import Row, save, this_run

FEW, MANY = 5, 25
NAMES = ("potts5-512", "potts21-512", "potts21-512-contrast", "linear16-512", "tsukuba", "venus", "teddy")


def measure(name: str, rounds: int) -> Row:
    crf = PROBLEMS[name]()
    row: Row = {"problem": name, "labels": crf.n_labels}
    calls = {
        (threads, n): lambda threads=threads, n=n: cs.minimize(crf, "trws", max_iter=n, tol=0, n_threads=threads)
        for threads in (1, 2)
        for n in (FEW, MANY)
    }
    seconds = {key: float(np.median(runs)) for key, runs in take_turns(calls, rounds).items()}
    for threads in (1, 2):
        of_passes = (seconds[threads, MANY] - seconds[threads, FEW]) / (MANY - FEW)
        row[f"ns_{threads}_thread"] = round(1e9 * of_passes / crf.unary.size, 2)
    start = time.perf_counter()
    both = cs.minimize(crf, "trws+expansion", n_threads=2)
    row["seconds"] = round(time.perf_counter() - start, 3)
    gap = round(100 * (both.energy / both.lower_bound - 1), 5)
    return row | {"energy": both.energy, "lower_bound": both.lower_bound, "gap_percent": gap}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    run, rows = this_run(threads="1 and 2, as the columns say; trws+expansion 2"), []
    for name in ["tiny-potts"] if options.tiny else NAMES:
        try:
            rows.append(measure(name, 1 if options.tiny else options.rounds))
        except FileNotFoundError as missing:
            print(f"{name} is left out: {missing}")
        else:
            print(rows[-1], flush=True)
    save("grid_trws", rows, run, options.output, key="problem")


if __name__ == "__main__":
    main()
