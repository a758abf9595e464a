"""What capacities and edges are like, found as they are copied: NumPy would need a pass for each question."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classicseg.machine.jit import kernel
from classicseg.machine.simd import pointer


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


@kernel
def copy_whole(values, copy):
    """Copy whole numbers.

    Parameters
    ----------
    values, copy : int64, (n,)

    Returns
    -------
    tuple of four int
        The least and the largest, the sum of those above 0, and that of those below. Sums wrap around 2**64.
    """
    low, high, given, out = values[0], values[0], pointer(values), pointer(copy)
    positive, negative = np.int64(0), np.int64(0)
    for i in range(values.size):
        value = given[i]
        low = min(low, value)
        high = max(high, value)
        positive += max(value, np.int64(0))
        negative += min(value, np.int64(0))
        out[i] = value
    return low, high, positive, negative


@kernel
def compare_whole(source, sink, excess):
    """Find what the source offers nodes less what the sink asks of them.

    Parameters
    ----------
    source, sink : int64, (n,)
    excess : int64, (n,)
        Is written.

    Returns
    -------
    tuple of five int
        The least and the largest excess, the sum of those above 0, that of those below, and that of the lesser of both
        capacities. Sums wrap around 2**64.
    """
    offered, asked, out = pointer(source), pointer(sink), pointer(excess)
    low, high = offered[0] - asked[0], offered[0] - asked[0]
    positive, negative, lesser = np.int64(0), np.int64(0), np.int64(0)
    for i in range(source.size):
        value = offered[i] - asked[i]
        out[i] = value
        low = min(low, value)
        high = max(high, value)
        positive += max(value, np.int64(0))
        negative += min(value, np.int64(0))
        lesser += min(offered[i], asked[i])
    return low, high, positive, negative, lesser


@kernel
def sum_by_sign(values):
    """The sum of those `values`, int32 or int64, (n,), that are above 0, and of those below, as int64."""
    positive, negative = np.int64(0), np.int64(0)
    for i in range(values.size):
        value = np.int64(values[i])
        positive += max(value, np.int64(0))
        negative += min(value, np.int64(0))
    return positive, negative


@kernel
def copy_edges(edges, n, ends):
    """Copy pairs of nodes to 32 bits.

    Parameters
    ----------
    edges : int64, (E, 2)
    n : int
        Number of nodes.
    ends : int32, (E, 2)
        Is written.

    Returns
    -------
    bool
        Whether all join two different nodes of 0 to n - 1.
    """
    given, out, is_wrong = pointer(edges), pointer(ends), False
    for edge in range(len(ends)):
        a, b = given[2 * edge], given[2 * edge + 1]
        is_wrong |= (a < 0) | (b < 0) | (a >= n) | (b >= n) | (a == b)
        out[2 * edge] = np.int32(a)
        out[2 * edge + 1] = np.int32(b)
    return not is_wrong
