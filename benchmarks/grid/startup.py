"""How long does the first call of each solver of grids take, with an empty and with a filled cache of kernels?

    python benchmarks/grid/startup.py

CPU seconds of new processes that solve a problem of 64 x 64 pixels, next to those of `import numba` alone.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.harness import arguments, in_own_process
from benchmarks.shared.records import Row, save, this_run


def problem() -> cs.GridCRF:
    return cs.GridCRF(np.random.default_rng(0).integers(0, 99, (2, 64, 64)), cs.Potts(20))


def first_call(method: str) -> float:
    """CPU seconds of this process so far, when it has solved the problem or, for "numba", imported Numba."""
    if method == "numba":
        import numba  # noqa: F401
    else:
        cs.minimize(problem(), method, max_iter=3)
    return round(time.process_time(), 2)


def measure(method: str, floor: float) -> Row:
    with tempfile.TemporaryDirectory() as cache:
        cold, *warm = (in_own_process(__file__, "--first-call", method, cache=Path(cache)) for _ in range(4))
    return {"method": method, "cold_cpu_s": cold, "warm_cpu_s": statistics.median(warm), "import_numba_cpu_s": floor}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--first-call", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.first_call:
        print(first_call(options.first_call))
        return
    run = this_run(threads=cs.get_num_threads())
    floor = in_own_process(__file__, "--first-call", "numba")
    rows = []
    for method in ["icm"] if options.tiny else cs.methods(problem()):
        rows.append(measure(method, floor))
        print(rows[-1], flush=True)
    save("grid_startup", rows, run, options.output, key="method")


if __name__ == "__main__":
    main()
