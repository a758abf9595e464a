"""What a streamed run keeps on the disk, so that it goes on where it was ended."""

from __future__ import annotations

import zipfile
from typing import Any

import numpy as np

from classicseg.errors import InputError
from classicseg.filters.streamed import Vertices
from classicseg.io.files import replacing
from classicseg.pipelines.kept_folder import KeptFolder
from classicseg.solvers.dense.streamed import Progress

_VERTICES, _ROWS = "vertices.npz", "rows.npz"


class KeptState(KeptFolder):
    """A folder with the vertices of lattices, and the rows after the last update.

    A file is there as a whole or not at all.
    """

    @property
    def is_begun(self) -> bool:
        """Whether vertices are known, so that all of the work is being done."""
        return self.folder is not None and (self.folder / _VERTICES).exists()

    def vertices(self) -> list[Vertices] | None:
        """Those of each lattice, if they are known."""
        arrays = self._arrays(_VERTICES)
        if arrays is None:
            return None
        parts = Vertices._fields
        return [Vertices(*(arrays[f"{part}{k}"] for part in parts)) for k in range(len(arrays) // len(parts))]

    def keep_vertices(self, vertices: list[Vertices]) -> None:
        """Save them."""
        self._save(_VERTICES, {f"{part}{k}": a for k, met in enumerate(vertices) for part, a in met._asdict().items()})

    def progress(self) -> Progress | None:
        """How far the updates are, if any is done."""
        arrays = self._arrays(_ROWS)
        return None if arrays is None else Progress(int(arrays["done"]), arrays["rows"])

    def keep(self, progress: Progress) -> None:
        """Save it."""
        self._save(_ROWS, {"done": np.int64(progress.done), "rows": progress.rows})

    def _arrays(self, name: str) -> dict[str, np.ndarray] | None:
        if self.folder is None or not (self.folder / name).exists():
            return None
        try:
            with np.load(self.folder / name) as arrays:
                return dict(arrays)
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as failure:
            raise InputError(f"{self.folder / name} cannot be read: {failure}; delete it to begin anew") from failure

    def _save(self, name: str, arrays: dict[str, Any]) -> None:
        if self.folder is not None:
            with replacing(self.folder / name) as path, path.open("wb") as file:
                np.savez(file, **arrays)
