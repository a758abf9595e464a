"""What a streamed refinement keeps on the disk."""

from __future__ import annotations

import numpy as np

from classicseg.filters.streamed import Vertices
from classicseg.pipelines.state_folder import StateFolder
from classicseg.solvers.dense.streamed import Progress

_VERTICES, _ROWS = "vertices.npz", "rows.npz"


class KeptState(StateFolder):
    """The state of a refinement: the vertices of its lattices, and the rows after the last update."""

    @property
    def is_begun(self) -> bool:
        """Whether vertices are known, so that all of the work is being done."""
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
        """How far the updates are, if any is done."""
        arrays = self.arrays(_ROWS)
        return None if arrays is None else Progress(int(arrays["done"]), arrays["rows"])

    def keep(self, progress: Progress) -> None:
        """Save it."""
        self.save(_ROWS, {"done": np.int64(progress.done), "rows": progress.rows})
