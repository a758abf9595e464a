"""What streamed message passing is told."""

from __future__ import annotations

from typing import Any

from classicseg.energies.compatibility import Potts, as_compatibility
from classicseg.energies.grid import Offset
from classicseg.errors import BudgetError
from classicseg.solvers.messages.costs import Table
from classicseg.streaming.cut.edges import Edges
from classicseg.streaming.cut.problem import GridProblem, in_gib
from classicseg.streaming.messages.costs import GridCosts
from classicseg.streaming.messages.slabs import Cutting
from classicseg.streaming.moves.state import dtype_of
from classicseg.streaming.raster import Planes


class TrwsProblem(GridProblem):
    """An energy of two labels or more, looked at once.

    Attributes
    ----------
    costs : GridCosts
    table : Table
    cutting : Cutting
    """

    costs: GridCosts

    def __init__(
        self,
        unary: Any,
        weights: Any,
        compatibility: Any,
        image: Any,
        beta: Any,
        connectivity: int | None,
        mask: Any,
        options: dict[str, Any],
    ) -> None:
        self._compatibility = Potts(1) if compatibility is None else compatibility
        super().__init__(unary, weights, image, beta, connectivity, mask, options)
        self.table, self.cutting = Table.of(self.costs.compatibility, self.costs.n_labels), Cutting(self.costs)
        of_pairs = self.costs.compatibility.matrix(self.costs.n_labels).tolist()
        self.parameters = f"trws {self.parameters} {of_pairs} {options.get('max_iter')}"

    def _costs(self, planes: Planes, offsets: dict[str, Offset], edges: Edges) -> GridCosts:
        compatibility = as_compatibility(self._compatibility, planes.count, symmetric=False)
        return GridCosts(planes, offsets, edges, self.inside, compatibility, self.n_threads)

    @property
    def n_steps(self) -> int:
        """How many steps a slab has."""
        cutting, wanted = self.cutting, self.window
        most = int((self.memory_allowed - cutting.bytes_besides) / cutting.bytes_of_step)
        if most < 1:
            needed = cutting.bytes_besides + cutting.bytes_of_step
            what = "a slice" if cutting.is_volume else f"{cutting.step} rows" if cutting.is_cut else "all pixels"
            raise BudgetError(
                f"messages of {what} would take {in_gib(needed)}, more than memory={self.memory_allowed:.4g} bytes "
                "allows; give more memory"
            )
        least = -(-cutting.length // cutting.step)
        return min(most, least, least if wanted is None else max(1, wanted // cutting.step))

    @property
    def memory(self) -> float:
        """Bytes that a run takes."""
        return self.n_steps * self.cutting.bytes_of_step + self.cutting.bytes_besides

    @property
    def scratch(self) -> float:
        """Bytes on the disk."""
        layout = self.cutting.layout
        n_more = min(self.n_steps * self.cutting.bands_of_step, layout.n_bands)
        messages = 4.0 * ((layout.n_bands + n_more) * layout.planes_of_band + layout.n_bands * layout.weights_of_band)
        n = layout.shape[0] * layout.shape[1] * layout.shape[2]
        return messages + 2.0 * n * dtype_of(layout.n_labels).itemsize
