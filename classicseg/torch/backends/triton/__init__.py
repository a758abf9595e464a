"""Lattices on CUDA devices, by programs in Triton; nothing is compiled before it is used.

The lattice is that of :mod:`classicseg.torch.backends.pytorch`, found by the same sorting. Splatting adds up
in two or three steps, without atomics, see :mod:`classicseg.torch.backends.triton._lattice`. Blurring reads rows and
their neighbours, two axes at a time. Slicing, scaling by the diagonal of the compatibility, adding the logits and the
softmax are one program; only a compatibility with more than a diagonal multiplies the rows of the vertices before.
Each of these steps is one launch for all kernels: to launch takes longer than small images take to compute. Everything
is computed in float32.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from classicseg.torch.backends import Updates
from classicseg.torch.backends._features import feature_gradient
from classicseg.torch.backends._rewards import diagonals_of, matrices_of
from classicseg.torch.backends.triton import _lattice
from classicseg.torch.backends.triton._filtering import Room, blur, splat
from classicseg.torch.backends.triton._launch import Slicing, mix_labels, new_rows, update_points, width_of
from classicseg.torch.backends.triton._layout import empty_lattice, layout_of

__all__ = [
    "build",
    "empty_lattice",
    "filter",
    "mean_field",
    "mean_field_backward",
    "tape_size",
]

_Result = TypeVar("_Result")


def _on_its_device(function: Callable[..., _Result]) -> Callable[..., _Result]:
    """Programs run on the current device, not on that of their arguments."""

    @functools.wraps(function)
    def guarded(first: Any, *args: Any, **options: Any) -> _Result:
        with torch.cuda.device_of(first if isinstance(first, Tensor) else first[0]):
            return function(first, *args, **options)

    return guarded


build = _on_its_device(_lattice.build)

# --- filters ------------------------------------------------------------------------------------------------------


@_on_its_device
def filter(values: Tensor, lattice: Sequence[Tensor], k: int, adjoint: bool) -> Tensor:  # noqa: A001
    """See :class:`Backend`."""
    layout, (n_images, n_channels, n) = layout_of(lattice), values.shape
    width, pairs, part = width_of(n_channels), layout.pairs[k], layout.rows[k]
    points = update_points(new_rows(values, n_images * n, width), width, n, addend=values)
    room = Room.of(layout, width.stride)
    splat(layout, points, layout.weights(adjoint), part, room)
    rows = blur(layout, room, adjoint, part, new_rows(values, layout.n_rows, width))
    scale = points.new_full((pairs.stop - pairs.start, width.stride), layout.gains[k])
    sliced = Slicing(rows, layout.index, layout.slicing(adjoint), pairs, scale)
    return update_points(torch.empty_like(values), width, n, sliced=sliced)


def _feature_gradient(
    q: Tensor, g: Tensor, features: Tensor, lattice: Sequence[Tensor], k: int, normalization: str
) -> Tensor:
    apply: Callable[[Tensor, bool], Tensor] = lambda v, adjoint: filter(v.contiguous(), lattice, k, adjoint)  # noqa: E731
    return feature_gradient(apply, q, g, features, layout_of(lattice).row_sums[k], normalization)


# --- mean field ---------------------------------------------------------------------------------------------------


class _Run:
    """What the updates of one call share."""

    def __init__(self, lattice: Sequence[Tensor], logits: Tensor, rewards: Tensor, mixes: bool) -> None:
        self.layout, self.logits, self.mixes = layout_of(lattice), logits, mixes
        self.n_images, self.n_labels, self.n = logits.shape
        self.width = width_of(self.n_labels)
        self.room = Room.of(self.layout, self.width.stride)
        self.matrices = matrices_of(rewards, self.layout.gains)
        self.scale: Tensor | None = None
        if not mixes:
            diagonal = torch.nn.functional.pad(diagonals_of(self.matrices), (0, self.width.stride - self.n_labels))
            rows = zip(diagonal, self.layout.pairs, strict=True)
            self.scale = torch.cat([own.expand(pairs.stop - pairs.start, -1) for own, pairs in rows])

    def new_points(self) -> Tensor:
        """Room for a row of each point."""
        return new_rows(self.logits, self.n_images * self.n, self.width)

    def new_vertices(self) -> Tensor:
        """Room for a row of each vertex."""
        return new_rows(self.logits, self.layout.n_rows, self.width)

    def points_of(self, values: Tensor) -> Tensor:
        """(B, L, N) as a row of each point."""
        return update_points(self.new_points(), self.width, self.n, addend=values)

    def images_of(self, points: Tensor) -> Tensor:
        """Rows of points as (B, L, N)."""
        return points.reshape(self.n_images, self.n, -1)[:, :, : self.n_labels].transpose(1, 2).contiguous()

    def splat(self, points: Tensor, adjoint: bool) -> Tensor:
        """Rows of all kernels from those of points, as `room.rows`."""
        layout = self.layout
        return splat(layout, points, layout.weights(adjoint), layout.all_rows, self.room)

    def blur(self, adjoint: bool, out: Tensor) -> Tensor:
        """What was splatted, blurred."""
        return blur(self.layout, self.room, adjoint, self.layout.all_rows, out)

    def update(self, rows: Tensor | None, out: Tensor, then: str) -> Tensor:
        """The softmax, or its logarithm, of logits and messages, which come from blurred rows."""
        return self._update(rows, False, out, addend=self.logits, then=then)

    def update_adjoint(self, rows: Tensor, marginals: Tensor) -> Tensor:
        """The gradient of the logits from blurred rows, in place of the marginals that the update started with."""
        return self._update(rows, True, marginals, marginals=marginals, then="softmax_adjoint")

    def _update(self, rows: Tensor | None, adjoint: bool, out: Tensor, **settings: Any) -> Tensor:
        if rows is None:
            return update_points(out, self.width, self.n, **settings)
        layout = self.layout
        if self.mixes:
            matrices = (self.matrices.mT if adjoint else self.matrices).contiguous()
            rows = mix_labels(rows, matrices, layout.kernel_of, self.room.other)
        everything = slice(0, layout.index.shape[1])
        sliced = Slicing(rows, layout.index, layout.slicing(adjoint), everything, self.scale)
        return update_points(out, self.width, self.n, sliced=sliced, **settings)


def tape_size(lattice: Sequence[Tensor], n_labels: int, n_iter: int) -> tuple[int, ...]:
    """See :class:`Backend`. The blurred rows of each iteration, which are fewer than the marginals."""
    return n_iter, layout_of(lattice).n_rows, width_of(n_labels).stride


@_on_its_device
def mean_field(
    logits: Tensor,
    rewards: Tensor,
    lattice: Sequence[Tensor],
    updates: Updates,
    record: bool,
) -> tuple[Tensor, Tensor]:
    """See :class:`Backend`."""
    n_iter, marginals, mixes = updates
    run = _Run(lattice, logits, rewards, mixes)
    tape = logits.new_empty(tape_size(lattice, logits.shape[1], n_iter) if record else 0)
    q, rows = run.new_points(), None if record else run.new_vertices()
    run.update(None, q, "softmax")
    for t in range(n_iter):
        run.splat(q, False)
        blurred = run.blur(False, tape[t] if rows is None else rows)
        if t < n_iter - 1:
            run.update(blurred, q, "softmax")
    out = torch.empty_like(logits)
    return run.update(blurred, out, "softmax" if marginals else "log_softmax"), tape


@_on_its_device
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
    run = _Run(lattice, logits, rewards, mixes)
    layout, n_labels = run.layout, run.n_labels
    q = out if marginals else out.exp()
    g = grad * q if marginals else grad
    g = run.points_of(g - q * g.sum(1, keepdim=True))
    grad_logits, grad_rewards = g.clone(), torch.zeros_like(rewards)
    grad_features = [torch.zeros_like(f) for f in features]
    blurred, q = run.new_vertices(), run.new_points()
    for t in reversed(range(n_iter)):
        rows = run.splat(g, True)
        for k, (gain, part) in enumerate(zip(layout.gains, layout.rows, strict=True)):
            sent, received = (x[part.rows, :n_labels] for x in (tape[t], rows))
            grad_rewards[k].addmm_(sent.T, received, alpha=gain)
        run.blur(True, blurred)
        run.update(tape[t - 1] if t > 0 else None, q, "softmax")
        for k, (f, total) in enumerate(zip(features, grad_features, strict=True)):
            towards = rewards[k] @ run.images_of(g)
            total += _feature_gradient(run.images_of(q), towards, f, lattice, k, normalizations[k])
        run.update_adjoint(blurred, q)
        g, q = q, g
        grad_logits += g
    return [run.images_of(grad_logits), grad_rewards, *grad_features]
