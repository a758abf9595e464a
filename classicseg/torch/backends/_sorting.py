"""Vertices of lattices by sorting, with operations of PyTorch on any device.

The lattice is that of the compiled kernels, vertex for vertex: the same features, scales, roundings and neighbours.
Only how it is found differs, by sorting instead of hashing. Sorting puts the vertices in order, so splatting sums
neighbouring entries, without atomics, and results are the same from run to run.

What is sorted is short: points by the simplex that they lie in, then the corners of the simplices that were found.

How many simplices and vertices there are is known on the device alone. To read that waits for all work that a GPU was
given before, so it is read for all kernels at once, see :func:`read`: bounds of features, numbers of simplices, numbers
of vertices and of what a backend counts besides. These three are all that building a lattice waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from classicseg.filters.base import POWERS
from classicseg.filters.blur import AXES
from classicseg.filters.features import shift_of
from classicseg.filters.keys import packing, spans
from classicseg.torch.tensors import check_features

Embedding = Callable[[Tensor, np.ndarray], tuple[Tensor, Tensor, Tensor]]
"""See :func:`embed`, which is one."""

TINY = 1e-20  # as in classicseg.filters: keeps negative powers of sums finite


class Vertices(NamedTuple):
    """The lattice of one kernel: n points, of all images, lie in U simplices, whose corners are V vertices.

    A corner is one of the U (d + 1) of all simplices; that of remainder r of simplex s is number s (d + 1) + r. All
    whole numbers are of the dtype that was asked for.
    """

    index: Tensor  # (n, d + 1): vertices of each point
    weight: Tensor  # (n, d + 1) float32
    order: Tensor  # (n,): points, simplex after simplex
    n_points: Tensor  # (U,): points of each simplex
    corners: Tensor  # (U (d + 1),): corners, vertex after vertex
    n_corners: Tensor  # (V,): corners that meet in each vertex
    neighbours: Tensor  # (d + 1, V, 2): above and below along each axis; the vertex itself where there is none

    def pairs(self, corners: Tensor) -> tuple[Tensor, Tensor]:
        """The pairs (point, vertex) behind corners, corner after corner: pair (d + 1) i + r is number r of order[i].

        The points of a corner are those of its simplex, which are known: no sorting of all pairs.

        Returns
        -------
        pair : (n (d + 1),)
        end : (U (d + 1),), where those of each corner end
        """
        n_around, n_pairs = self.weight.shape[1], self.weight.numel()
        simplex = corners // n_around
        length = self.n_points.index_select(0, simplex)
        end = length.cumsum(0, dtype=length.dtype)
        begin = borders(self.n_points)[:-1].index_select(0, simplex) * n_around + corners % n_around
        step = corners.new_full((n_pairs,), n_around)
        step[0] = begin[0]
        step[end[:-1].long()] = begin[1:] - begin[:-1] - (length[:-1] - 1) * n_around
        return step.cumsum(0, dtype=step.dtype), end

    def in_order(self, of_pairs: Tensor) -> Tensor:
        """Numbers (n, d + 1) of the pairs as :meth:`pairs` counts them."""
        return of_pairs.index_select(0, self.order).reshape(-1)


class Groups(NamedTuple):
    """Entries of equal keys, before anybody knows how many groups they are."""

    order: Tensor  # (n,) entries, group after group; groups are in the order of their keys
    group: Tensor  # (n,) group of each entry in this order
    begins: Tensor  # (n,) bool: whether an entry in this order is the first of its group

    @property
    def count(self) -> Tensor:
        """How many groups."""
        return self.group[-1] + 1

    def starts(self, n_groups: int) -> Tensor:
        """Where each group begins."""
        return compacted(torch.arange(len(self.group), device=self.group.device), self.begins, self.group, n_groups)


class Corners(NamedTuple):
    """The simplices of one kernel and their corners, before anybody knows how many vertices these are.

    The attributes are those of :class:`Vertices`; `keys` are those of the corners, (U (d + 1),), `groups` their
    vertices.
    """

    weight: Tensor
    of_point: Tensor  # (n,): simplex of each point
    order: Tensor
    n_points: Tensor
    keys: Tensor
    groups: Groups
    step: Tensor  # (d + 1, 1): from the key of a vertex to those of its neighbours above

    def vertices(self, n_vertices: int, integer: torch.dtype) -> Vertices:
        """The lattice, with whole numbers of a dtype."""
        begin = self.groups.starts(n_vertices)
        vertex = torch.empty_like(self.groups.order).scatter_(0, self.groups.order, self.groups.group)
        index = vertex.to(integer).reshape(-1, self.weight.shape[1]).index_select(0, self.of_point)
        n_corners = torch.diff(begin, append=begin.new_full((1,), len(self.keys)))
        neighbours = _neighbours(self.keys[self.groups.order[begin]], self.step)
        rest = self.order, self.n_points, self.groups.order, n_corners, neighbours
        return Vertices(index, self.weight, *(x.to(integer) for x in rest))


def room(n: int) -> int:
    """At least `n`: the next of 1, 1 1/2, 2, 3, 4, 6, 8, ..., so that lattices of many images are of equal sizes."""
    whole = 1 << max(n - 1, 0).bit_length()
    return whole * 3 // 4 if whole > 2 and n <= whole * 3 // 4 else whole


def integer_for(n_entries: int) -> torch.dtype:
    """The dtype that counts so many entries."""
    return torch.int64 if n_entries > np.iinfo(np.int32).max else torch.int32


def is_one_sided(normalizations: Sequence[str]) -> bool:
    """Whether weights of splatting and slicing differ."""
    return any(norm in ("before", "after") for norm in normalizations)


def normalized(weight: Tensor, row_sums: Tensor, normalization: str) -> tuple[Tensor, Tensor]:
    """Weights (n, d + 1) of splatting and of slicing, for sums (n,) of the kernel."""
    before, after = (
        weight if power == 0 else weight * ((row_sums + TINY) ** power)[:, None] for power in POWERS[normalization]
    )
    return before, after


def borders(counts: Tensor) -> Tensor:
    """Where each group starts, and the last one ends."""
    return torch.cat([counts.new_zeros(1), counts.cumsum(0, dtype=counts.dtype)])


def embed(features: Tensor, scale: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Where in the lattice points lie.

    Operation for operation as in :mod:`classicseg.kernels.dense.lattice`: points of regular grids lie on the borders of
    simplices, where the last bit decides.

    Parameters
    ----------
    features : (B, d, N) float32
    scale : (d,) float32

    Returns
    -------
    origin : (d + 1, B N) float32, the nearest vertex of remainder 0, in units of d + 1
    rank : (d + 1, B N) int16, of the coordinates by their distance to it
    weight : (B N, d + 1) float32, of the vertices of remainder 0 to d
    """
    n_images, d, n = features.shape
    planes = features.transpose(0, 1).reshape(d, n_images * n)
    elevated = planes.new_empty(d + 1, n_images * n)
    total = torch.zeros_like(planes[0])
    for j in range(d, 0, -1):
        scaled = planes[j - 1] * float(scale[j - 1])
        torch.sub(total, scaled * float(j), out=elevated[j])
        total = total + scaled
    elevated[0] = total
    unit = float(np.float32(1) / np.float32(d + 1))
    origin = (elevated * unit).round_()
    residual = elevated.sub_(origin * (d + 1))
    rank = origin.sum(0).to(torch.int16) + torch.arange(d + 1, dtype=torch.int16, device=features.device)[:, None]
    for i in range(d):
        lower = (residual[i] < residual[i + 1 :]).to(torch.int16)
        rank[i] += lower.sum(0, dtype=torch.int16)
        rank[i + 1 :] -= lower
    # Where a rank left 0..d its coordinate takes a step, which brings the sum of the coordinates back to 0.
    step = (rank < 0).to(torch.int16) - (rank > d).to(torch.int16)
    origin += step
    step *= d + 1
    rank += step
    residual -= step
    residual *= unit
    return origin, rank, _barycentric(residual, rank)


