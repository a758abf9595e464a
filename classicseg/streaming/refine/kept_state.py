"""What a streamed refinement keeps on the disk."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from classicseg.filters.bands.building import Built
from classicseg.filters.streamed import Vertices
from classicseg.io.files import replacing
from classicseg.io.point_file import PointFile
from classicseg.machine.mapped import MappedArrays
from classicseg.solvers.dense.streamed import Progress
from classicseg.solvers.dense.streamed_active import Activity, PointMemory
from classicseg.streaming.state_folder import StateFolder, has_size, lost

_VERTICES, _ROWS, _ACTIVITY, _BANDS = "vertices.npz", "rows.npz", "activity.npz", "bands.npz"
_OF_VERTICES = ("rows", "base")  # row arrays: those of bands lie in files of their own
_POINTS = {"certainty": np.float32, "label": np.int32, "lead": np.float32}
"""Files of what is known of single points."""
BYTES_OF_POINT = 12
"""What they take for a point, if something is known of all."""

_NONE = np.empty(0, np.float32)  # in place of rows that lie elsewhere

Pieces = Callable[[np.ndarray], Iterator[np.ndarray]]
"""Gives the values of an array piece by piece."""


class KeptState(StateFolder):
    """The state of a refinement: the vertices of its lattices, the rows after the last update, and what is settled."""

    def __init__(self, folder: Path | None, plan: dict[str, Any]) -> None:
        super().__init__(folder, plan)
        self._files: list[PointFile] = []
        self._own: tempfile.TemporaryDirectory[str] | None = None

    @property
    def is_begun(self) -> bool:
        """Whether vertices are known, so that no sample told enough, or none was asked for."""
        return self.folder is not None and any((self.folder / name).exists() for name in (_VERTICES, _BANDS))

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

    def bands(self) -> MappedArrays:
        """Where vertices lie that do not fit into memory: in the folder, or where temporary files are."""
        return MappedArrays(self._place() / "bands")

    def built(self) -> Built | None:
        """What is known of lattices whose vertices lie there, if they are built."""
        arrays = self.arrays(_BANDS)
        if arrays is None:
            return None
        distances, folder = arrays.pop("distances").tolist(), self._place()
        for name, size in zip(arrays.pop("files").tolist(), arrays.pop("sizes").tolist(), strict=True):
            if not has_size(folder / "bands" / name, size):
                raise lost(folder / "bands" / name, folder)
        n_stripes = len(arrays) // len(distances)
        return Built([[arrays[f"{k}-{s}"] for s in range(n_stripes)] for k in range(len(distances))], distances)

    def keep_built(self, built: Built) -> None:
        """Save it."""
        counts = {f"{k}-{s}": count for k, of in enumerate(built.counts) for s, count in enumerate(of)}
        files = sorted((self._place() / "bands").iterdir())
        names, sizes = [path.name for path in files], [path.stat().st_size for path in files]
        self.save(_BANDS, {"distances": built.distances, "files": names, "sizes": sizes, **counts})

    def progress(self) -> Progress | None:
        """How far the updates of everything are, if they have begun."""
        arrays = self._with_rows(_ROWS)
        return None if arrays is None else Progress(int(arrays["done"]), arrays["rows"])

    def activity(self) -> Activity | None:
        """How far the updates of active blocks are, if any is done."""
        arrays = self._with_rows(_ACTIVITY)
        if arrays is None:
            return None
        return Activity(int(arrays["done"]), int(arrays["last"]), *(arrays[name] for name in Activity._fields[2:]))

    def keep(self, progress: Progress | Activity, pieces: Pieces | None = None) -> None:
        """Save it; row arrays piece by piece, and each in a file of its own, if it is said how to get `pieces`."""
        name, values = _ACTIVITY if isinstance(progress, Activity) else _ROWS, progress._asdict()
        if pieces is None or self.folder is None:
            self.save(name, values)
            return
        files = {
            part: self._rows_file(name, part, progress.done) for part in _OF_VERTICES if values.get(part, _NONE).size
        }
        for part, file in files.items():
            with replacing(file) as path, path.open("wb") as rows:
                for piece in pieces(values[part]):
                    piece.tofile(rows)
            values[part] = _NONE
            values[f"{part}_bytes"] = file.stat().st_size
        self.save(name, values)
        for file in set(self.folder.glob(f"{name}-*")) - set(files.values()):
            file.unlink()

    def _with_rows(self, name: str) -> dict[str, np.ndarray] | None:
        """The arrays that were saved by this name, with those that lie in files of their own."""
        arrays = self.arrays(name)
        if arrays is not None:
            for part in _OF_VERTICES:
                size = arrays.pop(f"{part}_bytes", None)
                if size is None:
                    continue
                file = self._rows_file(name, part, int(arrays["done"]))
                if not has_size(file, int(size)):
                    raise lost(file, file.parent)
                arrays[part] = np.memmap(file, np.float32, "r")
        return arrays

    def _rows_file(self, name: str, part: str, done: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{name}-{part}-{done}"

    def _place(self) -> Path:
        """The folder, or one where temporary files are."""
        if self.folder is None and self._own is None:
            self._own = tempfile.TemporaryDirectory()
        folder = Path(self._own.name) if self._own is not None else self.folder
        assert folder is not None
        return folder

    def points(self, n: int) -> PointMemory:
        """What is known of `n` single points, in files: in the folder, or where temporary files are."""
        folder = self._place()
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
