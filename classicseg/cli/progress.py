"""How far work on many files is, on a terminal."""

from __future__ import annotations

import sys
import time

_EVERY = 0.1  # seconds


class Progress:
    """A line of standard error that is written again and again; nothing if that is no terminal."""

    def __init__(self, n: int) -> None:
        self._n, self._done, self._start = n, 0, time.perf_counter()
        self._shows, self._last, self._width = sys.stderr.isatty(), 0.0, 0

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.perf_counter() - self._start

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        now = self.seconds
        if self._shows and (now - self._last > _EVERY or self._done == self._n):
            self._last = now
            rate, left = self._done / max(now, 1e-9), now / self._done * (self._n - self._done)
            self._write(f"{self._done} of {self._n}, {rate:.3g} a second, {clock(left)} left")

    def clear(self) -> None:
        """Make room for another line."""
        if self._width:
            self._write("")

    def _write(self, text: str) -> None:
        print(f"\r{text.ljust(self._width)}", end="" if text else "\r", file=sys.stderr, flush=True)
        self._width = len(text)


def clock(seconds: float) -> str:
    """Minutes and seconds, and hours if there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
