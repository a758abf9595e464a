"""Lattices with nothing but operations of PyTorch, on any device.

Splat, blur and slice are all weighted sums of a few rows, ``embedding_bag``. The rows of all kernels and images lie in
one array; row k of the blocks below belongs to kernel k and holds the vertices of all images, which never touch
because the number of the image is part of the key of a vertex.

On a GPU one thread sums a bag from its first row to its last. Bags are as long as an image is flat: 10^5 points of a
white page lie in a few simplices. There, bags that are long are summed by pieces, then the pieces, then the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, pad

from classicseg.filters.blur import AXES
from classicseg.torch.backends import Updates
from classicseg.torch.backends._features import feature_gradient
from classicseg.torch.backends._rewards import diagonals_of, matrices_of
from classicseg.torch.backends._sorting import (
    Corners,
    Vertices,
    borders,
    corners_of,
    integer_for,
    is_one_sided,
    normalized,
    read,
    room,
)

_LONG = 128  # entries of a bag that are summed at once; on a GPU


def longest_of(tensor: Tensor) -> int | None:
    """How long a bag may be on the device of a tensor, None for as long as it likes."""
    return None if tensor.device.type == "cpu" else _LONG


class Bags(NamedTuple):
    """Entries that are summed, bag after bag. Where bags may be long they are cut."""

    start: Tensor  # (bags + 1,): where each bag starts
    pieces: Tensor  # where each piece of a bag starts, the last ones empty; empty if bags are not cut
    groups: Tensor  # where in `pieces` each group of pieces of a bag starts, the last ones empty
    last: Tensor  # (bags + 1,): where in `groups` each bag starts


class Layout(NamedTuple):
    """What a lattice consists of; P is the number of (row, weight) pairs of a point, the sum of d + 1 over kernels.

    A point is one of the B N points of a batch, a row one of the R vertices of all kernels.
    """

    index: Tensor  # (B N, P) int32: rows of each point
    weight_in: Tensor  # (B N, P) float32: weights of splatting
    weight_out: Tensor  # the same of slicing; empty if they are equal
    point: Tensor  # (B N P,) int32: points of each row, row after row
    point_weight_in: Tensor  # (B N P,) float32: the same weights, row after row
    point_weight_out: Tensor  # empty if they are equal
    row_sums: Tensor  # (K, B, N) float32: of each kernel before normalisation
    bags: Sequence[Bags]  # for each kernel: the points of its V rows
    blurs: Sequence[Tensor]  # for each kernel (d + 1, V, 3) int32, its V rows counted from 0: a row and its neighbours
    blur_weights: Sequence[Tensor]  # for each kernel (d + 1, V, 3) float32: 1, 1/2, 1/2; 0 where there is no neighbour

    @property
    def n_rows(self) -> int:
        """Vertices of all kernels."""
        return sum(blur.shape[1] for blur in self.blurs)

    def rows_of(self, k: int) -> slice:
        """Rows of kernel `k`."""
        first = sum(blur.shape[1] for blur in self.blurs[:k])
        return slice(first, first + self.blurs[k].shape[1])

    def of_kernels(self, rows: Tensor) -> Sequence[Tensor]:
        """Rows of all kernels, by kernels."""
        return rows.split([blur.shape[1] for blur in self.blurs])

    def pairs_of(self, k: int) -> slice:
        """Pairs of kernel `k`."""
        first = sum(blur.shape[0] for blur in self.blurs[:k])
        return slice(first, first + self.blurs[k].shape[0])

    @property
    def gains(self) -> list[float]:
        """Of each kernel, see :meth:`classicseg.filters.blur.Blur.gain`."""
        return [AXES.gain(blur.shape[0] - 1) for blur in self.blurs]


_SINGLE = len(Layout._fields) - 3
_OF_KERNEL = len(Bags._fields) + 2


def _layout(lattice: Sequence[Tensor]) -> Layout:
    of_kernels = [lattice[first : first + _OF_KERNEL] for first in range(_SINGLE, len(lattice), _OF_KERNEL)]
    bags = [Bags(*own[:-2]) for own in of_kernels]
    single = dict(zip(Layout._fields[:_SINGLE], lattice[:_SINGLE], strict=True))
    blurs, blur_weights = ([own[at] for own in of_kernels] for at in (-2, -1))
    return Layout(**single, bags=bags, blurs=blurs, blur_weights=blur_weights)


# --- lattices -----------------------------------------------------------------------------------------------------


def empty_lattice(
    features: Sequence[Tensor], normalizations: Sequence[str], new_size: Callable[[], int]
) -> list[Tensor]:
    """See :class:`Backend`."""
    n_images, _, n = features[0].shape
    n_points, n_pairs = n_images * n, sum(f.shape[1] + 1 for f in features)
    integer, new = integer_for(n_points * n_pairs), features[0].new_empty
    n_out = n_points if is_one_sided(normalizations) else 0
    of_kernels = []
    for f in features:
        n_vertices, is_cut = new_size(), longest_of(f) is not None
        of_kernels += [
            new(n_vertices + 1, dtype=integer),
            new(new_size() if is_cut else 0, dtype=integer),
            new(new_size() if is_cut else 0, dtype=integer),
            new(n_vertices + 1 if is_cut else 0, dtype=integer),
            new(f.shape[1] + 1, n_vertices, 3, dtype=integer),
            new(f.shape[1] + 1, n_vertices, 3),
        ]
    return [
        new(n_points, n_pairs, dtype=integer),
        new(n_points, n_pairs),
        new(n_out, n_pairs) if n_out else new(0),
        new(n_points * n_pairs, dtype=integer),
        new(n_points * n_pairs),
        new(n_out * n_pairs),
        new(len(features), n_images, n),
        *of_kernels,
    ]


class _Lattice(NamedTuple):
    """The lattice of one kernel."""

    vertices: Vertices
    pair: Tensor  # (n (d + 1),): pairs of each vertex, vertex after vertex, as those of :class:`Vertices` are counted
    count: Tensor  # (V,): pairs of each vertex
    row_sums: Tensor  # (n,) float32
    blur: Tensor
    blur_weight: Tensor


def build(features: Sequence[Tensor], normalizations: Sequence[str], *, roomy: bool = False) -> list[Tensor]:
    """See :class:`classicseg.torch.backends.graphs.Roomy`. The tensors are those of :class:`Layout`, in its order."""
    n_images, _, n = features[0].shape
    n_points, n_pairs = n_images * n, sum(f.shape[1] + 1 for f in features)
    integer, one_sided, new = integer_for(n_points * n_pairs), is_one_sided(normalizations), features[0].new_empty
    found = corners_of(features)
    counts = read([each.groups.count for each in found])
    lattices = [
        _build_one(each, n_vertices, room(n_vertices) if roomy else n_vertices, integer)
        for each, n_vertices in zip(found, counts, strict=True)
    ]
    point, sorted_in = new(n_points * n_pairs, dtype=integer), new(n_points * n_pairs)
    sorted_out = new(n_points * n_pairs if one_sided else 0)
    index, weights_in, weights_out = [], [], []
    row = first = 0
    for lattice, normalization in zip(lattices, normalizations, strict=True):
        vertices = lattice.vertices
        weight_in, weight_out = normalized(vertices.weight, lattice.row_sums, normalization)
        index.append(vertices.index + row)
        weights_in.append(weight_in)
        weights_out.append(weight_out)
        own = slice(first, first + lattice.pair.shape[0])
        points = vertices.order[:, None].expand(vertices.index.shape).reshape(-1)
        torch.index_select(points, 0, lattice.pair, out=point[own])
        for weight, into in [(weight_in, sorted_in), (weight_out, sorted_out)][: 1 + one_sided]:
            torch.index_select(vertices.in_order(weight), 0, lattice.pair, out=into[own])
        row, first = row + lattice.count.shape[0], own.stop
    return [
        torch.cat(index, 1),
        torch.cat(weights_in, 1),
        torch.cat(weights_out, 1) if one_sided else new(0),
        point,
        sorted_in,
        sorted_out,
        torch.stack([lattice.row_sums.reshape(n_images, n) for lattice in lattices]),
        *(
            x
            for lattice in lattices
            for x in (*_bags(lattice.count, len(lattice.pair)), lattice.blur, lattice.blur_weight)
        ),
    ]


def _build_one(corners: Corners, n_vertices: int, n_rows: int, integer: torch.dtype) -> _Lattice:
    """A lattice of `n_vertices` in so many rows; the others are empty and have no neighbours."""
    vertices = corners.vertices(n_vertices, integer)
    pair, end = vertices.pairs(vertices.corners)
    ends = end.index_select(0, vertices.n_corners.cumsum(0, dtype=integer) - 1)
    n_corners = pad(vertices.n_corners, (0, n_rows - n_vertices))
    own = torch.arange(n_rows, dtype=integer, device=ends.device)[None, :, None].repeat(len(vertices.neighbours), 1, 1)
    neighbours = torch.cat([vertices.neighbours, own[:, n_vertices:].expand(-1, -1, 2)], 1)
    blur = torch.cat([own, neighbours], 2)
    blur_weight = (neighbours != own).to(vertices.weight.dtype) * 0.5
    blur_weight = torch.cat([torch.ones_like(blur_weight[:, :, :1]), blur_weight], 2)
    # Sums of simplices first: there are fewer of them than points.
    sums = _sums(vertices.weight, vertices.order, vertices.n_points).reshape(-1, 1)
    sums = _blur(_sums(sums, vertices.corners, n_corners), blur, blur_weight, False)
    sums = embedding_bag(vertices.index, sums, per_sample_weights=vertices.weight, mode="sum")[:, 0]
    count = pad(torch.diff(ends, prepend=ends.new_zeros(1)), (0, n_rows - n_vertices))
    return _Lattice(vertices, pair, count, sums * AXES.gain(pair.shape[0] // len(sums) - 1), blur, blur_weight)


def _sums(values: Tensor, order: Tensor, count: Tensor) -> Tensor:
    """Sums of groups of rows."""
    return _summed(order, values, None, _bags(count, len(order)))


def _bags(count: Tensor, n_entries: int) -> Bags:
    """Bags of `count` entries, `n_entries` together.

    How many pieces there are only the device knows, so there is room for as many as there can be.
    """
    start, longest = borders(count), longest_of(count)
    if longest is None:
        return Bags(start, *(start.new_empty(0) for _ in range(3)))
    pieces, of_pieces = _cut(start, n_entries // longest + len(count), longest)
    groups, last = _cut(of_pieces, len(pieces) // longest + len(count), longest)
    return Bags(start, pieces, groups, last)


def _cut(start: Tensor, most: int, longest: int) -> tuple[Tensor, Tensor]:
    """Cut bags into at most so many pieces: where each begins, and where those of each bag begin, (bags + 1,)."""
    of_bags = borders((start.diff() + (longest - 1)) // longest)
    piece = torch.arange(most + 1, dtype=start.dtype, device=start.device)
    bag = torch.searchsorted(of_bags, piece, right=True) - 1
    begin = start[bag] + longest * (piece - of_bags[bag])
    return torch.minimum(begin, start[-1]), of_bags


def _summed(member: Tensor, values: Tensor, weight: Tensor | None, bags: Bags) -> Tensor:
    """Sums of the rows of values in each bag."""
    begin = bags.pieces if bags.pieces.numel() else bags.start
    sums = embedding_bag(member, values, begin, per_sample_weights=weight, mode="sum", include_last_offset=True)
    for begin in (bags.groups, bags.last) if bags.pieces.numel() else ():
        entries = torch.arange(len(sums), dtype=begin.dtype, device=begin.device)
        sums = embedding_bag(entries, sums, begin, mode="sum", include_last_offset=True)
    return sums


# --- filters ------------------------------------------------------------------------------------------------------


def _blur(rows: Tensor, blur: Tensor, weight: Tensor, adjoint: bool) -> Tensor:
    axes = range(blur.shape[0])
    for axis in reversed(axes) if adjoint else axes:
        rows = embedding_bag(blur[axis], rows, per_sample_weights=weight[axis].to(rows.dtype), mode="sum")
    return rows


def _splat(lattice: Layout, k: int, values: Tensor, adjoint: bool) -> Tensor:
    """Rows (V, C) of one kernel from values (B N, C)."""
    weight = lattice.point_weight_out if adjoint and lattice.weight_out.numel() else lattice.point_weight_in
    n_points, pairs = lattice.index.shape[0], lattice.pairs_of(k)
    own = slice(n_points * pairs.start, n_points * pairs.stop)
    return _summed(lattice.point[own], values, weight[own].to(values.dtype), lattice.bags[k])


def _slice(lattice: Layout, rows: Tensor, adjoint: bool, k: int | None = None) -> Tensor:
    """Values (B N, C) from the rows of all kernels, summed, or from those of one."""
    weight = lattice.weight_in if adjoint or not lattice.weight_out.numel() else lattice.weight_out
    index = lattice.index
    if k is not None:
        pairs = lattice.pairs_of(k)
        index, weight = index[:, pairs] - lattice.rows_of(k).start, weight[:, pairs].contiguous()
    return embedding_bag(index, rows, per_sample_weights=weight.to(rows.dtype), mode="sum")


def _by_point(values: Tensor) -> Tensor:
    """(B, C, N) to (B N, C)."""
    return values.transpose(1, 2).contiguous().reshape(-1, values.shape[1])


def _by_image(values: Tensor, n_images: int) -> Tensor:
    """(B N, C) to (B, C, N)."""
    return values.reshape(n_images, -1, values.shape[1]).transpose(1, 2).contiguous()


def filter(values: Tensor, lattice: Sequence[Tensor], k: int, adjoint: bool) -> Tensor:  # noqa: A001
    """See :class:`Backend`."""
    parts = _layout(lattice)
    rows = _splat(parts, k, _by_point(values), adjoint)
    rows = _blur(rows, parts.blurs[k], parts.blur_weights[k], adjoint) * parts.gains[k]
    return _by_image(_slice(parts, rows, adjoint, k), values.shape[0])


def _feature_gradient(
    q: Tensor, g: Tensor, features: Tensor, lattice: Sequence[Tensor], k: int, normalization: str
) -> Tensor:
    apply: Callable[[Tensor, bool], Tensor] = lambda v, adjoint: filter(v, lattice, k, adjoint)  # noqa: E731
    return feature_gradient(apply, q, g, features, _layout(lattice).row_sums[k], normalization)


# --- mean field ---------------------------------------------------------------------------------------------------


def tape_size(lattice: Sequence[Tensor], n_labels: int, n_iter: int) -> tuple[int, ...]:
    """See :class:`Backend`. The blurred rows of each iteration, which are fewer than the marginals."""
    return n_iter, _layout(lattice).n_rows, n_labels


def _splat_all(lattice: Layout, values: Tensor, adjoint: bool) -> list[Tensor]:
    """Rows of each kernel."""
    return [_splat(lattice, k, values, adjoint) for k in range(len(lattice.blurs))]


def _blur_all(lattice: Layout, rows: Sequence[Tensor], adjoint: bool) -> Tensor:
    """Blurred rows of all kernels."""
    blurred = [
        _blur(own, blur, weight, adjoint)
        for own, blur, weight in zip(rows, lattice.blurs, lattice.blur_weights, strict=True)
    ]
    return blurred[0] if len(blurred) == 1 else torch.cat(blurred)


def _mix(rows: Sequence[Tensor], matrices: Tensor, mixes: bool) -> list[Tensor]:
    """Multiply the rows of each kernel by its matrix, or by what is left of it if it is known not to mix labels."""
    if mixes:
        return [own @ matrix for own, matrix in zip(rows, matrices, strict=True)]
    return [own * diagonal for own, diagonal in zip(rows, diagonals_of(matrices), strict=True)]


def mean_field(
    logits: Tensor,
    rewards: Tensor,
    lattice: Sequence[Tensor],
    updates: Updates,
    record: bool,
) -> tuple[Tensor, Tensor]:
    """See :class:`Backend`."""
    n_iter, marginals, mixes = updates
    parts = _layout(lattice)
    matrices = matrices_of(rewards, parts.gains)
    tape = logits.new_empty(tape_size(lattice, logits.shape[1], n_iter) if record else 0)
    z = _by_point(logits)
    a = z
    for t in range(n_iter):
        rows = _blur_all(parts, _splat_all(parts, a.softmax(1), False), False)
        if record:
            tape[t] = rows
        a = _slice(parts, torch.cat(_mix(parts.of_kernels(rows), matrices, mixes)), False).add_(z)
    a = _by_image(a, logits.shape[0])
    return a.softmax(1) if marginals else a.log_softmax(1), tape


def mean_field_backward(
    grad: Tensor,
    out: Tensor,
    logits: Tensor,
    rewards: Tensor,
    features: Sequence[Tensor],
    lattice: Sequence[Tensor],
    normalizations: Sequence[str],
    tape: Tensor,
    updates: Updates,
) -> list[Tensor]:
    """See :class:`Backend`. The notation is that of :mod:`classicseg.kernels.dense.adjoint`."""
    n_iter, marginals, mixes = updates
    parts, n_images = _layout(lattice), logits.shape[0]
    matrices = matrices_of(rewards, parts.gains)
    z, result, g = (_by_point(x) for x in (logits, out, grad))
    g = softmax_adjoint(result, g) if marginals else g - result.exp() * g.sum(1, keepdim=True)
    grad_logits, grad_rewards = g.clone(), torch.zeros_like(rewards)
    grad_features = [torch.zeros_like(f) for f in features]
    for t in reversed(range(n_iter)):
        rows = _splat_all(parts, g, True)
        for k, (sent, received) in enumerate(zip(parts.of_kernels(tape[t]), rows, strict=True)):
            grad_rewards[k].addmm_(sent.T, received, alpha=parts.gains[k])
        blurred = _blur_all(parts, _mix(rows, matrices.mT, mixes), True)
        a = z
        if t > 0:
            a = _slice(parts, torch.cat(_mix(parts.of_kernels(tape[t - 1]), matrices, mixes)), False).add_(z)
        q = a.softmax(1)
        for k, (f, total) in enumerate(zip(features, grad_features, strict=True)):
            towards = _by_image(g @ rewards[k].T, n_images)
            total += _feature_gradient(_by_image(q, n_images), towards, f, lattice, k, normalizations[k])
        g = softmax_adjoint(q, _slice(parts, blurred, True))
        grad_logits += g
    return [_by_image(grad_logits, n_images), grad_rewards, *grad_features]


def softmax_adjoint(q: Tensor, g: Tensor) -> Tensor:
    """Gradient of what the softmax `q` (..., L) was taken of, from that of `q`."""
    product = q * g
    return product.sub_(q * product.sum(1, keepdim=True))
