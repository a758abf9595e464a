"""What all benchmarks share: arguments, interleaved timing, ratios with their spread, and peak memory.

Contenders take turns within each round, so that a slow moment of the machine hits all of them; a ratio is formed
within each round, and its median and quartiles are reported. Numbers of threads are pinned and printed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.shared.folders import RESULTS, ROOT


class Arguments(argparse.ArgumentParser):
    """Arguments of a script, ``--tiny`` and ``--output`` among them."""

    def parse_args(self, *given: Any, **options: Any) -> Any:
        """As always; without ``--output`` results go to their folder, those of ``--tiny`` nowhere."""
        parsed = super().parse_args(*given, **options)
        if parsed.output is None and not parsed.tiny:
            parsed.output = RESULTS
        return parsed


def arguments(doc: str | None) -> Arguments:
    """A parser that shows the text of a script."""
    parser = Arguments(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="small inputs for seconds, to try the script out")
    parser.add_argument("--output", type=Path, help="folder for results; by default benchmarks/results")
    return parser


def needs(*packages: str) -> None:
    """End the script, with success, if one of these is not installed."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        print(f"nothing measured: {', '.join(missing)} not installed")
        sys.exit()


def take_turns(
    contenders: Mapping[Any, Callable[[], Any]], rounds: int, *, settle: bool = False
) -> dict[Any, list[float]]:
    """Wall seconds of every round; one round to warm up is not counted.

    With `settle` every contender runs once more before each run that counts: where they need much memory, whoever comes
    after another pays for giving back the other's pages, which says nothing about either.
    """
    seconds: dict[Any, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, call in contenders.items():
            if settle and turn > 0:
                call()
            start = time.perf_counter()
            call()
            if turn > 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def quartiles(values: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return {"median": round(middle, 2), "q1": round(low, 2), "q3": round(high, 2)}


def ratio(slow: list[float], fast: list[float]) -> dict[str, float]:
    """Median and quartiles of the ratios within rounds."""
    return quartiles([s / f for s, f in zip(slow, fast, strict=True)])


def milliseconds(seconds: list[float], digits: int = 1) -> float:
    """Median in ms."""
    return round(statistics.median(seconds) * 1e3, digits)


def in_own_process(script: str, *given: str, cache: Path | None = None) -> float:
    """The number that a script prints for these arguments; with an own folder for kernels if `cache` is given."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | ({} if cache is None else {"NUMBA_CACHE_DIR": str(cache)})
    done = subprocess.run([sys.executable, script, *given], capture_output=True, text=True, env=environment, check=True)
    return float(done.stdout)


def process_times(command: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[float, float, str]:
    """CPU seconds of a process and its threads, wall seconds, and what it wrote to standard error."""
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


def peak_memory(call: Callable[[], Any]) -> int:
    """Bytes at the peak of a call beyond those before it; in a process of its own, or the peak of others counts."""
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    kept = call()
    peak = _status("VmHWM") - before
    del kept
    return peak


def resident_peak() -> int:
    """Bytes at the peak of this process since :func:`peak_memory`. That of ``resource`` has the parent's in it."""
    return _status("VmHWM")


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
