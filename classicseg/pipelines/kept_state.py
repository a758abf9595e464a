"""What a streamed run keeps on the disk, so that it goes on where it was ended."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.errors import InputError
from classicseg.filters.streamed import Vertices
from classicseg.io.files import replacing
from classicseg.io.point_file import PointFile
from classicseg.solvers.dense.streamed import Progress
from classicseg.solvers.dense.streamed_active import Activity, PointMemory

_PLAN, _VERTICES, _ROWS, _ACTIVITY = "plan.json", "vertices.npz", "rows.npz", "activity.npz"
_POINTS = {"certainty": np.float32, "label": np.int32, "lead": np.float32}
"""Files of what is known of single points."""
BYTES_OF_POINT = 12
"""What they take for a point, if something is known of all."""


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
        self._files: list[PointFile] = []
        self._own: tempfile.TemporaryDirectory[str] | None = None
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
        """Whether vertices are known, so that no sample told enough, or none was asked for."""
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
        """How far the updates of everything are, if they have begun."""
        arrays = self._arrays(_ROWS)
        return None if arrays is None else Progress(int(arrays["done"]), arrays["rows"])

    def activity(self) -> Activity | None:
        """How far the updates of active blocks are, if any is done."""
        arrays = self._arrays(_ACTIVITY)
        if arrays is None:
            return None
        return Activity(int(arrays["done"]), int(arrays["last"]), *(arrays[name] for name in Activity._fields[2:]))

    def keep(self, progress: Progress | Activity) -> None:
        """Save it."""
        self._save(_ACTIVITY if isinstance(progress, Activity) else _ROWS, progress._asdict())

    def points(self, n: int) -> PointMemory:
        """What is known of `n` single points, in files: in the folder, or where temporary files are."""
        if self.folder is None:
            self._own = tempfile.TemporaryDirectory()
        folder = Path(self._own.name) if self._own is not None else self.folder
        assert folder is not None
        self._files = [PointFile(folder / f"{name}.bin", n, dtype) for name, dtype in _POINTS.items()]
        return PointMemory(*self._files)

    def forget_points(self) -> None:
        """Nobody needs to know of single points any more."""
        for file in self._files:
            file.remove()

    def close(self) -> None:
        """Nothing is read or written any more; what is in the folder stays."""
        for file in self._files:
            file.close()
        if self._own is not None:
            self._own.cleanup()

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
