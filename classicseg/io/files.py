"""Names of files, and how a file is replaced as a whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from classicseg.errors import InputError, InputTypeError

TIFF = (".tif", ".tiff")
NIFTI = (".nii", ".nii.gz")
ZARR = (".zarr",)  # a folder


def as_path(path: Any) -> Path:
    """`path` as a path of the system."""
    try:
        return Path(path)
    except TypeError as failure:
        raise InputTypeError(f"path must be the name of a file, got {path!r:.80}") from failure


def suffix_of(path: Path) -> str:
    """The suffix of a name in small letters, with both parts of ``.nii.gz``."""
    return ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix.lower()


def check_target(path: Path) -> Path:
    """Raise an error unless a file can be written to `path`; return where it will lie, behind all links."""
    target = path.resolve()
    if not target.parent.is_dir():
        raise FileNotFoundError(f"no such folder: {path.parent}")
    if target.is_dir():
        raise InputError(f"{path} is a folder; give the name of a file")
    if target.exists() and not (target.stat().st_mode & 0o222 and os.access(target, os.W_OK)):
        raise PermissionError(f"{path} is read-only")
    if not os.access(target.parent, os.W_OK) and (target.is_file() or not target.exists()):
        raise PermissionError(f"nothing can be written to the folder {path.parent}")
    return target


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path that becomes `path` if the block succeeds, and is removed if not.

    The file keeps its permissions, a new one gets those that a plainly opened file would have. Links are followed. What
    is no file, as a pipe, is written to when all is there.
    """
    target = check_target(path)
    special = target.exists() and not target.is_file()
    temporary = (Path(tempfile.gettempdir()) if special else target.parent) / f".{uuid.uuid4().hex[:16]}"
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        if special:
            with temporary.open("rb") as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
        else:
            if target.exists():
                shutil.copymode(target, temporary)
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def check_target_folder(path: Path) -> Path:
    """The same for a format whose files are folders."""
    target = path.resolve()
    if not target.parent.is_dir():
        raise FileNotFoundError(f"no such folder: {path.parent}")
    if target.exists() and not target.is_dir():
        raise InputError(f"{path} is a file; give the name of a folder, or another name")
    if not os.access(target.parent, os.W_OK):
        raise PermissionError(f"nothing can be written to the folder {path.parent}")
    return target


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """:func:`replacing` for such a format: what was there stays until the new one is whole."""
    target = check_target_folder(path)
    temporary, old = (target.parent / f".{uuid.uuid4().hex[:16]}" for _ in range(2))
    try:
        yield temporary
        if target.exists():
            target.rename(old)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
