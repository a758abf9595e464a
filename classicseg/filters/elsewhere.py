"""Lattices of some of the points of a grid, read at all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classicseg.filters.building import Lattice
from classicseg.filters.features import Features
from classicseg.kernels.dense.bank import Bank
from classicseg.kernels.dense.elsewhere import Finder

AT_ONCE = 2**15
"""Points that are worked on together, or one step along the first axis if it has more."""


class Elsewhere:
    """How points that a bank was not built of find their vertices in it.

    Parameters
    ----------
    features : sequence of Features
        Of all points, for each lattice.
    lattices : sequence of Lattice
        Of some of them.
    bank : Bank
        These lattices in one.
    ones : ndarray, (n_rows,), float32
        What blurring splatted ones gives.
    gains : sequence of float
        Factor of each lattice.
    after : ndarray, (n_lattices,), float32
        Power of the row sum that multiplies what is sliced.
    """

    def __init__(
        self,
        features: Sequence[Features],
        lattices: Sequence[Lattice],
        bank: Bank,
        ones: np.ndarray,
        gains: Sequence[float],
        after: np.ndarray,
    ) -> None:
        self._features, spaces = features, [lattice.space for lattice in lattices]
        first = self._features[0]
        self.n_points, self._inner = first.n, first.inner
        tables = [lattice.table for lattice in lattices]
        self.finder = Finder(
            scale=np.concatenate([space.scale for space in spaces]),
            radix=np.concatenate([space.radix for space in spaces]),
            entries=np.concatenate([table.entries for table in tables]),
            log2_size=np.array([table.log2_size for table in tables], np.int64),
            first_row=bank.vertex[:, 0].copy(),
            ones=ones,
            gain=np.array(gains, np.float32),
            after=after.copy(),
        )

    def parts(self) -> list[tuple[int, int]]:
        """Points that are worked on together: from where to where, whole steps along the first axis."""
        step = self._inner * max(1, AT_ONCE // self._inner)
        return [(start, min(start + step, self.n_points)) for start in range(0, self.n_points, step)]

    def block(self, start: int, stop: int) -> np.ndarray:
        """Features of these points, those of all lattices, (sum of d, m) float32; some more may be read behind."""
        return np.concatenate([features.block(start, stop)[0] for features in self._features])
