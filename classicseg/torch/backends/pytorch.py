"""Lattices with nothing but operations of PyTorch, on any device.

Splat, blur and slice are all weighted sums of a few rows, ``embedding_bag``. The rows of all kernels and images lie in
one array; row k of the blocks below belongs to kernel k and holds the vertices of all images, which never touch
because the number of the image is part of the key of a vertex.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from classicseg.filters.blur import AXES
from classicseg.torch.backends._features import feature_gradient
from classicseg.torch.backends._sorting import (
    Vertices,
    borders,
    find,
    integer_for,
    is_one_sided,
    normalized,
)


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
    start: Tensor  # (R + 1,) int32: where in `point` each row starts
    row_sums: Tensor  # (K, B, N) float32: of each kernel before normalisation
    blurs: Sequence[Tensor]  # for each kernel (d + 1, V, 3) int32, its V rows counted from 0: a row and its neighbours
    blur_weights: Sequence[Tensor]  # for each kernel (d + 1, V, 3) float32: 1, 1/2, 1/2; 0 where there is no neighbour

    @property
    def n_rows(self) -> int:
        """Vertices of all kernels."""
        return self.start.shape[0] - 1

    def rows_of(self, k: int) -> slice:
        """Rows of kernel `k`."""
        first = sum(blur.shape[1] for blur in self.blurs[:k])
        return slice(first, first + self.blurs[k].shape[1])

    def pairs_of(self, k: int) -> slice:
        """Pairs of kernel `k`."""
        first = sum(blur.shape[0] for blur in self.blurs[:k])
        return slice(first, first + self.blurs[k].shape[0])

    @property
    def gains(self) -> list[float]:
        """Of each kernel, see :meth:`classicseg.filters.blur.Blur.gain`."""
        return [AXES.gain(blur.shape[0] - 1) for blur in self.blurs]


_SINGLE = len(Layout._fields) - 2


def _layout(lattice: Sequence[Tensor]) -> Layout:
    n_kernels = (len(lattice) - _SINGLE) // 2
    index, weight_in, weight_out, point, point_in, point_out, start, row_sums = lattice[:_SINGLE]
    blurs, blur_weights = lattice[_SINGLE : _SINGLE + n_kernels], lattice[_SINGLE + n_kernels :]
    return Layout(index, weight_in, weight_out, point, point_in, point_out, start, row_sums, blurs, blur_weights)


# --- lattices -----------------------------------------------------------------------------------------------------


def empty_lattice(
    features: Sequence[Tensor], normalizations: Sequence[str], new_size: Callable[[], int]
) -> list[Tensor]:
    """See :class:`Backend`."""
    n_images, _, n = features[0].shape
    n_points, n_pairs = n_images * n, sum(f.shape[1] + 1 for f in features)
    integer, new = integer_for(n_points * n_pairs), features[0].new_empty
    n_out = n_points if is_one_sided(normalizations) else 0
    blurs = [(f.shape[1] + 1, new_size(), 3) for f in features]
    return [
        new(n_points, n_pairs, dtype=integer),
        new(n_points, n_pairs),
        new(n_out, n_pairs) if n_out else new(0),
        new(n_points * n_pairs, dtype=integer),
        new(n_points * n_pairs),
        new(n_out * n_pairs),
        new(sum(blur[1] for blur in blurs) + 1, dtype=integer),
        new(len(features), n_images, n),
        *(new(blur, dtype=integer) for blur in blurs),
        *(new(blur) for blur in blurs),
    ]


class _Lattice(NamedTuple):
    """The lattice of one kernel."""

    vertices: Vertices
    pair: Tensor  # (n (d + 1),): pairs of each vertex, vertex after vertex, as those of :class:`Vertices` are counted
    count: Tensor  # (V,): pairs of each vertex
    row_sums: Tensor  # (n,) float32
    blur: Tensor
    blur_weight: Tensor


def build(features: Sequence[Tensor], normalizations: Sequence[str]) -> list[Tensor]:
    """See :class:`Backend`. The tensors are those of :class:`Layout`, one after the other."""
    n_images, _, n = features[0].shape
    n_points, n_pairs = n_images * n, sum(f.shape[1] + 1 for f in features)
    integer, one_sided, new = integer_for(n_points * n_pairs), is_one_sided(normalizations), features[0].new_empty
    lattices = [_build_one(f, integer) for f in features]
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
        borders(torch.cat([lattice.count for lattice in lattices])),
        torch.stack([lattice.row_sums.reshape(n_images, n) for lattice in lattices]),
        *(lattice.blur for lattice in lattices),
        *(lattice.blur_weight for lattice in lattices),
    ]


def _build_one(features: Tensor, integer: torch.dtype) -> _Lattice:
    vertices = find(features, integer)
    pair, end = vertices.pairs(vertices.corners)
    ends = end.index_select(0, vertices.n_corners.cumsum(0, dtype=integer) - 1)
    own = torch.arange(len(ends), dtype=integer, device=ends.device).expand(vertices.neighbours.shape[:2])
    blur = torch.cat([own[:, :, None], vertices.neighbours], 2)
    blur_weight = (vertices.neighbours != own[:, :, None]).to(features.dtype) * 0.5
    blur_weight = torch.cat([torch.ones_like(blur_weight[:, :, :1]), blur_weight], 2)
    # Sums of simplices first: there are fewer of them than points.
    sums = _sums(vertices.weight, vertices.order, vertices.n_points).reshape(-1, 1)
    sums = _blur(_sums(sums, vertices.corners, vertices.n_corners), blur, blur_weight, False)
    sums = embedding_bag(vertices.index, sums, per_sample_weights=vertices.weight, mode="sum")[:, 0]
    count = torch.diff(ends, prepend=ends.new_zeros(1))
    return _Lattice(vertices, pair, count, sums * AXES.gain(features.shape[1]), blur, blur_weight)


def _sums(values: Tensor, order: Tensor, count: Tensor) -> Tensor:
    """Sums of groups of rows."""
    return embedding_bag(order, values, borders(count), mode="sum", include_last_offset=True)


# --- filters ------------------------------------------------------------------------------------------------------


def _blur(rows: Tensor, blur: Tensor, weight: Tensor, adjoint: bool) -> Tensor:
    axes = range(blur.shape[0])
    for axis in reversed(axes) if adjoint else axes:
        rows = embedding_bag(blur[axis], rows, per_sample_weights=weight[axis].to(rows.dtype), mode="sum")
    return rows


def _splat(lattice: Layout, values: Tensor, adjoint: bool, rows: slice | None = None) -> Tensor:
    """Rows (R, C), or those of one kernel, from values (B N, C)."""
    weight = lattice.point_weight_out if adjoint and lattice.weight_out.numel() else lattice.point_weight_in
    point, start = lattice.point, lattice.start
    if rows is not None:
        first, last = (int(start[at]) for at in (rows.start, rows.stop))
        point, weight = point[first:last], weight[first:last]
        start = start[rows.start : rows.stop + 1] - first
    weight = weight.to(values.dtype)
    return embedding_bag(point, values, start, per_sample_weights=weight, mode="sum", include_last_offset=True)


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
    rows = _splat(parts, _by_point(values), adjoint, parts.rows_of(k))
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


def _blur_all(lattice: Layout, rows: Tensor, adjoint: bool) -> Tensor:
    blurred = [
        _blur(rows[lattice.rows_of(k)], blur, weight, adjoint)
        for k, (blur, weight) in enumerate(zip(lattice.blurs, lattice.blur_weights, strict=True))
    ]
    return blurred[0] if len(blurred) == 1 else torch.cat(blurred)


def _mix(lattice: Layout, rows: Tensor, matrices: Tensor) -> Tensor:
    """Multiply the rows of each kernel by its matrix."""
    return torch.cat([rows[lattice.rows_of(k)] @ matrix for k, matrix in enumerate(matrices)])


def matrices_of(rewards: Tensor, gains: Sequence[float]) -> Tensor:
    """Rewards with the gains of the kernels.

    What a label adds to all others alike does not change the softmax. It is taken away, or the large sums of the rows
    would cancel in float32; of Potts costs only the diagonal is left.
    """
    n_labels = rewards.shape[1]
    another = torch.arange(1, n_labels + 1, device=rewards.device) % n_labels
    common = rewards.gather(2, another[None, :, None].expand(len(rewards), -1, 1))
    return torch.stack([own * gain for own, gain in zip(rewards - common, gains, strict=True)])


def mean_field(
    logits: Tensor, rewards: Tensor, lattice: Sequence[Tensor], n_iter: int, marginals: bool, record: bool
) -> tuple[Tensor, Tensor]:
    """See :class:`Backend`."""
    parts = _layout(lattice)
    matrices = matrices_of(rewards, parts.gains)
    tape = logits.new_empty(tape_size(lattice, logits.shape[1], n_iter) if record else 0)
    z = _by_point(logits)
    a = z
    for t in range(n_iter):
        rows = _blur_all(parts, _splat(parts, a.softmax(1), False), False)
        if record:
            tape[t] = rows
        a = _slice(parts, _mix(parts, rows, matrices), False).add_(z)
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
    n_iter: int,
    marginals: bool,
) -> list[Tensor]:
    """See :class:`Backend`. The notation is that of :mod:`classicseg.kernels.dense.adjoint`."""
    parts, n_images = _layout(lattice), logits.shape[0]
    matrices = matrices_of(rewards, parts.gains)
    z, result, g = (_by_point(x) for x in (logits, out, grad))
    g = softmax_adjoint(result, g) if marginals else g - result.exp() * g.sum(1, keepdim=True)
    grad_logits, grad_rewards = g.clone(), torch.zeros_like(rewards)
    grad_features = [torch.zeros_like(f) for f in features]
    for t in reversed(range(n_iter)):
        rows = _splat(parts, g, True)
        for k in range(len(rewards)):
            own = parts.rows_of(k)
            grad_rewards[k].addmm_(tape[t, own].T, rows[own], alpha=parts.gains[k])
        rows = _blur_all(parts, _mix(parts, rows, matrices.mT), True)
        a = _slice(parts, _mix(parts, tape[t - 1], matrices), False).add_(z) if t > 0 else z
        q = a.softmax(1)
        for k, (f, total) in enumerate(zip(features, grad_features, strict=True)):
            towards = _by_image(g @ rewards[k].T, n_images)
            total += _feature_gradient(_by_image(q, n_images), towards, f, lattice, k, normalizations[k])
        g = softmax_adjoint(q, _slice(parts, rows, True))
        grad_logits += g
    return [_by_image(grad_logits, n_images), grad_rewards, *grad_features]


def softmax_adjoint(q: Tensor, g: Tensor) -> Tensor:
    """Gradient of what the softmax `q` (..., L) was taken of, from that of `q`."""
    product = q * g
    return product.sub_(q * product.sum(1, keepdim=True))
