"""Values and gradients of losses through the softmax, one block of pixels at a time.

The probabilities of a whole batch, and what automatic differentiation would keep beside them, take longer to fetch from
memory than to compute. Here a block stays in the cache until it is done with; the only large tensors are the gradient
and, for Lovász, the slopes. The functions take logits (B, L, N), labels (B, N) and which pixels count (B, N), and can
be differentiated once. Logits of pixels that do not count may be anything, NaN and infinite too, and 0 times such a
number is not 0. To look for them takes a tenth of the time of a softmax, so a block is first computed as if there were
none, and again without them if its few results are not finite.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_BLOCK = 2**18  # logits: 1 MB


def blocks(z: Tensor) -> Iterator[tuple[int, slice]]:
    """Image and pixels of each block; on a GPU, whole images."""
    n_images, n_labels, n_pixels = z.shape
    step = max(1, _BLOCK // n_labels) if z.device.type == "cpu" else n_pixels
    for image in range(n_images):
        for first in range(0, n_pixels, max(1, step)):
            yield image, slice(first, first + step)


def _counted(z: Tensor, valid: Tensor, is_spoilt: bool) -> Tensor:
    """A block of logits (L, n), zeros where a pixel does not count; nothing is copied where that does not matter."""
    return torch.where(valid, z, 0) if is_spoilt else z


def _spoils(result: Tensor) -> bool:
    """Whether a result of a block is not finite, so that logits that do not count may be why."""
    return not bool(result.sum().isfinite())


def through_softmax(p: Tensor, g: Tensor) -> Tensor:
    """Gradient by logits from that by probabilities, both (L, n): p (g - sum of p g). Overwrites `g`."""
    g *= p
    return g.addcmul_(p, g.sum(0), value=-1)


class _LogProbability(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, y: Tensor, valid: Tensor) -> Tensor:
        result = z.new_empty(y.shape)
        ctx.is_spoilt = z.device.type != "cpu"  # a GPU would have to be waited for
        for image, pixels in blocks(z):
            part, true = (z[image, :, pixels], valid[image, pixels]), y[image, pixels][None]
            log_p = _counted(*part, ctx.is_spoilt).log_softmax(0).gather(0, true)
            if not ctx.is_spoilt and _spoils(log_p):
                ctx.is_spoilt = True
                log_p = _counted(*part, True).log_softmax(0).gather(0, true)
            result[image, pixels] = log_p[0]
        ctx.save_for_backward(z, y, valid)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        z, y, valid = ctx.saved_tensors
        gradient = torch.empty_like(z)
        for image, pixels in blocks(z):
            upstream = g[image, pixels][None]
            part = _counted(z[image, :, pixels], valid[image, pixels], ctx.is_spoilt).softmax(0).mul_(-upstream)
            gradient[image, :, pixels] = part.scatter_add_(0, y[image, pixels][None], upstream)
        return gradient, None, None


class _RegionSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, y: Tensor, valid: Tensor, power: int) -> tuple[Tensor, Tensor]:
        wide = torch.float32 if z.device.type == "mps" else torch.float64  # which Apple's GPUs do not have
        both, found = (z.new_zeros(z.shape[:2], dtype=wide) for _ in range(2))
        ctx.is_spoilt = z.device.type != "cpu"

        def sums(image: int, pixels: slice) -> tuple[Tensor, Tensor]:
            p, true = _counted(z[image, :, pixels], valid[image, pixels], ctx.is_spoilt).softmax(0), y[image, pixels]
            counts = valid[image, pixels].to(p.dtype)
            of_true = p.gather(0, true[None])[0] * counts
            return of_true.to(wide), p.pow_(power) @ counts

        for image, pixels in blocks(z):
            of_true, of_all = sums(image, pixels)
            if not ctx.is_spoilt and _spoils(of_true):
                ctx.is_spoilt = True
                of_true, of_all = sums(image, pixels)
            both[image].index_add_(0, y[image, pixels], of_true)
            found[image] += of_all
        ctx.save_for_backward(z, y, valid)
        ctx.power = power
        return both.to(z.dtype), found.to(z.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_both: Tensor, of_found: Tensor) -> tuple[Tensor, None, None, None]:
        z, y, valid = ctx.saved_tensors
        gradient = torch.empty_like(z)
        for image, pixels in blocks(z):
            p, true = _counted(z[image, :, pixels], valid[image, pixels], ctx.is_spoilt).softmax(0), y[image, pixels]
            by_p = of_found[image][:, None].expand_as(p)
            by_p = by_p.clone() if ctx.power == 1 else ctx.power * p ** (ctx.power - 1) * by_p
            by_p.scatter_add_(0, true[None], of_both[image][true][None])
            gradient[image, :, pixels] = through_softmax(p, by_p).mul_(valid[image, pixels])
        return gradient, None, None, None


class _LinearInProbabilities(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, valid: Tensor, slopes: Tensor | None, values: Tensor) -> Tensor:
        ctx.save_for_backward(z, valid, slopes)
        return values.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None]:
        z, valid, slopes = ctx.saved_tensors
        gradient = torch.empty_like(z)
        for image, pixels in blocks(z):
            by_p = g[image if len(g) > 1 else 0][:, None] * slopes[image, :, pixels]
            p = _counted(z[image, :, pixels], valid[image, pixels], True).softmax(0)
            gradient[image, :, pixels] = through_softmax(p, by_p)
        return gradient, None, None, None


@torch.compiler.disable
def log_probability(z: Tensor, y: Tensor, valid: Tensor) -> Tensor:
    """Logarithm of the probability of each pixel's label, (B, N); of no meaning where it does not count."""
    result: Tensor = _LogProbability.apply(z, y, valid)
    return result


@torch.compiler.disable
def region_sums(z: Tensor, y: Tensor, valid: Tensor, power: int = 1) -> tuple[Tensor, Tensor]:
    """Sums over the pixels that count, (B, L): of the probabilities of true labels, and of a power of all of them."""
    result: tuple[Tensor, Tensor] = _RegionSums.apply(z, y, valid, power)
    return result


@torch.compiler.disable
def linear_in_probabilities(z: Tensor, valid: Tensor, slopes: Tensor | None, values: Tensor) -> Tensor:
    """`values` (groups, L) of images or of the batch, with `slopes` as derivatives by the probabilities (B, L, N)."""
    result: Tensor = _LinearInProbabilities.apply(z, valid, slopes, values)
    return result
