"""Mixtures of Gaussians over colours: the cost of every pixel, and the sums from which the Gaussians are estimated.

Each pixel belongs to the component that explains it best, as in Rother, Kolmogorov, Blake, "GrabCut: interactive
foreground extraction using iterated graph cuts", SIGGRAPH 2004, doi:10.1145/1015706.1015720, equations 9 and 10.
"""

from __future__ import annotations

import numpy as np

from classicseg.machine.jit import kernel
from classicseg.machine.simd import ACROSS, PIXELS, add, axpy, choose, fill, less, load, multiply, store

_WORST = np.float32(3.0e38)


@kernel
def mixture_costs(colors, whitening, shift, constant, start, stop, cost, component):
    """Smallest cost over the components, and which component that is, for the pixels `start` to `stop` - 1.

    The cost of a component is ``constant + |whitening @ color - shift|^2``: see `ColorMixture.costs`.

    Parameters
    ----------
    colors : (C, N) float32, N at least 16
    whitening : (K, C, C) float32, lower triangles
    shift : (K, C) float32
    constant : (K,) float32
    start, stop : int
    cost : (N,) float32, filled
    component : (N,) uint8, filled
    """
    n_channels, n = colors.shape
    flat = colors.reshape(-1)
    chosen = np.empty(PIXELS, np.float32)
    for block in range(start, stop, PIXELS):
        at = min(block, n - PIXELS)  # the last block overlaps the one before: the same values are written twice
        best, which = fill(_WORST, ACROSS), fill(np.float32(0.0), ACROSS)
        for k in range(constant.size):
            total = fill(constant[k], ACROSS)
            for i in range(n_channels):
                white = fill(-shift[k, i], ACROSS)
                for j in range(i + 1):
                    white = axpy(whitening[k, i, j], load(flat, j * n + at, ACROSS), white)
                total = add(total, multiply(white, white))
            better = less(total, best)
            best, which = choose(better, total, best), choose(better, fill(np.float32(k), ACROSS), which)
        store(cost, at, best)
        store(chosen, 0, which)
        for p in range(PIXELS):
            component[at + p] = np.uint8(chosen[p])


@kernel
def moments(colors, group, start, stop, sums):
    """Add up, for each group, the number of its pixels, their colours and the products of their channels.

    Parameters
    ----------
    colors : (C, N) float32
    group : (N,) int32, negative where a pixel is in no group
    start, stop : int, the pixels to add
    sums : (groups, 1 + C + C (C + 1) / 2) float64, added to; products are lower triangles row by row
    """
    n_channels = colors.shape[0]
    for p in range(start, stop):
        g = group[p]
        if g < 0:
            continue
        sums[g, 0] += 1.0
        at = 1 + n_channels
        for i in range(n_channels):
            color = np.float64(colors[i, p])
            sums[g, 1 + i] += color
            for j in range(i + 1):
                sums[g, at] += color * np.float64(colors[j, p])
                at += 1
