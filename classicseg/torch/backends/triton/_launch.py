"""Shapes and launches of the programs: arrays of rows in, arrays of rows out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import triton
from torch import Tensor

from classicseg.torch.backends._sorting import on_device
from classicseg.torch.backends.triton import _kernels

_NUMBERS = 1024  # that a program of 4 warps holds of one array: 8 for each thread
ROWS = 64  # what a product has of them; those of each kernel, runs and groups too, begin at a multiple
_UNROLLED = 4  # steps of a sum whose loads do not wait for each other
OPTIONS = {"enable_fp_fusion": False}  # the roundings of PyTorch, which decide where points lie


class Width(NamedTuple):
    """How many numbers a row has, how far rows lie apart, and how many a program reads."""

    channels: int
    stride: int
    lanes: int

    @property
    def block(self) -> int:
        """Rows of a program."""
        return max(1, min(128, _NUMBERS // self.lanes))


def width_of(n_channels: int) -> Width:
    """Rows of `n_channels` numbers and zeros, which fill whole sectors of 32 bytes where they are not short."""
    lanes = triton.next_power_of_2(n_channels)
    return Width(n_channels, min(lanes, -(-n_channels // 8) * 8), lanes)


def new_rows(like: Tensor, n_rows: int, width: Width) -> Tensor:
    """Room for rows."""
    return like.new_empty(n_rows, width.stride, dtype=torch.float32)


def sum_runs(
    values: Tensor,
    member: Tensor | None,
    weight: Tensor | None,
    begin: Tensor,
    end: Tensor,
    out: Tensor,
    rows: slice,
) -> Tensor:
    """Sum rows of `values`, or those of each `member`, times `weight`, from each `begin` to its `end`."""
    width = _width(out)
    _launch(
        _kernels.sum_runs, [_blocks(rows, width)], values, begin if member is None else member,
        out if weight is None else weight, begin, end, out, rows.start, rows.stop,
        INDEXED=member is not None, WEIGHTED=weight is not None, UNROLLED=_UNROLLED, **_shape(width),
    )  # fmt: skip
    return out


def blur_axes(source: Tensor, neighbours: Sequence[Tensor], out: Tensor, rows: slice) -> Tensor:
    """Blur rows along one axis or two, whose (rows, 2) neighbours are given."""
    width = _width(out)
    _launch(
        _kernels.blur_axes, [_blocks(rows, width)], source, neighbours[0], neighbours[-1], out, rows.start, rows.stop,
        TWO=len(neighbours) == 2, **_shape(width),
    )  # fmt: skip
    return out


def mix_labels(rows: Tensor, matrices: Tensor, kernel_of: Tensor, out: Tensor) -> Tensor:
    """Multiply rows by the contiguous (C, C) matrix of the kernel of each block of them."""
    n_rows, stride = rows.shape
    columns = max(16, min(64, triton.next_power_of_2(stride)))  # a product needs 16 of everything
    _launch(
        _kernels.mix_labels, [n_rows // ROWS, triton.cdiv(stride, columns)], rows, matrices, kernel_of, out, n_rows,
        C=matrices.shape[1], STRIDE=stride, COLUMNS=columns, DEPTH=16, BLOCK=ROWS,
    )  # fmt: skip
    return out


class Slicing(NamedTuple):
    """Which rows of vertices each point sums up, from the (point, vertex) pairs of one kernel or of all."""

    rows: Tensor  # (rows, stride): of vertices
    index: Tensor  # (B N, P): vertices of each point, as rows of all kernels are counted
    weight: Tensor  # (B N, P)
    pairs: slice  # those of the P that are summed
    scale: Tensor | None  # (pairs, stride): factor of each channel


def update_points(
    out: Tensor,
    width: Width,
    n_each: int,
    *,
    sliced: Slicing | None = None,
    addend: Tensor | None = None,
    marginals: Tensor | None = None,
    then: str = "",
) -> Tensor:
    """What :func:`classicseg.torch.backends.triton._kernels.update_points` says.

    `out` is (B, C, N), or (B N, stride).
    """
    in_channels = out.dim() == 3
    n_images = out.shape[0] if in_channels else out.shape[0] // n_each
    of = Slicing(out, out, out, slice(0, 0), None) if sliced is None else sliced  # of no pairs nothing is read
    arrays = (of.rows, of.index, of.weight, of.scale, addend, marginals)
    _launch(
        _kernels.update_points, [triton.cdiv(n_each, width.block), n_images],
        *(out if array is None else array for array in arrays), out, n_each, of.pairs.start,
        WHOLE=n_each % 16 == 0, PAIRS=of.pairs.stop - of.pairs.start,
        ALL_PAIRS=0 if sliced is None else of.index.shape[1], SCALED=of.scale is not None,
        ADDED=addend is not None, THEN=then, IN_CHANNELS=in_channels, C=width.channels, **_shape(width),
    )  # fmt: skip
    return out


def embed(features: Tensor, scale: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`classicseg.torch.backends._sorting.embed`, in one program."""
    n_images, d, n = features.shape
    features = features.contiguous()
    origin = features.new_empty(d + 1, n_images * n)
    rank = features.new_empty(d + 1, n_images * n, dtype=torch.int16)
    weight = features.new_empty(n_images * n, d + 1)
    factors = on_device(scale, features)
    lanes = triton.next_power_of_2(d + 1)
    block = max(1, _NUMBERS // lanes)
    _launch(
        _kernels.embed, [triton.cdiv(n, block), n_images], features, factors, origin, rank, weight,
        float(np.float32(1) / np.float32(d + 1)), n, D=d, LANES=lanes, BLOCK=block,
    )  # fmt: skip
    return origin, rank, weight


def _width(rows: Tensor) -> Width:
    stride = rows.shape[1]
    return Width(stride, stride, triton.next_power_of_2(stride))


def _shape(width: Width) -> dict[str, int]:
    return {"STRIDE": width.stride, "LANES": width.lanes, "BLOCK": width.block}


def _blocks(rows: slice, width: Width) -> int:
    return triton.cdiv(rows.stop - rows.start, width.block)


def _launch(kernel: Any, grid: Sequence[int], *args: Any, **constants: Any) -> None:
    """All launches go through here; the operators see to it that the device of their tensors is the current one.

    Triton looks up what is compiled in 9 us for each launch, measured with a driver that launches nothing. A cache of
    launchers took 4 us, but how they are called differs between versions of Triton; CUDA graphs save all of it.
    """
    kernel[tuple(grid)](*args, **OPTIONS, **constants)
