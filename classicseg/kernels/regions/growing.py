"""Seeded region growing: pixels join the region of the nearest mean, those of the smallest difference first.

R. Adams and L. Bischof, "Seeded region growing", IEEE PAMI 16(6), 1994. The sorted list of the paper is a row of
queues, one for each step of the difference, so that every pixel costs the same.
"""

from __future__ import annotations

import math

import numpy as np

from classicseg.machine.jit import inline, kernel

STEPS = 1024
_NONE, _WAITING, _DONE = 0, 1, 2


@inline
def _distance(image, z, y, x, sums, counts, region):
    total = 0.0
    for c in range(image.shape[3]):
        gap = float(image[z, y, x, c]) - sums[region, c] / counts[region]
        total += gap * gap
    return math.sqrt(total)


@inline
def _nearest(image, labels, offsets, z, y, x, sums, counts):
    """Of the regions that touch a pixel the one of the nearest mean, and its distance; ties go to the smaller label."""
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
    """Grow the seeds in `labels` over the mask.

    image : (D, H, W, C); labels : (D, H, W) int32, seeds from 1, 0 elsewhere; result
    scale : from a distance to its queue; tolerance : a pixel farther from all means it touches stays 0
    sums : (n + 1, C) float64, counts : (n + 1,) float64: of the seeds; result
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
