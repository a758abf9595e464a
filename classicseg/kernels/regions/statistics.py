"""Statistics of regions as rows of float64: all that homogeneity predicates look at.

A row of an image with C channels and B histogram bins holds, in this order: the pixel count; for each of the C channels
a reference, which is the value of some pixel of the region, the sums of the deviations from it, the sums of their
squares, the smallest and the largest values; B counts for each channel. Rows of two regions add up to that of their
union.

Deviations from a value of the region itself stay small wherever the image lies: squares of the values would leave no
digit of a spread of 1 around 10^8. Whole numbers are summed without any rounding.
"""

from __future__ import annotations

import numpy as np

from classicseg.machine.jit import inline


@inline
def row_size(n_channels, n_bins):
    """Length of the row of a region of `n_channels` channels with histograms of `n_bins` bins."""
    return 1 + 5 * n_channels + n_channels * n_bins


@inline
def clear_row(rows, r, n_channels):
    """Make row `r` of `rows` the statistics of no pixel at all, in `n_channels` channels."""
    for i in range(rows.shape[1]):
        rows[r, i] = 0.0
    for c in range(n_channels):
        rows[r, 1 + 3 * n_channels + c] = float("inf")
        rows[r, 1 + 4 * n_channels + c] = -float("inf")


@inline
def bin_of(value, edges):
    """The bin of a `value` between `edges`, at least two; values beyond belong to the first and the last bin."""
    first, last = 0, edges.size - 2
    while first < last:
        middle = (first + last + 1) >> 1
        if value >= edges[middle]:
            first = middle
        else:
            last = middle - 1
    return first


@inline
def add_pixel(rows, r, image, z, y, x, edges):
    """Let the pixel (`z`, `y`, `x`) of `image` (D, H, W, C) join the region of row `r` of `rows`.

    `edges` (B + 1,) are those of the bins of histograms; a single one stands for no bins.
    """
    n_channels, n_bins = image.shape[3], edges.size - 1
    alone = rows[r, 0] == 0.0
    rows[r, 0] += 1.0
    for c in range(n_channels):
        value = np.float64(image[z, y, x, c])
        if alone:
            rows[r, 1 + c] = value
        gap = value - rows[r, 1 + c]
        rows[r, 1 + n_channels + c] += gap
        rows[r, 1 + 2 * n_channels + c] += gap * gap
        low, high = 1 + 3 * n_channels + c, 1 + 4 * n_channels + c
        rows[r, low] = min(rows[r, low], value)
        rows[r, high] = max(rows[r, high], value)
        if n_bins > 0:
            rows[r, 1 + 5 * n_channels + c * n_bins + bin_of(value, edges)] += 1.0


@inline
def add_row(target, t, source, s, n_channels):
    """Let the region of row `s` of `source`, of at least one pixel, join that of row `t` of `target`.

    Both have `n_channels` channels.
    """
    n = source[s, 0]
    if target[t, 0] == 0.0:
        for c in range(n_channels):
            target[t, 1 + c] = source[s, 1 + c]
    for c in range(n_channels):
        gap, total = source[s, 1 + c] - target[t, 1 + c], source[s, 1 + n_channels + c]
        target[t, 1 + 2 * n_channels + c] += source[s, 1 + 2 * n_channels + c] + gap * (2.0 * total + n * gap)
        target[t, 1 + n_channels + c] += total + n * gap
        low, high = 1 + 3 * n_channels + c, 1 + 4 * n_channels + c
        target[t, low] = min(target[t, low], source[s, low])
        target[t, high] = max(target[t, high], source[s, high])
    target[t, 0] += n
    for i in range(1 + 5 * n_channels, target.shape[1]):
        target[t, i] += source[s, i]


@inline
def write_union(target, t, rows, a, b, n_channels):
    """Make row `t` of `target` the statistics of the regions of rows `a` and `b` of `rows`, of `n_channels` channels.

    The same as to copy one row and to add the other, without waiting for what was just written.
    """
    n, m = rows[a, 0], rows[b, 0]
    target[t, 0] = n + m
    for c in range(n_channels):
        gap, total = rows[b, 1 + c] - rows[a, 1 + c], rows[b, 1 + n_channels + c]
        squares = rows[b, 1 + 2 * n_channels + c] + gap * (2.0 * total + m * gap)
        low, high = 1 + 3 * n_channels + c, 1 + 4 * n_channels + c
        target[t, 1 + c] = rows[a, 1 + c]
        target[t, 1 + n_channels + c] = rows[a, 1 + n_channels + c] + total + m * gap
        target[t, 1 + 2 * n_channels + c] = rows[a, 1 + 2 * n_channels + c] + squares
        target[t, low] = min(rows[a, low], rows[b, low])
        target[t, high] = max(rows[a, high], rows[b, high])
    for i in range(1 + 5 * n_channels, target.shape[1]):
        target[t, i] = rows[a, i] + rows[b, i]


@inline
def copy_row(target, t, source, s):
    """Make row `t` of `target` a copy of row `s` of `source`."""
    for i in range(target.shape[1]):
        target[t, i] = source[s, i]
