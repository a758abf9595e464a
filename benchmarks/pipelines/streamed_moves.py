"""Expansion moves of images that pass by in bands: time, memory, and whether labels are those of the run in memory.

    python benchmarks/pipelines/streamed_moves.py [--sides 2048 20000] [--weights 5] [--threads 2] [--cycles 100]

The images of `streamed_cuts.py`, with costs of five colours in whole numbers, 4 neighbours, and weights that follow the
contrast; all in files, labels go to a file. Each row is measured in a process of its own: cycles over all labels, moves
that were made in them, and whether nothing was left to gain; the most resident memory of the process, and what of it
the run has added to one whose kernels have been loaded; seconds of the wall and of all processors, and of a move; what
files it kept meanwhile; how many pixels had to wait for the next band at most; how far the energy fell from that of the
start; and, where the image is of up to 2048 pixels a side, in how many pixels labels differ from those of `expansion`,
in memory, with costs rounded to the same steps.
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
from benchmarks.pipelines.streamed_cuts import STEPS, make
from benchmarks.shared.harness import arguments, resident_peak
from benchmarks.shared.records import Row, save, this_run
from benchmarks.shared.streaming import cost_of

COMPARED = 2048
COLORS = np.float32([[60, 70, 60], [180, 160, 140], [120, 110, 90], [90, 110, 70], [220, 210, 200]])


def measure(folder: Path, weight: float, n_threads: int, cycles: int) -> Row:
    """One run, in this process."""
    small = np.random.default_rng(0).integers(0, 99, (len(COLORS), 300, 300)).astype(np.uint16)
    cs.expansion_streamed(small, 50.0, image=small[0].astype(np.uint8), window=100, n_threads=n_threads, max_iter=1)
    out, done = folder / "labels.npy", []
    names = {"image": folder / "image.npy", "unary": folder / "unary.npy"}

    def run() -> Any:
        options = {"n_threads": n_threads, "max_iter": cycles}
        done.append(cs.expansion_streamed(weights=STEPS * weight, **names, out=out, **options))

    cost = cost_of(run, out, ".labels.npy.partial")
    resident = resident_peak()  # before anything else is mapped
    found, labels = done[0], np.load(out, mmap_mode="r")
    row: Row = {
        "cycles": len(found.energies) - 1,
        "moves": found.n_moves,
        "settled": str(found.converged),
        **cost,
        "seconds_per_move": round(cost["seconds"] / max(1, found.n_moves), 1),
        "resident_MiB": round(resident / 2**20),
        "added_MiB": cost["resident_MiB"],
        "open": found.n_open,
        "energy_of_start": round(found.energy / found.energies[0], 4),
    }
    if labels.shape[0] <= COMPARED:
        image, unary = (np.load(file) for file in names.values())
        weights = cs.contrast_weights(image, connectivity=4)
        steps = {name: np.rint(w * np.float64(STEPS * weight / found.step)) for name, w in weights.items()}
        crf = cs.GridCRF(unary / np.float64(found.step), cs.Potts(1), steps, connectivity=4)
        expected = cs.minimize(crf, "expansion", max_iter=cycles)
        row["other_labels"] = int(np.count_nonzero(expected.labels != labels))
        row["other_energy"] = found.energy - expected.energy * found.step
    return row


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[2048, 20000])
    parser.add_argument("--weights", type=float, nargs="+", default=[5.0])
    parser.add_argument("--threads", type=int, nargs="+", default=[2])
    parser.add_argument("--cycles", type=int, default=100, help="at most")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        folder, weight, n_threads = options.measure
        print(json.dumps(measure(Path(folder), float(weight), int(n_threads), options.cycles)))
        return
    run, rows = this_run(threads=" and ".join(map(str, options.threads))), []
    for side in [300] if options.tiny else options.sides:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), side, COLORS)
            cases = itertools.product(options.weights, options.threads)
            for weight, n_threads in [next(cases)] if options.tiny else cases:
                given = [folder, str(weight), str(n_threads)]
                command = [sys.executable, __file__, "--cycles", str(options.cycles), "--measure", *given]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                case = f"{side} x {side}, {len(COLORS)} labels, weight {weight:g}, {n_threads} threads"
                rows.append({"case": case, **json.loads(done.stdout)})
                print(rows[-1], flush=True)
                save("pipelines_streamed_moves", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()
