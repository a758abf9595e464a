"""The lattices of several kernels as arrays, and how points are splatted to them and sliced from them.

A *bank* holds several lattices over the same points. Their vertices share one array of rows, and every point has one
list of *corners*: the vertices of the simplex that holds it, in all lattices, each with a weight. So one pass over the
points serves all lattices. Corners lie block after block of 16 points, corner after corner, so that the 16 indices or
weights of one corner are a vector.

Rows lie panel after panel; a panel is ``n_rows`` rows of ``len(lanes)`` channels. Row 0 is always zero: it stands for
neighbours that do not exist.

Points are cut into *stripes*. Each stripe splats into rows of its own, so that threads never write to the same row: a
vertex that several stripes touch has one row that is its own, and a *duplicate* row for every further stripe. The blur
first adds the duplicates to the vertices; before a stripe slices, its duplicates take the blurred values.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.machine.gather import gather, load_numbers
from classicseg.machine.jit import inline
from classicseg.machine.simd import (
    ACROSS,
    PIXELS,
    add,
    axpy,
    fill,
    item,
    lanes_for,
    load,
    load_row,
    multiply,
    prefetch,
    store,
    store_row,
)

_AHEAD = 4 * PIXELS
"""How many points ahead rows and weights are asked for: the processor's own prefetcher gives up at the row accesses
between them and would let every block wait for memory."""


_USUAL = (7, 9)  # two kernels on gray and on colour images; numbers that are known take up to a tenth off the time


class Bank(NamedTuple):
    """The arrays of a bank; K is the number of corners of a point, that is the sum of d + 1 over the lattices."""

    index: np.ndarray  # (n_blocks * K * 16,): row of each corner, uint16 where that can hold them, else uint32
    weight_in: np.ndarray  # (n_blocks * K * 16,) float32: weight of each corner in splatting
    weight_out: np.ndarray  # the same in slicing; may be the same array
    corner_start: np.ndarray  # (n_lattices + 1,) int64: where the corners of each lattice begin among the K
    stripe: np.ndarray  # (n_stripes + 1,) int64: first block of each stripe
    vertex: np.ndarray  # (n_lattices, 2) int64: first row, number of vertices
    duplicate: np.ndarray  # (n_lattices, 2) int64: first duplicate row, number of duplicates
    own: np.ndarray  # (n_lattices, n_stripes + 1) int64: borders of the rows that each stripe owns
    own_duplicate: np.ndarray  # (n_lattices, n_stripes + 1) int64: borders of its duplicate rows
    target_start: np.ndarray  # (n_lattices,) int64: where in `target` the duplicates of each lattice begin
    target: np.ndarray  # (total duplicates,) uint32: the row that each duplicate stands for
    neighbour_start: np.ndarray  # (n_lattices,) int64: where in `neighbour` each lattice begins
    neighbour: np.ndarray  # flat (n_axes, n_vertices, 2) uint32 for each lattice that is blurred along its axes
    n_shells: np.ndarray  # (n_lattices,) int64: how many shells a stencil has; 0 for a blur along the axes
    shell_weight: np.ndarray  # (n_lattices, most shells) float32: weight of each shell
    link_start: np.ndarray  # (n_lattices,) int64: where in `link_border` each lattice begins
    link_border: np.ndarray  # uint32, for each vertex of a stencil blur: where in `link` each of its shells ends
    link: np.ndarray  # uint32: rows of the neighbours, vertex after vertex, shell after shell
    n_rows: int

    def adjoint(self) -> Bank:
        """The bank of the transposed filters, if their axes are blurred in the opposite order."""
        return self._replace(weight_in=self.weight_out, weight_out=self.weight_in)


class RowLayout(NamedTuple):
    """How the channels of a point lie in row arrays.

    A tuple of zeros stands for its length, which kernels have to know when they are compiled.

    A channel is a label, as a rule. Two labels may be *paired*: then the only channel is what label 1 has more than
    label 0, of costs, marginals and messages. That is all that the softmax needs, and half the work.
    """

    n_labels: int
    n_channels: int
    n_panels: int
    lanes: tuple[int, ...]  # channels of a panel; the last panel may have more than are used
    head: tuple[int, ...]  # the chunks in which a panel is blurred: all but the last one
    tail: tuple[int, ...]  # the last chunk
    corners: tuple[int, ...]  # corners of a point, K, if that is usual; else empty: kernels ask the bank
    paired: tuple[int, ...]  # of length 1 if labels are paired, else empty

    @classmethod
    def of(cls, n_labels: int, n_corners: int = 0, *, paired: bool = False) -> RowLayout:
        """The layout of `n_labels` channels, or of 1 if they are `paired`, and of points with `n_corners` corners.

        There is little padding. A panel of 24 channels is blurred in chunks of 16 and 8.
        """
        n_channels = 1 if paired else n_labels
        lanes, n_panels = lanes_for(n_channels)
        tail = lanes[(len(lanes) - 1) // PIXELS * PIXELS :]
        return cls(
            n_labels,
            n_channels,
            n_panels,
            lanes,
            ACROSS if len(lanes) > PIXELS else tail,
            tail,
            (0,) * n_corners if n_corners in _USUAL else (),
            (0,) * paired,
        )

    def size(self, bank: Bank) -> int:
        """Number of values of a row array of `bank`."""
        return self.n_panels * bank.n_rows * len(self.lanes)


class Pairwise(NamedTuple):
    """The pairwise term of a dense CRF: the messages are ``sum_k matrix_k' (scale_k * K_k Q)``."""

    bank: Bank
    slice_index: np.ndarray  # as `bank.index`, which it may be; or with vertices in place of duplicates, for slicing
    layout: RowLayout
    scale: np.ndarray  # (n_lattices, n_panels * len(lanes)) float32: factor of each lattice and label
    matrix: np.ndarray | None  # (n_lattices, n_labels, n_labels) float32: from label, to label; None for identities

    def adjoint(self) -> Pairwise:
        """The transposed term."""
        matrix = None if self.matrix is None else np.ascontiguousarray(self.matrix.swapaxes(1, 2))
        return self._replace(bank=self.bank.adjoint(), matrix=matrix)


