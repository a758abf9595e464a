"""What streamed expansion moves are told."""

from __future__ import annotations

from typing import Any

from classicseg.energies.grid import Offset
from classicseg.errors import InputError
from classicseg.io.windows import as_source
from classicseg.streaming.cut.edges import Edges
from classicseg.streaming.cut.problem import CutProblem
from classicseg.streaming.moves.costs import GivenLabels, MoveCosts
from classicseg.streaming.raster import Planes


class MoveProblem(CutProblem):
    """An energy of two labels or more, looked at once.

    Attributes
    ----------
    costs : MoveCosts
        Of moves from the labels of the start, until there are others.
    n_labels : int
    """

    costs: MoveCosts
    remedy = "more memory, less weight to the edges, or an init that is right in most places"

    def __init__(
        self,
        unary: Any,
        weights: Any,
        image: Any,
        beta: Any,
        connectivity: int | None,
        mask: Any,
        init: Any,
        options: dict[str, Any],
    ) -> None:
        super().__init__(unary, weights, image, beta, connectivity, mask, options)
        if init is None:
            self.costs.labels = self.costs.start()
            return
        planes = Planes(as_source(init, "init"), None, "init")
        if planes.grid != self.costs.shape:
            raise InputError(f"init must have shape {self.costs.shape}, got {planes.grid}")
        start = GivenLabels(planes, self.inside)
        start.look(self.n_labels, self._digest, self.n_threads)
        self.costs.labels = start

    @staticmethod
    def _reason_against(n_labels: int) -> str | None:
        return None if n_labels > 1 else "at least 2 labels"

    def _costs(self, planes: Planes, offsets: dict[str, Offset], edges: Edges) -> MoveCosts:
        self.n_labels = planes.count
        return MoveCosts(planes, offsets, edges, self.inside, self.n_threads)
