"""What streamed expansion moves know so far, and keep on the disk so that they go on where they were ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.streaming.cut.state import BandState, Passage
from classicseg.streaming.moves.costs import Labelling

_LABELS = "labels.bin"


@dataclass
class MoveProgress(Passage):
    """How far moves are; `bands` are those of the move that is being made.

    Attributes
    ----------
    n_labels : int
    move : int
        Which is being made: the first cycle has the moves 0 to L - 1.
    changed : int
        The last one that changed a label; -1 if none has.
    n_made : int
        How many were made, and not left out.
    energies : list of float
        At the start and after each cycle.
    """

    n_labels: int = 0
    move: int = 0
    changed: int = -1
    n_made: int = 0
    energies: list[float] = field(default_factory=list)

    @property
    def label(self) -> int:
        """The one that is expanded."""
        return self.move % self.n_labels

    @property
    def is_in_vain(self) -> bool:
        """Whether nothing has changed since this label was last expanded, or by its last expansion."""
        return self.move >= self.n_labels and self.move - self.changed >= self.n_labels

    @property
    def in_cycle(self) -> bool:
        """Whether the cycle goes on with this move."""
        return self.move < self.n_labels * len(self.energies)

    @property
    def has_settled(self) -> bool:
        """Whether no move of the last cycle changed a label."""
        n_cycles = len(self.energies) - 1
        return n_cycles > 0 and self.changed < self.n_labels * (n_cycles - 1)


class MoveState(BandState):
    """The labels so far, and what is known of the move that is being made.

    Attributes
    ----------
    labels : ImageStore
        Those of pixels outside of the mask do not matter.
    progress : MoveProgress
    """

    progress: MoveProgress

    def __init__(self, folder: Path | None, plan: dict[str, Any], shape: tuple[int, ...], n_labels: int) -> None:
        super().__init__(folder, plan, shape, MoveProgress)
        self.progress.n_labels = n_labels
        try:
            self.labels = self._store(_LABELS, dtype_of(n_labels))
        except BaseException:
            self.close()
            raise

    def begin(self, start: Labelling) -> None:
        """Take the labels of the start."""
        for first, stop in self.pieces():
            self.labels.write(first, start.read(first, stop))

    def take(self) -> None:
        """Let pixels that are on side 1 of the cut switch, and go on with the next move.

        Whoever is interrupted takes them again, and finds the same.
        """
        progress, n_changed = self.progress, 0
        for first, stop in self.pieces():
            switch = self.codes.read(first, stop) & 1 == 1
            n = int(np.count_nonzero(switch))
            if n:
                labels = self.labels.read(first, stop)
                labels[switch] = progress.label
                self.labels.write(first, labels)
            n_changed += n
        progress.changed = progress.move if n_changed else progress.changed
        progress.move, progress.n_made = progress.move + 1, progress.n_made + 1
        progress.bands, progress.begin = [], 0
        self.keep()


def dtype_of(n_labels: int) -> np.dtype[Any]:
    """The narrowest for so many labels."""
    return np.min_scalar_type(n_labels - 1)
