"""What is gained by working only where it matters, and how many labels differ for it?

    python benchmarks/dense/pruning.py [--rounds 9] [--only speed] [--images 100]

Speed: from (L, H, W) costs and a photo to labels, lattices built included, 10 updates: pydensecrf2, and classicseg with
one and with two threads, with everything and pruned. Differences: real images with the scores of classifiers (see
benchmarks/shared/folders.py), every preset: the share of labels that are others than without pruning, and the estimate
of it that the result has.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.datasets import DATASETS, bundled
from benchmarks.shared.dense_peers import DEEPLAB, README, Parameters, with_pydensecrf
from benchmarks.shared.dense_problems import network, network_of_many, photo
from benchmarks.shared.harness import arguments, milliseconds, needs, ratio, take_turns
from benchmarks.shared.records import save, this_run

Problem = tuple[np.ndarray, np.ndarray, Parameters]

CASES: dict[str, Callable[[], Problem]] = {
    "480x640, 4 of 81 labels live": lambda: (network_of_many(81, 4, 480, 640), photo(480, 640), DEEPLAB),
    "240x320, 2 labels": lambda: (network(2, 240, 320), photo(240, 320), README),
    "480x640, 2 labels": lambda: (network_of_many(2, 2, 480, 640), photo(480, 640), README),
}
TINY: dict[str, Callable[[], Problem]] = {
    "48x64, 2 of 5 labels live": lambda: (network_of_many(5, 2, 48, 64), photo(48, 64), README)
}


def labels_of(problem: Problem, n_threads: int, *, prune: bool) -> cs.Result:
    """What classicseg makes of a problem."""
    unary, image, p = problem
    kernels = [cs.GaussianKernel(p[0], p[1]), cs.BilateralKernel(image, p[2], p[3], p[4])]
    crf = cs.DenseCRF(unary, kernels)
    return cs.minimize(crf, "mean_field", max_iter=p[5], n_threads=n_threads, prune=prune, marginals=False)


def speed(case: str, problem: Problem, rounds: int) -> dict[str, Any]:
    calls: dict[str, Callable[[], Any]] = {"pydensecrf2": lambda: with_pydensecrf(*problem)}
    for n in (1, 2):
        for name, prune in (("all", False), ("pruned", True)):
            calls[f"{name}, {n} thread{'s' * (n > 1)}"] = partial(labels_of, problem, n, prune=prune)
    seconds = take_turns(calls, rounds, settle=True)
    pruned, plain = (labels_of(problem, 2, prune=prune) for prune in (True, False))
    return {
        "case": case,
        "rounds": rounds,
        "ms": {name: milliseconds(s) for name, s in seconds.items()},
        "times_faster": {n: ratio(seconds["pydensecrf2"], s) for n, s in seconds.items() if n != "pydensecrf2"},
        "may_differ": pruned.may_differ,
        "differ": float((pruned.labels != plain.labels).mean()),
    }


def differences(name: str, example: Any, preset: str) -> dict[str, Any]:
    crf = cs.refinement_crf(example.image, unary=example.unary, preset=preset)
    plain, pruned = (cs.minimize(crf, max_iter=10, marginals=False, prune=prune) for prune in (False, True))
    return {
        "case": f"{name}, {preset}",
        "image": example.name,
        "may_differ": pruned.may_differ,
        "differ": float((pruned.labels != plain.labels).mean()),
    }


def in_short(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The rows of one data set and preset as one."""
    estimated = [row for row in rows if row["may_differ"] is not None]
    return {
        "case": rows[0]["case"],
        "images": len(rows),
        "pruned": len(estimated),
        "largest_may_differ": max((row["may_differ"] for row in estimated), default=None),
        "largest_differ": max(row["differ"] for row in rows),
        "more_than_estimated": sum(row["differ"] > row["may_differ"] for row in estimated),
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--images", type=int, default=100, help="of each data set, at most")
    parser.add_argument("--only", choices=("speed", "differences"))
    options = parser.parse_args()
    run = this_run(threads="pydensecrf2 1, classicseg as the columns say", libraries=["pydensecrf2"])
    if options.only != "differences":
        needs("pydensecrf")
        rows = []
        for case, make in (TINY if options.tiny else CASES).items():
            rows.append(speed(case, make(), 1 if options.tiny else options.rounds))
            print(rows[-1], flush=True)
        save("dense_pruning_speed", rows, run, options.output, key="case")
    if options.only != "speed":
        rows = []
        sets = {"nuclei": bundled} if options.tiny else DATASETS
        for name, examples in sets.items():
            for preset in ["default"] if options.tiny else cs.PRESETS:
                found = [differences(name, e, preset) for _, e in zip(range(options.images), examples(), strict=False)]
                if found:
                    rows.append(in_short(found))
                    print(rows[-1], flush=True)
        save("dense_pruning", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()
