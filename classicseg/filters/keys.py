"""Keys: one whole number for each vertex of a lattice, linear in its coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from classicseg.errors import InputError

_LARGEST_COORDINATE = 2.0**22  # float32 tells neighbouring lattice cells apart up to here


def spans(low: np.ndarray, high: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Range of each elevated coordinate of vertices around features from `low` to `high`, (d + 1,) float64."""
    d = scale.size
    low, high = low * scale, high * scale
    span = np.empty(d + 1)
    for j in range(d + 1):
        a, b = np.minimum(low, high)[j:], np.maximum(low, high)[j:]
        lower, upper = a.sum(), b.sum()
        if j > 0:
            lower, upper = lower - j * max(low[j - 1], high[j - 1]), upper - j * min(low[j - 1], high[j - 1])
        if not max(abs(lower), abs(upper)) < _LARGEST_COORDINATE:
            raise too_wide()
        span[j] = upper - lower + 4 * (d + 2)
    return span


def too_wide() -> InputError:
    """What is said of features that a lattice cannot hold."""
    return InputError(
        "the features spread over more than a million standard deviations of the kernel; "
        "use a larger sigma, or scale the features down"
    )


def packing(widths: Sequence[float] | np.ndarray) -> np.ndarray:
    """Radix of each coordinate in a key, (len(widths),) int64.

    Where the product of all ranges fits into 63 bits the key is an exact packing. Where it does not, odd random
    numbers make keys of different vertices differ with overwhelming probability (about 2^-60 for each pair).
    """
    n = len(widths)
    if np.log2(widths).sum() >= 62:
        return np.random.default_rng(20100401).integers(-(2**62), 2**62, n) * 2 + 1
    radix = np.ones(n, np.int64)
    for i in range(1, n):
        radix[i] = radix[i - 1] * math.ceil(widths[i - 1])
    return radix
