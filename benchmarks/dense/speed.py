"""How much faster than pydensecrf2, and with how much memory?

    python benchmarks/dense/speed.py [--rounds 9] [--cases 240x320-L2 ...]

Photos at their native resolution, from scikit-image. From (L, H, W) costs and a photo to labels and marginals, lattices
built included, at the parameters of pydensecrf's README and 10 updates. pydensecrf2 has one thread; classicseg is
measured with one and with two, both at its default quality, which gives the same answer, and at quality "high".
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

from benchmarks.shared.dense_peers import README, with_classicseg, with_pydensecrf
from benchmarks.shared.dense_problems import CASES, TINY, network, photo
from benchmarks.shared.harness import arguments, in_own_process, milliseconds, needs, peak_memory, ratio, take_turns
from benchmarks.shared.records import save, this_run

Solve = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

CONTENDERS: dict[str, Solve] = {
    "pydensecrf2": lambda unary, image: with_pydensecrf(unary, image, README),
    "1 thread": lambda unary, image: with_classicseg(unary, image, README, n_threads=1),
    "2 threads": lambda unary, image: with_classicseg(unary, image, README, n_threads=2),
    "high, 2 threads": lambda unary, image: with_classicseg(unary, image, README, n_threads=2, quality="high"),
}
IN_MEMORY = {"pydensecrf2": "pydensecrf2", "classicseg": "2 threads", "classicseg high": "high, 2 threads"}
"""Whose peak memory is measured, and under which name it stands in the rows."""


def problem(case: str) -> tuple[np.ndarray, np.ndarray]:
    """Costs and image."""
    height, width, n_labels = (CASES | TINY)[case]
    return network(n_labels, height, width), photo(height, width)


def bytes_per_pixel(case: str, contender: str) -> float:
    """Beyond the inputs, at the peak; kernels loaded before."""
    unary, image = problem(case)
    solve = CONTENDERS[contender]
    solve(np.ascontiguousarray(unary[:, :40, :50]), np.ascontiguousarray(image[:40, :50]))
    return peak_memory(lambda: solve(unary, image)) / unary[0].size


def measure(case: str, rounds: int) -> dict[str, Any]:
    unary, image = problem(case)
    labels, q = CONTENDERS["2 threads"](unary, image)
    their_labels, their_q = CONTENDERS["pydensecrf2"](unary, image)
    calls = {name: lambda solve=solve: solve(unary, image) for name, solve in CONTENDERS.items()}
    seconds = take_turns(calls, rounds, settle=True)
    memory = {name: in_own_process(__file__, "--memory", who, "--cases", case) for name, who in IN_MEMORY.items()}
    return {
        "case": case,
        "rounds": rounds,
        "ms": {name: milliseconds(s) for name, s in seconds.items()},
        "times_faster": {n: ratio(seconds["pydensecrf2"], s) for n, s in seconds.items() if n != "pydensecrf2"},
        "peak_bytes_per_pixel": {name: round(m) for name, m in memory.items()},
        "largest_difference_of_marginals": float(np.abs(q - their_q).max()),
        "equal_labels": float((labels == their_labels).mean()),
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cases", nargs="+", choices=CASES | TINY, default=list(CASES))
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    options = parser.parse_args()
    needs("pydensecrf")
    if options.memory:
        print(bytes_per_pixel(options.cases[0], options.memory))
        return
    run = this_run(threads="pydensecrf2 1, classicseg as the columns say", libraries=["pydensecrf2"])
    rows = []
    for case in TINY if options.tiny else options.cases:
        rows.append(measure(case, 1 if options.tiny else options.rounds))
        print(rows[-1], flush=True)
    save("dense_speed", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()
