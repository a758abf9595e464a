"""Split-and-merge of images that pass by in windows: time, memory, space, and whether labels are those in memory.

    python benchmarks/split/streamed.py [--sides 4096 12000] [--images photo noisy] [--threads 2 1]

A gray photo under ``Range(24)``, mirrored to size: as it is, and with fresh noise of sigma 8 on each copy; and
"random", where nearly every pixel is a region. All in files; labels go to a file, with "table" the region table too.
Each row is measured in a process of its own: the most resident memory beyond that of the process before the run, whose
kernels have been loaded, seconds of the wall and of all processors, bytes of scratch space and of the table, and in how
many pixels labels differ from those of `split_and_merge`, where the image is of up to 4096 pixels a side. The last
column is what follows for 30000 pixels a side, as all of the time is spent on pixels.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.harness import arguments
from benchmarks.shared.records import Row, save, this_run
from benchmarks.shared.streaming import cost_of

THRESHOLD, NOISE, COMPARED, WANTED = 24, 8.0, 4096, 30000
IMAGES = ("photo", "noisy", "random")


def make(path: Path, image: str, side: int) -> None:
    """The image, copy by copy."""
    tile = cs.sample().image.mean(axis=-1)
    height, width = tile.shape
    rng = np.random.default_rng(side)
    target = np.lib.format.open_memmap(path, "w+", np.uint8, (side, side))
    for row, y in enumerate(range(0, side, height)):
        for column, x in enumerate(range(0, side, width)):
            copy = tile[:: -1 if row % 2 else 1, :: -1 if column % 2 else 1][: side - y, : side - x]
            if image == "random":
                copy = rng.integers(0, 256, copy.shape)
            elif image == "noisy":
                copy = copy + rng.normal(0, NOISE, copy.shape)
            target[y : y + height, x : x + width] = np.clip(np.rint(copy), 0, 255)


def measure(path: Path, with_table: bool, n_threads: int) -> Row:
    """One run, in this process."""
    out, table, few = path.with_name("labels.npy"), path.with_name("regions.csv"), path.with_name("few.csv")
    small = np.array(np.load(path, mmap_mode="r")[:600, :600])
    cs.split_and_merge_streamed(small, THRESHOLD, table=few, n_threads=n_threads)  # kernels are loaded here
    options = {"out": out, "table": table if with_table else None, "n_threads": n_threads}
    cost = cost_of(lambda: cs.split_and_merge_streamed(path, THRESHOLD, **options), out)
    labels = np.load(out, mmap_mode="r")
    row: Row = {
        **cost,
        "table_MiB": round(table.stat().st_size / 2**20) if with_table else None,
        "regions_per_pixel": round(max(int(band.max()) for band in np.array_split(labels, 16)) / labels.size, 3),
    }
    if labels.shape[0] <= COMPARED:
        row["other_labels"] = int(np.count_nonzero(cs.split_and_merge(np.load(path), THRESHOLD) != labels))
    return row


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[4096, 12000])
    parser.add_argument("--images", nargs="+", choices=IMAGES, default=list(IMAGES))
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--tables", type=int, nargs="+", choices=(0, 1), default=[0, 1], help="without, with a table")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        path, with_table, n_threads = options.measure
        print(json.dumps(measure(Path(path), with_table == "1", int(n_threads))))
        return
    run, rows = this_run(threads="1 and 2"), []
    for side, image in itertools.product([600] if options.tiny else options.sides, options.images):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image.npy"
            make(path, image, side)
            cases = itertools.product(options.tables, options.threads)
            for with_table, n_threads in [next(cases)] if options.tiny else cases:
                if image == "random" and with_table:
                    continue  # a row for nearly each pixel is of no use
                command = [sys.executable, __file__, "--measure", str(path), str(with_table), str(n_threads)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                what = "table, " if with_table else ""
                row: Row = {"case": f"{side} x {side}, {image}, {what}{n_threads} threads", **json.loads(done.stdout)}
                row["minutes_at_30000"] = round(row["seconds"] / 60 * (WANTED / side) ** 2, 1)
                rows.append(row)
                print(row, flush=True)
                save("split_streamed", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()
