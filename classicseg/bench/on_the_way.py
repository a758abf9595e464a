"""What a worker tells while it solves: when its clock stands still, and what it has found so far.

Kernels are compiled when they are first needed, anywhere in a run, so nobody can say beforehand how long a run may
take; told when compiling begins and ends, who waits can hold a run to its limit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import event

from classicseg.bench.contender import Moment

STANDS, RUNS = {"clock": "stands"}, {"clock": "runs"}
"""Messages: from now on time does not count, or does again."""


class Teller(event.Listener):  # type: ignore[misc]
    """Sends messages about one run.

    Parameters
    ----------
    send : callable
        ``send(message)`` passes a dictionary on.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send, self._lock, self._reasons = send, threading.RLock(), 0

    @contextmanager
    def told(self) -> Iterator[None]:
        """In between, the clock stands while kernels are loaded or compiled."""
        with event.install_listener("numba:compiler_lock", self):
            yield

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """In between, the clock stands."""
        self.on_start(None)
        try:
            yield
        finally:
            self.on_end(None)

    def on_start(self, event: Any) -> None:
        """The compiler's lock is taken, by whatever thread; `event` says nothing more."""
        with self._lock:
            self._reasons += 1
            if self._reasons == 1:
                self._send(STANDS)

    def on_end(self, event: Any) -> None:
        """The compiler's lock is given back; `event` says nothing more."""
        with self._lock:
            self._reasons -= 1
            if self._reasons == 0:
                self._send(RUNS)

    def keep(self, moment: Moment) -> None:
        """Tell what has been found so far: it is kept if the run must be ended."""
        with self._lock:
            self._send({"moment": moment})
