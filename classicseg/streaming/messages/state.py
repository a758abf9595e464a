"""What streamed message passing knows so far, and keeps on the disk so that it goes on where it was ended."""

from __future__ import annotations

import errno
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError
from classicseg.io.windows import reserve
from classicseg.streaming.image_store import image_store
from classicseg.streaming.messages.slabs import Cutting, Slab
from classicseg.streaming.moves.state import dtype_of
from classicseg.streaming.state_folder import StateFolder, has_size, lost

_PROGRESS, _PLANES, _WEIGHTS = "progress.npz", "messages.bin", "weights.bin"


@dataclass
class Progress:
    """How far message passing is.

    Attributes
    ----------
    n_steps : int
        Of a slab; it stays what it was when the run began.
    n_passes : int
        Passes that are done: the first, then two in each iteration.
    n_slabs : int
        Slabs of the next one that are done.
    best : int
        Which labels are the best; the others are written to.
    energy, bound : float
        Of the best labels, and the best bound.
    energies, bounds : list of float
        After each iteration.
    marks : list of pair
        Energy and bound of each check.
    sums, lost, carried, of_bands : ndarray
        Of the scale, the passing, and its bounds.
    """

    n_steps: int
    n_passes: int = 0
    n_slabs: int = 0
    best: int = 0
    energy: float = np.inf
    bound: float = -np.inf
    energies: list[float] = field(default_factory=list)
    bounds: list[float] = field(default_factory=list)
    marks: list[tuple[float, float]] = field(default_factory=lambda: [(np.inf, -np.inf)])
    sums: np.ndarray = field(default_factory=lambda: np.zeros(4))
    lost: np.ndarray = field(default_factory=lambda: np.zeros(0))
    carried: np.ndarray = field(default_factory=lambda: np.zeros(0))
    of_bands: np.ndarray = field(default_factory=lambda: np.zeros(0))


class MessageState(StateFolder):
    """A folder with messages, weights and labels; without one, all lie in a folder for temporary files.

    Messages lie in one file, slab after slab. Forward passes read them one slab behind where they write them, backward
    passes the other way round: what a slab is made of is there until it is done, and whoever is interrupted does it
    again.

    Attributes
    ----------
    progress : Progress
    labels : list of ImageStore
        Of two labellings; those of pixels outside of the mask do not matter.
    """

    def __init__(self, folder: Path | None, plan: dict[str, Any], shape: tuple[int, ...], n_labels: int) -> None:
        self._temporary = None if folder is not None else tempfile.TemporaryDirectory()
        super().__init__(Path(self._temporary.name) / "state" if folder is None and self._temporary else folder, plan)
        assert self.folder is not None
        try:
            names, dtype = ("labels-0.bin", "labels-1.bin"), dtype_of(n_labels)
            known = self.arrays(_PROGRESS)
            self._has_begun = known is not None
            self.labels = [image_store(self.folder / name, shape, dtype, begun=self._has_begun) for name in names]
            self.progress = Progress(0) if known is None else Progress(**_as_fields(known))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """See :class:`StateFolder`; what is temporary is removed."""
        super().close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def open(self, cutting: Cutting, n_steps: int) -> None:
        """Take room on the disk for messages and weights, if there is none yet; OSError if there is not so much."""
        assert self.folder is not None
        if self.progress.n_steps == 0:
            self.progress.n_steps = n_steps
        layout = cutting.layout
        self._size, self._size_of_weights = 4 * layout.planes_of_band, 4 * layout.weights_of_band
        n_more = min(self.progress.n_steps * cutting.bands_of_step, layout.n_bands)
        self._behind = n_more * self._size
        wanted = {_PLANES: layout.n_bands * self._size + self._behind, _WEIGHTS: layout.n_bands * self._size_of_weights}
        missing = {name: n for name, n in wanted.items() if not has_size(self.folder / name, n)}
        if missing and self._has_begun:
            raise lost(self.folder / min(missing), self.folder)
        if (free := shutil.disk_usage(self.folder).free) < sum(missing.values()):
            text = (
                f"messages need {sum(missing.values()) / 2**30:.3g} GiB of scratch space, but {free / 2**30:.3g} GiB "
                "are free; state names another folder"
            )
            raise OSError(errno.ENOSPC, text, str(self.folder))
        for name, n in missing.items():
            with (self.folder / name).open("wb") as file:
                reserve(file.fileno(), n)

    def read(self, slab: Slab, forward: bool, planes: np.ndarray, weights: np.ndarray) -> None:
        """What a pass over a slab begins with."""
        self._transfer(_PLANES, slab.first_band * self._size + (self._behind if forward else 0), planes, write=False)
        self._transfer(_WEIGHTS, slab.first_band * self._size_of_weights, weights, write=False)

    def write(self, slab: Slab, forward: bool, planes: np.ndarray) -> None:
        """Keep the messages after it."""
        self._transfer(_PLANES, slab.first_band * self._size + (0 if forward else self._behind), planes, write=True)

    def write_weights(self, slab: Slab, weights: np.ndarray) -> None:
        """Keep its weights."""
        self._transfer(_WEIGHTS, slab.first_band * self._size_of_weights, weights, write=True)

    def _transfer(self, name: str, at: int, numbers: np.ndarray, *, write: bool) -> None:
        assert self.folder is not None
        data = numbers.view(np.uint8).data
        with (self.folder / name).open("r+b", buffering=0) as file:
            file.seek(at)
            while len(data) > 0:
                n = file.write(data) if write else file.readinto(data)
                if not n:
                    raise InputError(f"{self.folder / name} is truncated; delete {self.folder} to begin anew")
                data = data[n:]

    def keep(self) -> None:
        """Save the progress."""
        self.save(_PROGRESS, vars(self.progress))


def _as_fields(known: dict[str, np.ndarray]) -> dict[str, Any]:
    """What was saved, as :class:`Progress` has it."""
    fields: dict[str, Any] = {}
    for name, value in known.items():
        if name in ("energies", "bounds"):
            fields[name] = value.tolist()
        elif name == "marks":
            fields[name] = [tuple(pair) for pair in value.tolist()]
        else:
            fields[name] = value.item() if value.ndim == 0 else value
    return fields
