"""Lattices on CUDA devices, by programs in Triton; nothing is compiled before it is used.

The lattice is that of :mod:`classicseg.adapters.torch.backends.pytorch`, found by the same sorting. Splatting adds up
in three steps, without atomics. Points that lie in the same simplices follow each other in a *tile*. Within a tile the
pairs (point, vertex) of one vertex make a run, cut where it is longer than `_RUN`, and are summed first; their values
are a few kB that stay close to the processor. Then come the runs of each vertex, `_RUN` at a time, then the rest. No
program has much more to do than another, and the order of every sum is fixed.

Blurring reads rows and their neighbours, axis by axis. Slicing, scaling the diagonal of the compatibility, adding the
logits and the softmax are one program. Everything is computed in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from classicseg.adapters.torch.backends._features import feature_gradient
from classicseg.adapters.torch.backends._sorting import Vertices, find, integer_for, is_one_sided, normalized
from classicseg.adapters.torch.backends.pytorch import matrices_of
from classicseg.adapters.torch.backends.triton._launch import (
    blur_axis,
    embed,
    mix_labels,
    new_rows,
    sum_runs,
    update_points,
    width_of,
)
from classicseg.filters._stencil import AXES

_TILE = 256
_RUN = 32


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
        """Of each kernel, see :meth:`classicseg.filters._stencil.Blur.gain`."""
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


def _layout(lattice: Sequence[Tensor]) -> Layout:
    splats = [Splat(*lattice[first : first + _EACH]) for first in range(_SINGLE, len(lattice), _EACH)]
    index, weight_in, weight_out, row_sums = lattice[:_SINGLE]
    return Layout(index, weight_in, weight_out, row_sums, splats)


# --- lattices -----------------------------------------------------------------------------------------------------


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
        vertices = find(f, embed)
        splat, entry = _splat_of(vertices, integer)
        row_sums = _row_sums(vertices, splat)
        weight_in, weight_out = normalized(vertices.weight, row_sums, normalization)
        index.append(vertices.index.to(integer) + first)
        weights_in.append(weight_in)
        weights_out.append(weight_out)
        sums.append(row_sums.reshape(n_images, n))
        sorted_in, sorted_out = (w.reshape(-1).index_select(0, entry) for w in (weight_in, weight_out))
        splats += splat._replace(weight_in=sorted_in, weight_out=sorted_out if one_sided else none.clone())
        first += splat.neighbours.shape[1]
    out = torch.cat(weights_out, 1) if one_sided else none
    return [torch.cat(index, 1), torch.cat(weights_in, 1), out, torch.stack(sums), *splats]


def _splat_of(vertices: Vertices, integer: torch.dtype) -> tuple[Splat, Tensor]:
    """The way to splat before normalisation, and where in the weights each of its pairs stands."""
    n_around, n_vertices = vertices.weight.shape[1], vertices.n_corners.shape[0]
    tile = ((vertices.n_points.cumsum(0) - vertices.n_points) // _TILE)[vertices.corners // n_around]
    tile, order = tile.to(torch.int32).sort(stable=True)
    vertex = torch.arange(n_vertices, device=tile.device).repeat_interleave(vertices.n_corners)[order]
    point, entry, n_pairs = vertices.pairs(vertices.corners[order])

    # The corners of a vertex in a tile follow each other.
    begins = torch.ones_like(vertex, dtype=torch.bool)
    begins[1:] = (vertex[1:] != vertex[:-1]) | (tile[1:] != tile[:-1])
    begin = begins.nonzero()[:, 0]
    ends = n_pairs.cumsum(0)[torch.cat([begin[1:], begin.new_tensor([vertex.shape[0]])]) - 1]
    begin_pair, whose = _cut(torch.diff(ends, prepend=ends.new_zeros(1)))
    of_run, run = vertex[begin][whose].sort(stable=True)
    begin_run, whose = _cut(torch.bincount(of_run, minlength=n_vertices))
    n_groups = torch.bincount(whose, minlength=n_vertices)
    whole = (point, begin_pair, run, begin_run, _starts(n_groups), vertices.neighbours)
    point, begin_pair, run, begin_run, begin_group, neighbours = (x.to(integer) for x in whole)
    weight = vertices.weight.reshape(-1).index_select(0, entry)
    return Splat(point, weight, weight[:0], begin_pair, run, begin_run, begin_group, neighbours), entry


def _starts(count: Tensor) -> Tensor:
    return torch.cat([count.new_zeros(1), count.cumsum(0)])


def _cut(count: Tensor) -> tuple[Tensor, Tensor]:
    """Cut groups of `count` entries that follow each other into pieces: where each piece starts, and its group."""
    n_pieces = (count + (_RUN - 1)) // _RUN
    group = torch.repeat_interleave(n_pieces)
    piece = torch.arange(group.shape[0], device=count.device) - _starts(n_pieces)[group]
    return torch.cat([_starts(count)[group] + _RUN * piece, count.sum()[None]]), group


def _row_sums(vertices: Vertices, splat: Splat) -> Tensor:
    """The kernel applied to ones, (n,)."""
    n, n_around = vertices.weight.shape
    width, ones = width_of(1), torch.ones_like(vertices.weight[:, :1])
    rows = _blurred(splat, _splatted(splat, ones, splat.weight_in), False)
    scale = ones.new_full((n_around, width.stride), AXES.gain(n_around - 1))
    update_points(
        ones, width, n, rows=rows, index=vertices.index, weight=vertices.weight, pairs=slice(0, n_around), scale=scale
    )
    return ones[:, 0]


# --- filters ------------------------------------------------------------------------------------------------------


def _splatted(splat: Splat, values: Tensor, weight: Tensor, out: Tensor | None = None) -> Tensor:
    """Rows of one kernel from those of points."""
    runs, groups, rows = (
        values.new_empty(begin.shape[0] - 1, values.shape[1])
        for begin in (splat.begin, splat.begin_run, splat.begin_group)
    )
    sum_runs(values, splat.point, weight, splat.begin, runs)
    sum_runs(runs, splat.run, None, splat.begin_run, groups)
    return sum_runs(groups, None, None, splat.begin_group, rows if out is None else out)


def _blurred(splat: Splat, rows: Tensor, adjoint: bool, out: Tensor | None = None) -> Tensor:
    """Rows of one kernel, blurred along its axes; those given are lost."""
    other = torch.empty_like(rows)
    *most, last = reversed(splat.neighbours.unbind()) if adjoint else splat.neighbours.unbind()
    for neighbours in most:
        rows, other = blur_axis(rows, neighbours, other), rows
    return blur_axis(rows, last, other if out is None else out)


def _splat(parts: Layout, values: Tensor, adjoint: bool) -> Tensor:
    """Rows of all kernels from those of points."""
    rows = values.new_empty(parts.n_rows, values.shape[1])
    for k, splat in enumerate(parts.splats):
        _splatted(splat, values, _splatting(splat, adjoint), rows[parts.rows_of(k)])
    return rows


def _splatting(splat: Splat, adjoint: bool) -> Tensor:
    return splat.weight_out if adjoint and splat.weight_out.numel() else splat.weight_in


def _blur(parts: Layout, rows: Tensor, adjoint: bool, out: Tensor) -> Tensor:
    """Blur the rows of all kernels; those given are lost."""
    for k, splat in enumerate(parts.splats):
        own = parts.rows_of(k)
        _blurred(splat, rows[own], adjoint, out[own])
    return out


def filter(values: Tensor, lattice: Sequence[Tensor], k: int, adjoint: bool) -> Tensor:  # noqa: A001
    """See :class:`Backend`."""
    parts, (n_images, n_channels, n) = _layout(lattice), values.shape
    splat, width, pairs = parts.splats[k], width_of(n_channels), parts.pairs_of(k)
    points = update_points(new_rows(values, n_images * n, width), width, n, addend=values)
    rows = _blurred(splat, _splatted(splat, points, _splatting(splat, adjoint)), adjoint)
    scale = points.new_full((pairs.stop - pairs.start, width.stride), parts.gains[k])
    return update_points(
        torch.empty_like(values), width, n, rows=rows, index=parts.index, weight=parts.slicing(adjoint), pairs=pairs,
        first_row=parts.rows_of(k).start, scale=scale,
    )  # fmt: skip


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
    apply: Callable[[Tensor, bool], Tensor] = lambda v, adjoint: filter(v.contiguous(), lattice, k, adjoint)  # noqa: E731
    return feature_gradient(apply, q, g, features, _layout(lattice).row_sums[k], normalization)


# --- mean field ---------------------------------------------------------------------------------------------------


class _Updates:
    """What the updates of one call share."""

    def __init__(self, lattice: Sequence[Tensor], logits: Tensor, rewards: Tensor) -> None:
        self.parts, self.logits = _layout(lattice), logits
        self.n_images, self.n_labels, self.n = logits.shape
        self.width = width_of(self.n_labels)
        self.matrices = matrices_of(rewards, self.parts.gains)
        diagonal = self.matrices.diagonal(dim1=1, dim2=2)
        is_full = (self.matrices != 0).sum() != (diagonal != 0).sum()  # not read back, so that nobody waits for it
        self.wants_mixing = is_full.to(torch.int32)
        scale = torch.nn.functional.pad(diagonal, (0, self.width.stride - self.n_labels)).masked_fill(is_full, 1)
        self.scale = torch.cat(
            [s.expand(len(own.neighbours), -1) for own, s in zip(self.parts.splats, scale, strict=True)]
        )

    def new_points(self) -> Tensor:
        """Room for a row of each point."""
        return new_rows(self.logits, self.n_images * self.n, self.width)

    def new_vertices(self) -> Tensor:
        """Room for a row of each vertex."""
        return new_rows(self.logits, self.parts.n_rows, self.width)

    def points_of(self, values: Tensor) -> Tensor:
        """(B, L, N) as a row of each point."""
        return update_points(self.new_points(), self.width, self.n, addend=values)

    def images_of(self, points: Tensor) -> Tensor:
        """Rows of points as (B, L, N)."""
        return points.reshape(self.n_images, self.n, -1)[:, :, : self.n_labels].transpose(1, 2).contiguous()

    def update(self, rows: Tensor | None, out: Tensor, then: str) -> Tensor:
        """The softmax, or its logarithm, of logits and messages, which come from blurred rows."""
        return self._update(rows, False, out, addend=self.logits, then=then)

    def update_adjoint(self, rows: Tensor, marginals: Tensor) -> Tensor:
        """The gradient of the logits from blurred rows, in place of the marginals that the update started with."""
        return self._update(rows, True, marginals, marginals=marginals, then="softmax_adjoint")

    def _update(self, rows: Tensor | None, adjoint: bool, out: Tensor, **settings: Any) -> Tensor:
        if rows is None:
            return update_points(out, self.width, self.n, **settings)
        mixed = torch.empty_like(rows)
        matrices = (self.matrices.mT if adjoint else self.matrices).contiguous()
        for k, matrix in enumerate(matrices):
            own = self.parts.rows_of(k)
            mix_labels(rows[own], matrix, self.wants_mixing, mixed[own])
        return update_points(
            out, self.width, self.n, rows=rows, mixed=mixed, wanted=self.wants_mixing,
            index=self.parts.index, weight=self.parts.slicing(adjoint),
            pairs=slice(0, self.parts.index.shape[1]), scale=self.scale, **settings,
        )  # fmt: skip


def tape_size(lattice: Sequence[Tensor], n_labels: int, n_iter: int) -> tuple[int, ...]:
    """See :class:`Backend`. The blurred rows of each iteration, which are fewer than the marginals."""
    return n_iter, _layout(lattice).n_rows, width_of(n_labels).stride


def mean_field(
    logits: Tensor, rewards: Tensor, lattice: Sequence[Tensor], n_iter: int, marginals: bool, record: bool
) -> tuple[Tensor, Tensor]:
    """See :class:`Backend`."""
    updates = _Updates(lattice, logits, rewards)
    tape = logits.new_empty(tape_size(lattice, logits.shape[1], n_iter) if record else 0)
    q, rows = updates.new_points(), None if record else updates.new_vertices()
    updates.update(None, q, "softmax")
    for t in range(n_iter):
        blurred = _blur(updates.parts, _splat(updates.parts, q, False), False, tape[t] if rows is None else rows)
        if t < n_iter - 1:
            updates.update(blurred, q, "softmax")
    out = torch.empty_like(logits)
    return updates.update(blurred, out, "softmax" if marginals else "log_softmax"), tape


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
    updates = _Updates(lattice, logits, rewards)
    parts, n_labels = updates.parts, updates.n_labels
    q = out if marginals else out.exp()
    g = grad * q if marginals else grad
    g = updates.points_of(g - q * g.sum(1, keepdim=True))
    grad_logits, grad_rewards = g.clone(), torch.zeros_like(rewards)
    grad_features = [torch.zeros_like(f) for f in features]
    for t in reversed(range(n_iter)):
        rows = _splat(parts, g, True)
        for k, gain in enumerate(parts.gains):
            sent, received = (x[parts.rows_of(k), :n_labels] for x in (tape[t], rows))
            grad_rewards[k].addmm_(sent.T, received, alpha=gain)
        rows = _blur(parts, rows, True, updates.new_vertices())
        q = updates.update(tape[t - 1] if t > 0 else None, updates.new_points(), "softmax")
        for k, (f, total) in enumerate(zip(features, grad_features, strict=True)):
            towards = rewards[k] @ updates.images_of(g)
            total += _feature_gradient(updates.images_of(q), towards, f, lattice, k, normalizations[k])
        g = updates.update_adjoint(rows, q)
        grad_logits += g
    return [updates.images_of(grad_logits), grad_rewards, *grad_features]
