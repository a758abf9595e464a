"""The processes of a Dask cluster: how much faster are two than one, and what does the way take?

    python benchmarks/pipelines/cluster.py [--side 4096] [--rounds 3] [--only refine split cut]

The image and the logits of `streamed.py`, all in files, refined by `classicseg.dask.refine` with the preset "default"
and all of the work; the same image, gray, by `classicseg.dask.split_and_merge` with `Range(24)`; and costs of its first
two labels, with weights that follow its contrast, by `classicseg.dask.minimum_cut`. "threads" are those of the calling
process, without a cluster; "processes" are workers of a local cluster with one thread each, which takes no part in the
time, nor does the first run of each. The calling process has as many threads as there are workers, for what it does
itself: it looks at everything once, and brings together what workers found. Of its own processor time it is said how
much it was, and the last column has the pixels in which labels differ from those of one thread. Ratios are those within
rounds, each task against its own.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

from benchmarks.pipelines.streamed import make
from benchmarks.shared.harness import arguments, needs, ratio, take_turns
from benchmarks.shared.records import Row, save, this_run

COUNTS = (1, 2)
TASKS = ("refine", "split", "cut")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=TASKS, default=TASKS)
    options = parser.parse_args()
    needs("dask", "distributed")
    import distributed

    side, rounds = (300, 1) if options.tiny else (options.side, options.rounds)
    run = this_run(threads="1 and 2", libraries=("dask", "distributed"))
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        make(folder, side)
        make_more(folder)
        clusters = [
            stack.enter_context(distributed.LocalCluster(n_workers=n, threads_per_worker=1, dashboard_address=":0"))
            for n in COUNTS
        ]
        rows = [row for task in options.only for row in measured(task, folder, side, clusters, rounds)]
    save("pipelines_cluster", rows, run, options.output, key="case")


def make_more(folder: Path) -> None:
    """The image in gray, and costs of two labels."""
    image, logits = np.load(folder / "image.npy", mmap_mode="r"), np.load(folder / "logits.npy")
    gray = np.lib.format.open_memmap(folder / "gray.npy", "w+", np.uint8, image.shape[:2])
    costs = np.lib.format.open_memmap(folder / "costs.npy", "w+", np.float32, (2, *image.shape[:2]))
    rows = np.minimum(np.arange(image.shape[0]) * logits.shape[1] // image.shape[0], logits.shape[1] - 1)
    columns = np.minimum(np.arange(image.shape[1]) * logits.shape[2] // image.shape[1], logits.shape[2] - 1)
    for y, row in enumerate(rows):
        gray[y] = image[y].mean(axis=-1)
        costs[:, y] = -logits[:2, row][:, columns]


def call_of(task: str, folder: Path, **given: Any) -> None:
    """Do a task."""
    import classicseg.dask as cd

    match task:
        case "refine":
            cd.refine(folder / "image.npy", logits=folder / "logits.npy", preset="default", **given)
        case "split":
            cd.split_and_merge(folder / "gray.npy", 24, **given)
        case "cut":
            cd.minimum_cut(folder / "costs.npy", 6.0, image=folder / "image.npy", **given)


def measured(task: str, folder: Path, side: int, clusters: list[Any], rounds: int) -> list[Row]:
    """What a task takes, by threads and by processes."""
    own: dict[str, list[float]] = {}
    labels: dict[str, np.ndarray] = {}

    def contender(case: str, n: int, cluster: Any) -> Callable[[], None]:
        def work() -> None:
            before, out = time.process_time(), folder / f"{case}.npy"
            call_of(task, folder, out=out, cluster=cluster, n_threads=n)
            own.setdefault(case, []).append(time.process_time() - before)
            labels[case] = np.load(out)

        return work

    contenders = {}
    for n, cluster in zip(COUNTS, clusters, strict=True):
        contenders[f"{n} threads"] = contender(f"{n} threads", n, None)
        contenders[f"{n} processes"] = contender(f"{n} processes", n, cluster)
    seconds = take_turns(contenders, rounds)
    rows: list[Row] = []
    for case, times in seconds.items():
        row: Row = {
            "case": f"{side} x {side}, {task}, {case}",
            "seconds": round(statistics.median(times), 2),
            "own_cpu_seconds": round(statistics.median(own[case][1:]), 2),
            "faster_than_1_process": ratio(seconds["1 processes"], times),
            "other_labels": int(np.count_nonzero(labels[case] != labels["1 threads"])),
        }
        print(row, flush=True)
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