def _barycentric(residual: Tensor, rank: Tensor) -> Tensor:
    """Weights of the vertices of remainder 0 to d, (n, d + 1)."""
    d = residual.shape[0] - 1
    falling = torch.empty_like(residual).scatter_(0, rank.to(torch.int64), residual)
    weight = torch.empty(residual.shape[1], d + 1, dtype=residual.dtype, device=residual.device)
    weight[:, 0] = (1 + falling[d]) - falling[0]
    weight[:, 1:] = (falling[:-1] - falling[1:]).flip(0).T
    return weight


def read(numbers: Sequence[Tensor]) -> list[Any]:
    """Numbers, or vectors of them, that lie on a device, in one copy: nothing else here waits for a GPU."""
    values: list[Any] = torch.stack(list(numbers)).cpu().tolist()
    return values


def on_device(array: np.ndarray, like: Tensor) -> Tensor:
    """A few numbers next to a tensor. They are copied from memory that the system may not move, so nobody waits."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(like.device, non_blocking=True) if like.is_cuda else tensor.to(like.device)


def compacted(values: Tensor, chosen: Tensor, place: Tensor, n: int) -> Tensor:
    """Values that are chosen, each at its place, 0 to n - 1."""
    return values.new_zeros(n + 1).scatter_(0, torch.where(chosen, place, n), values)[:n]


def corners_of(features: Sequence[Tensor], embedding: Embedding = embed) -> list[Corners]:
    """The simplices of (B, d, N) float32 features of each kernel."""
    bounds = _bounds(features)
    simplices = [_simplices(f, *bound, embedding) for f, bound in zip(features, bounds, strict=True)]
    counts = read([each.groups.count for each in simplices])
    return [each.corners(n) for each, n in zip(simplices, counts, strict=True)]


def _bounds(features: Sequence[Tensor]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Smallest and largest values of each feature of each image, (B, d) float64, for each kernel."""
    sides = [side.reshape(-1) for f in features for side in (f.amin(2), f.amax(2))]
    values = torch.cat(sides).cpu().double()
    if not np.isfinite(values.numpy()).all():
        for f in features:
            check_features(f.cpu())
    parts = iter(values.split([len(side) for side in sides]))
    return [(next(parts).reshape(f.shape[:2]).numpy(), next(parts).reshape(f.shape[:2]).numpy()) for f in features]


