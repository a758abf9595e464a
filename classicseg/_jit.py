"""The one place that knows Numba's options, and the thread runner of the library.

Every compiled function of classicseg is made by :func:`kernel`. The options, each with its reason:

``nogil``
    Kernels run outside the interpreter lock, so Python threads give real parallelism.
``error_model="numpy"``
    Division follows IEEE rules; no branch per division.
``fastmath`` without ``nnan`` and ``ninf``
    Sums may be reordered and fused, but infinities and NaNs keep their meaning.
``cache``
    Machine code is kept on disk. Numba stamps a cache entry with the one file a function lives in; a change in a
    callee of another file would leave old inlined code in use. Our key also holds a digest of all kernel sources.
No wrappers
    for C callers, nor for Python callers of inlined parts: they would cost a third of the compile time.
No ``parallel=True``
    Its thread layers abort under Python threads, hang after fork or spin on busy machines. Work is cut into tasks
    with fixed borders and :func:`run` lets plain threads claim them, so results do not depend on the thread count.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import mmap
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core.caching import FunctionCache

from classicseg.errors import InputError

log = logging.getLogger("classicseg")

_OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"nsz", "arcp", "contract", "afn", "reassoc"},
    "no_cfunc_wrapper": True,
}

ABORT = 0
"""Index in a sync array that tells all workers to leave."""


def _digest_of_kernels() -> str:
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([root / "_jit.py", *(root / "kernels").rglob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_DIGEST = _digest_of_kernels()
_compile_notice_given = False


class _KernelCache(FunctionCache):  # type: ignore[misc]
    """Numba's disk cache, keyed on the digest of all kernel sources as well."""

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return (*super()._index_key(sig, codegen), _DIGEST)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = super().load_overload(sig, target_context)
        if found is None:
            _give_compile_notice()
        return found


def _give_compile_notice() -> None:
    global _compile_notice_given
    if not _compile_notice_given:
        _compile_notice_given = True
        log.warning("compiling kernels for this machine, once (about 10 s); later runs load them from disk")


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` with the options of this library (see the module's text)."""
    dispatcher = numba.njit(**_OPTIONS)(function)
    dispatcher._cache = _KernelCache(function)
    return dispatcher


def inline(function: Callable[..., Any]) -> Any:
    """Compile `function` as a part of the kernels that call it: LLVM inlines it there, nothing is cached for itself."""
    return numba.njit(**_OPTIONS, forceinline=True, no_cpython_wrapper=True)(function)


def writable_alias(array: np.ndarray) -> np.ndarray:
    """The same memory, typed writable, for kernels that only read it: one type of array means one compilation."""
    if array.flags.writeable or array.size == 0:
        return array
    buffer: Any = (ctypes.c_char * array.nbytes).from_address(array.ctypes.data)
    return np.frombuffer(buffer, array.dtype).reshape(array.shape)


CACHE_LINE = 64  # bytes
_LARGE = 2**22


def aligned_zeros(n: int, dtype: Any) -> np.ndarray:
    """`n` zeros that begin with a cache line, as arrays of NumPy do not.

    Vectors of 64 bytes are then read and written in one piece, and work space of one thread shares no line with that
    of the next if it is a multiple of :data:`CACHE_LINE` bytes: threads that write to one line wait for each other.
    Large arrays are asked for in huge pages where the system has them: to get memory page by page takes longer than
    to fill it.
    """
    size = n * np.dtype(dtype).itemsize
    if size >= _LARGE and hasattr(mmap, "MADV_HUGEPAGE"):
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        pages.madvise(mmap.MADV_HUGEPAGE)
        return np.frombuffer(pages, dtype)
    memory = np.zeros(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size].view(dtype)


def callback(function: Callable[..., Any], signature: Any) -> Any:
    """Compile `function` as a C function, for kernels to call by its ``address``. Keep the object while they do."""
    options = {name: value for name, value in _OPTIONS.items() if name in ("error_model", "fastmath")}
    return numba.cfunc(signature, **options)(function)


# --- threads ------------------------------------------------------------------------------------------------------

_n_threads: int | None = None


def set_num_threads(n: int | None) -> None:
    """Set how many threads the library uses from now on.

    Parameters
    ----------
    n : int or None
        At least 1. None goes back to the environment variable ``CLASSICSEG_NUM_THREADS`` or, if that is not set,
        to the number of processors that this process may use.

    Raises
    ------
    ValueError
        If `n` is not a positive whole number.

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
    """The thread count of one call: its own argument, or the library's setting."""
    return get_num_threads() if n_threads is None else _checked_thread_count(n_threads, "n_threads")


def _checked_thread_count(n: Any, name: str) -> int:
    try:
        count = int(n)
    except (TypeError, ValueError, OverflowError):
        count = 0
    if count < 1 or (isinstance(n, float) and count != n):
        raise InputError(f"{name} must be a whole number of at least 1, got {n!r}")
    return min(count, 256)


def map_tasks(call: Callable[[int], Any], n_tasks: int, n_threads: int) -> list[Any]:
    """``[call(0), ..., call(n_tasks - 1)]``, with up to `n_threads` calls at a time; the calls release the GIL."""
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

    helpers = min(n_threads, n_tasks) - 1  # the calling thread works as well
    threads = [threading.Thread(target=work, name="classicseg", daemon=True) for _ in range(helpers)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def new_sync(n_counters: int) -> np.ndarray:
    """The shared words of one run: abort flag, barrier, then `n_counters` task counters, a cache line apart."""
    return np.zeros((3 + n_counters) * 8, np.int64)


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
            sync[ABORT] = 1

    threads: list[threading.Thread] = []
    try:
        for _ in range(n_threads):
            thread = threading.Thread(target=work, name="classicseg", daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
    except BaseException:
        sync[ABORT] = 1
        for thread in threads:
            thread.join()
        raise
    if failures:
        raise failures[0]
