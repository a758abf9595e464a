"""Part D: how does the CPU library scale, over 1, 2, 4, 8 and 16 threads?"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import numpy as np

import classicseg as cs
from benchmarks.gpu.session import Session
from benchmarks.shared.dense_peers import README, with_classicseg
from benchmarks.shared.dense_problems import network, photo
from benchmarks.shared.grid_problems import of_fields
from benchmarks.shared.harness import milliseconds, take_turns
from benchmarks.shared.records import Row
from classicseg.bench.suites.fields import picture

Solve = Callable[[int], Any]
"""From a number of threads."""


def dense(height: int, width: int, n_labels: int) -> Solve:
    unary, image = network(n_labels, height, width), photo(height, width)
    return lambda n: with_classicseg(unary, image, README, n_threads=n)


def grid(size: int, n_labels: int, connectivity: int, method: str, **options: Any) -> Solve:
    crf = of_fields((size, size), n_labels, connectivity)
    return lambda n: cs.minimize(crf, method, n_threads=n, **options)


def split(size: int, noisy: bool) -> Solve:
    gray = picture((size, size))[..., 0]
    if noisy:
        gray = np.clip(gray + 12 * np.random.default_rng(0).standard_normal(gray.shape), 0, 255).astype(np.uint8)
    return lambda n: cs.split_and_merge(gray, 24, n_threads=n)


CASES: dict[str, Callable[[], Solve]] = {
    "dense 375x500, 21 labels": partial(dense, 375, 500, 21),
    "dense 1080p, 5 labels": partial(dense, 1080, 1920, 5),
    "cut 1024x1024, 4 neighbours": partial(grid, 1024, 2, 4, "graph_cut"),
    "cut 1024x1024, 8 neighbours": partial(grid, 1024, 2, 8, "graph_cut"),
    "trws 512x512, 16 labels": partial(grid, 512, 16, 4, "trws", max_iter=15, tol=0),
    "expansion 512x512, 16 labels": partial(grid, 512, 16, 4, "expansion", max_iter=1),
    "split noisy 2048x2048": partial(split, 2048, True),
    "split smooth 2048x2048": partial(split, 2048, False),
}
SMALL: dict[str, Callable[[], Solve]] = {
    "dense 40x50, 21 labels": partial(dense, 40, 50, 21),
    "cut 64x64": partial(grid, 64, 2, 8, "graph_cut"),
    "dense 40x50, 5 labels": partial(dense, 40, 50, 5),
    "cut 64x64, 4 neighbours": partial(grid, 64, 2, 4, "graph_cut"),
    "trws 64x64": partial(grid, 64, 16, 4, "trws", max_iter=15, tol=0),
    "expansion 64x64": partial(grid, 64, 16, 4, "expansion", max_iter=1),
    "split 128x128": partial(split, 128, True),
}
"""The same kinds in small, to have the kernels compiled."""
TINY: dict[str, Callable[[], Solve]] = {
    "dense 40x50, 2 labels": partial(dense, 40, 50, 2),
    "cut 40x40": partial(grid, 40, 2, 8, "graph_cut"),
}


def warm() -> None:
    """Compile what the cases need."""
    for make in SMALL.values():
        solve = make()
        for n_threads in (1, 2):
            solve(n_threads)


def scaling(session: Session, make: Callable[[], Solve], threads: list[int]) -> Row:
    """Milliseconds for each number of threads, taking turns, and times faster than one."""
    solve = make()
    seconds = take_turns({n: partial(solve, n) for n in threads}, 1 if session.tiny else 3)
    ms = {str(n): milliseconds(s, 2) for n, s in seconds.items()}
    return {"ms": ms, "times faster than 1": {n: round(ms["1"] / x, 2) for n, x in ms.items()}}


def main() -> None:
    session = Session("D", __doc__)
    most = len(os.sched_getaffinity(0))
    threads = [n for n in (1, 2, 4, 8, 16) if n <= most]
    for name, make in (TINY if session.tiny else CASES).items():
        session.attempt(name, scaling, make, threads)


if __name__ == "__main__":
    main()
