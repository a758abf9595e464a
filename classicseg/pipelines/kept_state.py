"""What a streamed refinement keeps on the disk."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.filters.streamed import Vertices
from classicseg.io.point_file import PointFile
from classicseg.pipelines.state_folder import StateFolder
from classicseg.solvers.dense.streamed import Progress
from classicseg.solvers.dense.streamed_active import Activity, PointMemory

_VERTICES, _ROWS, _ACTIVITY = "vertices.npz", "rows.npz", "activity.npz"
_POINTS = {"certainty": np.float32, "label": np.int32, "lead": np.float32}
"""Files of what is known of single points."""
BYTES_OF_POINT = 12
"""What they take for a point, if something is known of all."""


class KeptState(StateFolder):
    """The state of a refinement: the vertices of its lattices, the rows after the last update, and what is settled."""

    def __init__(self, folder: Path | None, plan: dict[str, Any]) -> None:
        super().__init__(folder, plan)
        self._files: list[PointFile] = []
        self._own: tempfile.TemporaryDirectory[str] | None = None

    @property
    def is_begun(self) -> bool:
        """Whether vertices are known, so that no sample told enough, or none was asked for."""
        return self.folder is not None and (self.folder / _VERTICES).exists()

    def vertices(self) -> list[Vertices] | None:
        """Those of each lattice, if they are known."""
        arrays = self.arrays(_VERTICES)
        if arrays is None:
            return None
        parts = Vertices._fields
        return [Vertices(*(arrays[f"{part}{k}"] for part in parts)) for k in range(len(arrays) // len(parts))]

    def keep_vertices(self, vertices: list[Vertices]) -> None:
        """Save them."""
        self.save(_VERTICES, {f"{part}{k}": a for k, met in enumerate(vertices) for part, a in met._asdict().items()})

    def progress(self) -> Progress | None:
        """How far the updates of everything are, if they have begun."""
        arrays = self.arrays(_ROWS)
        return None if arrays is None else Progress(int(arrays["done"]), arrays["rows"])

    def activity(self) -> Activity | None:
        """How far the updates of active blocks are, if any is done."""
        arrays = self.arrays(_ACTIVITY)
        if arrays is None:
            return None
        return Activity(int(arrays["done"]), int(arrays["last"]), *(arrays[name] for name in Activity._fields[2:]))

    def keep(self, progress: Progress | Activity) -> None:
        """Save it."""
        self.save(_ACTIVITY if isinstance(progress, Activity) else _ROWS, progress._asdict())

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
        super().close()
