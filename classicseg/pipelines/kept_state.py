"""What a streamed run keeps on the disk, so that it goes on where it was ended."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError
from classicseg.filters.streamed import Vertices
from classicseg.io.files import replacing
from classicseg.solvers.dense.streamed import Progress

_PLAN, _VERTICES, _ROWS = "plan.json", "vertices.npz", "rows.npz"


class KeptState:
    """A folder with the vertices of lattices, the rows after the last update, and a plan that says what they are of.

    A file is there as a whole or not at all.

    Parameters
    ----------
    folder : Path or None
        None keeps nothing.
    plan : dict
        ``"inputs"``, a digest of all that was read, and ``"parameters"``, whatever else the result depends on.

    Raises
    ------
    ValueError
        If the folder is of another plan.
    """

    def __init__(self, folder: Path | None, plan: dict[str, Any]) -> None:
        self.folder = folder
        if folder is None:
            return
        if folder.exists() and not folder.is_dir():
            raise InputError(f"state must be a folder, got {folder}")
        known = self._read_plan()
        for part, what in (("inputs", "image, scores or mask"), ("parameters", "parameters")):
            if known is not None and known.get(part) != plan[part]:
                raise InputError(
                    f"{folder} is the state of a run with another {what}; give what it began with, or delete the "
                    "folder to begin anew"
                )
        if known is None:
            folder.mkdir(exist_ok=True)
            with replacing(folder / _PLAN) as path:
                path.write_text(json.dumps(plan, indent=2) + "\n", encoding="utf-8")

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

    def remove(self) -> None:
        """All is done."""
        if self.folder is not None:
            shutil.rmtree(self.folder)

    def _read_plan(self) -> dict[str, Any] | None:
        assert self.folder is not None
        path = self.folder / _PLAN
        if not path.exists():
            if self.folder.exists() and any(self.folder.iterdir()):
                raise InputError(f"{self.folder} is no state of a run, and not empty; give another folder")
            return None
        try:
            plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as failure:
            raise InputError(f"{path} cannot be read: {failure}; delete {self.folder} to begin anew") from failure
        return plan

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
