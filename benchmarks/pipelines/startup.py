"""How long until the first answer: of an import, of a help text, of the first `refine` ever and of later ones?

    python benchmarks/pipelines/startup.py [--rounds 9]

Every run is a process of its own. The first `refine` ever compiles into an empty cache; later ones load from it, and
are compared with Numba's own floor: a process that imports Numba and calls one trivial function from its cache.
"CPU" is user and system time of the process and all its threads, which other jobs on the machine do not change much;
"wall" is what a user waits.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.folders import ROOT
from benchmarks.shared.harness import arguments, process_times
from benchmarks.shared.records import save, this_run

REFINE = """
import numpy as np
import classicseg as cs

rng = np.random.default_rng(0)
image, p = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8), rng.random(({labels}, 60, 80))
cs.refine(image, p / p.sum(axis=0))
"""

FLOOR = """
import numba
import numpy as np

@numba.njit(cache=True, nogil=True)
def total(x):
    s = 0.0
    for v in x:
        s += v
    return s

total(np.ones(9))
"""

LABELS = (2, 21)
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def start(command: list[str], cache: Path | None = None) -> tuple[float, float, str]:
    """CPU seconds, wall seconds and standard error of a process, with an own folder for kernels if it is given."""
    return process_times(command, ENVIRONMENT | ({} if cache is None else {"NUMBA_CACHE_DIR": str(cache)}))


def medians(command: list[str], rounds: int, cache: Path | None = None) -> dict[str, float]:
    times = [start(command, cache)[:2] for _ in range(rounds)]
    cpu, wall = (statistics.median(column) for column in zip(*times, strict=True))
    return {"cpu_s": round(cpu, 3), "wall_s": round(wall, 3)}


def milliseconds_of(statement: str, rounds: int) -> tuple[float, bool]:
    """Median wall time of a statement in a fresh interpreter, and whether Numba was imported by it."""
    code = (
        f"import time; t = time.perf_counter(); {statement}; t = time.perf_counter() - t\n"
        "import sys; print(1e3 * t, 'numba' in sys.modules)"
    )
    command = [sys.executable, "-P", "-c", code]
    lines = [
        subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT).stdout.split()
        for _ in range(rounds)
    ]
    return round(statistics.median(float(line[0]) for line in lines), 1), lines[0][1] == "True"


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    rounds, different_labels = (1, LABELS[:1]) if options.tiny else (options.rounds, LABELS)
    run, python, rows = this_run(threads=cs.get_num_threads()), [sys.executable, "-P"], []

    def record(what: str, **figures: object) -> None:
        rows.append({"what": what, **figures})
        print(rows[-1], flush=True)

    milliseconds, with_numba = milliseconds_of("import classicseg", rounds)
    record("import classicseg", wall_ms=milliseconds, imports_numba=with_numba)
    record("python, nothing else", **medians([*python, "-c", "pass"], rounds))
    record("classicseg --help", **medians([*python, "-m", "classicseg", "--help"], rounds))
    with tempfile.TemporaryDirectory() as folder:
        cache, floor = Path(folder, "cache"), Path(folder, "floor.py")
        floor.write_text(FLOOR, encoding="utf-8")
        for labels in different_labels:
            code = [*python, "-c", REFINE.format(labels=labels)]
            own = cache / str(labels)
            cpu, wall, said = start(code, own)
            record(f"first refine ever, {labels} labels", cpu_s=round(cpu, 2), wall_s=round(wall, 2), says=said.strip())
        start([*python, str(floor)], cache)
        numba = medians([*python, str(floor)], rounds, cache)
        record("Numba's floor", **numba)
        for labels in different_labels:
            later = medians([*python, "-c", REFINE.format(labels=labels)], rounds, cache / str(labels))
            above = round(later["cpu_s"] - numba["cpu_s"], 3)
            record(f"later process, {labels} labels", **later, cpu_s_above_floor=above)
    save("pipelines_startup", rows, run, options.output)


if __name__ == "__main__":
    main()
