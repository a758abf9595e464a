"""The lattice of this backend, and how it splats and blurs.

Points that lie in the same simplices follow each other in a *tile*. Within a tile the pairs (point, vertex) of one
vertex make a run, cut where it is longer than `_RUN`, and are summed first; their values are a few kB that stay close
to the processor. Then come the runs of each vertex, `_RUN` at a time, then the rest. No program has much more to do
than another, and the order of every sum is fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from classicseg.filters.blur import AXES
from classicseg.torch.backends._sorting import (
    Vertices,
    borders,
    find,
    integer_for,
    is_one_sided,
    normalized,
)
from classicseg.torch.backends.triton._launch import Slicing, blur_axis, embed, sum_runs, update_points, width_of

_TILE = 256  # points: their values stay close to the processor
_RUN = 32  # pairs, or runs, that are summed by one program


class Splat(NamedTuple):
    """How the values of points become the V rows of one kernel, from (point, vertex) pairs in runs."""

    point: Tensor  # (B N (d + 1),) int32: points of the pairs, run after run
    weight_in: Tensor  # (B N (d + 1),) float32: weights of the pairs
    weight_out: Tensor  # the same of slicing, for the transpose; empty if they are equal
    begin: Tensor  # (runs + 1,) int32: where in `point` each run starts
    run: Tensor  # (runs,) int32: runs of each vertex, vertex after vertex
    begin_run: Tensor  # (groups + 1,) int32: where in `run` each group of runs of one vertex starts
    begin_group: Tensor  # (V + 1,) int32: where the groups of each vertex start
    neighbours: Tensor  # (d + 1, V, 2) int32: of each vertex along each axis; itself where there is none

    def weights(self, adjoint: bool) -> Tensor:
        """Of splatting, or of slicing for the transpose."""
        return self.weight_out if adjoint and self.weight_out.numel() else self.weight_in


class Layout(NamedTuple):
    """What a lattice consists of. P is the sum of d + 1 over kernels; their rows follow each other in one array."""

    index: Tensor  # (B N, P) int32: rows of each point
    weight_in: Tensor  # (B N, P) float32: weights of splatting
    weight_out: Tensor  # the same of slicing; empty if they are equal
    row_sums: Tensor  # (K, B, N) float32: of each kernel before normalisation
    splats: Sequence[Splat]

    @property
    def n_rows(self) -> int:
        """Vertices of all kernels."""
        return sum(splat.neighbours.shape[1] for splat in self.splats)

    @property
    def gains(self) -> list[float]:
        """Of each kernel, see :meth:`classicseg.filters.blur.Blur.gain`."""
        return [AXES.gain(splat.neighbours.shape[0] - 1) for splat in self.splats]

    def rows_of(self, k: int) -> slice:
        """Rows of kernel `k`."""
        first = sum(splat.neighbours.shape[1] for splat in self.splats[:k])
        return slice(first, first + self.splats[k].neighbours.shape[1])

    def pairs_of(self, k: int) -> slice:
        """Pairs of kernel `k`."""
        first = sum(splat.neighbours.shape[0] for splat in self.splats[:k])
        return slice(first, first + self.splats[k].neighbours.shape[0])

    def slicing(self, adjoint: bool) -> Tensor:
        """Weights of slicing, or of splatting for the transpose."""
        return self.weight_in if adjoint or not self.weight_out.numel() else self.weight_out


_SINGLE = len(Layout._fields) - 1
_EACH = len(Splat._fields)


def layout_of(lattice: Sequence[Tensor]) -> Layout:
    """The tensors by their names."""
    splats = [Splat(*lattice[first : first + _EACH]) for first in range(_SINGLE, len(lattice), _EACH)]
    index, weight_in, weight_out, row_sums = lattice[:_SINGLE]
    return Layout(index, weight_in, weight_out, row_sums, splats)


def empty_lattice(
    features: Sequence[Tensor], normalizations: Sequence[str], new_size: Callable[[], int]
) -> list[Tensor]:
    """See :class:`Backend`."""
    n_images, _, n = features[0].shape
    n_points, n_pairs = n_images * n, sum(f.shape[1] + 1 for f in features)
    integer, new = integer_for(n_points * n_pairs), features[0].new_empty
    one_sided = is_one_sided(normalizations)
    tensors = [
        new(n_points, n_pairs, dtype=integer),
        new(n_points, n_pairs),
        new(n_points, n_pairs) if one_sided else new(0),
        new(len(features), n_images, n),
    ]
    for f in features:
        n_own, n_runs, n_vertices = n_points * (f.shape[1] + 1), new_size(), new_size()
        tensors += [
            new(n_own, dtype=integer),
            new(n_own),
            new(n_own if one_sided else 0),
            new(n_runs + 1, dtype=integer),
            new(n_runs, dtype=integer),
            new(new_size(), dtype=integer),
            new(n_vertices + 1, dtype=integer),
            new(f.shape[1] + 1, n_vertices, 2, dtype=integer),
        ]
    return tensors


def build(features: Sequence[Tensor], normalizations: Sequence[str]) -> list[Tensor]:
    """See :class:`Backend`. The tensors are those of :class:`Layout`, one after the other."""
    n_images, _, n = features[0].shape
    integer = integer_for(n_images * n * sum(f.shape[1] + 1 for f in features))
    one_sided = is_one_sided(normalizations)
    none = features[0].new_empty(0)
    index, weights_in, weights_out, sums = [], [], [], []
    splats: list[Tensor] = []
    first = 0
    for f, normalization in zip(features, normalizations, strict=True):
        vertices = find(f, integer, embed)
        splat, pair = _splat_of(vertices)
        row_sums = _row_sums(vertices, splat)
        weight_in, weight_out = normalized(vertices.weight, row_sums, normalization)
        index.append(vertices.index + first)
        weights_in.append(weight_in)
        weights_out.append(weight_out)
        sums.append(row_sums.reshape(n_images, n))
        sorted_in = vertices.in_order(weight_in).index_select(0, pair)
        sorted_out = vertices.in_order(weight_out).index_select(0, pair) if one_sided else none.clone()
        splats += splat._replace(weight_in=sorted_in, weight_out=sorted_out)
        first += splat.neighbours.shape[1]
    out = torch.cat(weights_out, 1) if one_sided else none
    return [torch.cat(index, 1), torch.cat(weights_in, 1), out, torch.stack(sums), *splats]


def _splat_of(vertices: Vertices) -> tuple[Splat, Tensor]:
    """The way to splat before normalisation, and its pairs as those of `vertices` are counted."""
    n_around, n_vertices, integer = vertices.weight.shape[1], len(vertices.n_corners), vertices.order.dtype
    tile = (borders(vertices.n_points)[:-1] // _TILE).index_select(0, vertices.corners // n_around)
    tile, order = tile.sort(stable=True)
    vertex = torch.repeat_interleave(vertices.n_corners)[order]
    pair, end = vertices.pairs(vertices.corners[order])

    # The corners of a vertex in a tile follow each other.
    begins = torch.ones_like(vertex, dtype=torch.bool)
    begins[1:] = (vertex[1:] != vertex[:-1]) | (tile[1:] != tile[:-1])
    begin = begins.nonzero()[:, 0]
    ends = end[torch.cat([begin[1:], begin.new_tensor([len(vertex)])]) - 1]
    begin_pair, whose = _cut(torch.diff(ends, prepend=ends.new_zeros(1)))
    of_run, run = vertex[begin][whose].sort(stable=True)
    begin_run, whose = _cut(torch.bincount(of_run, minlength=n_vertices))
    begin_group = borders(torch.bincount(whose, minlength=n_vertices))
    point = vertices.order.index_select(0, pair // n_around)
    weight = vertices.in_order(vertices.weight).index_select(0, pair)
    begin_pair, run, begin_run, begin_group = (x.to(integer) for x in (begin_pair, run, begin_run, begin_group))
    return Splat(point, weight, weight[:0], begin_pair, run, begin_run, begin_group, vertices.neighbours), pair


def _cut(count: Tensor) -> tuple[Tensor, Tensor]:
    """Cut groups of `count` entries that follow each other into pieces: where each piece starts, and its group."""
    n_pieces = (count + (_RUN - 1)) // _RUN
    group = torch.repeat_interleave(n_pieces)
    piece = torch.arange(len(group), device=count.device) - borders(n_pieces)[group]
    begin = borders(count)
    return torch.cat([begin[group] + _RUN * piece, begin[-1:]]), group


def _row_sums(vertices: Vertices, splat: Splat) -> Tensor:
    """The kernel applied to ones, (n,)."""
    n, n_around = vertices.weight.shape
    width, ones = width_of(1), torch.ones_like(vertices.weight[:, :1])
    rows = blur_rows(splat, splat_rows(splat, ones, splat.weight_in), False)
    scale = ones.new_full((n_around, width.stride), AXES.gain(n_around - 1))
    update_points(ones, width, n, sliced=Slicing(rows, vertices.index, vertices.weight, slice(0, n_around), scale))
    return ones[:, 0]


def splat_rows(splat: Splat, values: Tensor, weight: Tensor, out: Tensor | None = None) -> Tensor:
    """Rows of one kernel from those of points."""
    runs, groups, rows = (
        values.new_empty(begin.shape[0] - 1, values.shape[1])
        for begin in (splat.begin, splat.begin_run, splat.begin_group)
    )
    sum_runs(values, splat.point, weight, splat.begin, runs)
    sum_runs(runs, splat.run, None, splat.begin_run, groups)
    return sum_runs(groups, None, None, splat.begin_group, rows if out is None else out)


def blur_rows(splat: Splat, rows: Tensor, adjoint: bool, out: Tensor | None = None) -> Tensor:
    """Rows of one kernel, blurred along its axes; those given are lost."""
    other = torch.empty_like(rows)
    *most, last = reversed(splat.neighbours.unbind()) if adjoint else splat.neighbours.unbind()
    for neighbours in most:
        rows, other = blur_axis(rows, neighbours, other), rows
    return blur_axis(rows, last, other if out is None else out)
