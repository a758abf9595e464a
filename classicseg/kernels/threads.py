"""What the threads of one run share: an abort flag, a barrier that yields, and counters from which tasks are claimed.

All lie in one int64 array, each word on a cache line of its own (see :func:`classicseg._jit.new_sync`).
"""

from __future__ import annotations

from classicseg._jit import inline
from classicseg.kernels.atomics import atomic_add, atomic_load, atomic_store, pause, sleep_briefly

_ABORT, _WAITING, _GENERATION, _COUNTERS, _LINE = 0, 8, 16, 24, 8
_SPINS = 4000  # some 30 microseconds: longer than a balanced phase lets anyone wait, shorter than a time slice


@inline
def aborted(sync):  # type: ignore[no-untyped-def]
    """Whether the run is to end now."""
    return atomic_load(sync, _ABORT) != 0


@inline
def claim(sync, counter):  # type: ignore[no-untyped-def]
    """The next unclaimed task number of a counter."""
    return atomic_add(sync, _COUNTERS + counter * _LINE, 1)


@inline
def barrier(sync, n_threads):  # type: ignore[no-untyped-def]
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
