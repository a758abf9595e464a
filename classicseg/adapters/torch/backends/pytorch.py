"""Lattices with nothing but operations of PyTorch, on any device.

The lattice is that of the compiled kernels, vertex for vertex: the same features, scales, roundings, blur and gain.
Only how it is found differs, by sorting instead of hashing. Sorting has the vertices in order, which is what makes
splatting a sum over neighbouring entries, without atomics, so results are the same from run to run.

Splat, blur and slice are all weighted sums of a few rows, ``embedding_bag``. The rows of all kernels and images lie in
one array; row k of the blocks below belongs to kernel k and holds the vertices of all images, which never touch
because the number of the image is part of the key of a vertex.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from classicseg.adapters.torch.backends._features import feature_gradient
from classicseg.filters._bank import POWERS, packing, spans
from classicseg.filters._features import shift_of
from classicseg.filters._stencil import AXES

_TINY = 1e-20
_KEY_BITS = 62


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

    def gain(self, k: int) -> float:
        """See :meth:`classicseg.filters._stencil.Blur.gain`."""
        return AXES.gain(self.blurs[k].shape[0] - 1)


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
    integer, new = _integer(n_points * n_pairs), features[0].new_empty
    n_out = n_points if _one_sided(normalizations) else 0
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


def _integer(n_entries: int) -> torch.dtype:
    return torch.int64 if n_entries > np.iinfo(np.int32).max else torch.int32


def _one_sided(normalizations: Sequence[str]) -> bool:
    return any(norm in ("before", "after") for norm in normalizations)


class _Lattice(NamedTuple):
    """The lattice of one kernel."""

    index: Tensor  # (n, d + 1) int32: vertices of each point
    weight: Tensor  # (n, d + 1) float32
    point: Tensor  # (n (d + 1),) int64: points of each vertex, vertex after vertex
    entry: Tensor  # (n (d + 1),) int64: where in `index` they stand
    count: Tensor  # (V,) int64: points of each vertex
    blur: Tensor
    blur_weight: Tensor


def build(features: Sequence[Tensor], normalizations: Sequence[str]) -> list[Tensor]:
    """See :class:`Backend`. The tensors are those of :class:`Layout`, one after the other."""
    n_images, _, n = features[0].shape
    lattices = [_build_one(f) for f in features]
    n_pairs = sum(lattice.index.shape[1] for lattice in lattices)
    integer, one_sided = _integer(n_images * n * n_pairs), _one_sided(normalizations)
    index, weights_in, weights_out, sums = [], [], [], []
    point, sorted_in, sorted_out, counts = [], [], [], []
    first = 0
    for lattice, normalization in zip(lattices, normalizations, strict=True):
        row_sums = _row_sums(lattice)
        before, after = (_power(row_sums, p) for p in POWERS[normalization])
        weight_in, weight_out = (lattice.weight if p is None else lattice.weight * p[:, None] for p in (before, after))
        index.append(lattice.index.to(integer) + first)
        weights_in.append(weight_in)
        weights_out.append(weight_out)
        point.append(lattice.point.to(integer))
        sorted_in.append(weight_in.reshape(-1).index_select(0, lattice.entry))
        if one_sided:
            sorted_out.append(weight_out.reshape(-1).index_select(0, lattice.entry))
        counts.append(lattice.count)
        sums.append(row_sums.reshape(n_images, n))
        first += lattice.count.shape[0]
    start = torch.cat([counts[0].new_zeros(1), torch.cat(counts).cumsum(0)])
    none = features[0].new_empty(0)
    return [
        torch.cat(index, 1),
        torch.cat(weights_in, 1),
        torch.cat(weights_out, 1) if one_sided else none,
        torch.cat(point),
        torch.cat(sorted_in),
        torch.cat(sorted_out) if one_sided else none.clone(),
        start.to(integer),
        torch.stack(sums),
        *(lattice.blur.to(integer) for lattice in lattices),
        *(lattice.blur_weight for lattice in lattices),
    ]


def _build_one(features: Tensor) -> _Lattice:
    n_images, d, n = features.shape
    scale = AXES.feature_scale(d)
    low, high = (bound.double().cpu().numpy() for bound in (features.amin(2), features.amax(2)))
    shifts = np.stack([shift_of(a, b, scale) for a, b in zip(low, high, strict=True)])
    if shifts.any():
        features = (features.double() - torch.from_numpy(shifts).to(features.device)[:, :, None]).float()
    bounds = (low - shifts).min(0), (high - shifts).max(0)
    widths = [*spans(*bounds, scale)[:d], n_images]
    radix = packing(widths)
    planes = features.transpose(0, 1).reshape(d, n_images * n)
    vertex, residual, rank = _nearest(planes, scale.astype(np.float32))
    image = torch.arange(n_images, device=planes.device).repeat_interleave(n) * int(radix[d])
    key = _key(vertex, radix[:d], image)
    weight = _barycentric(residual, rank)

    simplex, of_point, order, n_points = _simplices(key, rank, widths)
    corners = _corner_keys(key[simplex], rank[:, simplex], np.append(radix[:d], 0)).reshape(-1)  # (U (d + 1),)
    first, row, around, n_corners = _grouped(corners)
    keys = corners[first]
    index = row.to(torch.int32).reshape(-1, d + 1).index_select(0, of_point)

    # The points of a vertex are those of the simplices around it, which are known: no sorting of all pairs.
    which = around // (d + 1)
    lengths = n_points[which]
    begin = (n_points.cumsum(0) - n_points)[which] - (lengths.cumsum(0) - lengths)
    n_pairs = n_images * n * (d + 1)
    group = torch.repeat_interleave(lengths, output_size=n_pairs)
    at = begin.index_select(0, group).add_(torch.arange(n_pairs, device=planes.device))
    point = order.index_select(0, at)
    entry = (point * (d + 1)).add_((around % (d + 1)).index_select(0, group))
    ends = lengths.cumsum(0)[n_corners.cumsum(0) - 1]
    count = torch.diff(ends, prepend=ends.new_zeros(1))
    blur, blur_weight = _neighbours(keys, radix[:d], d)
    return _Lattice(index, weight, point, entry, count, blur, blur_weight)


def _nearest(features: Tensor, scale: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Vertices of remainder 0, residuals in units of d + 1 and ranks of all points, (d + 1, n) each.

    Operation for operation as in :mod:`classicseg.kernels.lattice`: points of regular grids lie on the borders of
    simplices, where the last bit decides.
    """
    d, n = features.shape
    elevated = features.new_empty(d + 1, n)
    total = torch.zeros_like(features[0])
    for j in range(d, 0, -1):
        scaled = features[j - 1] * float(scale[j - 1])
        torch.sub(total, scaled * float(j), out=elevated[j])
        total = total + scaled
    elevated[0] = total
    nearest = (elevated * float(np.float32(1) / np.float32(d + 1))).round_()
    excess = nearest.sum(0).to(torch.int32)
    vertex = nearest.mul_(d + 1)
    residual = elevated.sub_(vertex)
    rank = excess.repeat(d + 1, 1)
    for i in range(d):
        lower = residual[i] < residual[i + 1 :]
        rank[i] += lower.sum(0, dtype=torch.int32)
        rank[i + 1 :] += ~lower
    # Where a rank left 0..d its coordinate takes a step, which brings the sum of the coordinates back to 0.
    step = ((rank < 0).to(torch.int32) - (rank > d).to(torch.int32)).mul_(d + 1)
    rank += step
    vertex += step
    residual -= step
    residual *= float(np.float32(1) / np.float32(d + 1))
    return vertex, residual, rank


