"""Memory for kernels: arrays that begin with a cache line, views of one type, and whether there is enough."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
from typing import Any

import numpy as np

from classicseg.errors import BudgetError
from classicseg.machine.limits import available_memory

CACHE_LINE = 64  # bytes
_LARGE = 2**22  # bytes; huge pages, of 2**21 each, gain nothing for smaller arrays
_KEEPING = {-1: 2**26, -3: 2**25}  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of glibc; the latter's limit


def writable_alias(array: np.ndarray) -> np.ndarray:
    """The memory of `array` as a writable array, for kernels that only read it.

    Read-only arrays are of another type to Numba, and a kernel would be compiled again for them.
    """
    if array.flags.writeable:
        return array
    if array.size == 0:
        return np.empty_like(array)
    buffer: Any = (ctypes.c_char * array.nbytes).from_address(array.ctypes.data)
    return np.frombuffer(buffer, array.dtype).reshape(array.shape)


def aligned_zeros(n: int, dtype: Any) -> np.ndarray:
    """An array of `n` zeros of `dtype` that begins with a cache line, as arrays of NumPy need not.

    Vectors of 64 bytes are then read and written in one piece. Threads that write to the same line wait for each other:
    work space in multiples of :data:`CACHE_LINE` bytes keeps each on lines of its own. Large arrays are asked for in
    huge pages where the system has them, since getting memory page by page takes longer than filling it. BudgetError if
    there is not so much.
    """
    size = n * np.dtype(dtype).itemsize
    if size >= _LARGE and hasattr(mmap, "MADV_HUGEPAGE"):
        try:
            pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except (OSError, OverflowError) as failure:
            raise BudgetError(f"work space of {_as_text(size)} cannot be had: {failure}") from failure
        with contextlib.suppress(OSError):  # a system may be built without huge pages
            pages.madvise(mmap.MADV_HUGEPAGE)
        return np.frombuffer(pages, dtype)
    memory = np.zeros(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size].view(dtype)


def check_memory(nbytes: float, what: str, hint: str = "") -> None:
    """Raise BudgetError, which says `what` needs memory and may give a `hint`, if `nbytes` are more than are free."""
    available = available_memory()
    if available is not None and nbytes > available:
        text = f"{what} would need {_as_text(nbytes)}, but {_as_text(available)} are free on this machine"
        raise BudgetError(f"{text}; {hint}" if hint else text)


def is_far_below_free(nbytes: float) -> bool:
    """Whether `nbytes` are less than half of what is free, so that nobody needs to know them better."""
    available = available_memory()
    return available is None or nbytes < available / 2


def give_back() -> None:
    """Let the system have memory that was freed.

    The allocator of glibc keeps what may be asked for again, of work space some dozens of MB for each thread; others
    have no such call.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def _as_text(nbytes: float) -> str:
    """`nbytes` as people read them."""
    return f"{nbytes / 2**30:.1f} GiB" if nbytes >= 2**30 else f"{nbytes / 2**20:.1f} MiB"


def keep_freed() -> None:
    """Have the allocator of this process keep what is freed for what is asked for next, up to 64 MiB of it.

    Workers of Dask are started with the opposite wish, and then every array of a window is given back to the system and
    got anew page by page, which takes as long as the work itself.
    """
    option = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if option is not None:
        for parameter, value in _KEEPING.items():
            option(parameter, value)
