"""How the learning rate falls."""

from __future__ import annotations

import math

SCHEDULES = ("poly", "cosine", "constant")


def factor(schedule: str, step: int, n_steps: int, warmup: int) -> float:
    """What the learning rate is multiplied by at a step.

    Parameters
    ----------
    schedule : {"poly", "cosine", "constant"}
        ``(1 - t)^0.9`` [1]_, ``(1 + cos(pi t)) / 2`` or 1, where t runs from 0 to 1.
    step, n_steps : int
    warmup : int
        Steps at the start over which the rate grows linearly to its full size.

    References
    ----------
    .. [1] L.-C. Chen et al., "DeepLab", PAMI 2018. :arxiv:`1606.00915`

    Examples
    --------
    >>> from classicseg.torch.train.schedule import factor
    >>> factor("cosine", 50, 100, 0)
    0.5
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    t = (step - warmup) / max(1, n_steps - warmup)
    if schedule == "poly":
        return float((1 - t) ** 0.9)
    if schedule == "cosine":
        return (1 + math.cos(math.pi * t)) / 2
    return 1.0