@inline
def sliced_by(bank, index):
    """The `bank` with another (n_padded * K,) `index`."""
    return Bank(
        index, bank.weight_in, bank.weight_out, bank.corner_start, bank.stripe, bank.vertex, bank.duplicate, bank.own,
        bank.own_duplicate, bank.target_start, bank.target, bank.neighbour_start, bank.neighbour, bank.n_shells,
        bank.shell_weight, bank.link_start, bank.link_border, bank.link, bank.n_rows,
    )  # fmt: skip


@inline
def corners_of(bank, layout):
    """Corners of a point of a `bank`, a number for the compiler where the `layout` has it."""
    return len(layout.corners) if len(layout.corners) > 0 else bank.corner_start[-1]


@inline
def fill_duplicates(bank, s, begin, end, rows, layout):
    """Copy vertices to their duplicates, before stripe `s` slices from `rows`.

    Parameters
    ----------
    bank : Bank
    s : int, the stripe
    begin, end : int, the lattices `begin` to `end` - 1
    rows : (layout.size(bank),) float32
    layout : RowLayout
    """
    lanes = layout.lanes
    for panel in range(layout.n_panels):
        base = panel * bank.n_rows * len(lanes)
        for k in range(begin, end):
            first = bank.duplicate[k, 0]
            for row in range(bank.own_duplicate[k, s], bank.own_duplicate[k, s + 1]):
                original = np.intp(bank.target[bank.target_start[k] + row - first])
                store_row(rows, base, bank.n_rows, row, load_row(rows, base, bank.n_rows, original, lanes))


@inline
def clear_stripe(bank, s, begin, end, rows, layout):
    """Set vertices and duplicates to zero, before stripe `s` splats into `rows`.

    Parameters
    ----------
    bank, s, begin, end, rows, layout : as in :func:`fill_duplicates`
    """
    lanes = layout.lanes
    zero = fill(np.float32(0.0), lanes)
    for panel in range(layout.n_panels):
        base = panel * bank.n_rows * len(lanes)
        for k in range(begin, end):
            for row in range(bank.own_duplicate[k, s], bank.own_duplicate[k, s + 1]):
                store_row(rows, base, bank.n_rows, row, zero)
            for row in range(bank.own[k, s], bank.own[k, s + 1]):
                store_row(rows, base, bank.n_rows, row, zero)


