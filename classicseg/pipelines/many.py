"""Many images, several at a time, each on a thread of its own."""

from __future__ import annotations

import contextlib
import errno
import math
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from classicseg import inputs
from classicseg.filters.counting import Count
from classicseg.filters.memory import peak_bytes
from classicseg.machine.limits import available_memory
from classicseg.machine.threads import resolve_threads

T = TypeVar("T")
_USED = 0.8  # of the memory that is free: estimates are rough, and others work on the machine
_SHARED = (0.02, 0.5)  # vertices for each point: of smoothness and appearance kernels, rather too many
_COPIES = 3  # of scores that are there at once: as read, as costs, as marginals
_POLL = 0.1  # seconds: who waits for a lock of the system does not hear that all is over
_HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # what ends the writing of one file ends that of all


def attempt(call: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """What a call returns, or the error that ended it; a full or read-only disk is raised, as it ends all others."""
    try:
        return call(), None
    except Exception as failure:
        if isinstance(failure, OSError) and failure.errno in _HOPELESS:
            raise
        return None, failure


def bytes_of_refinement(shape: Sequence[int], n_channels: int, n_labels: int, n_scores: int) -> float:
    """About how much memory it takes to refine an image of a spatial `shape` with so many scores."""
    n, d = math.prod(shape), len(shape)
    corners = d + 1, d + n_channels + 1
    counts = [Count(k, share * n) for k, share in zip(corners, _SHARED, strict=True)]
    return peak_bytes(n, counts, n_labels, 1) + 4.0 * (_COPIES * n_scores + 2 * n_channels * n)


class Gate:
    """Lets small images be worked on together, and large ones alone, on the threads of all.

    Parameters
    ----------
    n_workers : int
        How many images are worked on at a time.
    n_threads : int
        For each of them.

    Attributes
    ----------
    share : float
        Bytes that each may take.
    largest : float
        Bytes that one wanted.
    """

    def __init__(self, n_workers: int, n_threads: int) -> None:
        free = available_memory()
        self.share = math.inf if free is None else _USED * free / n_workers
        self.largest = 0.0
        self.n_workers, self.n_threads = n_workers, n_threads
        self._entering, self._slots = threading.Lock(), queue.SimpleQueue[None]()
        self._give(n_workers)

    @contextlib.contextmanager
    def admit(self, nbytes: float) -> Iterator[int]:
        """Wait until there is room for so much, and say how many threads to use."""
        self.largest = max(self.largest, nbytes)
        wanted, taken = 1 if nbytes <= self.share else self.n_workers, 0
        try:
            with self._entering:  # what is large takes slot after slot, and nobody gets one before it has all
                while taken < wanted:
                    with contextlib.suppress(queue.Empty):
                        self._slots.get(timeout=_POLL)
                        taken += 1
            yield wanted * self.n_threads
        finally:
            self._give(taken)

    def _give(self, n: int) -> None:
        for _ in range(n):
            self._slots.put(None)


def workers_for(n_items: int | None, n_workers: int | None, n_threads: int | None) -> tuple[int, int]:
    """How many images at a time, and threads for each: of many images each has one thread, of few several.

    Parameters
    ----------
    n_items : int or None
        How many there are; None if nobody knows.
    n_workers, n_threads : int or None
        What is asked for.
    """
    n_processors = resolve_threads(None)
    each = None if n_threads is None else resolve_threads(n_threads)
    workers = max(1, n_processors // (each or 1)) if n_workers is None else inputs.as_count(n_workers, "n_workers", 1)
    if n_items is not None:
        workers = max(1, min(workers, n_items))
    return workers, each or max(1, n_processors // workers)
