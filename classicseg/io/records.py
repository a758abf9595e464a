"""Binary files of packed records: a header, counts, then arrays of structures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError

TYPES = ("<u1", "<i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f4", "<f8")
"""Of numbers, by their code."""
_ALIGNED = 8  # bytes that compilers may fill structures up to: they begin with a number of 8 bytes


class Records:
    """The bytes of a file that are still to be read.

    Parameters
    ----------
    path : Path
    content : bytes
    """

    def __init__(self, path: Path, content: bytes) -> None:
        self._path, self._content, self._at = path, content, 0

    def fault(self, text: str) -> InputError:
        """An error that names the file."""
        return InputError(f"{self._path} {text}")

    def header(self, known: tuple[bytes, ...], kind: str) -> None:
        """Take the bytes that the file must begin with."""
        n = len(known[0])
        head = self._some(n, "its header")
        if head in tuple(word.lower() for word in known):
            raise self.fault("is compressed with snappy; save it without compression, as bench_io of its authors does")
        if head not in known:
            raise self.fault(f"is no {kind} file: it begins with {head!r}, not {known[0]!r}")

    def dtype(self) -> np.dtype[Any]:
        """Take a code of a type."""
        (code,) = self._some(1, "the code of a type")
        if code >= len(TYPES):
            raise self.fault(f"has the code {code} of a type of numbers; those known are 0 to {len(TYPES) - 1}")
        return np.dtype(TYPES[code])

    def counts(self, n: int, what: str) -> list[int]:
        """Take `n` counts."""
        found: list[int] = np.frombuffer(self._some(8 * n, what), "<u8").tolist()
        return found

    def tables(self, *tables: tuple[int, list[tuple[str, Any]]]) -> list[np.ndarray]:
        """Take all that is left: arrays of so many structures, packed or filled up as compilers do."""
        dtypes = [np.dtype(fields) for _, fields in tables]
        left = len(self._content) - self._at
        sizes = [n * dtype.itemsize for (n, _), dtype in zip(tables, dtypes, strict=True)]
        if sum(sizes) != left:
            filled = [-(-dtype.itemsize // _ALIGNED) * _ALIGNED for dtype in dtypes]
            if sum(n * size for (n, _), size in zip(tables, filled, strict=True)) != left:
                raise self.fault(f"is truncated or damaged: {sum(sizes)} bytes must follow its counts, got {left}")
            dtypes = [_filled(dtype, size) for dtype, size in zip(dtypes, filled, strict=True)]
        found = []
        for (n, _), dtype in zip(tables, dtypes, strict=True):
            found.append(np.frombuffer(self._content, dtype, n, self._at))
            self._at += n * dtype.itemsize
        return found

    def _some(self, n: int, what: str) -> bytes:
        if self._at + n > len(self._content):
            raise self.fault(f"is truncated: it ends where it must have {what}")
        self._at += n
        return self._content[self._at - n : self._at]


def _filled(packed: np.dtype[Any], size: int) -> np.dtype[Any]:
    """The same structure with unused bytes at its end."""
    fields: Any = packed.fields
    names = list(fields)
    layout: Any = {
        "names": names,
        "formats": [fields[name][0] for name in names],
        "offsets": [fields[name][1] for name in names],
        "itemsize": size,
    }
    filled: np.dtype[Any] = np.dtype(layout)
    return filled


def type_code(dtype: np.dtype[Any]) -> int:
    """The code of a type."""
    name = dtype.newbyteorder("<").str.replace("|", "<")
    if name not in TYPES:
        raise InputError(f"numbers must be integers, float32 or float64 to be written, got dtype {dtype}")
    return TYPES.index(name)
