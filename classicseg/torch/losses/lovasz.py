"""Lovász-softmax: the Jaccard index, extended to probabilities by sorting pixels by their errors."""

from __future__ import annotations

import torch
from torch import Tensor

from classicseg.torch.losses._softmax import linear_in_probabilities
from classicseg.torch.losses.overlap import Overlap, sizes


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

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of logits (B, L, *spatial) for labels (B, *spatial), a number."""
        z, y, valid = self.check_flat(logits, labels)
        size = self.grouped(sizes(y, valid, z.shape[1])).to(z.dtype)
        wanted = (size > 0) | (self.absent == "count")
        learned = z.requires_grad and torch.is_grad_enabled()
        values, slopes = extension(z, y, valid, wanted.tolist(), needs_slopes=learned)
        return self.average(linear_in_probabilities(z, slopes, values), size)


@torch.compiler.disable
@torch.no_grad()
def extension(
    z: Tensor, y: Tensor, valid: Tensor, wanted: list[list[bool]], *, needs_slopes: bool
) -> tuple[Tensor, Tensor | None]:
    """The loss of each wanted class of each group (groups, L), and its derivatives by the probabilities (B, L, N)."""
    n_labels = z.shape[1]
    p = z.softmax(1)
    values = z.new_zeros(len(wanted), n_labels)
    groups = [slice(None)] if len(wanted) == 1 else [slice(i, i + 1) for i in range(len(wanted))]
    for group, images in enumerate(groups):
        counts = valid[images].reshape(-1)
        for label in range(n_labels):
            here = p[images, label]
            if not wanted[group][label]:
                here.zero_()
                continue
            hot = ((y[images] == label) & valid[images]).reshape(-1)
            errors = (hot.to(p.dtype) - here.reshape(-1)).abs_().mul_(counts)  # ignored pixels: errors of 0
            order = descending(errors)
            sorted_hot = hot[order]
            steps = jaccard_steps(sorted_hot, p.dtype)
            values[group, label] = errors[order] @ steps
            if needs_slopes:  # in the place of the probabilities, which are not needed any more
                steps = torch.where(sorted_hot, -steps, steps)
                here.copy_(torch.empty_like(errors).scatter_(0, order, steps).mul_(counts).reshape(here.shape))
    return values, p if needs_slopes else None


def jaccard_steps(hot: Tensor, dtype: torch.dtype) -> Tensor:
    """How much each pixel adds to the Jaccard loss as all become wrong, by falling errors; `hot` are of the label."""
    missed = hot.cumsum(0, dtype=torch.int32)
    size = int(missed[-1])
    if size == 0:  # the first pixel found makes the loss 1
        return torch.zeros(len(hot), dtype=dtype, device=hot.device).index_fill_(0, missed[:1].long(), 1.0)
    union = torch.arange(1, len(hot) + 1, dtype=torch.int32, device=hot.device).sub_(missed).add_(size).to(dtype)
    # One missed: the intersection loses 1 of the union. One added: the union has grown from union - 1.
    lost = torch.where(hot, 1, (size - missed).to(dtype) / (union - 1))
    return lost.div_(union)


def descending(errors: Tensor) -> Tensor:
    """The order of errors, which are at least 0: largest first, equal ones as they come."""
    if errors.device.type != "cpu" or errors.dtype != torch.float32:
        return errors.argsort(descending=True, stable=True)
    # The bits of floats of one sign sort as the floats do. With the index behind them they are one integer, and NumPy
    # sorts integers several times faster than PyTorch finds the order of floats.
    keys = errors.view(torch.int32).long().neg_().bitwise_left_shift_(32).add_(torch.arange(len(errors)))
    keys.numpy().sort()
    return keys.bitwise_and_(2**32 - 1)
