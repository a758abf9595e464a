"""How many threads the library uses, and how they share calls that release the interpreter lock."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from classicseg.errors import InputError

_MOST = 1024  # more than any machine has use for: such a number is a mistake

_n_threads: int | None = None  # what `set_num_threads` was given


def set_num_threads(n: int | None) -> None:
    """Set how many threads the library uses from now on.

    Parameters
    ----------
    n : int or None
        From 1 to 1024. None goes back to the environment variable ``CLASSICSEG_NUM_THREADS`` or, if that is not set,
        to the number of processors that this process may use.

    Raises
    ------
    ValueError
        If `n` is not a whole number of that range.

    Notes
    -----
    Results are the same, to the bit, for every number of threads.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.set_num_threads(2)
    >>> cs.get_num_threads()
    2
    >>> cs.set_num_threads(None)
    """
    global _n_threads
    _n_threads = None if n is None else _checked_thread_count(n, "n")


def get_num_threads() -> int:
    """Return how many threads the library uses.

    Returns
    -------
    int
        What :func:`set_num_threads` was given, else ``CLASSICSEG_NUM_THREADS``, else the processors of this process.

    Examples
    --------
    >>> import classicseg as cs
    >>> cs.get_num_threads() >= 1
    True
    """
    if _n_threads is not None:
        return _n_threads
    from_environment = os.environ.get("CLASSICSEG_NUM_THREADS", "")
    if from_environment:
        return _checked_thread_count(from_environment, "the environment variable CLASSICSEG_NUM_THREADS")
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def resolve_threads(n_threads: int | None) -> int:
    """The thread count of one call: its argument `n_threads`, or the setting of the library if that is None."""
    return get_num_threads() if n_threads is None else _checked_thread_count(n_threads, "n_threads")


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
    tasks, failures = iter(range(n_tasks)), []

    def work() -> None:
        try:
            for task in tasks:
                results[task] = call(task)
        except BaseException as failure:
            failures.append(failure)
            for _ in tasks:  # leave nothing to claim
                pass

    helpers = min(n_threads, n_tasks) - 1  # the calling thread works, too
    threads = [threading.Thread(target=work, name="classicseg", daemon=True) for _ in range(helpers)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results
