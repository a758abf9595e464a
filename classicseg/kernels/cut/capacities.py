"""What capacities are like, found in one pass: NumPy would need one for each question."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.machine.jit import kernel


class Survey(NamedTuple):
    """What is found of numbers; sums are of the finite ones."""

    low: float  # the least, where what is not finite counts as 0
    high: float  # the largest
    positive: float  # the sum of those above 0
    negative: float  # that of the sizes of those below
    n_infinite: int  # how many are +inf
    n_wrong: int  # how many are NaN or -inf
    whole: bool  # whether all finite ones are whole

    @property
    def size(self) -> float:
        """The sum of the sizes of all finite numbers."""
        return self.positive + self.negative


@kernel
def survey_of_reals(values):
    """Look at `values`, (n,) float64; see :class:`Survey`."""
    low, high, positive, negative = np.inf, -np.inf, 0.0, 0.0
    n_infinite, n_wrong, n_fractions = 0, 0, 0
    for i in range(values.size):  # without branches, so that it becomes one for vectors
        value = values[i]
        is_finite = abs(value) < np.inf
        n_infinite += 1 if value == np.inf else 0
        n_wrong += 0 if value > -np.inf else 1
        value = value if is_finite else 0.0
        n_fractions += 1 if value != np.rint(value) else 0
        low = value if value < low else low
        high = value if value > high else high
        positive += value if value > 0 else 0.0
        negative += 0.0 if value > 0 else -value
    return Survey(low, high, positive, negative, n_infinite, n_wrong, n_fractions == 0)
