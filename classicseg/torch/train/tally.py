"""Losses of the steps of an epoch, read without making a GPU wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from classicseg.errors import InputError


class Tally:
    """The sum of the losses so far.

    On a GPU a loss is read when the next step has been given to it: to read the latest would wait for all work. On the
    CPU it is read at once.

    Parameters
    ----------
    delay : int
        How many losses may be unread.
    total : float
        Sum of those before.
    """

    def __init__(self, delay: int, total: float = 0.0) -> None:
        self.delay, self._total = delay, total
        self._unread: deque[tuple[int, Callable[[], float]]] = deque()

    def add(self, value: Tensor, step: int) -> None:
        """Add the loss of a step.

        Raises
        ------
        ValueError
            If it, or the one before, is not finite.
        """
        self._unread.append((step, _later(value.detach())))
        self._read(self.delay)

    @property
    def total(self) -> float:
        """The sum of all; waits for those that are unread."""
        self._read(0)
        return self._total

    def _read(self, most: int) -> None:
        while len(self._unread) > most:
            step, read = self._unread.popleft()
            number = read()
            if not np.isfinite(number):
                raise InputError(f"the loss became {number} at step {step}; a smaller lr or max_norm=1 may help")
            self._total += number


def _later(value: Tensor) -> Callable[[], float]:
    """A way to read a number that waits for this number alone."""
    if not value.is_cuda:
        return lambda: float(value)
    copy = torch.empty(value.shape, dtype=value.dtype, pin_memory=True)
    copy.copy_(value, non_blocking=True)
    copied = torch.cuda.Event()
    copied.record()

    def read() -> float:
        copied.synchronize()
        return float(copy)

    return read
