"""Statistics of regions as rows of float64: all that homogeneity predicates look at.

A row of an image with C channels and B histogram bins holds, in this order: the pixel count; the sums, the sums of
squares, the smallest and the largest values of the C channels; B counts for each channel. Rows of two regions add up
to that of their union.
"""

from __future__ import annotations

from classicseg.machine.jit import inline


@inline
def row_size(n_channels, n_bins):
    """Length of the row of a region of `n_channels` channels with histograms of `n_bins` bins."""
    return 1 + 4 * n_channels + n_channels * n_bins


@inline
def clear_row(rows, r, n_channels):
    """Make row `r` of `rows` the statistics of no pixel at all, in `n_channels` channels."""
    for i in range(rows.shape[1]):
        rows[r, i] = 0.0
    for c in range(n_channels):
        rows[r, 1 + 2 * n_channels + c] = float("inf")
        rows[r, 1 + 3 * n_channels + c] = -float("inf")


@inline
def add_pixel(rows, r, image, z, y, x, bins):
    """Let the pixel (`z`, `y`, `x`) of `image` (D, H, W, C) join the region of row `r` of `rows`.

    `bins` (3,): the smallest value of the image, the inverse of the width of a bin, how many bins.
    """
    n_channels, n_bins = image.shape[3], int(bins[2])
    rows[r, 0] += 1.0
    for c in range(n_channels):
        value = float(image[z, y, x, c])
        rows[r, 1 + c] += value
        rows[r, 1 + n_channels + c] += value * value
        low, high = 1 + 2 * n_channels + c, 1 + 3 * n_channels + c
        rows[r, low] = min(rows[r, low], value)
        rows[r, high] = max(rows[r, high], value)
        if n_bins > 0:
            number = min(max(int((value - bins[0]) * bins[1]), 0), n_bins - 1)
            rows[r, 1 + 4 * n_channels + c * n_bins + number] += 1.0


@inline
def add_row(target, t, source, s, n_channels):
    """Let the region of row `s` of `source` join that of row `t` of `target`, both of `n_channels` channels."""
    low, high, rest = 1 + 2 * n_channels, 1 + 3 * n_channels, 1 + 4 * n_channels
    for i in range(low):
        target[t, i] += source[s, i]
    for i in range(low, high):
        target[t, i] = min(target[t, i], source[s, i])
    for i in range(high, rest):
        target[t, i] = max(target[t, i], source[s, i])
    for i in range(rest, target.shape[1]):
        target[t, i] += source[s, i]


@inline
def copy_row(target, t, source, s):
    """Make row `t` of `target` a copy of row `s` of `source`."""
    for i in range(target.shape[1]):
        target[t, i] = source[s, i]
