"""The pairwise term of a dense CRF as the fused kernels of mean field take it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classicseg.energies.compatibility import split_reward
from classicseg.filters.bank import index_of_vertices, new_rows
from classicseg.filters.memory import duplicates_cost_more
from classicseg.kernels.dense.bank import Bank, Pairwise, RowLayout

_SOON_DONE = 2**22  # values that are updated in a few milliseconds


def is_brief(n_values: int, n_iter: int) -> bool:
    """Whether `n_iter` updates of so many values are done so soon that Ctrl-C can wait for them."""
    return n_values * n_iter <= _SOON_DONE


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
    pair : bool
        Whether two labels are paired, if no kernel treats them differently.

    Attributes
    ----------
    pairwise : Pairwise
    is_paired : bool
        Whether labels are paired, see :class:`RowLayout`: then kernels take :meth:`UnaryGrid.difference`.
    levels : list of float
        What :func:`split_reward` left out of each cost: nothing that changes marginals, but a part of their energy.
    """

    def __init__(self, bank: Bank, gains: Sequence[float], costs: Sequence[np.ndarray], *, pair: bool = False) -> None:
        n_labels = len(costs[0])
        rewards = [split_reward(cost) for cost in costs]
        self.is_paired = pair and n_labels == 2 and all(full is None and d[0] == d[1] for d, full, _ in rewards)
        layout = RowLayout.of(n_labels, int(bank.corner_start[-1]), paired=self.is_paired)
        scale = np.zeros((len(rewards), layout.n_panels * len(layout.lanes)), np.float32)
        for factors, (diagonal, _, _), gain in zip(scale, rewards, gains, strict=True):
            factors[: layout.n_channels] = diagonal[: layout.n_channels] * gain
        matrix = None
        if any(full is not None for _, full, _ in rewards):
            identity = np.eye(n_labels, dtype=np.float32)
            matrix = np.stack([identity if full is None else full for _, full, _ in rewards])
        self.pairwise = Pairwise(bank, bank.index, layout, scale, matrix)
        self.levels = [level for _, _, level in rewards]

    @property
    def rows_size(self) -> int:
        """Number of values of a row array."""
        return self.pairwise.layout.size(self.pairwise.bank)

    def new_rows(self, n: int = 1) -> np.ndarray:
        """`n` row arrays, one after the other, zero."""
        return new_rows(self.pairwise.bank, self.pairwise.layout, n)

    def for_updates(self) -> tuple[Pairwise, np.ndarray, np.ndarray]:
        """The pairwise term, the tape and the work space of :func:`infer`, for updates that are not recorded.

        Two row arrays take turns in being splatted into and sliced from, and both have duplicates. Where points share
        so few vertices that those take much memory, one array is for splatting only and the other one for slicing,
        which then needs no duplicates: their part of it is never touched, and the system gives no memory for it.
        """
        bank, layout = self.pairwise.bank, self.pairwise.layout
        if duplicates_cost_more(int(bank.duplicate[:, 1].sum()), layout, bank.index.nbytes):
            pairwise = self.pairwise._replace(slice_index=index_of_vertices(bank))
            return pairwise, self.new_rows(), self.new_rows()
        return self.pairwise, self.new_rows(2), np.empty(0, np.float32)
