"""Minimum cuts of images that pass by in bands: time, memory, and whether labels are those of the cut in memory.

    python benchmarks/pipelines/streamed_cuts.py [--sides 4096 20000] [--weights 5] [--threads 2]

An aerial image (of the development data, else the photo that ships) mirrored to size with fresh noise of sigma 8 on
each copy, with costs of two colours in whole numbers, 4 neighbours, and weights that follow the contrast; all in files,
labels go to a file. Each row is measured in a process of its own: the share of pixels that are certain, as the
difference of their costs is more than all of their edges can weigh; the most resident memory of the process, and what
of it the run has added to one whose kernels have been loaded; seconds of the wall and of all processors; what files it
kept meanwhile; how many pixels had to wait for the next band at most; whether the flow is what the labels cost; and,
where the image is of up to 4096 pixels a side, in how many pixels labels differ from those of `graph_cut`, in memory,
with the same costs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.folders import DATA
from benchmarks.shared.harness import arguments, resident_peak
from benchmarks.shared.records import Row, save, this_run
from benchmarks.shared.streaming import cost_of

NOISE, COMPARED, STEPS = 8.0, 4096, 512  # costs are multiples of 1 / STEPS
COLORS = np.float32([[60, 70, 60], [180, 160, 140]])  # dark and bright ground
SPREAD = 40.0  # of both colours
AERIAL = "tile1_image_part_002.jpg"


def photo() -> np.ndarray:
    """What is mirrored."""
    path = DATA / "dubai_landcover" / AERIAL
    return cs.io.read_image(path) if path.exists() else cs.sample().image


def make(folder: Path, side: int, colors: np.ndarray = COLORS) -> None:
    """The image and its costs of some colors, copy by copy."""
    tile, rng = photo(), np.random.default_rng(side)
    height, width = tile.shape[:2]
    image = np.lib.format.open_memmap(folder / "image.npy", "w+", np.uint8, (side, side, 3))
    unary = np.lib.format.open_memmap(folder / "unary.npy", "w+", np.uint16, (len(colors), side, side))
    for row, y in enumerate(range(0, side, height)):
        for column, x in enumerate(range(0, side, width)):
            copy = tile[:: -1 if row % 2 else 1, :: -1 if column % 2 else 1][: side - y, : side - x]
            noisy = copy + np.float32(NOISE) * rng.standard_normal(copy.shape, np.float32)
            at = slice(y, y + height), slice(x, x + width)
            image[at] = np.rint(np.clip(noisy, 0, 255))
            for label, color in enumerate(colors):
                squares = np.square(image[at] - color).sum(axis=-1)
                unary[(label, *at)] = np.rint(squares * np.float32(STEPS / (2 * SPREAD**2)))
        image.flush()
        unary.flush()


def certain(folder: Path, weight: float) -> float:
    """The share of pixels that no edges can outweigh, in the middle of the image."""
    image, unary = (np.load(folder / name, mmap_mode="r") for name in ("image.npy", "unary.npy"))
    middle = slice(len(image) // 2 - min(500, len(image) // 2), len(image) // 2 + 500)
    weights = cs.contrast_weights(image[middle, middle], connectivity=4)
    costs = unary[:, middle, middle].astype(np.float32)
    edges = np.zeros(costs.shape[1:])
    for name, (first, second) in {"right": (np.s_[:, :-1], np.s_[:, 1:]), "down": (np.s_[:-1], np.s_[1:])}.items():
        edges[first] += weights[name]
        edges[second] += weights[name]
    return float((np.abs(costs[1] - costs[0]) >= weight * edges).mean())


def measure(folder: Path, weight: float, n_threads: int) -> Row:
    """One run, in this process."""
    small = np.random.default_rng(0).integers(0, 99, (2, 300, 300)).astype(np.uint16)
    cs.minimum_cut_streamed(small, 50.0, image=small[0].astype(np.uint8), window=100, n_threads=n_threads)
    out, done = folder / "labels.npy", []
    names = {"image": folder / "image.npy", "unary": folder / "unary.npy"}

    def run() -> Any:
        done.append(cs.minimum_cut_streamed(weights=STEPS * weight, **names, out=out, n_threads=n_threads))

    cost = cost_of(run, out, ".labels.npy.partial")
    resident = resident_peak()  # before anything else is mapped
    found, labels = done[0], np.load(out, mmap_mode="r")
    row: Row = {
        "certain_percent": round(100 * certain(folder, STEPS * weight), 1),
        **cost,
        "resident_MiB": round(resident / 2**20),
        "added_MiB": cost["resident_MiB"],
        "bands": found.n_bands,
        "open": found.n_open,
        "flow_is_cut": str(found.flow == found.cut),
    }
    if labels.shape[0] <= COMPARED:
        image, unary = (np.load(file) for file in names.values())
        weights = cs.contrast_weights(image, connectivity=4)
        steps = {name: np.rint(w * np.float64(STEPS * weight / found.step)) for name, w in weights.items()}
        crf = cs.GridCRF(unary / np.float64(found.step), cs.Potts(1), steps, connectivity=4)
        row["other_labels"] = int(np.count_nonzero(cs.minimize(crf, "graph_cut").labels != labels))
        crf = cs.GridCRF(unary.astype(np.int32), cs.Potts(STEPS * weight), weights, connectivity=4)
        row["other_labels_unrounded"] = int(np.count_nonzero(cs.minimize(crf, "graph_cut").labels != labels))
    return row


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[4096, 20000])
    parser.add_argument("--weights", type=float, nargs="+", default=[5.0])
    parser.add_argument("--threads", type=int, nargs="+", default=[2])
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        folder, weight, n_threads = options.measure
        print(json.dumps(measure(Path(folder), float(weight), int(n_threads))))
        return
    run, rows = this_run(threads=" and ".join(map(str, options.threads))), []
    for side in [300] if options.tiny else options.sides:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), side)
            cases = itertools.product(options.weights, options.threads)
            for weight, n_threads in [next(cases)] if options.tiny else cases:
                command = [sys.executable, __file__, "--measure", folder, str(weight), str(n_threads)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                row: Row = {
                    "case": f"{side} x {side}, weight {weight:g}, {n_threads} threads",
                    **json.loads(done.stdout),
                }
                rows.append(row)
                print(row, flush=True)
                save("pipelines_streamed_cuts", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()
