"""Vertices of lattices by sorting, with operations of PyTorch on any device.

The lattice is that of the compiled kernels, vertex for vertex: the same features, scales, roundings and neighbours.
Only how it is found differs, by sorting instead of hashing. Sorting has the vertices in order, which is what makes
splatting a sum over neighbouring entries, without atomics, so results are the same from run to run.

This is the search of the Triton backend. The other one that sorts, :mod:`.pytorch`, numbers vertices in a basis of the
lattice: shorter keys, which processors sort faster, but not those that the program in Triton computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from classicseg.filters._bank import POWERS, packing, spans
from classicseg.filters._features import shift_of
from classicseg.filters._stencil import AXES

Embedding = Callable[[Tensor, np.ndarray, np.ndarray], tuple[Tensor, Tensor, Tensor]]
"""See :func:`embed`, which is one."""

_TINY = 1e-20
_KEY_BITS = 62


class Vertices(NamedTuple):
    """The lattice of one kernel: n points, of all images, lie in U simplices, whose corners are V vertices.

    A corner is one of the U (d + 1) of all simplices; that of remainder r of simplex s is number s (d + 1) + r.
    """

    index: Tensor  # (n, d + 1) int32: vertices of each point
    weight: Tensor  # (n, d + 1) float32
    order: Tensor  # (n,) int64: points, simplex after simplex
    n_points: Tensor  # (U,) int64: points of each simplex
    corners: Tensor  # (U (d + 1),) int64: corners, vertex after vertex
    n_corners: Tensor  # (V,) int64: corners that meet in each vertex
    neighbours: Tensor  # (d + 1, V, 2) int64: above and below along each axis; the vertex itself where there is none

    def pairs(self, corners: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The pairs (point, vertex) behind corners, corner after corner.

        The points of a corner are those of its simplex, which are known: no sorting of all pairs.

        Returns
        -------
        point : (n (d + 1),) int64
        entry : (n (d + 1),) int64, where in `weight` the pair stands
        count : (U (d + 1),) int64, pairs of each corner
        """
        n_around, n_pairs = self.weight.shape[1], self.weight.numel()
        simplex = corners // n_around
        count = self.n_points[simplex]
        begin = (self.n_points.cumsum(0) - self.n_points)[simplex] - (count.cumsum(0) - count)
        corner = torch.repeat_interleave(count, output_size=n_pairs)
        at = begin.index_select(0, corner).add_(torch.arange(n_pairs, device=corners.device))
        point = self.order.index_select(0, at)
        entry = (point * n_around).add_((corners % n_around).index_select(0, corner))
        return point, entry, count


def integer_for(n_entries: int) -> torch.dtype:
    """The dtype that counts so many entries."""
    return torch.int64 if n_entries > np.iinfo(np.int32).max else torch.int32


def is_one_sided(normalizations: Sequence[str]) -> bool:
    """Whether weights of splatting and slicing differ."""
    return any(norm in ("before", "after") for norm in normalizations)


def normalized(weight: Tensor, row_sums: Tensor, normalization: str) -> tuple[Tensor, Tensor]:
    """Weights (n, d + 1) of splatting and of slicing, for sums (n,) of the kernel."""
    before, after = (
        weight if power == 0 else weight * ((row_sums + _TINY) ** power)[:, None] for power in POWERS[normalization]
    )
    return before, after


def embed(features: Tensor, scale: np.ndarray, radix: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Where in the lattice points lie.

    Parameters
    ----------
    features : (B, d, N) float32
    scale : (d,) float32
    radix : (d + 1,) int64, of the coordinates and of the image

    Returns
    -------
    key : (B N,) int64, of the nearest vertex of remainder 0
    rank : (d + 1, B N) int32, of the coordinates by their distance to it
    weight : (B N, d + 1) float32, of the vertices of remainder 0 to d
    """
    n_images, d, n = features.shape
    vertex, residual, rank = _nearest(features.transpose(0, 1).reshape(d, n_images * n), scale)
    image = torch.arange(n_images, device=features.device).repeat_interleave(n)
    return _key([*vertex[:d], image], radix), rank, barycentric(residual, rank)


def find(features: Tensor, embedding: Embedding = embed) -> Vertices:
    """The lattice of (B, d, N) float32 features."""
    n_images, d, _ = features.shape
    scale = AXES.feature_scale(d)
    low, high = (bound.double().cpu().numpy() for bound in (features.amin(2), features.amax(2)))
    shifts = np.stack([shift_of(a, b, scale) for a, b in zip(low, high, strict=True)])
    if shifts.any():
        features = (features.double() - torch.from_numpy(shifts).to(features.device)[:, :, None]).float()
    bounds = (low - shifts).min(0), (high - shifts).max(0)
    widths = [*spans(*bounds, scale)[:d], n_images]
    radix = packing(widths)
    key, rank, weight = embedding(features, scale.astype(np.float32), radix)
    simplex, of_point, order, n_points = _simplices(key, rank, widths)
    corners = _corner_keys(key[simplex], rank[:, simplex], np.append(radix[:d], 0)).reshape(-1)  # (U (d + 1),)
    first, row, around, n_corners = grouped(corners)
    index = row.to(torch.int32).reshape(-1, d + 1).index_select(0, of_point)
    neighbours = _neighbours(corners[first], radix[:d], d)
    return Vertices(index, weight, order, n_points, around, n_corners, neighbours)


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


def _key(coordinates: Sequence[Tensor], radix: np.ndarray) -> Tensor:
    key = torch.zeros_like(coordinates[-1])
    for coordinate, factor in zip(coordinates, radix.tolist(), strict=True):
        key = key + coordinate.to(torch.int64) * factor
    return key


def barycentric(residual: Tensor, rank: Tensor) -> Tensor:
    """Weights of the vertices of remainder 0 to d, (n, d + 1)."""
    d = residual.shape[0] - 1
    falling = torch.empty_like(residual).scatter_(0, rank.to(torch.int64), residual)
    weight = torch.empty(residual.shape[1], d + 1, dtype=residual.dtype, device=residual.device)
    weight[:, 0] = (1 + falling[d]) - falling[0]
    weight[:, 1:] = (falling[:-1] - falling[1:]).flip(0).T
    return weight


def _simplices(key: Tensor, rank: Tensor, widths: Sequence[float]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Points that lie in the same simplex, as :func:`grouped` has them."""
    d, n = rank.shape[0] - 1, rank.shape[1]
    if np.log2(widths).sum() + d * np.log2(d + 1) >= _KEY_BITS:  # vertex and ranks do not fit into one number
        every = torch.arange(n, device=key.device)
        return every, every, every, torch.ones_like(every)
    code = key * (d + 1) ** d
    for i in range(d):
        code += rank[i] * (d + 1) ** i
    return grouped(code)


def grouped(keys: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
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


def _neighbours(keys: Tensor, radix: np.ndarray, d: int) -> Tensor:
    n = keys.shape[0]
    every = torch.arange(n, device=keys.device)
    neighbours = every[None, :, None].repeat(d + 1, 1, 2)
    steps = (d + 1) * np.append(radix, 0) - radix.sum()
    for axis in range(d + 1):
        wanted = keys + int(steps[axis])
        above = torch.searchsorted(keys, wanted).clamp_(max=n - 1)
        there = keys[above] == wanted
        low, high = every[there], above[there]
        neighbours[axis, low, 0] = high
        neighbours[axis, high, 1] = low
    return neighbours
