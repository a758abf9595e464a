"""The operators of the lattice backends, registered with PyTorch.

An operator is opaque to ``torch.compile``, which must know the shapes of its results before it runs: they follow from
the shapes of its arguments. That is why a lattice is a list of tensors. A new image gives them new sizes, which the
compiler treats as unknown numbers, so one compiled graph serves all images.

Operators take lists of tensors, but not of strings. The normalizations of the kernels, a sequence of words everywhere
else, are therefore one string in the arguments of an operator: see :func:`as_text` and :func:`from_text`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual

from classicseg.torch import backends
from classicseg.torch.tensors import check_features, check_summable

REWARDS = "the product of weight and compatibility"


def as_text(normalizations: Sequence[str]) -> str:
    """Normalizations of kernels as the argument of an operator."""
    return " ".join(normalizations)


def from_text(normalizations: str) -> list[str]:
    """What was given to :func:`as_text`."""
    return normalizations.split()


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Matrix products in float32: without autocast, and without TF32 or bfloat16 inside, which scripts often allow."""
    names: list[tuple[Any, str, Any]] = [
        (m, "fp32_precision", "ieee") for m in (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)
    ]
    if not hasattr(torch.backends.cuda.matmul, "fp32_precision"):  # before PyTorch 2.9
        names = [(torch.backends.cuda.matmul, "allow_tf32", False)]
    before = [getattr(where, name) for where, name, _ in names]
    for where, name, exact in names:
        setattr(where, name, exact)
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        for (where, name, _), value in zip(names, before, strict=True):
            setattr(where, name, value)


def check_mode(*given: Tensor) -> None:
    """Raise if a derivative in forward mode is asked for, of which operators know nothing: it would come out as 0."""
    if not torch.compiler.is_compiling() and any(unpack_dual(t).tangent is not None for t in given):
        raise NotImplementedError(
            "there are no derivatives in forward mode, as of torch.func.jvp; take backward(), or backend='exact'"
        )


@torch.library.custom_op("classicseg::build_lattice", mutates_args=())
def build_lattice(features: list[Tensor], normalizations: str, backend: str) -> list[Tensor]:
    """Lattices of the (B, d, N) features of each kernel."""
    if features[0].device.type == "cpu":  # elsewhere their bounds tell, which are read anyway
        for f in features:
            check_features(f)
    with torch.inference_mode(False), torch.no_grad():  # a lattice may be trained with, wherever it was built
        return backends.get(backend).build([f.detach() for f in features], from_text(normalizations))


@build_lattice.register_fake
def _(features: list[Tensor], normalizations: str, backend: str) -> list[Tensor]:
    new_size = torch.library.get_ctx().new_dynamic_size
    return backends.get(backend).empty_lattice(features, from_text(normalizations), new_size)


@torch.library.custom_op("classicseg::mean_field", mutates_args=())
def mean_field(
    logits: Tensor,
    rewards: Tensor,
    features: list[Tensor],
    lattice: list[Tensor],
    normalizations: str,
    n_iter: int,
    marginals: bool,
    record: bool,
    mixes: bool,
    backend: str,
) -> tuple[Tensor, Tensor]:
    """Marginals or their logarithms, and what the backward pass needs.

    `features` carry the gradient to sigmas and images; where none is wanted they may be left out. `mixes` is False
    where the rewards of a label are known to differ for itself alone, as with Potts costs: that saves the products.
    """
    check_summable(logits, "logits")
    check_summable(rewards, REWARDS)
    with full_precision(logits.device):
        return backends.get(backend).mean_field(
            logits.detach().contiguous(), rewards.detach(), lattice, backends.Updates(n_iter, marginals, mixes), record
        )


@mean_field.register_fake
def _(
    logits: Tensor,
    rewards: Tensor,
    features: list[Tensor],
    lattice: list[Tensor],
    normalizations: str,
    n_iter: int,
    marginals: bool,
    record: bool,
    mixes: bool,
    backend: str,
) -> tuple[Tensor, Tensor]:
    size = backends.get(backend).tape_size(lattice, logits.shape[1], n_iter) if record else (0,)
    return logits.new_empty(logits.shape), logits.new_empty(size)


