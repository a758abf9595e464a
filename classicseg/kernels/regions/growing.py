"""Seeded region growing: pixels join the region of the nearest mean, those of the smallest difference first.

R. Adams and L. Bischof, "Seeded region growing", IEEE PAMI 16(6), 1994. The sorted list of the paper is a heap. Queues
for steps of the difference, which this was once made of, had to know the range: with one hot pixel in an image of 16
bits, all others waited in the same queue.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from classicseg.machine.jit import inline, kernel

_NONE, _WAITING, _DONE = 0, 1, 2


class _Heap(NamedTuple):
    """Pixels that wait, the one of the smallest difference first; of equal ones the one that came first."""

    differences: np.ndarray
    turns: np.ndarray
    """When each came."""
    pixels: np.ndarray


@inline
def _before(heap, a, b):
    """Whether the entry at `a` of the `heap` comes before that at `b`."""
    if heap.differences[a] != heap.differences[b]:
        return heap.differences[a] < heap.differences[b]
    return heap.turns[a] < heap.turns[b]


@inline
def _swap(heap, a, b):
    """Exchange the entries at `a` and `b` of the `heap`."""
    heap.differences[a], heap.differences[b] = heap.differences[b], heap.differences[a]
    heap.turns[a], heap.turns[b] = heap.turns[b], heap.turns[a]
    heap.pixels[a], heap.pixels[b] = heap.pixels[b], heap.pixels[a]


@inline
def _push(heap, n, difference, turn, pixel):
    """Let a `pixel` with its `difference` and `turn` join the `n` entries of the `heap`."""
    heap.differences[n], heap.turns[n], heap.pixels[n] = difference, turn, pixel
    at = n
    while at > 0 and _before(heap, at, (at - 1) >> 1):
        _swap(heap, at, (at - 1) >> 1)
        at = (at - 1) >> 1


@inline
def _pop(heap, n):
    """Take the first of the `n` entries out of the `heap`; returns its pixel."""
    first, last = heap.pixels[0], n - 1
    _swap(heap, 0, last)
    at = 0
    while 2 * at + 1 < last:
        child = 2 * at + 1
        if child + 1 < last and _before(heap, child + 1, child):
            child += 1
        if _before(heap, at, child):
            break
        _swap(heap, at, child)
        at = child
    return first


@inline
def _distance(image, z, y, x, sums, counts, region):
    """Distance of the pixel (`z`, `y`, `x`) of `image` from the mean, `sums` by `counts`, of a `region`.

    Divided in the end: differences of whole numbers are exact, and equal ones are ties.
    """
    total = 0.0
    for c in range(image.shape[3]):
        gap = np.float64(image[z, y, x, c]) * counts[region] - sums[region, c]
        total += gap * gap
    return math.sqrt(total) / counts[region]


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
def grow_seeds(image, mask, offsets, tolerance, labels, sums, counts):
    """Grow seeds over a mask.

    Parameters
    ----------
    image : (D, H, W, C)
    mask : (D, H, W) bool
        Where regions may grow.
    offsets : (k, 3) int64
        Steps (z, y, x) to half of the neighbours of a pixel.
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
    heap = _Heap(np.empty(mask.size, np.float64), np.empty(mask.size, np.int64), np.empty(mask.size, np.int64))
    n, turn = 0, 0

    # First all seeds wait, before everybody else: to be taken out is to let their neighbours wait.
    for pixel in range(mask.size):
        z, y, x = pixel // (height * width), pixel // width % height, pixel % width
        if labels[z, y, x] > 0:
            _push(heap, n, -1.0, turn, pixel)
            state[pixel] = _WAITING
            n, turn = n + 1, turn + 1
    while n > 0:
        pixel = _pop(heap, n)
        n -= 1
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
                if state[other] == _NONE:
                    _push(heap, n, _distance(image, v, u, t, sums, counts, region), turn, other)
                    state[other] = _WAITING
                    n, turn = n + 1, turn + 1
