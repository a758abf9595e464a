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
    Machine code is compiled once for each machine. Numba keys an entry by the one file that a function lives in, so
    after a change in a callee of another file it would go on using the old code. Our key also holds a digest of all
    sources of kernels.
No wrappers
    for C callers, nor for Python callers of inlined parts: they would take a third of the compile time.
No ``parallel=True``
    Its thread layers abort under Python threads, hang after fork or spin on busy machines. Work is cut into tasks
    with fixed borders and :func:`classicseg.machine.parallel.run` lets plain threads claim them, so results do not
    depend on the thread count.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

log = logging.getLogger("classicseg")

FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}
"""LLVM's names of the liberties that are taken with floats."""

_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": FASTMATH, "no_cfunc_wrapper": True}


def _digest_of_kernels() -> str:
    """Digest of the sources of all that is compiled."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted([*(root / "machine").rglob("*.py"), *(root / "kernels").rglob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_DIGEST = _digest_of_kernels()
_compile_notice_given = False


class _KernelCache(FunctionCache):  # type: ignore[misc]
    """Numba's cache on disk, with the digest of all sources of kernels in its key."""

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        """Key of the entry for a signature `sig` and the processor that `codegen` is for."""
        return (*super()._index_key(sig, codegen), _DIGEST)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Machine code for the signature `sig` from the disk; where there is none, Numba will compile it.

        `target_context` is Numba's.
        """
        found = super().load_overload(sig, target_context)
        if found is None:
            _give_compile_notice()
        return found


def _give_compile_notice() -> None:
    """Tell the user once what the first seconds go into."""
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
    """Compile `function` as a part of the kernels that call it: LLVM inlines it there, and it has no cache entry."""
    return numba.njit(**_OPTIONS, forceinline=True, no_cpython_wrapper=True)(function)


def guarded(function: Callable[..., Any]) -> Any:
    """Compile a `function` of a user as a part of a callback: reading outside an array is an error there."""
    return numba.njit(**_OPTIONS, boundscheck=True, no_cpython_wrapper=True)(function)


def callback(function: Callable[..., Any], signature: Any) -> Any:
    """Compile `function` as a C function of a Numba `signature`, which kernels call by its ``address``.

    Keep the object that is returned while kernels use the address.
    """
    options = {name: value for name, value in _OPTIONS.items() if name in ("error_model", "fastmath")}
    return numba.cfunc(signature, **options)(function)