def _key(vertex: Tensor, radix: np.ndarray, key: Tensor) -> Tensor:
    for coordinate, factor in zip(vertex, radix.tolist(), strict=False):
        key = key + coordinate.to(torch.int64) * factor
    return key


def _barycentric(residual: Tensor, rank: Tensor) -> Tensor:
    """Weights of the vertices of remainder 0 to d, (n, d + 1)."""
    d = residual.shape[0] - 1
    falling = torch.empty_like(residual).scatter_(0, rank.to(torch.int64), residual)
    weight = torch.empty(residual.shape[1], d + 1, dtype=residual.dtype, device=residual.device)
    weight[:, 0] = (1 + falling[d]) - falling[0]
    weight[:, 1:] = (falling[:-1] - falling[1:]).flip(0).T
    return weight


def _simplices(key: Tensor, rank: Tensor, widths: Sequence[float]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Points that lie in the same simplex, as :func:`_grouped` has them."""
    d, n = rank.shape[0] - 1, rank.shape[1]
    if np.log2(widths).sum() + d * np.log2(d + 1) >= _KEY_BITS:  # vertex and ranks do not fit into one number
        every = torch.arange(n, device=key.device)
        return every, every, every, torch.ones_like(every)
    code = key * (d + 1) ** d
    for i in range(d):
        code += rank[i] * (d + 1) ** i
    return _grouped(code)


def _grouped(keys: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Entries of equal keys.

    Returns
    -------
    first : (U,) the first entry of each group; groups are in the order of their keys
    group : (n,) group of each entry
    order : (n,) entries, group after group
    count : (U,) number of entries in each group
    """
    found, order = keys.sort(stable=True)
    begins = torch.ones_like(found, dtype=torch.bool)
    torch.ne(found[1:], found[:-1], out=begins[1:])
    begin = begins.nonzero()[:, 0]
    group = torch.empty_like(order).scatter_(0, order, begins.cumsum(0) - 1)
    return order[begin], group, order, torch.diff(begin, append=begin.new_full((1,), keys.shape[0]))


def _corner_keys(key: Tensor, rank: Tensor, radix: np.ndarray) -> Tensor:
    """Keys of the vertices of remainder 0 to d of simplices, (U, d + 1)."""
    d = radix.size - 1
    factors = torch.from_numpy(radix).to(key.device)[:, None].expand(rank.shape)
    by_rank = torch.empty_like(factors).scatter_(0, rank.to(torch.int64), factors)
    keys = [key]
    for r in range(1, d + 1):
        keys.append(keys[-1] + (int(radix.sum()) - (d + 1) * by_rank[d - r + 1]))
    return torch.stack(keys, 1)


def _neighbours(keys: Tensor, radix: np.ndarray, d: int) -> tuple[Tensor, Tensor]:
    """Each vertex and its two neighbours along each axis, with their weights in a blur."""
    n = keys.shape[0]
    every = torch.arange(n, device=keys.device)
    blur = every[None, :, None].repeat(d + 1, 1, 3)
    weight = torch.zeros(blur.shape, device=keys.device)
    weight[..., 0] = 1
    steps = (d + 1) * np.append(radix, 0) - radix.sum()
    for axis in range(d + 1):
        wanted = keys + int(steps[axis])
        above = torch.searchsorted(keys, wanted).clamp_(max=n - 1)
        there = keys[above] == wanted
        low, high = every[there], above[there]
        blur[axis, low, 1], weight[axis, low, 1] = high, 0.5
        blur[axis, high, 2], weight[axis, high, 2] = low, 0.5
    return blur, weight


def _row_sums(lattice: _Lattice) -> Tensor:
    """The kernel applied to ones, (n,)."""
    d = lattice.index.shape[1] - 1
    weight = lattice.weight.reshape(-1)
    rows = torch.segment_reduce(weight.index_select(0, lattice.entry), "sum", lengths=lattice.count)[:, None]
    rows = _blur(rows, lattice.blur, lattice.blur_weight, False)[:, 0]
    return (rows.index_select(0, lattice.index.reshape(-1)) * weight).reshape(-1, d + 1).sum(1) * AXES.gain(d)


def _power(sums: Tensor, power: float) -> Tensor | None:
    return None if power == 0 else (sums + _TINY) ** power


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
    rows = _blur(rows, parts.blurs[k], parts.blur_weights[k], adjoint) * parts.gain(k)
    return _by_image(_slice(parts, rows, adjoint, k), values.shape[0])


def filter_backward(
    grad: Tensor,
    values: Tensor,
    features: Tensor,
    lattice: Sequence[Tensor],
    k: int,
    adjoint: bool,
    normalization: str,
) -> Tensor:
    """See :class:`Backend`."""
    pair = (grad, values) if adjoint else (values, grad)
    return _feature_gradient(*pair, features, lattice, k, normalization)


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


def _matrices(lattice: Layout, rewards: Tensor) -> Tensor:
    """Rewards with the gains of the kernels.

    What a label adds to all others alike does not change the softmax. It is taken away, or the large sums of the rows
    would cancel in float32; of Potts costs only the diagonal is left.
    """
    n_labels = rewards.shape[1]
    gains = torch.tensor([lattice.gain(k) for k in range(len(rewards))], dtype=rewards.dtype, device=rewards.device)
    another = torch.arange(1, n_labels + 1, device=rewards.device) % n_labels
    common = rewards.gather(2, another[None, :, None].expand(len(rewards), -1, 1))
    return (rewards - common) * gains[:, None, None]


def mean_field(
    logits: Tensor, rewards: Tensor, lattice: Sequence[Tensor], n_iter: int, marginals: bool, record: bool
) -> tuple[Tensor, Tensor]:
    """See :class:`Backend`."""
    parts = _layout(lattice)
    matrices = _matrices(parts, rewards)
    tape = logits.new_empty(tape_size(lattice, logits.shape[1], n_iter) if record else 0)
    z = _by_point(logits)
    a = z
    for t in range(n_iter):
        rows = _blur_all(parts, _splat(parts, a.softmax(1), False), False)
        if record:
            tape[t] = rows
        a = _slice(parts, _mix(parts, rows, matrices), False).add_(z)
    return _by_image(a.softmax(1) if marginals else a.log_softmax(1), logits.shape[0]), tape


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
    """See :class:`Backend`. The notation is that of :mod:`classicseg.kernels.mean_field_adjoint`."""
    parts, n_images = _layout(lattice), logits.shape[0]
    matrices = _matrices(parts, rewards)
    z, result, g = (_by_point(x) for x in (logits, out, grad))
    g = _softmax_adjoint(result, g) if marginals else g - result.exp() * g.sum(1, keepdim=True)
    grad_logits, grad_rewards = g.clone(), torch.zeros_like(rewards)
    grad_features = [torch.zeros_like(f) for f in features]
    for t in reversed(range(n_iter)):
        rows = _splat(parts, g, True)
        for k in range(len(rewards)):
            own = parts.rows_of(k)
            grad_rewards[k].addmm_(tape[t, own].T, rows[own], alpha=parts.gain(k))
        rows = _blur_all(parts, _mix(parts, rows, matrices.mT), True)
        a = _slice(parts, _mix(parts, tape[t - 1], matrices), False).add_(z) if t > 0 else z
        q = a.softmax(1)
        for k, (f, total) in enumerate(zip(features, grad_features, strict=True)):
            towards = _by_image(g @ rewards[k].T, n_images)
            total += _feature_gradient(_by_image(q, n_images), towards, f, lattice, k, normalizations[k])
        g = _softmax_adjoint(q, _slice(parts, rows, True))
        grad_logits += g
    return [_by_image(grad_logits, n_images), grad_rewards, *grad_features]


def _softmax_adjoint(q: Tensor, g: Tensor) -> Tensor:
    product = q * g
    return product.sub_(q * product.sum(1, keepdim=True))
