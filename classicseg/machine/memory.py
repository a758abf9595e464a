"""Memory for kernels: arrays that begin with a cache line, views of one type, and whether there is enough."""

from __future__ import annotations

import ctypes
import mmap
from typing import Any

import numpy as np

from classicseg.errors import BudgetError
from classicseg.machine.limits import available_memory

CACHE_LINE = 64  # bytes
_LARGE = 2**22  # bytes; huge pages, of 2**21 each, gain nothing for smaller arrays


def writable_alias(array: np.ndarray) -> np.ndarray:
    """The memory of `array` as a writable array, for kernels that only read it.

    Read-only arrays are of another type to Numba, and a kernel would be compiled again for them.
    """
    if array.flags.writeable or array.size == 0:
        return array
    buffer: Any = (ctypes.c_char * array.nbytes).from_address(array.ctypes.data)
    return np.frombuffer(buffer, array.dtype).reshape(array.shape)


def aligned_zeros(n: int, dtype: Any) -> np.ndarray:
    """An array of `n` zeros of `dtype` that begins with a cache line, as arrays of NumPy need not.

    Vectors of 64 bytes are then read and written in one piece. Threads that write to the same line wait for each other:
    work space in multiples of :data:`CACHE_LINE` bytes keeps each on lines of its own. Large arrays are asked for in
    huge pages where the system has them, since getting memory page by page takes longer than filling it.
    """
    size = n * np.dtype(dtype).itemsize
    if size >= _LARGE and hasattr(mmap, "MADV_HUGEPAGE"):
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        pages.madvise(mmap.MADV_HUGEPAGE)
        return np.frombuffer(pages, dtype)
    memory = np.zeros(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size].view(dtype)


def check_memory(nbytes: float, what: str) -> None:
    """Raise BudgetError, which says `what` needs memory, if `nbytes` are more than are free."""
    available = available_memory()
    if available is not None and nbytes > available:
        raise BudgetError(
            f"{what} would need {nbytes / 2**30:.1f} GiB, but {available / 2**30:.1f} GiB are free on this machine"
        )
