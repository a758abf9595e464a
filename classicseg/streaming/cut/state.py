"""What a streamed minimum cut knows so far, and keeps on the disk so that it goes on where it was ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError
from classicseg.solvers.cut.bands import Proof
from classicseg.solvers.cut.zones import Band
from classicseg.streaming.image_store import ImageStore, image_store
from classicseg.streaming.state_folder import StateFolder

_PROGRESS, _CODES = "progress.json", "codes.bin"
_AT_ONCE = 2**22  # codes


@dataclass
class Passage:
    """How far bands have come.

    Attributes
    ----------
    bands : list of Band
        Those that were cut.
    begin : int
        The first row with an open pixel.
    n_open : int
        The most pixels that were open after a band.
    """

    bands: list[Band] = field(default_factory=list)
    begin: int = 0
    n_open: int = 0


@dataclass
class Progress(Passage):
    """How far a cut is.

    Attributes
    ----------
    n_proven : int
        How many bands were proven.
    cut, flow, least
        Sums over those; see :class:`classicseg.solvers.cut.bands.Proof`.
    """

    n_proven: int = 0
    cut: int = 0
    flow: int = 0
    least: float = 0.0

    def add(self, proof: Proof) -> None:
        """One more band was proven."""
        self.cut, self.flow, self.least = self.cut + proof.cut, self.flow + proof.flow, self.least + proof.least
        self.n_proven += 1


class BandState(StateFolder):
    """A folder with a code for each pixel and how far bands have come; without a folder, both are in memory.

    Parameters
    ----------
    folder, plan
        As of a :class:`StateFolder`.
    shape : tuple of int
    kind : type
        That of the progress.

    Attributes
    ----------
    codes : ImageStore
        See :class:`classicseg.solvers.cut.zones.Codes`.
    progress : Passage
    """

    def __init__(self, folder: Path | None, plan: dict[str, Any], shape: tuple[int, ...], kind: type[Passage]) -> None:
        super().__init__(folder, plan)
        self._shape = shape
        try:
            known = self.saved(_PROGRESS)
            self._has_begun = known is not None
            self.progress = kind() if known is None else self._progress_of(known, kind)
            self.codes = self._store(_CODES, np.uint8)
        except BaseException:
            self.close()
            raise

    def _progress_of(self, known: dict[str, Any], kind: type[Passage]) -> Passage:
        try:
            return kind(**{**known, "bands": [Band(*band) for band in known["bands"]]})
        except (TypeError, KeyError) as failure:
            path = self.folder / _PROGRESS if self.folder else _PROGRESS
            raise InputError(f"{path} cannot be read: {failure}; delete {self.folder} to begin anew") from failure

    def _store(self, name: str, dtype: Any) -> ImageStore:
        path = None if self.folder is None else self.folder / name
        return image_store(path, self._shape, dtype, begun=self._has_begun)

    def keep(self) -> None:
        """Save the progress."""
        self.save_as_text(_PROGRESS, self.progress)

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Some rows at a time."""
        step = max(1, _AT_ONCE // int(np.prod(self._shape[1:])))
        return ((first, min(first + step, self._shape[0])) for first in range(0, self._shape[0], step))


class CutState(BandState):
    """That of a single cut.

    Attributes
    ----------
    progress : Progress
    """

    progress: Progress

    def __init__(self, folder: Path | None, plan: dict[str, Any], shape: tuple[int, ...]) -> None:
        super().__init__(folder, plan, shape, Progress)
