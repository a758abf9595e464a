"""What streamed expansion moves are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from classicseg import inputs
from classicseg.energies.grid import Offset
from classicseg.errors import InputError
from classicseg.io.windows import as_source
from classicseg.streaming.cut.edges import Edges
from classicseg.streaming.cut.problem import CutOptions, CutProblem, checked
from classicseg.streaming.moves.costs import GivenLabels, MoveCosts
from classicseg.streaming.raster import Planes


class ExpansionOptions(CutOptions, total=False):
    """What :func:`expansion_streamed` can be told beside what it reads; None is as if not given."""

    max_iter: int | None
    tol: float | None


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


def checked_expansion(options: Mapping[str, Any], name_of: str) -> dict[str, Any]:
    """What is given of the options of expansion moves."""
    given = checked(options, ExpansionOptions, name_of)
    if "max_iter" in given:
        given["max_iter"] = inputs.as_count(given["max_iter"], "max_iter", 0)
    if "tol" in given:
        given["tol"] = inputs.as_weight(given["tol"], "tol", at_least=0)
    return given
