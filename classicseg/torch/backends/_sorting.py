"""Vertices of lattices by sorting, with operations of PyTorch on any device.

The lattice is that of the compiled kernels, vertex for vertex: the same features, scales, roundings and neighbours.
Only how it is found differs, by sorting instead of hashing. Sorting puts the vertices in order, so splatting sums
neighbouring entries, without atomics, and results are the same from run to run.

What is sorted is short: points by the simplex that they lie in, then the corners of the simplices that were found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from classicseg.filters.base import POWERS
from classicseg.filters.blur import AXES
from classicseg.filters.features import shift_of
from classicseg.filters.keys import packing, spans

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


def find(features: Tensor, integer: torch.dtype, embedding: Embedding = embed) -> Vertices:
    """The lattice of (B, d, N) float32 features, with whole numbers of a dtype."""
    n_images, d, n = features.shape
    scale = AXES.feature_scale(d)
    low, high = (bound.double().cpu().numpy() for bound in (features.amin(2), features.amax(2)))
    shifts = np.stack([shift_of(a, b, scale) for a, b in zip(low, high, strict=True)])
    if shifts.any():
        features = (features.double() - torch.from_numpy(shifts).to(features.device)[:, :, None]).float()
    span = spans((low - shifts).min(0), (high - shifts).max(0), scale)
    origin, rank, weight = embedding(features, scale.astype(np.float32))

    simplex, of_point, order, n_points = _grouped(_simplex_keys(origin, rank, packing([*span[:d], n_images]), n))
    # Whole coordinates of a vertex v are (v_i - v_d) / (d + 1) for i < d, so an axis is a step in one of them.
    widths = [*(span[:d] + span[d]) / (d + 1) + 1, n_images]
    radix = packing(widths)
    key_type = torch.int32 if np.log2(widths).sum() < 31 else torch.int64
    step = torch.from_numpy(np.append(radix[:d], -radix[:d].sum())).to(features.device, key_type)[:, None]
    keys = _corner_keys(origin.index_select(1, simplex), rank.index_select(1, simplex), step)
    keys += (simplex // n * int(radix[d])).to(key_type)[:, None]
    first, vertex, corners, n_corners = _grouped(keys.reshape(-1))
    index = vertex.to(integer).reshape(keys.shape).index_select(0, of_point)
    neighbours = _neighbours(keys.reshape(-1)[first], step)
    rest = (x.to(integer) for x in (order, n_points, corners, n_corners, neighbours))
    return Vertices(index, weight, *rest)


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
