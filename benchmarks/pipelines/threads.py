"""Does a second thread ever cost more than it brings? And a number of threads that is far too large?

    python benchmarks/pipelines/threads.py [--rounds 9]

Everything that takes threads, on squares from 6 to 512 pixels a side (and the 97 x 64 pixels of a public report): times
with two threads, and with 256 asked for, as shares of the time with one. Above 1.2 would be a fault.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.grid_problems import of_fields
from benchmarks.shared.harness import arguments, milliseconds, ratio, take_turns
from benchmarks.shared.records import Row, save, this_run
from classicseg.bench.suites.fields import costs, picture

SHAPES = ((6, 6), (12, 12), (24, 24), (48, 48), (97, 64), (128, 128), (256, 256), (512, 512))
SHORT = 0.02  # seconds: what takes less is repeated, until it takes that long
Solve = Callable[[int], Any]


def jobs(shape: tuple[int, int]) -> dict[str, Solve]:
    """By name, functions of the number of threads."""
    image = picture(shape)
    gray = np.ascontiguousarray(image[..., 1])
    unary = costs(5, shape)
    probabilities = np.exp(-unary)
    probabilities /= probabilities.sum(axis=0)
    energies = {2: of_fields(shape, 2, 8), 5: of_fields(shape, 5, 4)}

    def grid(method: str, n_labels: int, **options: Any) -> Solve:
        return lambda n: cs.minimize(energies[n_labels], method, n_threads=n, **options)

    return {
        "refine": lambda n: cs.refine(image, probabilities, n_threads=n),
        "refine, pydensecrf": lambda n: cs.refine(image, probabilities, preset="pydensecrf", n_threads=n),
        "graph_cut": grid("graph_cut", 2),
        "expansion": grid("expansion", 5, max_iter=2),
        "trws": grid("trws", 5, max_iter=10, tol=0),
        "belief_propagation": grid("belief_propagation", 5, max_iter=10, tol=0),
        "mean_field, grid": grid("mean_field", 5, max_iter=10, tol=0),
        "icm": grid("icm", 5, max_iter=5),
        "split_and_merge": lambda n: cs.split_and_merge(gray, 24, n_threads=n),
        "split_and_merge, StdDev": lambda n: cs.split_and_merge(gray, cs.StdDev(9), n_threads=n),
    }


def measure(name: str, solve: Solve, shape: tuple[int, int], rounds: int) -> Row:
    once = min(take_turns({0: lambda: solve(1)}, 3)[0])
    times = max(1, round(SHORT / once))

    def repeat(n_threads: int) -> None:
        for _ in range(times):
            solve(n_threads)

    seconds = take_turns({n: lambda n=n: repeat(n) for n in (1, 2, 256)}, rounds)
    return {
        "case": f"{name}: {shape[0]} x {shape[1]}",
        "ms_1_thread": milliseconds([s / times for s in seconds[1]], 3),
        "2_of_1": ratio(seconds[2], seconds[1]),
        "256_of_1": ratio(seconds[256], seconds[1]),
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    run, rows = this_run(threads="1, 2 and 256 asked for"), []
    for shape in SHAPES[1:3] if options.tiny else SHAPES:
        for name, solve in jobs(shape).items():
            rows.append(measure(name, solve, shape, 1 if options.tiny else options.rounds))
            print(rows[-1], flush=True)
    save("threads", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()
