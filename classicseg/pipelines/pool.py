"""Threads that work through tasks whose results are taken one by one, so that few are in memory at a time."""

from __future__ import annotations

import ctypes
import math
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable
from typing import Any

_POLL = 0.1  # seconds: some systems do not tell of Ctrl-C while a queue is waited for
_PATIENCE = 1.0  # seconds after Ctrl-C: to write a file takes less
_AHEAD = 2  # tasks for each thread that are begun and whose results were not taken: a slow one holds nobody up at once


class _Stopped(BaseException):
    """Raised in threads whose work nobody wants any more; no ``except Exception`` takes it for an error of a task."""


def results_of(
    call: Callable[[Any], Any], tasks: Iterable[Any], n_threads: int, *, in_order: bool = False
) -> Generator[tuple[int, Any], None, None]:
    """The number of each task and what `call` makes of it, made on `n_threads` threads.

    That pays if `call` releases the interpreter lock. Close the iterator (``contextlib.closing``) if it may not be
    followed to its end: what was begun is finished then, and nothing else begins. On Ctrl-C, of which the main thread
    alone hears, what was begun is interrupted, too; threads that are in a kernel for longer than a second end later.

    Parameters
    ----------
    call : callable
        Of a task. Whatever it raises ends everything.
    tasks : iterable
        Asked for the next task by one thread at a time, and not before it is needed.
    n_threads : int
    in_order : bool
        Whether the results come in the order of the tasks, or as they are finished.

    Returns
    -------
    iterator of (int, object)
        No thread runs any more when it ends, but after Ctrl-C.
    """
    return _Pool(call, tasks, n_threads).results(in_order)


class _Pool:
    """What the threads of one call share. Its queues and locks are those that an interrupt cannot leave locked."""

    def __init__(self, call: Callable[[Any], Any], tasks: Iterable[Any], n_threads: int) -> None:
        self._call, self._tasks, self._n_threads = call, iter(tasks), n_threads
        self._permits: queue.SimpleQueue[bool] = queue.SimpleQueue()  # to begin a task; False: to end
        self._told: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()  # results; -1: a thread ends, and why
        self._claiming, self._n_begun, self._is_over = threading.Lock(), 0, False
        self._calling, self._busy, self._is_stopped = threading.Lock(), set[int](), False
        for _ in range(_AHEAD * n_threads):
            self._permits.put(True)

    def results(self, in_order: bool) -> Generator[tuple[int, Any], None, None]:
        threads = [threading.Thread(target=self._work, name="classicseg", daemon=True) for _ in range(self._n_threads)]
        found: dict[int, Any] = {}
        n_taken, n_ended, last = 0, 0, math.inf
        try:
            for thread in threads:
                thread.start()
            while n_ended < len(threads) or found:
                index = n_taken if in_order else next(iter(found), -1)
                if index in found:
                    n_taken += 1
                    yield index, found.pop(index)
                    self._permits.put(True)
                    continue
                try:
                    index, told = self._told.get(timeout=_POLL)
                except queue.Empty:
                    continue
                if index >= 0:
                    found[index] = told
                elif told is not None:
                    raise told
                else:
                    n_ended += 1
        except KeyboardInterrupt:
            last = time.monotonic() + _PATIENCE
            self._interrupt()
            raise
        finally:
            self._end()
            while any(thread.is_alive() for thread in threads) and time.monotonic() < last:
                try:
                    for thread in threads:
                        thread.join(_POLL)
                except KeyboardInterrupt:  # a second one changes nothing
                    continue

    def _work(self) -> None:
        reason = None
        try:
            while self._permits.get() and (claimed := self._claim()) is not None:
                index, task = claimed
                result = self._made(task)
                self._told.put((index, result))
                del claimed, task, result
        except BaseException as failure:
            reason = failure
        self._told.put((-1, reason))

    def _claim(self) -> tuple[int, Any] | None:
        """The next task and its number; None if there is none."""
        with self._claiming:
            if self._is_over:
                return None
            try:
                task = next(self._tasks)
            except StopIteration:
                self._end()
                return None
            self._n_begun += 1
            return self._n_begun - 1, task

    def _made(self, task: Any) -> Any:
        """The result of a task; interrupts come nowhere else, where locks are held."""
        with self._calling:
            if self._is_stopped:
                raise _Stopped
            self._busy.add(threading.get_ident())
        try:
            return self._call(task)
        finally:
            with self._calling:
                self._busy.discard(threading.get_ident())

    def _end(self) -> None:
        """Nothing else begins."""
        self._is_over = True
        for _ in range(self._n_threads):
            self._permits.put(False)

    def _interrupt(self) -> None:
        with self._calling:
            self._is_stopped = True
            for ident in self._busy:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(_Stopped))
