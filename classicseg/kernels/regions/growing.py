"""Seeded region growing: pixels join the region of the nearest mean, those of the smallest difference first.

R. Adams and L. Bischof, "Seeded region growing", IEEE PAMI 16(6), 1994. The sorted list of the paper is a row of
queues, one for each step of the difference, so that every pixel costs the same.
"""

from __future__ import annotations

import math

import numpy as np

from classicseg.machine.jit import inline, kernel

STEPS = 1024
"""How many queues there are. More would tell differences better apart; these fit into the first cache."""
_NONE, _WAITING, _DONE = 0, 1, 2


@inline
def _distance(image, z, y, x, sums, counts, region):
    """Distance of the pixel (`z`, `y`, `x`) of `image` from the mean, `sums` by `counts`, of a `region`."""
    total = 0.0
    for c in range(image.shape[3]):
        gap = float(image[z, y, x, c]) - sums[region, c] / counts[region]
        total += gap * gap
    return math.sqrt(total)


@inline
def _nearest(image, labels, offsets, z, y, x, sums, counts):
    """The region with the nearest mean among those that the pixel (`z`, `y`, `x`) of `image` touches, and its distance.

    `labels`, `offsets`, `sums` and `counts` are those of :func:`grow_seeds`; ties go to the smaller label.
    """
    best, smallest = 0, float("inf")
    for k in range(offsets.shape[0]):
        for sign in (-1, 1):
            v, u, t = z + sign * offsets[k, 0], y + sign * offsets[k, 1], x + sign * offsets[k, 2]
            if 0 <= v < labels.shape[0] and 0 <= u < labels.shape[1] and 0 <= t < labels.shape[2]:
                region = labels[v, u, t]
                if region > 0 and region != best:
                    distance = _distance(image, z, y, x, sums, counts, region)
                    if distance < smallest or (distance == smallest and region < best):
                        best, smallest = region, distance
    return best, smallest


@kernel
def grow_seeds(image, mask, offsets, scale, tolerance, labels, sums, counts):
    """Grow seeds over a mask.

    Parameters
    ----------
    image : (D, H, W, C)
    mask : (D, H, W) bool
        Where regions may grow.
    offsets : (k, 3) int64
        Steps (z, y, x) to half of the neighbours of a pixel.
    scale : float
        Factor from a distance to the number of its queue.
    tolerance : float
        A pixel that is farther than this from the means of all regions that it touches stays 0.
    labels : (D, H, W) int32
        Seeds from 1, and 0 elsewhere; becomes the result.
    sums : (n + 1, C) float64
        Sums of the values of each seed; become those of the regions.
    counts : (n + 1,) float64
        Pixels of each seed; become those of the regions.
    """
    depth, height, width = mask.shape
    state = np.zeros(mask.size, np.uint8)
    following = np.empty(mask.size, np.int64)  # the next pixel of the same queue
    heads, tails = np.full(STEPS, -1), np.full(STEPS, -1)
    lowest = STEPS

    # First all seeds wait in queue 0: to be taken from it is to let their neighbours wait.
    for pixel in range(mask.size):
        z, y, x = pixel // (height * width), pixel // width % height, pixel % width
        if labels[z, y, x] > 0:
            following[pixel] = -1
            if heads[0] < 0:
                heads[0] = pixel
            else:
                following[tails[0]] = pixel
            tails[0] = pixel
            state[pixel] = _WAITING
            lowest = 0
    while True:
        while lowest < STEPS and heads[lowest] < 0:
            lowest += 1
        if lowest == STEPS:
            return
        pixel = heads[lowest]
        heads[lowest] = following[pixel]
        z, y, x = pixel // (height * width), pixel // width % height, pixel % width
        if labels[z, y, x] == 0:
            region, distance = _nearest(image, labels, offsets, z, y, x, sums, counts)
            if distance > tolerance:
                state[pixel] = _NONE  # another region may reach it later
                continue
            labels[z, y, x] = region
            counts[region] += 1.0
            for c in range(image.shape[3]):
                sums[region, c] += image[z, y, x, c]
        state[pixel] = _DONE
        region = labels[z, y, x]
        for k in range(offsets.shape[0]):
            for sign in (-1, 1):
                v, u, t = z + sign * offsets[k, 0], y + sign * offsets[k, 1], x + sign * offsets[k, 2]
                if not (0 <= v < depth and 0 <= u < height and 0 <= t < width) or not mask[v, u, t]:
                    continue
                other = (v * height + u) * width + t
                if state[other] != _NONE:
                    continue
                step = min(int(_distance(image, v, u, t, sums, counts, region) * scale), STEPS - 1)
                following[other] = -1
                if heads[step] < 0:
                    heads[step] = other
                else:
                    following[tails[step]] = other
                tails[step] = other
                state[other] = _WAITING
                lowest = min(lowest, step)
