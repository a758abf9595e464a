"""Lattices on CUDA devices, by programs in Triton; nothing is compiled before it is used.

The lattice is that of :mod:`classicseg.torch.backends.pytorch`, found by the same sorting. Splatting adds up
in three steps, without atomics, see :mod:`classicseg.torch.backends.triton._lattice`. Blurring reads rows and
their neighbours, axis by axis. Slicing, scaling by the diagonal of the compatibility, adding the logits and the softmax
are one program; only a compatibility with more than a diagonal multiplies the rows of the vertices before. Everything
is computed in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from classicseg.torch.backends._features import feature_gradient
from classicseg.torch.backends.pytorch import matrices_of
from classicseg.torch.backends.triton._lattice import (
    Layout,
    blur_rows,
    build,
    empty_lattice,
    layout_of,
    splat_rows,
)
from classicseg.torch.backends.triton._launch import Slicing, mix_labels, new_rows, update_points, width_of

__all__ = [
    "build",
    "empty_lattice",
    "filter",
    "mean_field",
    "mean_field_backward",
    "tape_size",
]

# --- filters ------------------------------------------------------------------------------------------------------


def filter(values: Tensor, lattice: Sequence[Tensor], k: int, adjoint: bool) -> Tensor:  # noqa: A001
    """See :class:`Backend`."""
    parts, (n_images, n_channels, n) = layout_of(lattice), values.shape
    splat, width, pairs = parts.splats[k], width_of(n_channels), parts.pairs_of(k)
    points = update_points(new_rows(values, n_images * n, width), width, n, addend=values)
    rows = blur_rows(splat, splat_rows(splat, points, splat.weights(adjoint)), adjoint)
    scale = points.new_full((pairs.stop - pairs.start, width.stride), parts.gains[k])
    sliced = Slicing(rows, parts.index, parts.slicing(adjoint), pairs, scale, parts.rows_of(k).start)
    return update_points(torch.empty_like(values), width, n, sliced=sliced)


def _feature_gradient(
    q: Tensor, g: Tensor, features: Tensor, lattice: Sequence[Tensor], k: int, normalization: str
) -> Tensor:
    apply: Callable[[Tensor, bool], Tensor] = lambda v, adjoint: filter(v.contiguous(), lattice, k, adjoint)  # noqa: E731
    return feature_gradient(apply, q, g, features, layout_of(lattice).row_sums[k], normalization)


# --- mean field ---------------------------------------------------------------------------------------------------


def _splat(parts: Layout, points: Tensor, adjoint: bool) -> Tensor:
    """Rows of all kernels from those of points."""
    rows = points.new_empty(parts.n_rows, points.shape[1])
    for k, splat in enumerate(parts.splats):
        splat_rows(splat, points, splat.weights(adjoint), rows[parts.rows_of(k)])
    return rows


def _blur(parts: Layout, rows: Tensor, adjoint: bool, out: Tensor) -> Tensor:
    """Blur the rows of all kernels; those given are lost."""
    for k, splat in enumerate(parts.splats):
        own = parts.rows_of(k)
        blur_rows(splat, rows[own], adjoint, out[own])
    return out


class _Updates:
    """What the updates of one call share."""

    def __init__(self, lattice: Sequence[Tensor], logits: Tensor, rewards: Tensor) -> None:
        self.parts, self.logits = layout_of(lattice), logits
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
        index = self.parts.index
        sliced = Slicing(
            rows, index, self.parts.slicing(adjoint), slice(0, index.shape[1]), self.scale,
            mixed=mixed, wanted=self.wants_mixing,
        )  # fmt: skip
        return update_points(out, self.width, self.n, sliced=sliced, **settings)


def tape_size(lattice: Sequence[Tensor], n_labels: int, n_iter: int) -> tuple[int, ...]:
    """See :class:`Backend`. The blurred rows of each iteration, which are fewer than the marginals."""
    return n_iter, layout_of(lattice).n_rows, width_of(n_labels).stride


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
    """See :class:`Backend`. The notation is that of :mod:`classicseg.kernels.dense.adjoint`."""
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
