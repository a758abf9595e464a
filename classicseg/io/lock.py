"""A file that one run holds at a time, however that run ends."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import IO

from classicseg.errors import InputError

_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class Lock:
    """Held from the start until :meth:`close`, or until the process ends, killed or not.

    Parameters
    ----------
    path : path
        A file for it; it is made if there is none.
    held : str
        What the error says if somebody else holds it.

    Notes
    -----
    Where a file system cannot lock, as some of networks cannot, nobody is kept out.
    """

    def __init__(self, path: Path, held: str) -> None:
        self._file: IO[bytes] = path.open("ab")
        try:
            _take(self._file)
        except OSError as failure:
            if failure.errno in _HELD:
                self._file.close()
                raise InputError(held) from failure

    def close(self) -> None:
        """Let others have it."""
        self._file.close()


def _take(file: IO[bytes]) -> None:
    """Lock a file, or raise an error at once if another opening of it has."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
