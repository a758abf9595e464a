"""What runs on images that pass by in windows take: time, memory and space on the disk."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.shared.harness import peak_memory
from benchmarks.shared.records import Row

_PAUSE = 0.05  # seconds between two looks at the files


def cost_of(call: Callable[[], Any], out: Path, *patterns: str) -> Row:
    """Seconds of the wall and of all processors, memory beyond that before, and the most bytes of files meanwhile.

    These are the files of the state of a run that writes to `out`, and those beside it that fit one of the `patterns`.
    """
    most, over = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(_PAUSE):
            files = [file for pattern in (f"{out.name}.state/**/*", *patterns) for file in out.parent.glob(pattern)]
            most = max(most, sum(map(_size, files)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        start, worked = time.perf_counter(), time.process_time()
        added = peak_memory(call)
        seconds, worked = time.perf_counter() - start, time.process_time() - worked
    finally:
        over.set()
        watcher.join()
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(worked, 1),
        "resident_MiB": round(added / 2**20),
        "scratch_MiB": round(most / 2**20, 1),
    }


def _size(file: Path) -> int:
    """Bytes of a file that may be gone; of a folder nothing."""
    with contextlib.suppress(FileNotFoundError):
        return file.stat().st_size if file.is_file() else 0
    return 0
