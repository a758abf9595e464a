"""Lovász-softmax: the Jaccard index, extended to probabilities by sorting pixels by their errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor

from classicseg.torch.losses._softmax import linear_in_probabilities
from classicseg.torch.losses.overlap import Overlap, sizes

_SORTED = 2**26  # errors that are sorted at once where all labels are: a few hundred MB


class LovaszSoftmax(Overlap):
    """Lovász-softmax of Berman et al. [1]_: the Jaccard loss of labels, extended to probabilities.

    Parameters
    ----------
    over, absent, class_weights, ignore_index
        See :class:`DiceLoss`.

    Raises
    ------
    ValueError, TypeError
        If a parameter, or later the tensors, do not fit.

    References
    ----------
    .. [1] M. Berman, A. R. Triki, M. B. Blaschko, "The Lovász-softmax loss: a tractable surrogate for the optimization
       of the intersection-over-union measure in neural networks", CVPR 2018. :arxiv:`1705.08790`

    Examples
    --------
    >>> import torch
    >>> from classicseg.torch import losses
    >>> logits = 100 * torch.tensor([[[1.0, 1, 0, 0], [0, 0, 1, 1]]])
    >>> round(losses.LovaszSoftmax()(logits, torch.tensor([[0, 1, 1, 1]])).item(), 4)  # 1 - (1/2 + 2/3) / 2
    0.4167
    """

    takes_probabilities: ClassVar[bool] = False

    def of(self, z: Tensor, y: Tensor, valid: Tensor) -> Tensor:
        """A number."""
        z, y, valid = z.flatten(2), y.flatten(1), valid.flatten(1)
        size = self.grouped(sizes(y, valid, z.shape[1])).to(z.dtype)
        wanted = (size > 0) | (self.absent == "count")
        learned = z.requires_grad and torch.is_grad_enabled()
        values, slopes = extension(z, y, valid, wanted, needs_slopes=learned)
        return self.average(linear_in_probabilities(z, valid, slopes, values), size)


@torch.compiler.disable
@torch.no_grad()
def extension(
    z: Tensor, y: Tensor, valid: Tensor, wanted: Tensor, *, needs_slopes: bool
) -> tuple[Tensor, Tensor | None]:
    """The loss of each wanted class of each group (groups, L), and its derivatives by the probabilities (B, L, N)."""
    p = torch.where(valid[:, None], z, 0).softmax(1)
    values = z.new_zeros(wanted.shape)
    groups = [slice(None)] if len(wanted) == 1 else [slice(i, i + 1) for i in range(len(wanted))]
    for group, images in enumerate(groups):
        counts = valid[images].reshape(-1)
        for labels in _together(p[images], wanted[group]):
            here = p[images, labels]  # (images, labels, N)
            numbers = torch.arange(labels.start, labels.stop, device=z.device)[:, None]
            hot = (y[images].reshape(-1) == numbers) & counts  # (labels, pixels)
            errors = (hot.to(p.dtype) - here.transpose(0, 1).flatten(1)).abs_().mul_(counts)  # ignored: errors of 0
            order = descending(errors)
            sorted_hot = hot.gather(1, order)
            steps = jaccard_steps(sorted_hot, p.dtype)
            values[group, labels] = (errors.gather(1, order) * steps).sum(1)
            if needs_slopes:  # in the place of the probabilities, which are not needed any more
                steps = torch.where(sorted_hot, -steps, steps)
                slopes = torch.empty_like(errors).scatter_(1, order, steps).mul_(counts)
                here.copy_(slopes.reshape(here.transpose(0, 1).shape).transpose(0, 1))
    return values, p if needs_slopes else None


def _together(p: Tensor, wanted: Tensor) -> Iterator[slice]:
    """Labels that are sorted at once. On the CPU one by one, those that are wanted; the others get slopes of 0.

    Elsewhere all of them, as far as memory allows: launches are dear, and which are wanted would have to be waited for.
    """
    n_labels = p.shape[1]
    if p.device.type != "cpu":
        step = max(1, _SORTED // max(1, p[:, 0].numel()))
        yield from (slice(first, min(first + step, n_labels)) for first in range(0, n_labels, step))
        return
    for label, is_wanted in enumerate(wanted.tolist()):
        if is_wanted:
            yield slice(label, label + 1)
        else:
            p[:, label] = 0


def jaccard_steps(hot: Tensor, dtype: torch.dtype) -> Tensor:
    """How much each pixel adds to the Jaccard loss as all become wrong, by falling errors.

    `hot` (..., n) are of the label.
    """
    missed = hot.cumsum(-1, dtype=torch.int32)
    size = missed[..., -1:]
    union = torch.arange(1, hot.shape[-1] + 1, dtype=torch.int32, device=hot.device).sub(missed).add_(size).to(dtype)
    # One missed: the intersection loses 1 of the union. One added: the union has grown from union - 1.
    lost = torch.where(hot, 1, (size - missed).to(dtype) / (union - 1))
    lost[..., :1].masked_fill_(size == 0, 1)  # of nothing, the first pixel found makes the loss 1
    return lost.div_(union)


def descending(errors: Tensor) -> Tensor:
    """The order of errors (..., n), which are at least 0: largest first, equal ones as they come."""
    if errors.device.type != "cpu" or errors.dtype != torch.float32:
        return errors.argsort(dim=-1, descending=True, stable=True)
    # The bits of floats of one sign sort as the floats do. With the index behind them they are one integer, and NumPy
    # sorts integers several times faster than PyTorch finds the order of floats.
    keys = errors.view(torch.int32).long().neg_().bitwise_left_shift_(32).add_(torch.arange(errors.shape[-1]))
    keys.numpy().sort(-1)
    return keys.bitwise_and_(2**32 - 1)
