"""What the system lets this process have: processors and memory.

A container sees all of the machine, but may use a part of it: its *control groups* say how much. There are two versions
of them, https://docs.kernel.org/admin-guide/cgroup-v2.html and https://docs.kernel.org/admin-guide/cgroup-v1/, and a
limit may be set at any level of the tree that a process is in.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Iterator
from pathlib import Path

_NO_LIMIT = 2**60  # bytes; version 1 has no word for none
_ROOT = Path("/")  # of the files that the system describes itself in; tests have another one


def processors() -> int:
    """How many processors this process may keep busy: those that it may run on, but no more than its quota of time."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return min(usable, _quota())


@functools.cache
def _quota() -> int:
    """Processors that control groups grant, rounded up; a large number if they do not say."""
    found = []
    for folder in _levels("cpu"):
        with contextlib.suppress(OSError, ValueError):
            quota, of = (folder / "cpu.max").read_text(encoding="ascii").split()
            found.append(int(quota) / int(of))
        with contextlib.suppress(OSError, ValueError):
            time, period = (_number(folder / f"cpu.cfs_{what}_us") for what in ("quota", "period"))
            if time > 0:
                found.append(time / period)
    return max(1, math.ceil(min(found, default=2**20)))


def available_memory() -> int | None:
    """Bytes that this process may still take, as far as the system tells."""
    left = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = (_ROOT / "proc/meminfo").read_text(encoding="ascii").splitlines()
        left.append(1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")))
    if not left and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        left.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for most, used, statistics, cached in _memory_groups():
        with contextlib.suppress(OSError, ValueError):
            left.append(most - _number(used) + _statistic(statistics, cached))
    addresses = available_addresses()
    if addresses is not None:
        left.append(addresses)
    return max(0, min(left)) if left else None


def available_addresses() -> int | None:
    """Bytes that are left of the limits of this process itself (``ulimit -v`` and ``-d``); None if it has none."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        kinds = ((resource.RLIMIT_AS, 0), (resource.RLIMIT_DATA, 5))
        limits = [(resource.getrlimit(kind)[0], used) for kind, used in kinds]
        if any(most != resource.RLIM_INFINITY for most, _ in limits):
            pages = (_ROOT / "proc/self/statm").read_text(encoding="ascii").split()  # of all addresses, ..., of data
            size = resource.getpagesize()
            left = [most - int(pages[used]) * size for most, used in limits if most != resource.RLIM_INFINITY]
            return max(0, min(left))
    return None


@functools.cache
def _memory_groups() -> list[tuple[int, Path, Path, str]]:
    """For each control group that limits memory: the limit, and the files that say what is used and may be dropped."""
    found = []
    for folder in _levels("memory"):
        for limit, used, cached in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            with contextlib.suppress(OSError, ValueError):  # "max" is no number
                most = _number(folder / limit)
                if most < _NO_LIMIT:
                    found.append((most, folder / used, folder / "memory.stat", cached))
    return found


def _levels(controller: str) -> Iterator[Path]:
    """The folders of this process's control groups of a `controller`, from its own up to the root."""
    try:
        lines = (_ROOT / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = (line + "::").split(":")[:3]
        if controllers and controller not in controllers.split(","):
            continue
        root = _ROOT / "sys/fs/cgroup" / (controller if controllers else "")
        inner = root / path.lstrip("/")
        yield from (folder for folder in (inner, *inner.parents) if folder == root or root in folder.parents)


def _number(path: Path) -> int:
    """The number that the file `path` holds."""
    return int(path.read_text(encoding="ascii"))


def _statistic(path: Path, name: str) -> int:
    """The number beside `name` in the file `path`; 0 if it is not there."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        return int(dict(line.split() for line in path.read_text(encoding="ascii").splitlines())[name])
    return 0
