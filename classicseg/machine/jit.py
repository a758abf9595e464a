"""The one place that knows Numba's options.

Compiled functions of classicseg are made by :func:`kernel`, the parts that they call by :func:`inline`, and functions
for kernels to call by address by :func:`callback`, with what a user wrote in :func:`guarded`. The options, each with
its reason:

``nogil``
    Kernels run outside the interpreter lock, so Python threads give real parallelism.
``error_model="numpy"``
    Division follows IEEE rules; no branch per division.
``fastmath`` without ``nnan`` and ``ninf``
    Sums may be reordered and fused, but infinities and NaNs keep their meaning.
A cache on disk
    Machine code is compiled once for each machine, see :mod:`classicseg.machine.cache`.
No wrappers
    for C callers, nor for Python callers of inlined parts: they would take a third of the compile time. Nor have parts
    machine code, see :mod:`classicseg.machine.parts`.
No ``parallel=True``
    Its thread layers abort under Python threads, hang after fork or spin on busy machines. Work is cut into tasks
    with fixed borders and :func:`classicseg.machine.parallel.run` lets plain threads claim them, so results do not
    depend on the thread count.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import numba
from numba.core import event
from numba.core.compiler_lock import global_compiler_lock

from classicseg.machine.cache import KernelCache
from classicseg.machine.parts import PartCompiler

FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}
"""LLVM's names of the liberties that are taken with floats."""

_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": FASTMATH, "no_cfunc_wrapper": True}

if hasattr(os, "register_at_fork"):  # a child that is born while another thread compiles would wait for it for ever
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )


class _Preparation(event.Listener):  # type: ignore[misc]
    """A clock, for each thread, that runs while the thread holds the compiler's lock."""

    def __init__(self) -> None:
        self._own = threading.local()

    def on_start(self, event: Any) -> None:
        """The lock is taken, once more if it is held already; `event` says nothing more."""
        self._own.depth = getattr(self._own, "depth", 0) + 1
        if self._own.depth == 1:
            self._own.since = time.perf_counter()

    def on_end(self, event: Any) -> None:
        """The lock is given back; `event` says nothing more."""
        self._own.depth -= 1
        if self._own.depth == 0:
            self._own.seconds = self.seconds() + time.perf_counter() - self._own.since

    def seconds(self) -> float:
        """What the clock of this thread shows."""
        return getattr(self._own, "seconds", 0.0)


_preparation = _Preparation()
event.register("numba:compiler_lock", _preparation)


def seconds_preparing() -> float:
    """How long this thread has been loading and compiling kernels so far."""
    return _preparation.seconds()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` with the options of this library (see the module's text)."""
    dispatcher = numba.njit(**_OPTIONS)(function)
    dispatcher._cache = KernelCache(function)
    return dispatcher


def inline(function: Callable[..., Any]) -> Any:
    """Compile `function` as a part of the kernels that call it: LLVM inlines it there, and it has no cache entry."""
    return numba.njit(**_OPTIONS, forceinline=True, no_cpython_wrapper=True, pipeline_class=PartCompiler)(function)


def guarded(function: Callable[..., Any]) -> Any:
    """Compile a `function` of a user as a part of a callback: reading outside an array is an error there."""
    return numba.njit(**_OPTIONS, boundscheck=True, no_cpython_wrapper=True)(function)


def callback(function: Callable[..., Any], signature: Any) -> Any:
    """Compile `function` as a C function of a Numba `signature`, which kernels call by its ``address``.

    Keep the object that is returned while kernels use the address.
    """
    options = {name: value for name, value in _OPTIONS.items() if name in ("error_model", "fastmath")}
    return numba.cfunc(signature, **options)(function)
