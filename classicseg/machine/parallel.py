"""One compiled region on many threads: starting and ending them, and what they share while they run.

They share an abort flag, a barrier that yields, and counters from which tasks are claimed. All lie in one int64 array,
each word on a cache line of its own.
"""

from __future__ import annotations

import threading
from typing import Any

import numba
import numpy as np

from classicseg.machine.atomics import atomic_add, atomic_load, atomic_store, pause, sleep_briefly
from classicseg.machine.jit import inline

_ABORT, _WAITING, _GENERATION, _COUNTERS, _LINE = 0, 8, 16, 24, 8
_SPINS = 4000  # some 30 microseconds: longer than a balanced phase lets anyone wait, shorter than a time slice


def new_sync(n_counters: int) -> np.ndarray:
    """The shared words of one run: abort flag, barrier, then `n_counters` task counters, a cache line apart."""
    return np.zeros(_COUNTERS + n_counters * _LINE, np.int64)


def run(region: Any, n_threads: int, sync: np.ndarray, *args: Any) -> None:
    """Run ``region(sync, n_threads, *args)`` on `n_threads` threads at once and wait for all.

    The threads live for this call only: nothing to reset after a fork, and callers in several Python threads never
    wait for each other. The calling thread only waits, so Ctrl-C is answered at once: it raises the abort flag that
    the kernels poll between blocks of work.
    """
    signature = tuple(numba.typeof(a) for a in (sync, n_threads, *args))
    # Here, not in the workers, where Ctrl-C could not reach it; the result asks for no types again.
    compiled = region.compile(signature)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            compiled(sync, n_threads, *args)
        except BaseException as failure:
            failures.append(failure)
            sync[_ABORT] = 1

    threads: list[threading.Thread] = []
    try:
        for _ in range(n_threads):
            thread = threading.Thread(target=work, name="classicseg", daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
    except BaseException:
        sync[_ABORT] = 1
        for thread in threads:
            thread.join()
        raise
    if failures:
        raise failures[0]


@inline
def aborted(sync):
    """Whether the run is to end now."""
    return atomic_load(sync, _ABORT) != 0


@inline
def claim(sync, counter):
    """The next unclaimed task number of a counter."""
    return atomic_add(sync, _COUNTERS + counter * _LINE, 1)


@inline
def barrier(sync, n_threads):
    """Wait until all threads are here. Spins for a moment, then sleeps: a busy machine gets its processor back."""
    if n_threads == 1:
        return
    generation = atomic_load(sync, _GENERATION)
    if atomic_add(sync, _WAITING, 1) == n_threads - 1:
        atomic_store(sync, _WAITING, 0)
        atomic_add(sync, _GENERATION, 1)
        return
    spins = 0
    while atomic_load(sync, _GENERATION) == generation and not aborted(sync):
        spins += 1
        if spins < _SPINS:
            pause()
        else:
            sleep_briefly()
