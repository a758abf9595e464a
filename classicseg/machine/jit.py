"""The one place that knows Numba's options.

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

_OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"nsz", "arcp", "contract", "afn", "reassoc"},
    "no_cfunc_wrapper": True,
}


def _digest_of_kernels() -> str:
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted([*(root / "machine").rglob("*.py"), *(root / "kernels").rglob("*.py")]):
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


def callback(function: Callable[..., Any], signature: Any) -> Any:
    """Compile `function` as a C function, for kernels to call by its ``address``. Keep the object while they do."""
    options = {name: value for name, value in _OPTIONS.items() if name in ("error_model", "fastmath")}
    return numba.cfunc(signature, **options)(function)
