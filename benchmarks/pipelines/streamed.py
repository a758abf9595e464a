"""Images that pass by in windows: time, memory, scratch space, and whether labels are those of the run in memory.

    python benchmarks/pipelines/streamed.py [--sides 4096 12000] [--volumes 512] [--only default ...] [--threads 2]
    python benchmarks/pipelines/streamed.py --only irnet deeplab --ways everything --data 1024 --volumes --threads 2

A photo of three bands, mirrored to size with fresh noise of sigma 8 on each copy, with logits of five labels at a
quarter of the resolution, both in files; labels go to a file. A volume is one of noisy balls of four gray values, with
logits of four labels, also at a quarter of the resolution. Each row is measured in a process of its own: the most
resident memory beyond that of the process before the run, whose kernels have been loaded, seconds of the wall and of
all processors, bytes of scratch space, and in how many pixels labels differ from those of `refine`, where the image is
of up to 4096 x 4096 pixels. "everything" is ``exact=True``; "sample" updates a sample, if that tells enough. Presets of
a short range have nearly as many vertices as pixels, or more. Where these do not fit into memory, "bands", they lie in
scratch files; `--data` limits what a run may take to so many MiB beyond what the process has before, mapped files not
counted (``RLIMIT_DATA``), so that they do not. The last column of images is what follows for 30000 pixels a side, as
all of the time is spent on pixels.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.harness import arguments
from benchmarks.shared.records import Row, save, this_run
from benchmarks.shared.streaming import cost_of

RATIO, NOISE, COMPARED, WANTED = 4, 8.0, 4096**2, 30000
N_BALLS, N_LABELS = 60, 4  # of a volume
WAYS = {"everything": {"exact": True}, "sample": {"exact": False}}
PRESETS = ("default", "firm", "strong", "strongest", "pydensecrf", "irnet", "deeplab")


def make(folder: Path, side: int) -> None:
    """The image and its logits, copy by copy."""
    sample, rng = cs.sample(), np.random.default_rng(side)
    logits = np.log(np.maximum(sample.probabilities, 1e-3)).astype(np.float32)[:, ::RATIO, ::RATIO]
    image = np.lib.format.open_memmap(folder / "image.npy", "w+", np.uint8, (side, side, 3))
    scores = np.lib.format.open_memmap(folder / "logits.npy", "w+", np.float32, (5, side // RATIO, side // RATIO))
    _tile(image, sample.image, lambda copy: np.clip(copy + rng.normal(0, NOISE, copy.shape), 0, 255))
    for target, plane in zip(scores, logits, strict=True):
        _tile(target, plane, lambda copy: copy)


def make_volume(folder: Path, side: int) -> None:
    """A volume of balls, and logits of their labels, slice by slice."""
    rng = np.random.default_rng(side)
    centres, radii = rng.random((N_BALLS, 3)), rng.uniform(0.05, 0.15, N_BALLS)
    own = rng.integers(1, N_LABELS, N_BALLS)

    def slice_of(z: int, n: int) -> np.ndarray:
        labels, at = np.zeros((n, n), np.int64), (np.arange(n) + 0.5) / n
        for centre, radius, label in zip(centres, radii, own, strict=True):
            squares = [np.square(at - c) for c in centre[1:]]
            labels[np.add.outer(*squares) + ((z + 0.5) / n - centre[0]) ** 2 < radius**2] = label
        return labels

    image = np.lib.format.open_memmap(folder / "image.npy", "w+", np.uint8, (side, side, side))
    small = side // RATIO
    scores = np.lib.format.open_memmap(folder / "logits.npy", "w+", np.float32, (N_LABELS, small, small, small))
    for z in range(side):
        image[z] = np.clip(50 * slice_of(z, side) + 50 + rng.normal(0, NOISE, (side, side)), 0, 255)
    for z in range(small):
        known = np.arange(N_LABELS)[:, np.newaxis, np.newaxis] == slice_of(z, small)
        scores[:, z] = 2 * known + rng.normal(0, 1, known.shape)


def _tile(target: np.ndarray, tile: np.ndarray, changed: Any) -> None:
    """Fill an array with mirrored copies."""
    height, width = tile.shape[:2]
    for row, y in enumerate(range(0, target.shape[0], height)):
        for column, x in enumerate(range(0, target.shape[1], width)):
            copy = tile[:: -1 if row % 2 else 1, :: -1 if column % 2 else 1]
            target[y : y + height, x : x + width] = changed(copy[: target.shape[0] - y, : target.shape[1] - x])


def measure(folder: Path, preset: str, way: str, n_threads: int, data: int) -> Row:
    """One run, in this process; it may have `data` MiB more than there is now, or as much as it likes if that is 0."""
    options = {"preset": preset, **WAYS[way]}
    sample = cs.sample()
    few: np.ndarray = np.log(np.maximum(sample.probabilities, 1e-3))[:, ::RATIO, ::RATIO]
    names = {"image": folder / "image.npy", "logits": folder / "logits.npy"}
    part = sample.image
    if np.load(names["image"], mmap_mode="r").shape[-1] > 3:
        sides = (40, 40 // RATIO)
        part, few = (
            np.load(file, mmap_mode="r")[..., :n, :n, :n] for file, n in zip(names.values(), sides, strict=True)
        )
    for exact in (False, True):  # kernels are loaded here
        cs.refine_streamed(part, logits=few, preset=preset, n_threads=n_threads, exact=exact)
    out = folder / "labels.npy"

    def run() -> object:
        return cs.refine_streamed(**names, **options, out=out, n_threads=n_threads)

    before = resource.getrlimit(resource.RLIMIT_DATA)
    if data:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])  # of data
        most = pages * resource.getpagesize() + data * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (most, before[1]))
    in_bands = cs.plan_streamed(**names, **options, n_threads=n_threads).in_bands
    row = {"in_bands": in_bands, **cost_of(run, out, ".labels.npy.partial")}
    resource.setrlimit(resource.RLIMIT_DATA, before)
    labels = np.load(out, mmap_mode="r")
    if labels.size <= COMPARED:
        image, logits = (np.load(file) for file in names.values())
        row["other_labels"] = int(np.count_nonzero(cs.refine(image, logits=logits, **options) != labels))
    return row


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[4096, 12000])
    parser.add_argument("--volumes", type=int, nargs="*", default=[512], help="sides of volumes")
    parser.add_argument("--only", nargs="+", choices=PRESETS, default=["default"], help="presets")
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=list(WAYS))
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--data", type=int, default=0, help="MiB that a run may take, if not all that there are")
    parser.add_argument("--measure", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        folder, preset, way, n_threads, data = options.measure
        print(json.dumps(measure(Path(folder), preset, way, int(n_threads), int(data))))
        return
    run, rows = this_run(threads="1 and 2"), []
    images, volumes = ([300], [24]) if options.tiny else (options.sides, options.volumes)
    for side, n_axes in [*((side, 2) for side in images), *((side, 3) for side in volumes)]:
        with tempfile.TemporaryDirectory() as folder:
            (make if n_axes == 2 else make_volume)(Path(folder), side)
            cases = itertools.product(options.only, options.ways, options.threads)
            for preset, way, n_threads in [next(cases)] if options.tiny else cases:
                case = folder, preset, way, str(n_threads), str(options.data)
                command = [sys.executable, __file__, "--measure", *case]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                found, size = json.loads(done.stdout), " x ".join([str(side)] * n_axes)
                bands = ", bands" if found.pop("in_bands") else ""
                row: Row = {"case": f"{size}, {preset}, {way}, {n_threads} threads{bands}", **found}
                if n_axes == 2:
                    row["minutes_at_30000"] = round(row["seconds"] / 60 * (WANTED / side) ** 2, 1)
                rows.append(row)
                print(row, flush=True)
                save("pipelines_streamed", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()
