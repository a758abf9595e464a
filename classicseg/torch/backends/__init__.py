"""Ways to compute the same filters: each module here offers the functions that :class:`Backend` lists.

numba
    CPU tensors, the compiled kernels of the library, no copies. The default there.
triton
    CUDA tensors, programs in Triton. Used only when asked for: they have been interpreted and compiled, not yet run
    on a GPU.
torch
    Any device, nothing but operations of PyTorch. The default elsewhere.
torch+graphs, triton+graphs
    The same two, whose updates are recorded into CUDA graphs and replayed. Used only when asked for.
exact
    All pairs, quadratic in the number of pixels, differentiable by autograd alone; has an interface of its own.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch

from classicseg.errors import InputError

ON_CUDA = "torch"
"""What "auto" takes there if Triton is installed, else "torch". Part B of ``benchmarks/gpu/run`` says what this should
be; it has not run on a GPU yet."""
HAS_TRITON = importlib.util.find_spec("triton") is not None
_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"  # Triton, too, looks once


class Updates(NamedTuple):
    """Which updates are made."""

    n_iter: int
    marginals: bool  # the result, rather than their logarithms
    mixes: bool  # False if a label is known to reward all others alike


class Backend(Protocol):
    """Shapes: B images, N points of each, L labels, K kernels, d features of a kernel."""

    def build(self, features: Sequence[torch.Tensor], normalizations: Sequence[str]) -> list[torch.Tensor]:
        """Lattices of the (B, d, N) float32 features of each kernel, as tensors that only this backend reads."""

    def empty_lattice(
        self, features: Sequence[torch.Tensor], normalizations: Sequence[str], new_size: Callable[[], int]
    ) -> list[torch.Tensor]:
        """Tensors of the shapes that `build` returns; sizes that depend on the image come from `new_size`."""

    def tape_size(self, lattice: Sequence[torch.Tensor], n_labels: int, n_iter: int) -> tuple[int, ...]:
        """Shape of what `mean_field` keeps for the backward pass, from the shapes in `lattice`."""

    def mean_field(
        self,
        logits: torch.Tensor,
        rewards: torch.Tensor,
        lattice: Sequence[torch.Tensor],
        updates: Updates,
        record: bool,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Marginals or their logarithms, (B, L, N), and the tape; `rewards` are (K, L, L), from label, to label."""

    def mean_field_backward(
        self,
        grad: torch.Tensor,
        out: torch.Tensor,
        logits: torch.Tensor,
        rewards: torch.Tensor,
        features: Sequence[torch.Tensor],
        lattice: Sequence[torch.Tensor],
        normalizations: Sequence[str],
        tape: torch.Tensor,
        updates: Updates,
    ) -> list[torch.Tensor]:
        """Gradients with respect to logits, rewards and each of `features` (empty if they are not wanted)."""

    def filter(self, values: torch.Tensor, lattice: Sequence[torch.Tensor], k: int, adjoint: bool) -> torch.Tensor:
        """Normalised filter `k`, or its transpose, of (B, C, N) values."""


def _numba() -> Backend:
    from classicseg.torch.backends import numba

    return numba


def _torch() -> Backend:
    from classicseg.torch.backends import pytorch

    return pytorch


def _triton() -> Backend:
    from classicseg.torch.backends import triton

    return triton


def _with_graphs(load: Callable[[], Any]) -> Callable[[], Backend]:
    @functools.cache
    def once() -> Backend:
        from classicseg.torch.backends import graphs

        return graphs.WithGraphs(load(), graphs.OnCuda())

    return once


_GRAPHS = "+graphs"
_MODULES: dict[str, Callable[[], Backend]] = {  # imported when they are first used
    "numba": _numba,
    "torch": _torch,
    "triton": _triton,
    f"torch{_GRAPHS}": _with_graphs(_torch),
    f"triton{_GRAPHS}": _with_graphs(_triton),
}
LATTICES = tuple(_MODULES)
BACKENDS = (*LATTICES, "exact")


def get(name: str) -> Backend:
    """The module of a backend with a lattice."""
    return _MODULES[name]()


def without_graphs(name: str) -> str:
    """The backend whose updates another one records, or `name` itself."""
    return name.removesuffix(_GRAPHS)


def has_bags(device: torch.device) -> bool:
    """Whether this version of PyTorch can sum bags of rows on a kind of device."""
    key = device.type.upper()
    return all(
        torch._C._dispatch_has_kernel_for_dispatch_key(f"aten::{name}", key)
        for name in ("_embedding_bag", "_embedding_bag_forward_only")
    )


def choose(name: str, device: torch.device) -> str:
    """The backend for tensors on `device` if `name` is ``"auto"``, else `name`; it must serve the device."""
    if name == "auto":
        name = {"cpu": "numba", "cuda": ON_CUDA if HAS_TRITON else "torch"}.get(device.type, "torch")
    if name == "torch" and device.type == "mps" and not has_bags(device):
        raise InputError(
            "backend='torch' sums with embedding_bag, which this version of PyTorch does not have on mps; "
            "move the layer and its tensors to the CPU"
        )
    if name == "numba" and device.type != "cpu":
        raise InputError(
            f"backend='numba' computes on the CPU, but the logits are on {device}; take backend='auto' or 'torch'"
        )
    if name.endswith(_GRAPHS) and device.type != "cuda":
        raise InputError(
            f"backend={name!r} records CUDA graphs, but the logits are on {device}; take backend='auto' or 'torch'"
        )
    if name == "triton" and device.type != "cuda" and not (device.type == "cpu" and _INTERPRETED):
        raise InputError(
            f"backend='triton' computes on CUDA devices, but the logits are on {device}; take backend='auto' or 'torch'"
        )
    if without_graphs(name) == "triton" and not HAS_TRITON:
        raise ImportError(f"backend={name!r} needs Triton: pip install triton, or take backend='torch'")
    return name
