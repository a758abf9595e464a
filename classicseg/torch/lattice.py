"""A lattice that is built once for an image and used by many calls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from classicseg import inputs
from classicseg.errors import InputError
from classicseg.filters.base import NORMALIZATIONS
from classicseg.torch import backends, ops, tensors

_SIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32}


@dataclass(frozen=True, eq=False)
class Lattice:
    """The lattices of all kernels of a CRF, for the images of one batch; made by :func:`build_lattice`.

    Attributes
    ----------
    tensors : tuple of Tensor
        What the backend reads; their meaning is its own.
    backend : str
    normalizations : tuple of str
        Of each kernel.
    n_images : int
        Images of the batch.
    shape : tuple of int
        Spatial shape, or (N,) for N points.
    """

    tensors: tuple[Tensor, ...]
    backend: str
    normalizations: tuple[str, ...]
    n_images: int
    shape: tuple[int, ...]

    @property
    def n_points(self) -> int:
        """Points of each image."""
        return math.prod(self.shape)

    def filter(self, values: Tensor, kernel: int = 0, *, adjoint: bool = False) -> Tensor:
        """Apply the normalised filter of one kernel.

        Parameters
        ----------
        values : Tensor, (B, C, *spatial), floating point
            Differentiable.
        kernel : int
            Which one, counted from 0.
        adjoint : bool
            Apply the transpose.

        Returns
        -------
        Tensor, (B, C, *spatial)

        Raises
        ------
        ValueError
            If the shape does not fit the lattice, or a value is not finite.

        Examples
        --------
        >>> import torch, classicseg.torch as ct
        >>> y, x = torch.meshgrid(torch.arange(6.0), torch.arange(5.0), indexing="ij")
        >>> lattice = ct.build_lattice([torch.stack([x, y])[None] / 2], ["after"])
        >>> torch.allclose(lattice.filter(torch.ones(1, 1, 6, 5)), torch.ones(1, 1, 6, 5))
        True
        """
        if tensors.as_floats(values, "values").dim() < 3 or values.shape[1] == 0:
            raise InputError(f"values must have shape (B, C, *spatial), got {tuple(values.shape)}")
        if inputs.as_count(kernel, "kernel", 0) >= len(self.normalizations):
            raise InputError(f"kernel must be less than {len(self.normalizations)}, got {kernel}")
        self.check(values)
        flat = values.flatten(2)
        dtype = computing_dtype(flat, self.backend)
        ops.check_mode(values)
        out = ops.filter_values(flat.to(dtype), list(self.tensors), kernel, adjoint, self.backend)
        return out.to(values.dtype).reshape(values.shape)

    def __getstate__(self) -> dict[str, Any]:
        """For pickle, which knows no unsigned tensors."""
        return vars(self) | {"tensors": tuple((t.view(_SIGNED.get(t.dtype, t.dtype)), t.dtype) for t in self.tensors)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state | {"tensors": tuple(t.view(dtype) for t, dtype in state["tensors"])})

    def check(self, values: Tensor) -> None:
        """Raise if (B, C, *spatial) values, or (B, C, N) with the points in a row, do not fit."""
        if values.shape[0] != self.n_images or tuple(values.shape[2:]) not in (self.shape, (self.n_points,)):
            raise InputError(
                f"the lattice is for {self.n_images} images of shape {tuple(self.shape)}, "
                f"got values of shape {tuple(values.shape)}"
            )
        tensors.on_device(self.tensors[0], values, "the lattice")


def build_lattice(features: Sequence[Tensor], normalizations: Sequence[str], *, backend: str = "auto") -> Lattice:
    """Build the lattices of kernels with given features.

    Parameters
    ----------
    features : sequence of Tensor, (B, d, *spatial)
        Position of each point in the feature space of each kernel, in standard deviations.
    normalizations : sequence of {"symmetric", "none", "before", "after"}
        Of each kernel, see :meth:`classicseg.PermutohedralLattice.filter`.
    backend : {"auto", "numba", "torch", "triton", "torch+graphs", "triton+graphs"}

    Returns
    -------
    Lattice
        For one device; gradients do not flow into it, pass the features to :func:`dense_crf` as well.

    Raises
    ------
    ValueError
        If a feature is not finite or an argument is unknown.

    Examples
    --------
    >>> import torch, classicseg.torch as ct
    >>> ct.build_lattice([torch.rand(2, 5, 8, 9)], ["symmetric"]).n_points
    72
    """
    inputs.choice(backend, "backend", ("auto", *backends.LATTICES))
    for normalization in normalizations:
        inputs.choice(normalization, "normalization", NORMALIZATIONS)
    if not features or len(features) != len(normalizations):
        raise InputError(f"there must be one normalization for each of the features, got {len(features)} features")
    for f in features:
        tensors.as_floats(f, "features")
        first = features[0].shape
        if f.dim() < 3 or (f.shape[0], *f.shape[2:]) != (first[0], *first[2:]) or f.numel() == 0:
            raise InputError(
                "features must have shape (B, d, *spatial), with the same batch and points for all kernels, "
                f"got {tuple(f.shape)} and {tuple(first)}"
            )
    name = backends.choose(backend, features[0].device)
    flat = [f.detach().flatten(2).to(torch.float32) for f in features]
    built = ops.build_lattice(flat, ops.as_text(normalizations), name)
    return Lattice(tuple(built), name, tuple(normalizations), flat[0].shape[0], tuple(features[0].shape[2:]))


def computing_dtype(tensor: Tensor, backend: str) -> torch.dtype:
    """Half precision is computed in float32; float64 in itself, but by numba and triton in float32, too."""
    in_double = tensor.dtype == torch.float64 and backends.without_graphs(backend) in ("torch", "exact")
    return torch.float64 if in_double else torch.float32