@inline
def copy_stripe(bank, s, begin, end, source, rows, layout):
    """Copy the vertices and duplicates of stripe `s` from the row array `source` to `rows`.

    Parameters
    ----------
    bank, s, begin, end, rows, layout : as in :func:`fill_duplicates`
    source : as `rows`
    """
    lanes = layout.lanes
    for panel in range(layout.n_panels):
        base = panel * bank.n_rows * len(lanes)
        for k in range(begin, end):
            for row in range(bank.own_duplicate[k, s], bank.own_duplicate[k, s + 1]):
                store_row(rows, base, bank.n_rows, row, load_row(source, base, bank.n_rows, row, lanes))
            for row in range(bank.own[k, s], bank.own[k, s + 1]):
                store_row(rows, base, bank.n_rows, row, load_row(source, base, bank.n_rows, row, lanes))


@inline
def slice_block(bank, source, at, first, n_corners, block, layout):
    """Interpolate 16 points from their corners.

    Parameters
    ----------
    bank : Bank
    source : (layout.size(bank),) float32, the rows to read
    at : int, the first of the points
    first, n_corners : int, which corners of each point are read
    block : (n_panels * 16 * len(lanes),) float32, filled: panel after panel, the rows of the 16 points
    layout : RowLayout
    """
    lanes, all_corners = layout.lanes, bank.corner_start[-1]
    start = at * all_corners + first * PIXELS
    for panel in range(layout.n_panels):
        base = panel * bank.n_rows * len(lanes)
        if len(lanes) == 1:  # 16 points at once
            sums = fill(np.float32(0.0), ACROSS)
            for corner in range(n_corners):
                own = start + corner * PIXELS
                prefetch(bank.index, own + _AHEAD * all_corners)
                prefetch(bank.weight_out, own + _AHEAD * all_corners)
                values = gather(source, base, load_numbers(bank.index, own))
                sums = add(sums, multiply(load(bank.weight_out, own, ACROSS), values))
            store(block, panel * PIXELS, sums)
        else:
            for p in range(PIXELS):
                total = fill(np.float32(0.0), lanes)
                prefetch(bank.index, (at + p + _AHEAD) * all_corners)
                prefetch(bank.weight_out, (at + p + _AHEAD) * all_corners)
                for corner in range(n_corners):
                    own = start + corner * PIXELS + p
                    row = load_row(source, base, bank.n_rows, np.intp(item(bank.index, own)), lanes)
                    total = axpy(item(bank.weight_out, own), row, total)
                store_row(block, panel * len(lanes) * PIXELS, PIXELS, p, total)


@inline
def splat_block(bank, target, at, first, n_corners, block, layout):
    """Add 16 points to the rows of their corners.

    Parameters
    ----------
    bank, at, first, n_corners, layout : as in :func:`slice_block`
    target : (layout.size(bank),) float32, the rows to add to
    block : (n_panels * 16 * len(lanes),) float32, panel after panel, the rows of the 16 points
    """
    lanes, all_corners = layout.lanes, bank.corner_start[-1]
    start = at * all_corners + first * PIXELS
    for panel in range(layout.n_panels):
        base = panel * bank.n_rows * len(lanes)
        for p in range(PIXELS):
            row = load_row(block, panel * len(lanes) * PIXELS, PIXELS, p, lanes)
            prefetch(bank.index, (at + p + _AHEAD) * all_corners)
            prefetch(bank.weight_in, (at + p + _AHEAD) * all_corners)
            for corner in range(n_corners):
                own = start + corner * PIXELS + p
                to = np.intp(item(bank.index, own))
                sum_ = axpy(item(bank.weight_in, own), row, load_row(target, base, bank.n_rows, to, lanes))
                store_row(target, base, bank.n_rows, to, sum_)
