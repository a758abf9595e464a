"""What a result says of its origin: machine, versions, threads, load."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from classicseg import __version__

LIBRARIES = ("numpy", "numba", "scipy", "scikit-image")
"""The versions that every run names; more are named by those who use them."""


def machine() -> dict[str, Any]:
    """Processor, how many of them this process may use, system and Python."""
    name = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "processor": name or platform.machine(),
        "processors_used": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def versions(libraries: Sequence[str]) -> dict[str, str]:
    """Of classicseg, and of those libraries that are installed."""
    found = {"classicseg": __version__}
    for library in libraries:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def load() -> float | None:
    """How many processes wanted to run in the last minute, or None where nobody knows."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
