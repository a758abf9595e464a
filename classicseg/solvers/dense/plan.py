"""What the fused kernels of mean field need to know of an energy, prepared once."""

from __future__ import annotations

import numpy as np

from classicseg.energies.compatibility import split_reward
from classicseg.energies.dense_crf import DenseCRF
from classicseg.filters.bank import parts_of, zero_rows
from classicseg.machine.memory import writable_alias
from classicseg.machine.simd import lanes_for


class FusedPlan:
    """The arguments of the fused kernels that depend on the energy only."""

    def __init__(self, energy: DenseCRF, n_threads: int) -> None:
        lattices = energy.lattice_bank(n_threads)
        self.bank = lattices.bank
        self.n, self.n_labels = energy.n_points, energy.n_labels
        self.lanes, self.n_panels = lanes_for(self.n_labels)
        width = len(self.lanes)
        self.pairs = (0,) * int(self.bank.column[-1])
        self.parts = parts_of(self.lanes)
        rewards = [split_reward(cost) for cost in energy.costs()]
        self.scale = np.zeros((len(rewards), self.n_panels * width), np.float32)
        for k, (diagonal, _, _) in enumerate(rewards):
            self.scale[k, : self.n_labels] = diagonal * lattices.gains[k]
        self.matrix: np.ndarray | None = None  # kernels compile nothing for it then
        if any(matrix is not None for _, matrix, _ in rewards):
            identity = np.eye(self.n_labels, dtype=np.float32)
            self.matrix = np.stack([identity if matrix is None else matrix for _, matrix, _ in rewards])
        self._levels = [level for _, _, level in rewards]
        self._lattices = lattices
        self.rows = [zero_rows(self.bank, self.n_panels, width) for _ in range(2)]
        self.unary = writable_alias(energy.unary.reshape(-1))

    def constant(self, n_threads: int) -> float:
        """What the levels of the costs (see `split_reward`) add to free energies."""
        ones, total = np.ones((1, self.n), np.float32), 0.0
        for k, level in enumerate(self._levels):
            if level:
                total += level / 2 * float(self._lattices.filter(k, ones, n_threads).sum(dtype=np.float64))
        return total
