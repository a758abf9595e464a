"""Logits of an eighth of the resolution to labels of 4K: time and memory, against enlarging the logits first.

    python benchmarks/pipelines/small_speed.py [--rounds 3]

A photo and a street scene, enlarged to 2160 x 3840, with their logits at 270 x 480. Real labels are padded to 21 by
labels that win nowhere; or, "alive", by the real ones moved over the image. Preset default. "enlarged" interpolates
the logits with SciPy, and then refines. Seconds with 1 and with 2 threads after a run to warm up; peak memory beyond
the image and the small logits in processes of their own, with 2 threads; and in how many pixels both ways differ
without dilution, which the second way cannot have.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.coarse import enlarge
from benchmarks.shared.datasets import camvid
from benchmarks.shared.harness import arguments, in_own_process, peak_memory, ratio, take_turns
from benchmarks.shared.records import Row, save, this_run
from classicseg.machine.memory import give_back

LARGE, SMALL, TINY_LARGE, TINY_SMALL = (2160, 3840), (270, 480), (96, 160), (12, 20)
N_LABELS, DEAD = 21, -12.0  # logit of labels that win nowhere; those of real ones are at most 0
CASES = ("photo", "street", "photo, alive", "street, alive")
WAYS = ("small", "enlarged")


def problem(case: str, tiny: bool) -> tuple[np.ndarray, np.ndarray] | None:
    """An image and its small logits; None if there are no such data here."""
    name, _, kind = case.partition(", ")
    large, small = (TINY_LARGE, TINY_SMALL) if tiny else (LARGE, SMALL)
    if name == "photo":
        sample = cs.sample()
        image, p = sample.image, np.asarray(sample.probabilities, np.float32)
    else:
        example = next(camvid(), None)
        if example is None:
            return None
        image, p = example.image, np.exp(-example.unary)
    resized = np.stack([_resized(plane, small) for plane in p / p.sum(axis=0)])
    logits = np.log(np.maximum(resized, 1e-5))
    more = N_LABELS - len(logits)
    places = [(17 * k % small[0], 29 * k % small[1]) for k in range(1, more + 1)]
    moved = [np.roll(logits[k % len(logits)], at, axis=(0, 1)) for k, at in enumerate(places)]
    others = np.stack(moved) if kind == "alive" else np.full((more, *small), DEAD)
    pixels = np.asarray(Image.fromarray(image).resize(large[::-1], Image.Resampling.BICUBIC))
    return pixels, np.concatenate([logits, others]).astype(np.float32)


def _resized(plane: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(plane.astype(np.float32)).resize(shape[::-1], Image.Resampling.BOX))


def solve(way: str, image: np.ndarray, logits: np.ndarray, **changes: float) -> np.ndarray:
    given = logits if way == "small" else enlarge(logits, image.shape[:2])
    return cs.refine(image, logits=given, preset="default", **changes)


def peak(case: str, way: str, tiny: bool) -> float:
    """In MB."""
    found = problem(case, tiny)
    assert found is not None
    cs.set_num_threads(2)
    solve(way, *_corner(*found))
    give_back()
    return round(peak_memory(lambda: solve(way, *found)) / 1e6, 1)


def _corner(image: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A small part, to load kernels with."""
    return image[: image.shape[0] // 4], logits[:, : logits.shape[1] // 4]


def measure(case: str, rounds: int, tiny: bool) -> Row | None:
    found = problem(case, tiny)
    if found is None:
        return None
    calls: dict[tuple[str, int], Callable[[], np.ndarray]] = {}
    for n_threads in (1, 2):
        for way in WAYS:
            calls[way, n_threads] = partial(_timed, n_threads, way, *found)
    seconds = take_turns(calls, rounds)
    plain = [solve(way, *found, dilution=0.0) for way in WAYS]
    options = ["--tiny"] if tiny else []
    return {
        "case": case,
        "seconds": {f"{way}, {n} threads": round(float(np.median(s)), 3) for (way, n), s in seconds.items()},
        "enlarged_of_small": {str(n): ratio(seconds["enlarged", n], seconds["small", n]) for n in (1, 2)},
        "peak_MB": {way: in_own_process(__file__, "--peak", case, way, *options) for way in WAYS},
        "other_labels": float((plain[0] != plain[1]).mean()),
    }


def _timed(n_threads: int, way: str, image: np.ndarray, logits: np.ndarray) -> np.ndarray:
    cs.set_num_threads(n_threads)
    return solve(way, image, logits)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print(peak(*options.peak, options.tiny))
        return
    run, rows = this_run(threads="1 and 2"), []
    for case in CASES[::2] if options.tiny else CASES:
        row = measure(case, 1 if options.tiny else options.rounds, options.tiny)
        if row is not None:
            rows.append(row)
            print(row, flush=True)
    save("pipelines_small_speed", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()