class _Simplices(NamedTuple):
    """Where the points of one kernel lie."""

    origin: Tensor
    rank: Tensor
    weight: Tensor  # see :func:`embed`
    groups: Groups  # points by their simplices
    span: np.ndarray  # (d + 1,) of the coordinates of vertices
    n_images: int

    def corners(self, n_simplices: int) -> Corners:
        """What follows from their number."""
        d, (order, group, _) = len(self.span) - 1, self.groups
        begin = self.groups.starts(n_simplices)
        first = order[begin]
        of_point = torch.empty_like(order).scatter_(0, order, group)
        n_points = torch.diff(begin, append=begin.new_full((1,), len(order)))
        # Whole coordinates of a vertex v are (v_i - v_d) / (d + 1) for i < d, so an axis is a step in one of them.
        widths = [*(self.span[:d] + self.span[d]) / (d + 1) + 1, self.n_images]
        radix = packing(widths)
        key_type = torch.int32 if np.log2(widths).sum() < 31 else torch.int64
        step = on_device(np.append(radix[:d], -radix[:d].sum()), order).to(key_type)[:, None]
        keys = _corner_keys(self.origin.index_select(1, first), self.rank.index_select(1, first), step)
        keys += (first // (len(order) // self.n_images) * int(radix[d])).to(key_type)[:, None]
        keys = keys.reshape(-1)
        return Corners(self.weight, of_point, order, n_points, keys, _grouped(keys), step)


def _simplices(features: Tensor, low: np.ndarray, high: np.ndarray, embedding: Embedding) -> _Simplices:
    n_images, d, n = features.shape
    scale = AXES.feature_scale(d)
    shifts = np.stack([shift_of(a, b, scale) for a, b in zip(low, high, strict=True)])
    if shifts.any():
        features = _shifted(features, shifts)
    span = spans((low - shifts).min(0), (high - shifts).max(0), scale)
    origin, rank, weight = embedding(features, scale.astype(np.float32))
    groups = _grouped(_simplex_keys(origin, rank, packing([*span[:d], n_images]), n))
    return _Simplices(origin, rank, weight, groups, span, n_images)


def _shifted(features: Tensor, shifts: np.ndarray) -> Tensor:
    """Features minus a number for each image and axis, in double precision, which Apple's GPUs do not have."""
    wide = (features.cpu() if features.device.type == "mps" else features).double()
    return (wide - on_device(shifts, wide)[:, :, None]).float().to(features.device)


def _simplex_keys(origin: Tensor, rank: Tensor, radix: np.ndarray, n: int) -> Tensor:
    """Keys of the simplices of points: a vertex of remainder 0 has coordinates that leave room for the ranks."""
    d = rank.shape[0] - 1
    key = torch.zeros(rank.shape[1], dtype=torch.int64, device=rank.device)
    key.view(-1, n).add_(torch.arange(key.shape[0] // n, device=rank.device)[:, None], alpha=int(radix[d]))
    for i in range(d):
        key.add_((origin[i] * (d + 1) + rank[i]).to(torch.int64), alpha=int(radix[i]))
    return key


def _corner_keys(origin: Tensor, rank: Tensor, step: Tensor) -> Tensor:
    """Keys of the vertices of remainder 0 to d of simplices, (U, d + 1).

    From one vertex to the next all coordinates grow by 1 but one, which falls by d: the keys do as by a step back.
    """
    d = rank.shape[0] - 1
    by_rank = torch.empty(rank.shape, dtype=step.dtype, device=step.device)
    by_rank.scatter_(0, rank.to(torch.int64), step.expand(rank.shape))
    keys = [(origin.to(step.dtype) * step).sum(0, dtype=step.dtype)]
    for r in range(d, 0, -1):
        keys.append(keys[-1] - by_rank[r])
    return torch.stack(keys, 1)


def _grouped(keys: Tensor) -> Groups:
    """Entries of equal keys."""
    found, order = keys.sort(stable=True)
    begins = torch.ones_like(found, dtype=torch.bool)
    torch.ne(found[1:], found[:-1], out=begins[1:])
    return Groups(order, begins.cumsum(0) - 1, begins)


def _neighbours(keys: Tensor, step: Tensor) -> Tensor:
    """Of vertices whose keys are in order: above and below along each axis, itself where there is none."""
    n, shape = keys.shape[0], (step.shape[0], keys.shape[0])
    wanted = keys + step
    above = torch.searchsorted(keys, wanted).clamp_(max=n - 1)
    there = keys.index_select(0, above.reshape(-1)).reshape(shape) == wanted
    own = torch.arange(n, device=keys.device).expand(shape)
    to = above.masked_fill(~there, n)  # where nothing is there into a column that is cut off
    below = torch.arange(n + 1, device=keys.device).repeat(shape[0], 1).scatter_(1, to, own)[:, :n]
    return torch.stack([torch.where(there, above, own), below], 2)
