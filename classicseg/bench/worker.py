"""A process that holds one contender, warm, and solves what it is told to when it is its turn.

Messages over the pipe are tuples, answers dictionaries; ``{"failed": text}`` where something went wrong, and
``{"refused": text}`` where it does not serve the problem. While it solves it tells more, see
:mod:`classicseg.bench.on_the_way`.
"""

from __future__ import annotations

import gc
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classicseg.bench.contender import Answer, Limits
from classicseg.bench.on_the_way import Teller
from classicseg.errors import BudgetError


@dataclass(frozen=True)
class Setting:
    """What every worker of a run is told when it starts."""

    data: Path | None
    plugins: tuple[Path, ...]
    limits: Limits


def serve(pipe: Any, name: str, setting: Setting) -> None:
    """Answer until told to end: ``("open", problem)``, ``("solve", watched)``, ``("close",)``."""
    _be_silent()
    try:
        worker: Any = _Yardstick() if name == YARDSTICK else _Worker(name, setting, pipe.send)
    except Exception as failure:
        pipe.send({"failed": told(failure)})
        return
    gc.freeze()  # what was imported need not be looked through again and again
    pipe.send({"ready": True})
    while True:
        try:
            message, *arguments = pipe.recv()
        except (EOFError, OSError):  # the one who asked is gone
            return
        try:
            reply = getattr(worker, message)(*arguments)
        except BudgetError as failure:  # what it would take is known before any work
            reply = {"refused": str(failure)}
        except MemoryError:
            gc.collect()
            reply = {"failed": "ran out of memory"}
        except Exception as failure:
            reply = {"failed": told(failure)}
        pipe.send(reply)


YARDSTICK = "yardstick"
"""The name of a piece of work that is always the same, by which the speed of the machine is told."""


class _Yardstick:
    """Takes its turn like a contender."""

    def __init__(self) -> None:
        import numpy as np

        self.numbers = np.random.default_rng(0).random(300_000)

    def solve(self) -> dict[str, Any]:
        """Sort, add, look up: some 40 ms of what solvers do."""
        import numpy as np

        start = time.perf_counter()
        order = np.argsort(self.numbers)
        np.cumsum(self.numbers[order]).searchsorted(self.numbers)
        return {"seconds": time.perf_counter() - start}


class _Worker:
    """One contender, and the problem that is open."""

    def __init__(self, name: str, setting: Setting, send: Callable[[dict[str, Any]], None]) -> None:
        from classicseg import set_num_threads
        from classicseg.bench import catalog

        set_num_threads(setting.limits.n_threads)
        catalog.load_plugins(setting.plugins)
        self.contender = catalog.contenders()[name]
        self.problems = catalog.problems(setting.data)
        self.data, self.limits = setting.data, setting.limits
        self.instance: Any = None
        self.teller = Teller(send)

    def open(self, name: str) -> dict[str, Any]:
        """Make a problem, and say whether the contender takes it."""
        self.instance = self.problems[name].make(self.data)
        gc.collect()
        return {"refused": self.contender.refuses(self.instance)}

    def close(self) -> dict[str, Any]:
        """Forget the problem."""
        self.instance = None
        gc.collect()
        return {}

    def solve(self, watched: bool) -> dict[str, Any]:
        """Solve it, and say how long that took."""
        with self.teller.uncounted():
            if watched and self.contender.watched:
                call = self.contender.watched(self.instance, self.limits, self.teller.keep)
            else:
                call = self.contender.prepare(self.instance, self.limits)
        gc.disable()
        before = peak_memory_from_here()
        start, cpu = time.perf_counter(), time.process_time()
        try:
            with self.teller.told():
                answer = call()
            cpu, seconds = time.process_time() - cpu, time.perf_counter() - start
        finally:
            gc.enable()
        if not isinstance(answer, Answer):
            answer = Answer(answer)
        return {
            "labels": answer.labels,
            "lower_bound": answer.lower_bound,
            "message": answer.message,
            "stopped": answer.stopped,
            "curve": answer.curve,
            "seconds": seconds if answer.seconds is None else answer.seconds,
            "cpu_seconds": cpu,
            "peak_mb": None if before is None else round((status("VmHWM") - before) / 2**20, 1),
        }


def peak_memory_from_here() -> int | None:
    """Forget the peak of memory so far, and return what is in use, in bytes; None where the system cannot say."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return status("VmRSS")
    except OSError:
        return None


def status(field: str, process: int | str = "self") -> int:
    """A number of bytes that Linux knows of a process."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), 0)


def told(failure: BaseException) -> str:
    """An error in a line, with the place where it was raised."""
    place = traceback.extract_tb(failure.__traceback__)
    where = f" ({Path(place[-1].filename).name}, line {place[-1].lineno})" if place else ""
    return f"{type(failure).__name__}: {failure}{where}"


def _be_silent() -> None:
    """Let nothing that a library prints reach the terminal, whatever way it prints."""
    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os.close(nothing)
