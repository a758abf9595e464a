"""The lattice of this backend, all kernels in one, so that one launch serves them all.

Points that lie in the same simplices follow each other in a *tile*. Within a tile the pairs (point, vertex) of one
vertex make a *run*, cut where it is longer than `_RUN`, and are summed first; their values are a few kB that stay close
to the processor. Then come the runs of each vertex, a *group* of `_RUN` at a time, then the rest, where a vertex has
more. No program has much more to do than another, and the order of every sum is fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from classicseg.torch.backends._sorting import (
    Corners,
    Vertices,
    borders,
    compacted,
    corners_of,
    integer_for,
    is_one_sided,
    normalized,
    read,
    room,
)
from classicseg.torch.backends.triton._filtering import Room, blur, splat
from classicseg.torch.backends.triton._launch import ROWS, Slicing, embed, new_rows, update_points, width_of
from classicseg.torch.backends.triton._layout import SINGLE, Layout, slices

_TILE = 256  # points: their values stay close to the processor
_RUN = 32  # pairs, or runs, that are summed by one program
_TOGETHER = 4  # tiles whose runs are sorted by their lengths, so that those of one program are alike


def build(features: Sequence[Tensor], normalizations: Sequence[str], *, roomy: bool = False) -> list[Tensor]:
    """See :class:`classicseg.torch.backends.graphs.Roomy`. The tensors are those of :class:`Layout`, in its order."""
    n_images, _, n = features[0].shape
    integer = integer_for(n_images * n * sum(f.shape[1] + 1 for f in features))
    found = corners_of(features, embed)
    tiled = [_tiled(each) for each in found]
    counts = [torch.stack([each.groups.count, *own.counts]) for each, own in zip(found, tiled, strict=True)]
    parts = [_part(each, own, count, integer) for each, own, count in zip(found, tiled, read(counts), strict=True)]
    plain = _joined(parts, integer, room if roomy else lambda n: n)
    sums = _row_sums(plain, n)
    of_kernels = zip(parts, sums, normalizations, strict=True)
    both = [normalized(part.vertices.weight, own_sums, norm) for part, own_sums, norm in of_kernels]
    sides = [[weights[side] for weights in both] for side in range(1 + is_one_sided(normalizations))]
    weights = [torch.cat(side, 1) for side in sides]
    of_pairs = [torch.cat([part.of_pairs(w) for part, w in zip(parts, side, strict=True)]) for side in sides]
    if len(sides) == 1:
        weights, of_pairs = ([x, x.new_empty(0)] for (x,) in (weights, of_pairs))
    kept = plain._replace(
        weight_in=weights[0],
        weight_out=weights[1],
        row_sums=sums.reshape(len(features), n_images, n),
        pair_weight_in=of_pairs[0],
        pair_weight_out=of_pairs[1],
    )
    return [*kept[:SINGLE], *kept.sizes]


class _Tiled(NamedTuple):
    """The runs of one kernel before anybody knows how many there are: as many as corners at the most, C.

    Runs here are whole; they are cut into pieces once these are counted. The last ones, that are none, are empty.
    """

    corners: Tensor  # (C,): tile after tile, vertex after vertex
    end: Tensor  # (C,): where the pairs of each run end
    vertex: Tensor  # (C,): vertex of each run
    tile: Tensor  # (C,): tile of each run
    pieces: Tensor  # (C,): how many pieces each run is cut into
    of_vertex: Tensor  # (C,): pieces of each vertex

    @property
    def counts(self) -> list[Tensor]:
        """How many pieces and groups of them there are."""
        return [self.pieces.sum(), _parts(self.of_vertex).sum()]


def _parts(count: Tensor) -> Tensor:
    return (count + (_RUN - 1)) // _RUN


def _tiled(found: Corners) -> _Tiled:
    n_around, n_corners = found.weight.shape[1], len(found.keys)
    simplex = found.groups.order // n_around
    tile, order = (borders(found.n_points)[:-1] // _TILE).index_select(0, simplex).sort(stable=True)
    corners, vertex = found.groups.order[order], found.groups.group[order]
    end = found.n_points.index_select(0, corners // n_around).cumsum(0)
    # The corners of a vertex in a tile follow each other.
    ends = torch.ones_like(vertex, dtype=torch.bool)
    ends[:-1] = (vertex[1:] != vertex[:-1]) | (tile[1:] != tile[:-1])
    run = ends.cumsum(0) - ends.long()
    ends_at, vertex, tile = (compacted(x, ends, run, n_corners) for x in (end, vertex, tile))
    # Those that are none end where the last one does.
    ends_at = torch.where(torch.arange(n_corners, device=run.device) <= run[-1], ends_at, end[-1])
    pieces = _parts(ends_at.diff(prepend=ends_at.new_zeros(1)))
    of_vertex = torch.zeros_like(pieces).index_add_(0, vertex, pieces)
    return _Tiled(corners, ends_at, vertex, tile, pieces, of_vertex)


class _Part(NamedTuple):
    """The lattice of one kernel, counted from 0; attributes as of :class:`Layout`, nothing filled up."""

    vertices: Vertices
    pair: Tensor  # (B N (d + 1),): pairs in the order of the runs, as those of :class:`Vertices` are counted
    begin: Tensor
    end: Tensor
    run: Tensor
    begin_run: Tensor
    begin_group: Tensor

    @property
    def point(self) -> Tensor:
        """Points of the pairs."""
        return self.vertices.order.index_select(0, self.pair // self.vertices.weight.shape[1])

    def of_pairs(self, weight: Tensor) -> Tensor:
        """Weights (B N, d + 1) in the order of the pairs."""
        return self.vertices.in_order(weight).index_select(0, self.pair)


def _part(found: Corners, tiled: _Tiled, counts: Sequence[int], integer: torch.dtype) -> _Part:
    """A kernel whose vertices, pieces and groups are counted."""
    n_vertices, n_pieces, n_groups = counts
    vertices = found.vertices(n_vertices, integer)
    pair, _ = vertices.pairs(tiled.corners.to(integer))
    whose, begin = _cut(tiled.pieces, torch.cat([tiled.end.new_zeros(1), tiled.end[:-1]]), n_pieces)
    end = torch.minimum(begin + _RUN, tiled.end[whose])
    like = (tiled.tile[whose] // _TOGETHER * (_RUN + 1) + (end - begin)).argsort(stable=True)
    whose, begin, end = whose[like], begin[like], end[like]
    run = tiled.vertex[whose].argsort(stable=True)
    of_vertex = tiled.of_vertex[:n_vertices]
    groups = _parts(of_vertex)
    _, begin_run = _cut(groups, borders(of_vertex)[:-1], n_groups)
    rest = begin, end, run, begin_run, borders(groups)[:-1]
    return _Part(vertices, pair, *(x.to(integer) for x in rest))


def _cut(pieces: Tensor, begin: Tensor, n_pieces: int) -> tuple[Tensor, Tensor]:
    """Cut entries that begin somewhere into so many pieces: the entry of each piece, and where it begins."""
    whose = torch.repeat_interleave(pieces, output_size=n_pieces)
    piece = torch.arange(n_pieces, device=pieces.device) - (pieces.cumsum(0) - pieces)[whose]
    return whose, begin[whose] + _RUN * piece


def _joined(parts: Sequence[_Part], integer: torch.dtype, enlarged: Callable[[int], int]) -> Layout:
    """All kernels in one, with weights before normalisation; numbers of runs, groups and rows are enlarged."""
    lengths = [(len(p.begin), len(p.begin_run), len(p.begin_group)) for p in parts]
    filled = [tuple(-(-enlarged(n) // ROWS) * ROWS for n in own) for own in lengths]
    runs, groups, rows = (slices([own[at] for own in filled]) for at in range(3))
    pairs = slices([len(p.pair) for p in parts])
    members = slices([len(p.run) for p in parts])
    begin, end, run, begin_run, begin_group, neighbours = ([] for _ in range(6))
    n_axes = max(len(p.vertices.neighbours) for p in parts)
    for k, p in enumerate(parts):
        begin.append(_filled(p.begin + pairs[k].start, filled[k][0], 0))
        end.append(_filled(p.end + pairs[k].start, filled[k][0], 0))
        run.append(p.run + runs[k].start)
        begin_run.append(_filled(p.begin_run + members[k].start, filled[k][1], members[k].stop))
        begin_group.append(_filled(p.begin_group + groups[k].start, filled[k][2], groups[k].start + lengths[k][1]))
        own = torch.arange(rows[k].start, rows[k].stop, dtype=integer, device=p.begin.device)
        near = own[None, :, None].repeat(n_axes, 1, 2)
        near[: len(p.vertices.neighbours), : lengths[k][2]] = p.vertices.neighbours + rows[k].start
        neighbours.append(near)
    begin_run.append(begin_run[-1].new_full((1,), members[-1].stop))
    begin_group.append(begin_group[-1].new_full((1,), groups[-1].stop))
    few = all(n_groups == n_vertices for _, n_groups, n_vertices in lengths)
    index = torch.cat([p.vertices.index + own.start for p, own in zip(parts, rows, strict=True)], 1)
    weight = torch.cat([p.vertices.weight for p in parts], 1)
    blocks = [torch.full((n // ROWS,), k, dtype=torch.int32, device=index.device) for k, (*_, n) in enumerate(filled)]
    return Layout(
        index=index,
        weight_in=weight,
        weight_out=weight[:0, 0],
        row_sums=weight[:0, 0],
        point=torch.cat([p.point for p in parts]),
        pair_weight_in=torch.cat([p.of_pairs(p.vertices.weight) for p in parts]),
        pair_weight_out=weight[:0, 0],
        begin=torch.cat(begin),
        end=torch.cat(end),
        run=_filled(torch.cat(run), enlarged(members[-1].stop), 0),
        begin_run=torch.cat(begin_run),
        begin_group=index.new_empty(0) if few else torch.cat(begin_group),
        neighbours=torch.cat(neighbours, 1),
        kernel_of=torch.cat(blocks),
        sizes=[weight.new_empty(*own, p.vertices.weight.shape[1], 0) for own, p in zip(filled, parts, strict=True)],
    )


def _filled(values: Tensor, n: int, value: int) -> Tensor:
    return torch.nn.functional.pad(values, (0, n - len(values)), value=value)


def _row_sums(layout: Layout, n: int) -> Tensor:
    """The kernels applied to ones, (K, B N)."""
    width, n_points = width_of(1), len(layout.index)
    ones = torch.ones(n_points, 1, dtype=torch.float32, device=layout.index.device)
    room, part = Room.of(layout, width.stride), layout.all_rows
    splat(layout, ones, layout.pair_weight_in, part, room)
    rows = blur(layout, room, False, part, new_rows(ones, layout.n_rows, width))
    sums = []
    for pairs, gain in zip(layout.pairs, layout.gains, strict=True):
        scale = ones.new_full((pairs.stop - pairs.start, 1), gain)
        of_kernel = Slicing(rows, layout.index, layout.weight_in, pairs, scale)
        sums.append(update_points(new_rows(ones, n_points, width), width, n, sliced=of_kernel)[:, 0])
    return torch.stack(sums)
