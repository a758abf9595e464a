"""What all benchmarks share: interleaved timing, ratios with their spread, and what machine it was.

Contenders take turns within each round, so that a slow moment of the machine hits all of them; a ratio is formed
within each round, and its median and quartiles are reported. Numbers of threads are pinned and printed.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
LIBRARIES = ("classicseg", "numpy", "numba", "scipy", "scikit-image", "pydensecrf2")


def take_turns(
    contenders: Mapping[str, Callable[[], Any]], rounds: int, *, settle: bool = False
) -> dict[str, list[float]]:
    """Wall seconds of every round; one round to warm up is not counted.

    With `settle` every contender runs once more before each run that counts: where they need much memory, whoever comes
    after another pays for giving back the other's pages, which says nothing about either.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, call in contenders.items():
            if settle and turn > 0:
                call()
            start = time.perf_counter()
            call()
            if turn > 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(slow: list[float], fast: list[float]) -> dict[str, float]:
    """Median and quartiles of the ratios within rounds."""
    ratios = [s / f for s, f in zip(slow, fast, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return {"median": round(middle, 2), "q1": round(low, 2), "q3": round(high, 2)}


def milliseconds(seconds: list[float], digits: int = 1) -> float:
    """Median in ms."""
    return round(statistics.median(seconds) * 1e3, digits)


def machine() -> dict[str, Any]:
    """Processor, load and versions."""
    name = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    versions = {}
    for library in LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "date": date.today().isoformat(),
        "processor": name,
        "processors_used": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_at_start": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "versions": versions,
    }


def save(name: str, rows: list[dict[str, Any]], about: dict[str, Any], key: str | None = None) -> None:
    """Write ``results/NAME.json``.

    With `key`, rows of an earlier run on the same processor whose ``row[key]`` was not measured now are kept, in
    their old places: long benchmarks can be run case by case.
    """
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{name}.json"
    if key is not None and target.exists():
        old = json.loads(target.read_text(encoding="utf-8"))
        if old["machine"].get("processor") == about["processor"]:
            new = {row[key]: row for row in rows}
            rows = [new.pop(row[key], row) for row in old["rows"]] + list(new.values())
    temporary = target.with_suffix(".tmp")
    temporary.write_text(json.dumps({"machine": about, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    temporary.replace(target)
    print(f"written: results/{target.name}")
