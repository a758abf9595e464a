"""How many threads the library uses, and how they share calls that release the interpreter lock."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from classicseg.errors import BudgetError, InputError
from classicseg.machine.limits import available_addresses, processors

_MOST = 1024  # more than any machine has use for: such a number is a mistake
_THREAD = 16 * 2**20  # bytes: the stack of a thread, and what Python needs to begin it
_POLL = 1e-4  # seconds between looks at threads that are about to end
_WORK = 2**15  # values that keep a thread busy for longer than it takes to start it and to wait for it
_VARIABLES = ("CLASSICSEG_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS")  # the first that is set counts

_n_threads: int | None = None  # what `set_num_threads` was given


def set_num_threads(n: int | None) -> None:
    """Set how many threads the library may use from now on.

    Parameters
    ----------
    n : int or None
        From 1 to 1024. None goes back to the environment: the first of the variables ``CLASSICSEG_NUM_THREADS``,
        ``NUMBA_NUM_THREADS`` and ``OMP_NUM_THREADS`` that is set or, if none is, all processors.

    Raises
    ------
    ValueError
        If `n` is not a whole number of that range.

    Notes
    -----
    The number is a limit. No more threads run than there are processors that this process may use, as its affinity and
    the quota of its container say, and only one for little work. Results are the same, to the bit, for every number.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.set_num_threads(1)
    >>> cs.get_num_threads()
    1
    >>> cs.set_num_threads(None)
    """
    global _n_threads
    _n_threads = None if n is None else _checked_thread_count(n, "n")


def get_num_threads() -> int:
    """Return how many threads the library uses where there is enough work.

    Returns
    -------
    int
        The limit of :func:`set_num_threads`, which tells where it comes from, or the number of processors if there are
        fewer.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.get_num_threads() >= 1
    True
    """
    return min(_limit(), _most_at_once())


def resolve_threads(n_threads: int | None, work: int | None = None) -> int:
    """The thread count of one call.

    Parameters
    ----------
    n_threads : int or None
        The argument of the call, a limit; None stands for the setting of the library.
    work : int, optional
        How many values are worked on, again and again.
    """
    limit = _limit() if n_threads is None else _checked_thread_count(n_threads, "n_threads")
    limit = min(limit, _most_at_once())
    return limit if work is None else max(1, min(limit, work // _WORK))


def _limit() -> int:
    """The setting of the library."""
    if _n_threads is not None:
        return _n_threads
    for name in _VARIABLES:
        if text := os.environ.get(name, ""):
            if name == _VARIABLES[0]:
                return _checked_thread_count(text, f"the environment variable {name}")
            with contextlib.suppress(ValueError):  # what others make of a variable that is theirs is their business
                return max(1, int(text.split(",")[0]))  # OpenMP takes a number for each level
    return processors()


def _most_at_once() -> int:
    """Threads that can run at the same time."""
    return processors()


def _checked_thread_count(n: Any, name: str) -> int:
    """`n` as a thread count; an error calls it `name`. Text is read too: that of an environment variable."""
    try:
        count = int(n)
    except (TypeError, ValueError, OverflowError):
        count = 0
    if not 1 <= count <= _MOST or (isinstance(n, float) and count != n):
        raise InputError(f"{name} must be a whole number from 1 to {_MOST}, got {n!r}")
    return count


def map_tasks(call: Callable[[int], Any], n_tasks: int, n_threads: int) -> list[Any]:
    """``[call(0), ..., call(n_tasks - 1)]``, made on up to `n_threads` threads.

    That pays if `call` releases the interpreter lock. Tasks are claimed one by one, so they need not take equally long.
    If one fails, no further one begins, and its error is raised.
    """
    results: list[Any] = [None] * n_tasks
    tasks = iter(range(n_tasks))

    def work() -> None:
        for task in tasks:
            results[task] = call(task)

    def abort() -> None:
        for _ in tasks:  # leave nothing to claim
            pass

    run_threads(work, min(n_threads, n_tasks) - 1, abort, meanwhile=work)
    return results


def _check_room(n_threads: int) -> None:
    """Raise BudgetError if `n_threads` new ones have no room: Python waits for ever for one that dies at its start."""
    left = available_addresses() if n_threads > 0 else None
    if left is not None and left < (n_threads + 1) * _THREAD:
        raise BudgetError(f"{n_threads} more threads have no room in {left / 2**20:.0f} MiB; set n_threads lower")


def _start(thread: threading.Thread) -> None:
    """Start `thread`, or raise BudgetError if the system gives no more."""
    try:
        thread.start()
    except RuntimeError as failure:
        raise BudgetError(f"the system gives no more threads ({failure}); set n_threads lower") from failure


def run_threads(
    work: Callable[[], None], n_threads: int, abort: Callable[[], None], meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Call `work` on `n_threads` new threads at once and wait for all.

    Parameters
    ----------
    work : callable
        May be called after `abort`, too, and has nothing to do then.
    n_threads : int
    abort : callable
        Called when something fails or Ctrl-C is pressed: makes all `work` end soon. Whatever happens, no thread works
        any more when the error is raised, so that what they worked on may be changed and freed.
    meanwhile : callable
        What the calling thread does. While it is in a kernel, Ctrl-C has to wait.
    """
    failures: list[BaseException] = []
    begun: list[None] = []  # the threads count for themselves: `join` may return too early after an interrupt
    ended: list[None] = []

    def counted() -> None:
        begun.append(None)
        try:
            work()
        except BaseException as failure:
            failures.append(failure)
            abort()
        finally:
            ended.append(None)

    _check_room(n_threads)
    threads = [threading.Thread(target=counted, name="classicseg", daemon=True) for _ in range(n_threads)]
    try:
        for thread in threads:
            _start(thread)
        meanwhile()
        for thread in threads:
            thread.join()
    except BaseException as interruption:
        failures.insert(0, interruption)
        abort()
    while len(ended) < len(begun):
        try:
            time.sleep(_POLL)
        except BaseException as interruption:  # a second Ctrl-C changes nothing
            failures.insert(0, interruption)
    if failures:
        raise failures[0]
