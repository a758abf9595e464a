"""Entries: functions that pages call, made of the library's kernels.

An entry takes plain numbers and pointers to the memory of the page, so that JavaScript needs to know nothing about
Numba's arrays. Its annotations are the types that it is compiled for, and what ``frame/kernels.js`` copies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba import types

from classicseg.machine.jit import FASTMATH

_NO_WRAPPERS = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

I32, F32, F64 = types.int32, types.float32, types.float64
I32S, F32S, F64S, U8S = (types.CPointer(t) for t in (types.int32, types.float32, types.float64, types.uint8))


def entry(function: Callable[..., Any]) -> Any:
    """Compile `function` for the types of its annotations, as kernels are, but without any wrapper for Python."""
    argument_types = [t for name, t in function.__annotations__.items() if name != "return"]
    compiled = numba.njit(types.int32(*argument_types), fastmath=FASTMATH, **_NO_WRAPPERS)(function)
    compiled.is_entry = True
    return compiled


def exact(function: Callable[..., Any]) -> Any:
    """Compile `function` as a part of entries in which every float is rounded as NumPy rounds it.

    Without a word about `fastmath` it would take the liberties of the entry that it is compiled for.
    """
    return numba.njit(forceinline=True, fastmath=False, **_NO_WRAPPERS)(function)
