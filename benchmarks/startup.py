"""How long until the first answer: of an import, of a help text, of the first `refine` ever and of later ones?

    python benchmarks/startup.py [--rounds 9]

Every run is a process of its own. The first `refine` ever compiles into an empty cache; later ones load from it, and
are compared with Numba's own floor: a process that imports Numba and calls one trivial function from its cache.
"CPU" is user and system time of the process and all its threads, which other jobs on the machine do not change much;
"wall" is what a user waits.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import machine, save

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


def run(command: list[str], cache: Path | None = None) -> tuple[float, float, str]:
    """CPU seconds, wall seconds and standard error of a process."""
    environment = os.environ | ({} if cache is None else {"NUMBA_CACHE_DIR": str(cache)})
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        text = errors.read().decode()
    if process.returncode:
        raise RuntimeError(f"{command} failed:\n{text}")
    return usage.ru_utime + usage.ru_stime, wall, text


def medians(command: list[str], rounds: int, cache: Path | None = None) -> dict[str, float]:
    times = [run(command, cache)[:2] for _ in range(rounds)]
    cpu, wall = (statistics.median(column) for column in zip(*times, strict=True))
    return {"cpu_s": round(cpu, 3), "wall_s": round(wall, 3)}


def milliseconds_of(statement: str, rounds: int) -> tuple[float, bool]:
    """Median wall time of a statement in a fresh interpreter, and whether Numba was imported by it."""
    code = (
        f"import time; t = time.perf_counter(); {statement}; t = time.perf_counter() - t\n"
        "import sys; print(1e3 * t, 'numba' in sys.modules)"
    )
    lines = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(rounds)
    ]
    return round(statistics.median(float(line[0]) for line in lines), 1), lines[0][1] == "True"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    about, python, rows = machine(), [sys.executable], []

    def record(what: str, **figures: object) -> None:
        rows.append({"what": what, **figures})
        print(rows[-1], flush=True)

    milliseconds, with_numba = milliseconds_of("import classicseg", rounds)
    record("import classicseg", wall_ms=milliseconds, imports_numba=with_numba)
    record("python, nothing else", **medians([*python, "-c", "pass"], rounds))
    record("classicseg --help", **medians([*python, "-m", "classicseg.cli", "--help"], rounds))
    with tempfile.TemporaryDirectory() as folder:
        cache, floor = Path(folder, "cache"), Path(folder, "floor.py")
        floor.write_text(FLOOR, encoding="utf-8")
        for labels in LABELS:
            code = [*python, "-c", REFINE.format(labels=labels)]
            own = cache / str(labels)
            cpu, wall, said = run(code, own)
            record(f"first refine ever, {labels} labels", cpu_s=round(cpu, 2), wall_s=round(wall, 2), says=said.strip())
        run([*python, str(floor)], cache)
        numba = medians([*python, str(floor)], rounds, cache)
        record("Numba's floor", **numba)
        for labels in LABELS:
            later = medians([*python, "-c", REFINE.format(labels=labels)], rounds, cache / str(labels))
            above = round(later["cpu_s"] - numba["cpu_s"], 3)
            record(f"later process, {labels} labels", **later, cpu_s_above_floor=above)
    save("startup", rows, about)


if __name__ == "__main__":
    main()
