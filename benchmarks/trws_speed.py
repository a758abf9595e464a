"""Speed of tree-reweighted message passing: ns for each pixel, label and iteration (forward and backward).

    python benchmarks/trws_speed.py            # writes results/trws_speed.json

Whole runs of `cs.minimize(energy, "trws")` with a fixed number of iterations, so that laying out the messages, decoding
labels and certifying the bound are all in the time.
"""

from __future__ import annotations

from typing import Any

import mrf_problems
import numpy as np
from harness import machine, milliseconds, save, take_turns

import classicseg as cs

ITERATIONS = 50
ROUNDS = 5


def linear(n_labels: int = 16, size: int = 512) -> cs.GridCRF:
    """Noise in truncated linear costs."""
    unary = np.random.default_rng(0).integers(0, 100, (n_labels, size, size))
    return cs.GridCRF(unary, cs.TruncatedLinear(10, truncation=3))


PROBLEMS = {
    "potts5-512": mrf_problems.PROBLEMS["potts5-512"],
    "potts21-512": mrf_problems.PROBLEMS["potts21-512"],
    "linear16-512": linear,
    "tsukuba": mrf_problems.tsukuba,
    "venus": mrf_problems.venus,
    "teddy": mrf_problems.teddy,
}


def main() -> None:
    """Time all problems with one thread and with two."""
    about = machine()
    rows: list[dict[str, Any]] = []
    for name, make in PROBLEMS.items():
        try:
            crf = make()
        except FileNotFoundError as missing:
            print(f"{name}: {missing}")
            continue

        def solve(n_threads: int, crf: cs.GridCRF = crf) -> cs.Result:
            return cs.minimize(crf, "trws", max_iter=ITERATIONS, tol=0, n_threads=n_threads)

        seconds = take_turns({str(n): lambda n=n: solve(n) for n in (1, 2)}, ROUNDS)  # type: ignore[misc]
        result = solve(1)
        for n, times in seconds.items():
            ns = milliseconds(times) * 1e6 / (crf.unary.size * result.n_iter)
            row = {"problem": name, "n_labels": crf.n_labels, "shape": crf.shape, "n_threads": int(n)}
            row |= {
                "iterations": result.n_iter,
                "ms": milliseconds(times),
                "ns_per_pixel_label_iteration": round(ns, 2),
            }
            row |= {"energy": result.energy, "lower_bound": result.lower_bound}
            rows.append(row)
            print(row, flush=True)
    save("trws_speed", rows, about)


if __name__ == "__main__":
    main()
