"""Gradients of filters with respect to the features of the points, by the identity of the Gaussian kernel.

The filter of a lattice is only nearly Gaussian. Differentiating what the lattice does, that is its barycentric
weights, is a poor gradient: their slopes jump at the borders of simplices. The derivative of a Gaussian is again a
Gaussian times a difference of features,

    d k(f_i, f_j) = -k(f_i, f_j) (f_i - f_j) . (df_i - df_j),

so that the gradient of ``sum_c <g_c, K q_c>`` is again a matter of filtering, with the same lattice:

    dL/df_i = -[f_i (g.Kq + q.K'g)_i - (g.K(q f))_i - (q.K'(g f))_i].

That is exact for exact filters. The normalisation contributes one more pair (q, g): row sums are K 1.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from classicseg.torch.backends._sorting import TINY

Filter = Callable[[torch.Tensor, bool], torch.Tensor]
"""``filter(values, adjoint)`` of (..., C, n) values, normalised."""


def feature_gradient(
    apply: Filter, q: torch.Tensor, g: torch.Tensor, features: torch.Tensor, row_sums: torch.Tensor, normalization: str
) -> torch.Tensor:
    """Gradient of ``sum(g * apply(q))`` with respect to `features`, with the filter's own q and g.

    Parameters
    ----------
    q, g : (..., C, n)
        What was filtered, and the gradient with respect to the result.
    features : (..., d, n)
    row_sums : (..., n)
        ``K 1`` of the filter before normalisation.

    Returns
    -------
    (..., d, n)
    """
    forth, back = (g * apply(q, False)).sum(-2), (q * apply(g, True)).sum(-2)
    root = (row_sums + TINY).sqrt()
    extra = {
        "none": None,
        "symmetric": (root, -0.5 * (forth + back) / root),
        "after": (torch.ones_like(root), -forth),
        "before": (root * root, -back),
    }[normalization]
    total = forth + back
    if extra is not None:
        ones, slope = (x.unsqueeze(-2) for x in extra)
        total = total + (slope * apply(ones, False) + ones * apply(slope, True)).squeeze(-2)
        q, g = torch.cat([q, ones], -2), torch.cat([g, slope], -2)
    gradient = torch.empty_like(features)
    centred = features - features.mean(-1, keepdim=True)
    for axis in range(features.shape[-2]):
        f = centred[..., axis : axis + 1, :]
        moved = (g * apply(q * f, False)).sum(-2) + (q * apply(g * f, True)).sum(-2)
        gradient[..., axis, :] = moved - f.squeeze(-2) * total
    return gradient
