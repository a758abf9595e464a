"""Gaussian filtering without approximation: all pairs of points, and separable on grids."""

from __future__ import annotations

import numpy as np

from classicseg.machine.jit import kernel
from classicseg.machine.simd import ACROSS, PIXELS, add, axpy, exp, fill, item, load, multiply, store, subtract


@kernel
def filter_all_pairs(features, values, n_features, n_channels, n_padded, first, last, out):
    """``out[c, i] = sum_j exp(-|f_i - f_j|^2 / 2) values[c, j]`` for the points `first` to `last` - 1.

    Parameters
    ----------
    features : (n_features * n_padded,) float32, feature after feature
    values : (n_channels * n_padded,) float32, channel after channel; zero for the points that only pad
    n_features, n_channels : int
    n_padded : int, number of points, rounded up to a multiple of 16
    first, last : int
    out : (n_channels * n_padded,) float32, filled at those points
    """
    sums = np.empty(n_channels * PIXELS, np.float32)
    minus_half = fill(np.float32(-0.5), ACROSS)
    for i in range(first, last):
        sums[:] = np.float32(0.0)
        for at in range(0, n_padded, PIXELS):
            squared = fill(np.float32(0.0), ACROSS)
            for f in range(n_features):
                gap = subtract(
                    load(features, f * n_padded + at, ACROSS), fill(item(features, f * n_padded + i), ACROSS)
                )
                squared = add(squared, multiply(gap, gap))
            weight = exp(multiply(minus_half, squared))
            for c in range(n_channels):
                product = multiply(weight, load(values, c * n_padded + at, ACROSS))
                store(sums, c * PIXELS, add(load(sums, c * PIXELS, ACROSS), product))
        for c in range(n_channels):
            total = 0.0
            for p in range(PIXELS):
                total += sums[c * PIXELS + p]
            out[c * n_padded + i] = total


@kernel
def correlate_lines(source, target, taps, n_lines, length, stride):
    """Correlate along one axis; there are zeros outside.

    Parameters
    ----------
    source : flat (n_lines, length, stride) float32, correlated along the second axis
    target : the same, filled
    taps : (2 * radius + 1,) float32, symmetric
    n_lines, length, stride : int
    """
    radius = taps.size // 2
    if stride == 1:
        padded = np.zeros(length + 2 * radius + PIXELS, np.float32)
        for line in range(n_lines):
            padded[radius : radius + length] = source[line * length : (line + 1) * length]
            x = 0
            while x < length:
                total = fill(np.float32(0.0), ACROSS)
                for t in range(taps.size):
                    total = axpy(item(taps, t), load(padded, x + t, ACROSS), total)
                if x + PIXELS <= length:
                    store(target, line * length + x, total)
                else:
                    rest = np.empty(PIXELS, np.float32)
                    store(rest, 0, total)
                    for p in range(length - x):
                        target[line * length + x + p] = rest[p]
                x += PIXELS
        return
    whole = stride // PIXELS * PIXELS
    for line in range(n_lines):
        base = line * length * stride
        for y in range(length):
            low, high = max(0, y - radius), min(length, y + radius + 1)
            for x in range(0, whole, PIXELS):
                total = fill(np.float32(0.0), ACROSS)
                for other in range(low, high):
                    total = axpy(item(taps, other - y + radius), load(source, base + other * stride + x, ACROSS), total)
                store(target, base + y * stride + x, total)
            for x in range(whole, stride):
                single = np.float32(0.0)
                for other in range(low, high):
                    single += taps[other - y + radius] * source[base + other * stride + x]
                target[base + y * stride + x] = single
