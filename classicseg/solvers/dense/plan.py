"""The pairwise term of a dense CRF as the fused kernels of mean field take it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classicseg.energies.compatibility import split_reward
from classicseg.filters.bank import new_rows
from classicseg.kernels.dense.bank import Bank, Pairwise, RowLayout


class Plan:
    """What is prepared once for all iterations.

    Parameters
    ----------
    bank : Bank
        Normalised lattices of the kernels.
    gains : sequence of float
        What each lattice's sums are to be multiplied by.
    costs : sequence of ndarray, (L, L), float32
        The weighted compatibility of each kernel.

    Attributes
    ----------
    pairwise : Pairwise
    levels : list of float
        What :func:`split_reward` left out of each cost: nothing that changes marginals, but a part of their energy.
    """

    def __init__(self, bank: Bank, gains: Sequence[float], costs: Sequence[np.ndarray]) -> None:
        n_labels = len(costs[0])
        layout = RowLayout.of(n_labels, int(bank.corner_start[-1]))
        rewards = [split_reward(cost) for cost in costs]
        scale = np.zeros((len(rewards), layout.n_panels * len(layout.lanes)), np.float32)
        for factors, (diagonal, _, _), gain in zip(scale, rewards, gains, strict=True):
            factors[:n_labels] = diagonal * gain
        matrix = None
        if any(full is not None for _, full, _ in rewards):
            identity = np.eye(n_labels, dtype=np.float32)
            matrix = np.stack([identity if full is None else full for _, full, _ in rewards])
        self.pairwise = Pairwise(bank, layout, scale, matrix)
        self.levels = [level for _, _, level in rewards]

    @property
    def rows_size(self) -> int:
        """Number of values of a row array."""
        return self.pairwise.layout.size(self.pairwise.bank)

    def new_rows(self, n: int = 1) -> np.ndarray:
        """`n` row arrays, one after the other, zero."""
        return new_rows(self.pairwise.bank, self.pairwise.layout, n)
