"""Every step of a split-and-merge, to be replayed: which blocks were tested, what was split, who merged with whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.types import Brief


@dataclass(frozen=True, eq=False, repr=False)
class Record(Brief):
    """The steps that :func:`record_split_and_merge` takes.

    Attributes
    ----------
    shape : tuple of int
        (H, W) or (D, H, W).
    tested : ndarray, (n, axes + 1), int32
        Corner and side of every block that was looked at, from the root down, level by level.
    was_split : ndarray, (n,), bool
        Whether the block was split; else it is a leaf.
    leaves : ndarray, spatial shape, int32
        Number of the leaf of each pixel, -1 outside the mask.
    merges : ndarray, (m, 2), int32
        In order: the second region joined the first; a region goes by the number of its first leaf.

    Examples
    --------
    >>> import classicseg as cs
    >>> record = cs.record_split_and_merge([[1, 1, 9], [1, 2, 9]], 3).record
    >>> record.tested.tolist()
    [[0, 0, 4], [0, 0, 2], [0, 2, 2]]
    >>> record.was_split.tolist(), record.merges.tolist()
    ([True, False, False], [])
    """

    shape: tuple[int, ...]
    tested: np.ndarray
    was_split: np.ndarray
    leaves: np.ndarray
    merges: np.ndarray

    @classmethod
    def from_leaves(
        cls, shape: tuple[int, ...], top_level: int, blocks: np.ndarray, leaves: np.ndarray, merges: np.ndarray
    ) -> Record:
        """Blocks tested are the leaves and all blocks above them. `blocks`: (z, y, x, level) of each leaf."""
        axes = len(shape)
        corner, level = blocks[:, 4 - 1 - axes : 3], np.minimum(blocks[:, 3], top_level)
        tested, was_split = [], []
        for above in range(top_level, -1, -1):
            inner = np.unique(corner[level < above] >> above << above, axis=0)
            final = corner[level == above]
            both = np.concatenate([inner, final])
            order = np.lexsort(both.T[::-1])
            tested.append(np.column_stack([both, np.full(len(both), 1 << above)])[order])
            was_split.append((np.arange(len(both)) < len(inner))[order])
        return cls(
            shape,
            np.concatenate(tested).astype(np.int32),
            np.concatenate(was_split),
            leaves.reshape(shape),
            merges.copy(),
        )

    @property
    def depth(self) -> int:
        """How many times over the image was split."""
        return len(np.unique(self.tested[:, -1])) - 1

    def blocks_at(self, depth: int) -> np.ndarray:
        """Blocks (n, axes + 1) that cover the image once nothing deeper than `depth` has been split.

        Raises
        ------
        ValueError
            If `depth` is negative.
        """
        side = int(self.tested[0, -1]) >> inputs.as_count(depth, "depth", 0)
        sides = self.tested[:, -1]
        blocks: np.ndarray = self.tested[(sides == side) | (~self.was_split & (sides > side))]
        return blocks

    def labels_after(self, n_merges: int) -> np.ndarray:
        """Regions after the first `n_merges` merges, each by the number of its first leaf; -1 outside the mask.

        Raises
        ------
        ValueError
            If there were not so many.
        """
        n = inputs.as_count(n_merges, "n_merges", 0)
        if n > len(self.merges):
            raise InputError(f"n_merges must be at most {len(self.merges)}, got {n}")
        parent = np.arange(int(self.leaves.max()) + 2)
        parent[-1] = -1  # what -1 points at
        for root, other in self.merges[:n].tolist():
            parent[other] = root
        while True:
            higher = parent[parent]
            if np.array_equal(higher, parent):
                labels: np.ndarray = parent[self.leaves]
                return labels
            parent = higher

    def steps(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """All steps in words: ``("split", (y, x, side))``, ``("leaf", (y, x, side))``, ``("merge", (root, other))``."""
        for block, split in zip(self.tested.tolist(), self.was_split.tolist(), strict=True):
            yield ("split" if split else "leaf"), tuple(block)
        for pair in self.merges.tolist():
            yield "merge", tuple(pair)