@torch.library.custom_op("classicseg::mean_field_backward", mutates_args=())
def mean_field_backward(
    grad: Tensor,
    out: Tensor,
    logits: Tensor,
    rewards: Tensor,
    features: list[Tensor],
    lattice: list[Tensor],
    normalizations: str,
    tape: Tensor,
    n_iter: int,
    marginals: bool,
    mixes: bool,
    backend: str,
) -> list[Tensor]:
    """Gradients of :func:`mean_field` with respect to logits, rewards and features."""
    with full_precision(logits.device):
        return backends.get(backend).mean_field_backward(
            grad.contiguous(), out, logits.contiguous(), rewards, features, lattice, from_text(normalizations), tape,
            backends.Updates(n_iter, marginals, mixes),
        )  # fmt: skip


@mean_field_backward.register_fake
def _(
    grad: Tensor,
    out: Tensor,
    logits: Tensor,
    rewards: Tensor,
    features: list[Tensor],
    lattice: list[Tensor],
    normalizations: str,
    tape: Tensor,
    n_iter: int,
    marginals: bool,
    mixes: bool,
    backend: str,
) -> list[Tensor]:
    return [x.new_empty(x.shape) for x in (logits, rewards, *features)]


def _keep_for_mean_field(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    logits, rewards, features, lattice, normalizations, n_iter, marginals, record, mixes, backend = inputs
    out, tape = output
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(tape)
    wants_features = any(f.requires_grad for f in features)
    ctx.n_features, ctx.sent = len(features), len(features) if wants_features else 0
    ctx.save_for_backward(out, tape, logits, rewards, *features[: ctx.sent], *lattice)
    ctx.settings = normalizations, n_iter, marginals, record, mixes, backend
    ctx.n_lattice = len(lattice)


def _mean_field_adjoint(ctx: Any, grad: Tensor | None, _: Tensor | None) -> tuple[Any, ...]:
    normalizations, n_iter, marginals, record, mixes, backend = ctx.settings
    no_lattice = [None] * ctx.n_lattice
    if grad is None or not record:
        return None, None, [None] * ctx.n_features, no_lattice, *(None,) * 6
    out, tape, logits, rewards, *rest = ctx.saved_tensors
    features, lattice = list(rest[: ctx.sent]), list(rest[ctx.sent :])
    grad_logits, grad_rewards, *grad_features = mean_field_backward(
        grad, out, logits, rewards, features, lattice, normalizations, tape, n_iter, marginals, mixes, backend
    )
    grad_features += [None] * (ctx.n_features - ctx.sent)
    return grad_logits, grad_rewards, grad_features, no_lattice, *(None,) * 6


mean_field.register_autograd(_mean_field_adjoint, setup_context=_keep_for_mean_field)


@torch.library.custom_op("classicseg::filter", mutates_args=())
def filter_values(values: Tensor, lattice: list[Tensor], k: int, adjoint: bool, backend: str) -> Tensor:
    """The normalised filter of kernel `k`, or its transpose, of (B, C, N) values."""
    check_summable(values, "values")
    return backends.get(backend).filter(values.detach().contiguous(), lattice, k, adjoint)


@filter_values.register_fake
def _(values: Tensor, lattice: list[Tensor], k: int, adjoint: bool, backend: str) -> Tensor:
    return values.new_empty(values.shape)


def _keep_for_filter(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, lattice, *ctx.settings = inputs
    ctx.save_for_backward(*lattice)


def _filter_adjoint(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    k, adjoint, backend = ctx.settings
    lattice = list(ctx.saved_tensors)
    return filter_values(grad, lattice, k, not adjoint, backend), [None] * len(lattice), *(None,) * 3


filter_values.register_autograd(_filter_adjoint, setup_context=_keep_for_filter)
