"""The format safetensors: a header in JSON, then plain numbers. Nothing in such a file can be run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError

_DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
    "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "V2",
}  # fmt: skip
_LONGEST_HEADER = 100_000_000  # bytes, as the format has it


class SafetensorsFile:
    """The arrays of a file; each is read when it is asked for.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    ValueError
        If the file is none of this format, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size
        try:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if not 2 <= length <= min(_LONGEST_HEADER, self._size - 8):
                    raise InputError(f"its header would have {length} of {self._size} bytes")
                header = json.loads(file.read(length))
            self._start = 8 + length
            self._entries: dict[str, Any] = {name: header[name] for name in header if name != "__metadata__"}
        except (InputError, LookupError, TypeError, ValueError, RecursionError) as failure:
            raise InputError(f"{path} cannot be read as safetensors: {failure}") from failure

    def keys(self) -> list[str]:
        """Names of the arrays."""
        return list(self._entries)

    def __getitem__(self, name: str) -> np.ndarray:
        entry = self._entries[name]
        try:
            kind, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
            numbers = [*shape, begin, end]
            if not all(type(number) is int and number >= 0 for number in numbers):
                raise InputError(f"its shape and place are {numbers}, not whole numbers of at least 0")
            if kind not in _DTYPES:
                raise InputError(f"its numbers are of the kind {kind}, not {', '.join(_DTYPES)}")
            dtype, n = np.dtype(_DTYPES[kind]), math.prod(shape)
            if end - begin != n * dtype.itemsize or self._start + end > self._size:
                raise InputError(f"{n} numbers of {dtype.itemsize} bytes do not lie at {begin} to {end}")
            return np.fromfile(self._path, dtype, n, offset=self._start + begin).reshape(shape)
        except (InputError, LookupError, TypeError, ValueError) as failure:
            raise InputError(f"{name!r} in {self._path} cannot be read: {failure}") from failure
