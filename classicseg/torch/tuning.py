"""Parameters of a CRF by gradient descent, behind a network that stays as it is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.io import VOID
from classicseg.torch.dense_crf import DenseCRF


def tune_by_gradient(
    crf: DenseCRF,
    images: Sequence[Tensor],
    logits: Sequence[Tensor],
    truths: Sequence[Tensor],
    *,
    n_steps: int = 30,
    lr: float = 0.05,
    ignore_index: int = VOID,
) -> tuple[float, ...]:
    """Train a CRF on logits that are given, see :func:`classicseg.tune` for the search without gradients.

    Each step sums the cross-entropy over all images. The CRF keeps the parameters of the lowest loss.

    Parameters
    ----------
    crf : DenseCRF
        What it was told to `learn` is changed in place.
    images : sequence of Tensor, (C, *spatial)
        In the units of the colour sigmas; sizes may differ.
    logits : sequence of Tensor, (L, *spatial)
        Of a network that has not learned these images.
    truths : sequence of Tensor of int64, spatial
        Labels, or `ignore_index` where nothing is scored.
    n_steps : int
    lr : float
        Of Adam.
    ignore_index : int

    Returns
    -------
    tuple of float
        Mean loss of a pixel before each step, and after the last.

    Raises
    ------
    ValueError
        If there is no image, numbers or shapes do not fit, the truths hold nothing but label 0 and `ignore_index`, or
        the CRF learns nothing.
    TypeError
        If `crf` is no DenseCRF.

    Examples
    --------
    >>> import torch, classicseg.torch as ct
    >>> truth = torch.zeros(12, 16, dtype=torch.long)
    >>> truth[:, 8:] = 1
    >>> logits = torch.nn.functional.one_hot(truth).permute(2, 0, 1) + torch.randn(2, 12, 16)
    >>> crf = ct.DenseCRF(2, [ct.GaussianKernel(1, 0.1), ct.BilateralKernel(10, 13, 0.1)])
    >>> image = (200.0 * truth).expand(3, -1, -1)
    >>> losses = ct.tune_by_gradient(crf, [image], [logits], [truth], n_steps=5)
    >>> losses[-1] < losses[0]
    True
    """
    if not isinstance(crf, DenseCRF):
        raise InputTypeError(f"crf must be a classicseg.torch.DenseCRF, got {type(crf).__name__}")
    if not len(images) == len(logits) == len(truths) or len(images) == 0:
        counts = f"{len(images)}, {len(logits)} and {len(truths)}"
        raise InputError(f"images, logits and truths must be equally many, at least 1, got {counts}")
    learned = [p for p in crf.parameters() if p.requires_grad]
    if not learned:
        raise InputError("crf learns nothing; learn= names what it may")
    if ignore_index == VOID and crf.n_labels > VOID:
        raise InputError(f"ignore_index={VOID} is one of the {crf.n_labels} labels; pass another one, such as -1")
    n = sum(int((truth != ignore_index).sum()) for truth in truths)
    if n == 0:
        raise InputError("truths have no scored pixel")
    for i, truth in enumerate(truths):
        wrong = (truth != ignore_index) & ((truth < 0) | (truth >= crf.n_labels))
        if wrong.any():
            raise InputError(
                f"truths[{i}] must be labels below {crf.n_labels}, or ignore_index={ignore_index}, got "
                f"{int(truth[wrong][0])}"
            )
    if n < sum(truth.numel() for truth in truths) and not any(((x != ignore_index) & (x != 0)).any() for x in truths):
        raise InputError(
            f"truths hold 0 and {ignore_index} only, and ignore_index={ignore_index} leaves nothing to be learned but "
            f"label 0; if {ignore_index} means label 1, turn it into 1"
        )
    lattices = [None if crf.learns_features or crf.backend == "exact" else crf.lattice(x[None]) for x in images]
    rate = inputs.as_positive_number(lr, "lr")
    optimizer = torch.optim.Adam(learned, lr=rate)
    losses: list[float] = []
    best, best_loss = [p.detach().clone() for p in learned], math.inf
    for step in range(inputs.as_count(n_steps, "n_steps", 1) + 1):
        optimizer.zero_grad()
        total = 0.0
        with torch.set_grad_enabled(step < n_steps):
            for image, scores, truth, lattice in zip(images, logits, truths, lattices, strict=True):
                seen = {"image": image[None]} if lattice is None else {"lattice": lattice}
                refined = crf(scores[None].detach(), **seen)
                loss = F.cross_entropy(refined, truth[None], ignore_index=ignore_index, reduction="sum") / n
                if step < n_steps:
                    loss.backward()
                total += float(loss.detach())
        losses.append(total)
        if total < best_loss:
            best, best_loss = [p.detach().clone() for p in learned], total
        if step < n_steps:
            optimizer.step()
    with torch.no_grad():
        for parameter, value in zip(learned, best, strict=True):
            parameter.copy_(value)
    return tuple(losses)
