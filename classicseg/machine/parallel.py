"""One kernel on many threads at once: starting and ending them, and what they share while they run.

They share an abort flag, a barrier, and counters from which tasks are claimed. All lie in one int64 array, each on
a cache line of its own. Threads that wait spin for a moment, then sleep: a busy machine gets its processors back.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from classicseg.machine.atomics import atomic_add, atomic_load, atomic_store, pause, sleep_briefly
from classicseg.machine.jit import inline
from classicseg.machine.threads import run_threads

_LINE = 8  # words of a cache line
_ABORT, _WAITING, _GENERATION, _COUNTERS = 0, _LINE, 2 * _LINE, 3 * _LINE  # where the words lie
_SPINS = 4000  # some 30 microseconds: longer than a balanced phase lets anyone wait, shorter than a time slice


_KNOWN: dict[tuple[Any, Any], Any] = {}  # what kernels are compiled to


def new_sync(n_counters: int) -> np.ndarray:
    """The words that the threads of one run share, with `n_counters` counters from which tasks are claimed."""
    return np.zeros(_COUNTERS + n_counters * _LINE, np.int64)


def run(region: Any, n_threads: int, sync: np.ndarray, *args: Any, brief: bool = False) -> None:
    """Run ``region(sync, n_threads, *args)`` on `n_threads` threads at once and wait for all.

    The threads live for this call only: there is nothing to reset after a fork, and callers in several Python threads
    never wait for each other. Unless the work is brief, the calling thread only waits, so Ctrl-C is answered at once:
    it raises the abort flag, which kernels look at between blocks of work.

    Parameters
    ----------
    region : kernel
        What the threads run.
    n_threads : int
    sync : ndarray, int64
        Of :func:`new_sync`.
    *args
        Whatever else the kernel takes.
    brief : bool
        Whether the work is done in a few milliseconds, so that Ctrl-C can wait for it. Then the calling thread is one
        of those that do it: to start another takes a noticeable part of such a time.
    """
    # Compile here: a worker could not be interrupted. What is compiled is then called without a look at types again.
    compiled = _compiled(region, (sync, n_threads, *args))

    def work() -> None:
        if sync[_ABORT] == 0:
            compiled(sync, n_threads, *args)

    def abort() -> None:
        sync[_ABORT] = 1

    if brief:
        run_threads(work, n_threads - 1, abort, meanwhile=work)
    else:
        run_threads(work, n_threads, abort)


def _compiled(region: Any, args: tuple[Any, ...]) -> Any:
    """What `region` is compiled to for arguments like `args`."""
    kind = region, _kind(args)
    if kind not in _KNOWN:
        _KNOWN[kind] = region.compile(tuple(numba.typeof(a) for a in args))
    return _KNOWN[kind]


def _kind(value: Any) -> Any:
    """What tells Numba's type of `value`, an argument of a kernel, at a tenth of the time that its type takes."""
    if isinstance(value, np.ndarray):
        flags = value.flags
        return value.dtype, value.ndim, flags.c_contiguous, flags.f_contiguous, flags.writeable, flags.aligned
    if isinstance(value, tuple):
        return type(value), *map(_kind, value)
    return type(value) if isinstance(value, (int, float, np.generic)) or value is None else numba.typeof(value)


@inline
def aborted(sync):
    """Whether the run that shares `sync` is to end now."""
    return atomic_load(sync, _ABORT) != 0


@inline
def claim(sync, counter):
    """The first task that no thread has claimed yet from `counter`, one of those in `sync`."""
    return atomic_add(sync, _COUNTERS + counter * _LINE, 1)


@inline
def reset(sync, counter, n):
    """Let `n` counters of `sync`, from `counter` on, begin anew; no thread may be claiming from them."""
    for i in range(counter, counter + n):
        atomic_store(sync, _COUNTERS + i * _LINE, 0)


@inline
def linger(spins):
    """Let a thread that has lingered `spins` times before wait a little longer; returns how often it has now."""
    spins += 1
    if spins < _SPINS:
        pause()
    else:
        sleep_briefly()
    return spins


@inline
def barrier(sync, n_threads):
    """Wait until all `n_threads` threads that share `sync` are here."""
    if n_threads == 1:
        return
    generation = atomic_load(sync, _GENERATION)
    if atomic_add(sync, _WAITING, 1) == n_threads - 1:
        atomic_store(sync, _WAITING, 0)
        atomic_add(sync, _GENERATION, 1)
        return
    spins = 0
    while atomic_load(sync, _GENERATION) == generation and not aborted(sync):
        spins = linger(spins)
