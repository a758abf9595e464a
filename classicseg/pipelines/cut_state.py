"""What a streamed minimum cut knows so far, and keeps on the disk so that it goes on where it was ended."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError
from classicseg.io.files import replacing
from classicseg.io.npy import FileArray
from classicseg.io.windows import reserve
from classicseg.pipelines.state_folder import StateFolder
from classicseg.solvers.cut.bands import Proof
from classicseg.solvers.cut.zones import Band, Codes

_PROGRESS, _CODES = "progress.json", "codes.bin"
_AT_ONCE = 2**22  # codes


@dataclass
class Progress:
    """How far a run is.

    Attributes
    ----------
    bands : list of Band
        Those that were cut.
    begin : int
        The first row with an open pixel.
    n_open : int
        The most pixels that were open after a band.
    n_proven : int
        How many bands were proven.
    cut, flow, least
        Sums over those; see :class:`classicseg.solvers.cut.bands.Proof`.
    """

    bands: list[Band] = field(default_factory=list)
    begin: int = 0
    n_open: int = 0
    n_proven: int = 0
    cut: int = 0
    flow: int = 0
    least: float = 0.0

    def add(self, proof: Proof) -> None:
        """One more band was proven."""
        self.cut, self.flow, self.least = self.cut + proof.cut, self.flow + proof.flow, self.least + proof.least
        self.n_proven += 1


class CutState(StateFolder):
    """A folder with a code for each pixel and the progress; without a folder, both are in memory.

    Attributes
    ----------
    codes : Codes
    progress : Progress
    """

    codes: Codes

    def __init__(self, folder: Path | None, plan: dict[str, Any], shape: tuple[int, ...]) -> None:
        super().__init__(folder, plan)
        self._shape, self.progress = shape, Progress()
        if folder is None:
            self.codes = _CodesInMemory(np.empty(shape, np.uint8))
            return
        self.codes = _CodesInFile(folder / _CODES, shape)
        path = folder / _PROGRESS
        if path.exists():
            try:
                known = json.loads(path.read_text(encoding="utf-8"))
                self.progress = Progress(**{**known, "bands": [Band(*band) for band in known["bands"]]})
            except (ValueError, TypeError, KeyError) as failure:
                raise InputError(f"{path} cannot be read: {failure}; delete {folder} to begin anew") from failure

    def keep(self) -> None:
        """Save the progress."""
        if self.folder is not None:
            with replacing(self.folder / _PROGRESS) as path:
                path.write_text(json.dumps(dataclasses.asdict(self.progress)) + "\n", encoding="utf-8")

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Some rows at a time."""
        step = max(1, _AT_ONCE // int(np.prod(self._shape[1:])))
        return ((first, min(first + step, self._shape[0])) for first in range(0, self._shape[0], step))


class _CodesInMemory:
    """See :class:`classicseg.solvers.cut.zones.Codes`."""

    def __init__(self, codes: np.ndarray) -> None:
        self._codes = codes

    def read(self, first: int, stop: int) -> np.ndarray:
        return self._codes[first:stop]

    def write(self, first: int, codes: np.ndarray) -> None:
        self._codes[first : first + len(codes)] = codes


class _CodesInFile:
    """See :class:`classicseg.solvers.cut.zones.Codes`."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self._path, self._row, self._rest = path, int(np.prod(shape[1:])), shape[1:]
        size = int(np.prod(shape))
        if not path.exists() or path.stat().st_size != size:
            with path.open("wb") as file:
                reserve(file.fileno(), size)
        self._array = FileArray(path, 0, shape, np.dtype(np.uint8))

    def read(self, first: int, stop: int) -> np.ndarray:
        return self._array[(slice(first, stop), *(slice(0, n) for n in self._rest))]

    def write(self, first: int, codes: np.ndarray) -> None:
        with self._path.open("r+b", buffering=0) as file:
            file.seek(first * self._row)
            data = np.ascontiguousarray(codes).reshape(-1).data
            while len(data) > 0:
                data = data[file.write(data) :]
