"""What a lattice of this backend consists of, kernel after kernel in the same arrays.

Rows of the vertices of a kernel follow each other. Each kernel's begin at a multiple of :data:`ROWS`, and so do its
runs and groups, see :mod:`classicseg.torch.backends.triton._lattice`: rows are then aligned however many vertices an
image has, so that programs are compiled once, and a program that multiplies rows by a matrix knows which. What fills
the gaps sums nothing and has no neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from classicseg.filters.blur import AXES
from classicseg.torch.backends._sorting import integer_for, is_one_sided


class Rows(NamedTuple):
    """A range of runs, of groups and of rows: those of a kernel, or all."""

    runs: slice
    groups: slice
    rows: slice


class Layout(NamedTuple):
    """What a lattice consists of. P is the sum of d + 1 over kernels, A the largest d + 1."""

    index: Tensor  # (B N, P) int32: rows of each point
    weight_in: Tensor  # (B N, P) float32: weights of splatting
    weight_out: Tensor  # the same of slicing; empty if they are equal
    row_sums: Tensor  # (K, B, N) float32: of each kernel before normalisation
    point: Tensor  # (B N P,) int32: points of the pairs, kernel after kernel, vertex after vertex of a tile
    pair_weight_in: Tensor  # (B N P,) float32: weights of the pairs
    pair_weight_out: Tensor  # the same of slicing, for the transpose; empty if they are equal
    begin: Tensor  # (runs,) int32: where in `point` each run starts
    end: Tensor  # (runs,): and ends
    run: Tensor  # int32: runs of each vertex, vertex after vertex
    begin_run: Tensor  # (groups + 1,) int32: where in `run` each group of runs of one vertex starts
    begin_group: Tensor  # (rows + 1,) int32: where the groups of each vertex start; empty if each has one
    neighbours: Tensor  # (A, rows, 2) int32: of each vertex along each axis; itself where there is none
    kernel_of: Tensor  # (rows / ROWS,) int32: kernel of so many rows
    sizes: Sequence[Tensor]  # of each kernel (runs, groups, rows, 0): numbers that are shapes need not be read

    @property
    def n_rows(self) -> int:
        """Rows of all kernels."""
        return self.neighbours.shape[1]

    @property
    def gains(self) -> list[float]:
        """Of each kernel, see :meth:`classicseg.filters.blur.Blur.gain`."""
        return [AXES.gain(pairs.stop - pairs.start - 1) for pairs in self.pairs]

    @property
    def pairs(self) -> list[slice]:
        """Those of each kernel; the numbers of axes are shapes, too."""
        return slices([size.shape[3] for size in self.sizes])

    @property
    def rows(self) -> list[Rows]:
        """What each kernel has of runs, groups and rows."""
        parts = (slices([size.shape[at] for size in self.sizes]) for at in range(3))
        return [Rows(*own) for own in zip(*parts, strict=True)]

    @property
    def all_rows(self) -> Rows:
        """What all kernels have together."""
        return Rows(*(slice(0, sum(size.shape[at] for size in self.sizes)) for at in range(3)))

    def weights(self, adjoint: bool) -> Tensor:
        """Of the pairs in splatting, or in slicing for the transpose."""
        return self.pair_weight_out if adjoint and self.pair_weight_out.numel() else self.pair_weight_in

    def slicing(self, adjoint: bool) -> Tensor:
        """Weights of slicing, or of splatting for the transpose."""
        return self.weight_in if adjoint or not self.weight_out.numel() else self.weight_out


SINGLE = len(Layout._fields) - 1


def layout_of(lattice: Sequence[Tensor]) -> Layout:
    """The tensors by their names."""
    return Layout(**dict(zip(Layout._fields[:SINGLE], lattice[:SINGLE], strict=True)), sizes=lattice[SINGLE:])


def empty_lattice(
    features: Sequence[Tensor], normalizations: Sequence[str], new_size: Callable[[], int]
) -> list[Tensor]:
    """See :class:`Backend`."""
    n_images, _, n = features[0].shape
    n_points, n_around = n_images * n, [f.shape[1] + 1 for f in features]
    n_pairs, one_sided = sum(n_around), is_one_sided(normalizations)
    integer, new = integer_for(n_points * n_pairs), features[0].new_empty
    sizes = [(new_size(), new_size(), new_size(), n, 0) for n in n_around]
    n_runs, n_groups, n_rows = (sum(size[at] for size in sizes) for at in range(3))
    return [
        new(n_points, n_pairs, dtype=integer),
        new(n_points, n_pairs),
        new(n_points, n_pairs) if one_sided else new(0),
        new(len(features), n_images, n),
        new(n_points * n_pairs, dtype=integer),
        new(n_points * n_pairs),
        new(n_points * n_pairs) if one_sided else new(0),
        new(n_runs, dtype=integer),
        new(n_runs, dtype=integer),
        new(new_size(), dtype=integer),
        new(n_groups + 1, dtype=integer),
        new(new_size(), dtype=integer),
        new(max(n_around), n_rows, 2, dtype=integer),
        new(new_size(), dtype=torch.int32),
        *(new(size) for size in sizes),
    ]


def slices(lengths: Sequence[int]) -> list[slice]:
    """Where things are that follow each other, by their lengths."""
    found, first = [], 0
    for length in lengths:
        found.append(slice(first, first + length))
        first += length
    return found
