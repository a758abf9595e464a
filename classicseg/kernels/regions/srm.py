"""Statistical region merging: one pass over the pairs of pixels, those of the smallest difference first.

R. Nock and F. Nielsen, "Statistical region merging", IEEE PAMI 26(11), 2004.
"""

from __future__ import annotations

import math

import numpy as np

from classicseg.kernels.regions.unions import find
from classicseg.machine.jit import inline, kernel

STEPS = 1024
"""Differences are sorted in so many steps; whole numbers of 8 or 9 bits are told apart exactly."""


@inline
def _difference(image, z, y, x, axis):
    """Largest difference over channels of the pixel (`z`, `y`, `x`) of `image` and the next one along `axis`."""
    v, u, t = z + (axis == 0), y + (axis == 1), x + (axis == 2)
    largest = 0.0
    for c in range(image.shape[3]):
        largest = max(largest, abs(np.float64(image[z, y, x, c]) - np.float64(image[v, u, t, c])))
    return largest


@inline
def _each_edge(image, mask, scale, starts, order, write):
    """Count the edges of each step in `starts`, or `write` them into `order` at the places that `starts` gives.

    `image`, `mask` and `scale` are those of :func:`merge_statistically`.
    """
    depth, height, width = mask.shape
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if not mask[z, y, x]:
                    continue
                pixel = (z * height + y) * width + x
                for axis in (2, 1, 0):
                    v, u, t = z + (axis == 0), y + (axis == 1), x + (axis == 2)
                    if v >= depth or u >= height or t >= width or not mask[v, u, t]:
                        continue
                    steps = _difference(image, z, y, x, axis) * scale
                    step = int(steps) if steps < STEPS else STEPS - 1  # a larger number might fit into no integer
                    if write:
                        order[starts[step]] = pixel * 3 + axis
                        starts[step] += 1
                    else:
                        starts[step + 1] += 1


@inline
def _deviation(n, levels, complexity, log_term):
    """Largest plausible squared deviation of the mean of `n` pixels from its expectation.

    `levels` and `complexity` are the paper's g and Q, `log_term` is the logarithm of the inverse probability of error.
    """
    return levels * levels / (2.0 * complexity * n) * (min(levels, n) * math.log(n + 1.0) + log_term)


@kernel
def merge_statistically(image, mask, scale, complexity, levels, parent, counts, sums):
    """Merge the pixels of a mask.

    Parameters
    ----------
    image : (D, H, W, C)
    mask : (D, H, W) bool
    scale : float
        Factor from a difference of two pixels to its step.
    complexity : float
        The paper's Q, divided by the square of the width of a level.
    levels : float
        The paper's g, the range of the values in levels plus 1.
    parent : (pixels,) int32
        Result: union-find of the pixels.
    counts : (pixels,) int32
        Result: pixels of each root.
    sums : (pixels, C) float64
        Result: sums of the values of each root.
    """
    n_channels = image.shape[3]
    depth, height, width = mask.shape
    starts = np.zeros(STEPS + 1, np.int64)
    _each_edge(image, mask, scale, starts, np.empty(1, np.int64), False)
    for step in range(STEPS):
        starts[step + 1] += starts[step]
    n_edges = starts[STEPS]
    order = np.empty(n_edges, np.int64)
    _each_edge(image, mask, scale, starts, order, True)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                pixel = (z * height + y) * width + x
                parent[pixel], counts[pixel] = pixel, 1
                for c in range(n_channels):
                    sums[pixel, c] = image[z, y, x, c]
    log_term = 2.0 * math.log(6.0 * mask.size)
    stride = (height * width, width, 1)
    for i in range(n_edges):
        pixel, axis = order[i] // 3, order[i] % 3
        other = pixel + (stride[0] if axis == 0 else stride[1] if axis == 1 else stride[2])
        a, b = find(parent, pixel), find(parent, other)
        if a == b:
            continue
        allowed = _deviation(float(counts[a]), levels, complexity, log_term)
        allowed += _deviation(float(counts[b]), levels, complexity, log_term)
        alike = True
        for c in range(n_channels):
            gap = sums[a, c] / counts[a] - sums[b, c] / counts[b]
            alike = alike and gap * gap <= allowed
        if alike:
            root, member = min(a, b), max(a, b)
            parent[member] = root
            counts[root] += counts[member]
            for c in range(n_channels):
                sums[root, c] += sums[member, c]


@kernel
def number_pixels(mask, parent, labels):
    """Number sets of pixels from 1 in reading order.

    Parameters
    ----------
    mask : (D, H, W) bool
        Pixels elsewhere get 0.
    parent : (pixels,) int32
        Union-find of the pixels.
    labels : (pixels,) int32
        Result.

    Returns
    -------
    int
        How many sets there are.
    """
    flat = mask.reshape(-1)
    n = 0
    for pixel in range(flat.size):
        if not flat[pixel]:
            labels[pixel] = 0
            continue
        root = find(parent, pixel)
        if root == pixel:
            n += 1
            labels[pixel] = n
        else:
            labels[pixel] = labels[root]
    return n
