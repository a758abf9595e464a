"""Images that pass by in windows: time, memory, scratch space, and whether labels are those of the run in memory.

    python benchmarks/pipelines/streamed.py [--sides 4096 12000] [--only default ...] [--threads 2]

A photo of three bands, mirrored to size with fresh noise of sigma 8 on each copy, with logits of five labels at a
quarter of the resolution, both in files; labels go to a file. Each row is measured in a process of its own: the most
resident memory beyond that of the process before the run, whose kernels have been loaded, seconds of the wall and of
all processors, bytes of scratch space, and in how many pixels labels differ from those of `refine`, where the image is
of up to 4096 pixels a side. "everything" is ``exact=True``; "sample" updates a sample, if that tells enough. The last
column is what follows for 30000 pixels a side, as all of the time is spent on pixels.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.harness import arguments, peak_memory
from benchmarks.shared.records import Row, save, this_run

RATIO, NOISE, COMPARED, WANTED = 4, 8.0, 4096, 30000
WAYS = {"everything": {"exact": True}, "sample": {"exact": False}}
PRESETS = ("default", "firm")


def make(folder: Path, side: int) -> None:
    """The image and its logits, copy by copy."""
    sample, rng = cs.sample(), np.random.default_rng(side)
    logits = np.log(np.maximum(sample.probabilities, 1e-3)).astype(np.float32)[:, ::RATIO, ::RATIO]
    image = np.lib.format.open_memmap(folder / "image.npy", "w+", np.uint8, (side, side, 3))
    scores = np.lib.format.open_memmap(folder / "logits.npy", "w+", np.float32, (5, side // RATIO, side // RATIO))
    _tile(image, sample.image, lambda copy: np.clip(copy + rng.normal(0, NOISE, copy.shape), 0, 255))
    for target, plane in zip(scores, logits, strict=True):
        _tile(target, plane, lambda copy: copy)


def _tile(target: np.ndarray, tile: np.ndarray, changed: Any) -> None:
    """Fill an array with mirrored copies."""
    height, width = tile.shape[:2]
    for row, y in enumerate(range(0, target.shape[0], height)):
        for column, x in enumerate(range(0, target.shape[1], width)):
            copy = tile[:: -1 if row % 2 else 1, :: -1 if column % 2 else 1]
            target[y : y + height, x : x + width] = changed(copy[: target.shape[0] - y, : target.shape[1] - x])


def measure(folder: Path, preset: str, way: str, n_threads: int) -> Row:
    """One run, in this process."""
    options = {"preset": preset, **WAYS[way]}
    sample = cs.sample()
    few = np.log(np.maximum(sample.probabilities, 1e-3))[:, ::RATIO, ::RATIO]
    cs.refine_streamed(sample.image, logits=few, preset=preset, n_threads=n_threads)  # kernels are loaded here
    names = {"image": folder / "image.npy", "logits": folder / "logits.npy"}
    out, most, over = folder / "labels.npy", [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            files = [*folder.glob("labels.npy.state/*"), *folder.glob(".labels.npy.partial")]
            most[0] = max(most[0], sum(file.stat().st_size for file in files if file.exists()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start, worked = time.perf_counter(), time.process_time()
    resident = peak_memory(lambda: cs.refine_streamed(**names, **options, out=out, n_threads=n_threads))
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    over.set()
    watcher.join()
    labels = np.load(out, mmap_mode="r")
    row: Row = {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(worked, 1),
        "resident_MiB": round(resident / 2**20),
        "scratch_MiB": round(most[0] / 2**20, 1),
    }
    if labels.shape[0] <= COMPARED:
        image, logits = (np.load(file) for file in names.values())
        row["other_labels"] = int(np.count_nonzero(cs.refine(image, logits=logits, **options) != labels))
    return row


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[4096, 12000])
    parser.add_argument("--only", nargs="+", choices=PRESETS, default=["default"], help="presets")
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=list(WAYS))
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        folder, preset, way, n_threads = options.measure
        print(json.dumps(measure(Path(folder), preset, way, int(n_threads))))
        return
    run, rows = this_run(threads="1 and 2"), []
    for side in [300] if options.tiny else options.sides:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), side)
            cases = itertools.product(options.only, options.ways, options.threads)
            for preset, way, n_threads in [next(cases)] if options.tiny else cases:
                command = [sys.executable, __file__, "--measure", folder, preset, way, str(n_threads)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                row: Row = {"case": f"{side} x {side}, {preset}, {way}, {n_threads} threads", **json.loads(done.stdout)}
                row["minutes_at_30000"] = round(row["seconds"] / 60 * (WANTED / side) ** 2, 1)
                rows.append(row)
                print(row, flush=True)
                save("pipelines_streamed", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()
