"""Where compiled kernels are kept between processes, and how they are read back.

Numba's own cache has one index file for each function, fails where no folder can be written to, and takes whatever a
folder holds. Machine code is kept as pickles, and to load a pickle is to run what it says. So ours reads only from
folders that nobody but this user, the administrator, or the owner of the library can write to. A kernel is one file,
named by what it was compiled from and for; a file that is damaged, or of another kernel, counts as missing.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import pickle
import shutil
import stat
import sys
import tempfile
import types
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import config
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.runtime import rtsys
from numba.core.serialize import dumps
from numba.misc.appdirs import AppDirs

from classicseg.machine.memory import check_memory

log = logging.getLogger("classicseg")

PACKAGE = Path(__file__).parents[1]
_LLVM = 192 * 2**20
"""Bytes that a compiler may ask for while it loads or compiles a kernel; where it gets less, it ends the process."""


def _digest_of_kernels() -> str:
    """Digest of the sources of all that is compiled: code in a callee of another file changes a kernel as well."""
    digest = hashlib.sha256()
    for path in sorted([*(PACKAGE / "machine").rglob("*.py"), *(PACKAGE / "kernels").rglob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _places() -> list[Path]:
    """Where kernels may be kept, the best place first; each holds a folder for every version of them."""
    users = Path(AppDirs(appname="classicseg", appauthor=False).user_cache_dir)
    found = [Path(config.CACHE_DIR) / "classicseg"] if config.CACHE_DIR else []
    found += [PACKAGE / "__pycache__", users]
    with contextlib.suppress(OSError):  # there may be no folder for temporary files
        found.append(Path(tempfile.gettempdir()) / f"classicseg-{os.getuid() if hasattr(os, 'getuid') else 'kernels'}")
    name = "kernels-" + hashlib.sha256(str(PACKAGE).encode()).hexdigest()[:8]  # of this installation
    return [place / name for place in found if place.is_absolute()]  # without a home, that of a user is not


@functools.cache
def folders() -> tuple[list[Path], Path | None]:
    """The folders of this version of the kernels to read from, and the one of them to write to, if there is one."""
    digest, readable = _digest_of_kernels(), []
    for place in _places():
        folder = place / digest
        with contextlib.suppress(OSError):
            if not folder.is_dir():
                _make(folder)
            if is_safe(folder):
                readable.append(folder)
                if os.access(folder, os.W_OK):
                    return readable, folder
    return readable, None


def _make(folder: Path) -> None:
    """Make `folder`, for this user only, and remove those of older kernels beside it."""
    for path in (folder.parent.parent, folder.parent, folder):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_safe(folder.parent):
        for older in folder.parent.iterdir():
            if older != folder:
                shutil.rmtree(older, ignore_errors=True)


def is_safe(folder: Path) -> bool:
    """Whether nobody can write to `folder`, or exchange it, but those whom this process trusts anyway."""
    if not hasattr(os, "getuid"):
        return True  # Windows: folders of a user belong to that user
    trusted, folder = (os.getuid(), 0, PACKAGE.stat().st_uid), folder.resolve()
    if not _is_kept(folder.stat(), trusted):
        return False
    above = [path.stat() for path in folder.parents]
    return all(info.st_mode & stat.S_ISVTX or _is_kept(info, trusted) for info in above)


def _is_kept(info: os.stat_result, trusted: tuple[int, ...]) -> bool:
    """Whether only `trusted` users can write to what has the status `info`."""
    others = info.st_mode & stat.S_IWOTH or (info.st_mode & stat.S_IWGRP and info.st_gid != _own_group(info.st_uid))
    return info.st_uid in trusted and not others


def _own_group(user: int) -> int:
    """The group that a `user` has alone; -1 if the number has no name, as in containers."""
    import pwd

    try:
        return pwd.getpwuid(user).pw_gid
    except KeyError:
        return -1


@functools.cache
def _give_compile_notice() -> None:
    """Tell the user, once in a process, what the first seconds go into."""
    folder, text = folders()[1], "compiling kernels that this machine has not used yet, for some seconds each; "
    if folder is None:
        text += "every process does so, as no folder is there to keep them in that nobody else can write to"
    else:
        text += f"they are kept in {folder}; `classicseg warmup` compiles the usual ones ahead of time"
    if folder is None or (Path(tempfile.gettempdir()) in folder.parents and not config.CACHE_DIR):
        text += "; the environment variable NUMBA_CACHE_DIR names a better folder"
    log.warning(text)


class KernelCache(_Cache):  # type: ignore[misc]
    """The machine code of one kernel, for every signature, on disk.

    Parameters
    ----------
    function : callable
        The Python function that is compiled.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        code = function.__code__
        constants = [constant for constant in code.co_consts if not isinstance(constant, types.CodeType)]
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._made_of = (self._name, code.co_code, repr(constants), sys.version_info[:2], numba.__version__)

    @property
    def cache_path(self) -> str:
        """The folder that is written to; Numba shows it in its statistics."""
        return str(folders()[1])

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Machine code for the signature `sig`, or None; `target_context` is Numba's."""
        check_memory(_LLVM, f"preparing the kernel {self._name}")
        rtsys.initialize(target_context)  # what machine code calls; the compiler's libraries take half a second to load
        for folder in folders()[0]:
            path = folder / self._file(sig, target_context.codegen())
            try:
                of, reduced = pickle.loads(path.read_bytes())
                if of == (self._made_of, sig):
                    return CompileResult._rebuild(target_context, *reduced)
            except FileNotFoundError:
                continue
            except Exception as error:  # whatever damaged bytes can cause
                log.debug("%s cannot be used: %s", path, error)
        target_context.refresh()
        _give_compile_notice()
        log.info("compiling %s", self._name)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep `data`, what Numba compiled for the signature `sig`."""
        _, folder = folders()
        if folder is None:
            return
        path = folder / self._file(sig, data.codegen)
        temporary = path.with_suffix(f".{uuid.uuid4().hex}")
        try:
            temporary.write_bytes(dumps(((self._made_of, sig), data._reduce())))
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            log.warning("a compiled kernel could not be kept in %s: %s", folder, error)

    def _file(self, sig: Any, codegen: Any) -> str:
        """Name of the file for a signature `sig` and the processor that `codegen` is for."""
        key = f"{self._made_of} {sig} {codegen.magic_tuple()}"
        return f"{self._name.rpartition('.')[2]}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.pickle"

    def enable(self) -> None:
        """Numba asks for this; the cache is always on."""

    def disable(self) -> None:
        """Numba asks for this; the cache is always on."""

    def flush(self) -> None:
        """Numba asks for this; :func:`folders` keeps no kernels of older sources."""
