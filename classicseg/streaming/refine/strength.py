"""How strongly to refine an image that passes by: the choice of :mod:`classicseg.pipelines.strength`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from classicseg.energies.unary_grid import UnaryGrid
from classicseg.machine.threads import map_tasks
from classicseg.pipelines.appearance import Appearance
from classicseg.pipelines.strength import (
    Evidence,
    Slab,
    are_few,
    blocks_of,
    choose_by,
    counts_of,
    evidence_of_few,
    evidence_of_slabs,
    sides_of_blocks,
    slab_of,
)
from classicseg.streaming.raster import Box, Colors, Inside, Planes, Steps, of_mask
from classicseg.streaming.refine.costs import Costs


class StreamedStrength:
    """An image that is looked at through blocks of pixels.

    Parameters
    ----------
    steps : Steps
        Of the image.
    inside : Inside
    colors : Colors
    costs : Costs
        Not diluted.
    seen : Appearance
        Units and spacing; its channels do not matter.
    align_corners : bool
    """

    def __init__(
        self, steps: Steps, inside: Inside, colors: Colors, costs: Costs, seen: Appearance, align_corners: bool
    ) -> None:
        self._steps, self._inside, self._mask = steps, inside, inside.planes
        self._colors, self._costs, self._seen = colors, costs, seen
        self._aligned, self._grid, shape = align_corners, costs.planes.grid, steps.shape
        whole = tuple(slice(0, n) for n in shape)
        # How much of the image lies outside of a mask is to tell nothing.
        self._box = whole if self._grid != shape or self._mask is None else inside.box
        self._shape = tuple(side.stop - side.start for side in self._box)
        if self._grid == shape:
            self._grid = self._shape

    def choose(self, changes: dict[str, Any], n_threads: int) -> str:
        """The name of the preset, whatever of it will be changed."""
        evidence = self._evidence(n_threads)
        return choose_by(evidence, lambda: self._thinned(evidence.means.shape[1:]), changes, n_threads)

    def _evidence(self, n_threads: int) -> Evidence:
        """What costs say; each slab of blocks is read once."""
        shape, grid = self._shape, self._grid
        block = blocks_of(shape, self._seen.spacing)
        if are_few(shape, grid, block):
            counts = counts_of(shape, block)
            few = UnaryGrid(self._read(tuple(slice(0, n) for n in grid)), counts, self._aligned)
            return evidence_of_few(few, self._mask_at_middles(counts), block, shape)
        sides = sides_of_blocks(block, shape, grid)
        mask = None if self._mask is None or grid == shape else self._mask_at_middles(grid)
        step = sides[0] if len(grid) > 1 else grid[0]  # along a line the sums are not cut

        def slab(i: int) -> Slab:
            low, high = i * step, min((i + 1) * step, grid[0])
            if grid == shape:
                first = self._box[0].start
                box = (slice(first + low, first + high), *self._box[1:])
                inside = None if self._mask is None else of_mask(self._mask.read(box))
                costs = self._read(box, inside)
            else:
                costs = self._read((slice(low, high), *(slice(0, n) for n in grid[1:])))
                inside = None if mask is None else mask[low:high]
            return slab_of(costs, np.ones(costs.shape[1:], bool) if inside is None else inside, sides, 1)

        slabs = map_tasks(slab, -(-grid[0] // step), n_threads)
        return evidence_of_slabs(slabs, block, shape, grid, masked=self._mask is not None)

    def _read(self, box: Box, inside: np.ndarray | None = None) -> np.ndarray:
        """The costs in a box of their grid."""
        return np.ascontiguousarray(self._costs.of(self._costs.planes.read(box), inside))

    def _thinned(self, counts: Sequence[int]) -> Appearance:
        """See :meth:`Appearance.thinned`."""
        seen, mask = self._seen, self._mask_at_middles(counts)
        channels = self._at_middles(self._colors.planes, counts, self._colors.read)
        if mask is not None:
            channels[:, ~mask] = self._first_color()[:, np.newaxis]
        spacing = tuple(s * n / m for s, n, m in zip(seen.spacing, self._shape, counts, strict=True))
        return Appearance(channels, seen.unit, spacing, seen.side, mask)

    def _first_color(self) -> np.ndarray:
        """The channels of the first pixel inside, (C,), which stand for those outside."""
        assert self._mask is not None
        step = int(np.searchsorted(self._inside.first, 0, "right")) - 1
        _, box = next(self._steps.boxes(step, step + 1))
        return self._colors.read(self._colors.planes.read(box)[:, of_mask(self._mask.read(box))][:, :1])[:, 0]

    def _mask_at_middles(self, counts: Sequence[int]) -> np.ndarray | None:
        """Which blocks, or points of a grid, have their middle inside; None without a mask."""
        if self._mask is None:
            return None
        return self._at_middles(self._mask, counts, lambda values: of_mask(values)[np.newaxis])[0]

    def _at_middles(
        self, planes: Planes, counts: Sequence[int], change: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """See :func:`classicseg.pipelines.appearance.at_middles`; of a source that is read step by step."""
        middles = [
            side.start + ((np.arange(m) + 0.5) * (n / m)).astype(int)
            for side, n, m in zip(self._box, self._shape, counts, strict=True)
        ]
        inner = [middle - side.start for side, middle in zip(self._box[1:], middles[1:], strict=True)]
        steps = []
        for i in middles[0]:
            values = planes.read((slice(int(i), int(i) + 1), *self._box[1:]))
            steps.append(change(np.ascontiguousarray(values[(slice(None), slice(None), *np.ix_(*inner))])))
        return np.concatenate(steps, axis=1)
