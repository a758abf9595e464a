"""The other end of the pipe: a worker is started, asked, and ended when it takes too much time or memory."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import time
from collections.abc import Iterator
from typing import Any

from classicseg.bench.contender import Moment
from classicseg.bench.on_the_way import STANDS
from classicseg.bench.worker import Setting, serve, status

_LOOK = 0.05  # seconds between looks at the memory of a worker
_START = 300.0  # seconds that a worker may take for what does not count: to import, to make a problem, to compile
_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
"""What libraries read to learn how many threads they may use."""


class EndedError(Exception):
    """A worker was ended, or ended itself; the text says why. `kind` is "timed out", "memory" or "crashed"."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class WorkerProcess:
    """A worker in a process of its own, started when it is first asked and again after it was ended.

    Parameters
    ----------
    name : str
        Of the contender.
    setting : Setting
    memory_mb : float or None
        What it may use; the memory of the process, libraries and problem included.

    Attributes
    ----------
    moments : list of (seconds, labels or None, lower bound or None)
        What it has told since it was last asked to do something.
    """

    def __init__(self, name: str, setting: Setting, memory_mb: float | None = None) -> None:
        self.name, self.setting, self.memory_mb = name, setting, memory_mb
        self.moments: list[Moment] = []
        self._process: Any = None
        self._pipe: Any = None
        self._starting = False  # its first reply says that it is ready, or why not

    def ask(self, *message: Any, seconds: float = _START) -> dict[str, Any]:
        """Send a message and return the answer.

        Raises
        ------
        EndedError
            If there is none: the worker was ended.
        """
        self.send(*message)
        return self.answer(seconds)

    def send(self, *message: Any) -> None:
        """Send a message, to a worker that is started if there is none; its :meth:`answer` must be taken next."""
        if self._process is None:
            self._start()
        self.moments = []
        with contextlib.suppress(OSError):  # it has ended: that is its answer
            self._pipe.send(message)

    def answer(self, seconds: float = _START) -> dict[str, Any]:
        """What it replies to the message that was sent last, within `seconds` that count.

        Raises
        ------
        EndedError
            If there is none: the worker was ended.
        """
        if self._starting:
            reply = self._wait(_START)
            self._starting = False
            if "failed" in reply:
                self.end()
                raise EndedError("crashed", reply["failed"])
        return self._wait(seconds)

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    def end(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            self._process = None

    def _start(self) -> None:
        context = _context()
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other, self.name, self.setting), daemon=True)
        with _environment(self.setting.limits.n_threads):
            self._process.start()
        other.close()
        self._starting = True

    def _wait(self, seconds: float) -> dict[str, Any]:
        """Its reply, and on the way there all else that it tells."""
        stands, allowed = False, {False: seconds, True: _START}  # whether its clock stands, and how long that may last
        left = dict(allowed)
        while True:
            since = time.monotonic()
            reply = self._next(since + left[stands], f"was ended after {allowed[stands]:.0f} s")
            left[stands] -= time.monotonic() - since
            if "clock" in reply:
                stands = reply == STANDS
            elif "moment" in reply:
                self.moments.append(reply["moment"])
            else:
                return reply

    def _next(self, end: float, late: str) -> dict[str, Any]:
        """What it tells next; where that is nothing until `end` it is ended, and that is said."""
        while not self._pipe.poll(_LOOK):
            if time.monotonic() > end:
                self.end()
                raise EndedError("timed out", late)
            if self.memory_mb is not None and self._memory() > self.memory_mb:
                used = self._memory()
                self.end()
                raise EndedError("memory", f"was ended when it used {used:.0f} MB")
        try:
            reply: dict[str, Any] = self._pipe.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        return reply

    def _memory(self) -> float:
        try:
            return status("VmRSS", self._process.pid) / 2**20
        except OSError:  # it has ended, or the system does not say
            return 0.0

    def _gone(self) -> EndedError:
        self._process.join(5)
        code = self._process.exitcode
        self.end()
        return EndedError("crashed", f"its process ended by itself, exit code {code}")


@functools.cache
def _context() -> Any:
    """Processes that share nothing; where it can be, copies of one that has imported everything before."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    suites = [f"classicseg.bench.suites.{name}" for name in ("cuts", "dense", "generated", "mrf", "regions", "uai")]
    rooms = [f"classicseg.bench.{name}" for name in ("worker", "catalog", "dividers", "ours", "peers")]
    context.set_forkserver_preload([*rooms, *suites, "skimage.segmentation"])
    return context


@contextlib.contextmanager
def _environment(n_threads: int) -> Iterator[None]:
    """With the number of threads in the environment, as processes that start in between see it."""
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, str(n_threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
