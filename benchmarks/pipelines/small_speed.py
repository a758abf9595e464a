"""Logits of an eighth of the resolution to labels of 4K: time and memory, against enlarging the logits first.

    python benchmarks/pipelines/small_speed.py [--rounds 3] [--only photo ...]

A photo and a street scene, enlarged to 2160 x 3840, with their logits at 270 x 480. Real labels are padded to 21 by
labels that win nowhere; or, "alive", by the real ones moved over the image. Preset default; or, "auto", the one that
is chosen. "small" is `refine` as it is, "everything" with ``exact=True``, and "enlarged" interpolates the logits with
SciPy first. Seconds with 1 and with 2 threads after a run to warm up; on what share of the pixels small may differ from
everything, and does; peak memory beyond the image and the small logits in processes of their own, with 2 threads; and
in how many pixels everything of both ways differs without dilution, which enlarged logits cannot have.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.coarse import enlarge
from benchmarks.shared.datasets import camvid
from benchmarks.shared.harness import arguments, in_own_process, peak_memory
from benchmarks.shared.records import Row, save, this_run
from classicseg.machine.memory import give_back

LARGE, SMALL, TINY_LARGE, TINY_SMALL = (2160, 3840), (270, 480), (96, 160), (12, 20)
N_LABELS, DEAD = 21, -16.0  # logit of labels that win nowhere; those of real ones are -11.5 to 0
CASES = ("photo", "street", "photo, alive", "street, alive", "photo, auto", "street, auto")
WAYS: dict[str, dict[str, bool]] = {"small": {}, "everything": {"exact": True}, "enlarged": {"exact": True}}


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


def solve(case: str, way: str, image: np.ndarray, logits: np.ndarray, **changes: Any) -> cs.Refinement:
    given = enlarge(logits, image.shape[:2]) if way == "enlarged" else logits
    preset = "auto" if case.endswith("auto") else "default"
    return cs.refinement(image, logits=given, preset=preset, marginals=False, **WAYS[way], **changes)


def peak(case: str, way: str, tiny: bool) -> float:
    """In MB."""
    found = problem(case, tiny)
    assert found is not None
    cs.set_num_threads(2)
    solve(case, way, *found)
    give_back()
    return round(peak_memory(lambda: solve(case, way, *found).labels) / 1e6, 1)


def measure(case: str, rounds: int, tiny: bool) -> Row | None:
    found = problem(case, tiny)
    if found is None:
        return None
    ways = list(WAYS) if case in CASES[:2] else ["small", "everything"]
    solve(case, "small", *found)
    seconds: dict[tuple[str, int], list[float]] = {}
    results: dict[str, cs.Refinement] = {}
    for turn in range(rounds):
        for n_threads in (2, 1):
            cs.set_num_threads(n_threads)
            for way in ways if turn == 0 else ["small"]:
                start = time.perf_counter()
                results[way] = solve(case, way, *found)
                seconds.setdefault((way, n_threads), []).append(time.perf_counter() - start)
    cs.set_num_threads(2)
    small, everything = results["small"], results["everything"]
    row: Row = {
        "case": case,
        "strength": small.strength,
        "seconds": {f"{way}, {n} threads": round(float(np.median(s)), 3) for (way, n), s in seconds.items()},
        "may_differ": small.may_differ,
        "differs": float((small.labels != everything.labels).mean()),
        "peak_MB": {
            way: in_own_process(__file__, "--peak", case, way, *(["--tiny"] if tiny else []))
            for way in ways
            if way != "everything"
        },
    }
    if case in CASES[:2]:
        plain = [solve(case, way, *found, dilution=0.0).labels for way in ("everything", "enlarged")]
        row["other_labels"] = float((plain[0] != plain[1]).mean())
    return row


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="cases")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print(peak(*options.peak, options.tiny))
        return
    run, rows = this_run(threads="1 and 2"), []
    for case in options.only[::2] if options.tiny else options.only:
        row = measure(case, 1 if options.tiny else options.rounds, options.tiny)
        if row is not None:
            rows.append(row)
            print(row, flush=True)
            save("pipelines_small_speed", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()
