"""Where the values of an image lie: the range from which automatic units follow."""

from __future__ import annotations

import numpy as np

_MOST_PIXELS = 2**18
"""More would take longer and say the same."""
_TAIL = 0.001
"""Share of the values that may lie beyond either end."""
_CODES = (-3.4028234663852886e38, -32768.0, -9999.0, -99999.0)
"""What geographic and medical files write where nothing was measured."""


def value_range(pixels: np.ndarray) -> tuple[float, float]:
    """Smallest and largest of the ordinary values of pixels (n, C) of any real dtype, (0, 0) if there are none.

    A thousandth of the values at either end, and at least one of each thousand or less, may lie beyond: a hot pixel
    changes next to nothing. Values that are not finite do not count, nor do the usual codes of missing data where they
    are the smallest value. Only values matter, not their dtype or their layout, and a small change of a value is a
    small change of the range. Large images are sampled, whole pixels at a time.
    """
    step = -(-len(pixels) // _MOST_PIXELS)
    values = np.asarray(pixels[:: step or 1], np.float64).ravel()
    values = values[np.isfinite(values)]
    for code in _CODES:
        if values.size and values.min() == code:
            values = values[values != code]
    if values.size == 0:
        return 0.0, 0.0
    beyond = min(max(1.0, _TAIL * values.size), (values.size - 1) / 10)
    share = beyond / max(values.size - 1, 1)
    low, high = np.quantile(values, (share, 1 - share))
    if low == high:  # all that differs is rare: it is the object, not noise
        low, high = values.min(), values.max()
    return float(low), float(high)
