"""Refinement by the processes of a Dask cluster: how much faster are two than one, and what does the way take?

    python benchmarks/pipelines/cluster.py [--side 4096] [--rounds 3]

The image and the logits of `streamed.py`, all in files, refined by `classicseg.dask.refine` with the preset "default"
and all of the work. "threads" are those of the calling process, without a cluster; "processes" are workers of a local
cluster with one thread each, which takes no part in the time, nor does the first run of each. The calling process has
as many threads as there are workers, for what it does itself: it looks at everything once, merges, and blurs. Of its
own processor time it is said how much it was, and the last column has the pixels in which labels differ from those
of the threads. Ratios are those within rounds.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

from benchmarks.pipelines.streamed import make
from benchmarks.shared.harness import arguments, needs, ratio, take_turns
from benchmarks.shared.records import Row, save, this_run

COUNTS = (1, 2)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    needs("dask", "distributed")
    import distributed

    import classicseg.dask as cd

    side, rounds = (300, 1) if options.tiny else (options.side, options.rounds)
    run = this_run(threads="1 and 2", libraries=("dask", "distributed"))
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        make(folder, side)
        own: dict[str, list[float]] = {}
        labels: dict[str, np.ndarray] = {}

        def contender(case: str, n: int, cluster: distributed.LocalCluster | None) -> Callable[[], None]:
            def refine() -> None:
                before, out = time.process_time(), folder / f"{case}.npy"
                cd.refine(
                    folder / "image.npy", logits=folder / "logits.npy", out=out, cluster=cluster, n_threads=n
                )  # fmt: skip
                own.setdefault(case, []).append(time.process_time() - before)
                labels[case] = np.load(out)

            return refine

        contenders = {}
        for n in COUNTS:
            contenders[f"{n} threads"] = contender(f"{n} threads", n, None)
            cluster = stack.enter_context(
                distributed.LocalCluster(n_workers=n, threads_per_worker=1, dashboard_address=":0")
            )
            contenders[f"{n} processes"] = contender(f"{n} processes", n, cluster)
        seconds = take_turns(contenders, rounds)
    rows: list[Row] = []
    for case, times in seconds.items():
        row: Row = {
            "case": f"{side} x {side}, {case}",
            "seconds": round(statistics.median(times), 2),
            "own_cpu_seconds": round(statistics.median(own[case][1:]), 2),
            "faster_than_1_process": ratio(seconds["1 processes"], times),
            "other_labels": int(np.count_nonzero(labels[case] != labels["1 threads"])),
        }
        print(row, flush=True)
        rows.append(row)
    save("pipelines_cluster", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()
