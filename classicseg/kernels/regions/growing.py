"""Seeded region growing: pixels join the region of the nearest mean, those of the smallest difference first.

R. Adams and L. Bischof, "Seeded region growing", IEEE PAMI 16(6), 1994. The sorted list of the paper is a heap for the
next few pixels. Those of larger differences wait in queues, one for each step of the difference, and move to the heap a
queue at a time: the order is that of a single heap, in a fraction of its time.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from classicseg.machine.jit import inline, kernel
from classicseg.machine.simd import pointer

STEPS = 1024
"""How many queues there are; they fit into the first cache. Their width decides on the time, not on the answer."""
_NONE, _WAITING, _DONE = 0, 1, 2


class Waiting(NamedTuple):
    """Work space: pixels that wait, the one of the smallest difference first, of equal ones the one that came first."""

    differences: np.ndarray
    """(pixels,) float64: of each that waits."""
    turns: np.ndarray
    """(pixels,) int64: when it came."""
    heap: np.ndarray
    """(pixels,) int32: those of the lowest queues."""
    heads: np.ndarray
    """(STEPS,) int32: the first pixel of each queue, -1 where it is empty, as all are at first."""
    following: np.ndarray
    """(pixels,) int32: the next one of the same queue, -1 after the last."""


@inline
def _before(differences, turns, a, b):
    """Whether the pixel `a` comes before `b` by `differences` and `turns`."""
    return differences[a] < differences[b] or (differences[a] == differences[b] and turns[a] < turns[b])


@inline
def _push(heap, n, differences, turns, pixel):
    """Let a `pixel` with its `differences` and `turns` join the `n` of the `heap`."""
    at = n
    while at > 0:
        above = (at - 1) >> 1
        other = np.int64(heap[above])
        if not _before(differences, turns, pixel, other):
            break
        heap[at] = other
        at = above
    heap[at] = pixel


@inline
def _pop(heap, n, differences, turns):
    """Take the first of the `n` pixels, by `differences` and `turns`, out of the `heap`."""
    at, last = 0, n - 1
    first, moved = np.int64(heap[0]), np.int64(heap[last])
    while 2 * at + 1 < last:
        child = 2 * at + 1
        pixel = np.int64(heap[child])
        if child + 1 < last:
            other = np.int64(heap[child + 1])
            if _before(differences, turns, other, pixel):
                child, pixel = child + 1, other
        if _before(differences, turns, moved, pixel):
            break
        heap[at] = pixel
        at = child
    heap[at] = moved
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
def grow_seeds(image, mask, offsets, scale, tolerance, waiting, labels, sums, counts):
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
    waiting : Waiting
    labels : (D, H, W) int32
        Seeds from 1, and 0 elsewhere; becomes the result.
    sums : (n + 1, C) float64
        Sums of the values of each seed; become those of the regions.
    counts : (n + 1,) float64
        Pixels of each seed; become those of the regions.
    """
    depth, height, width = mask.shape
    state, size = np.zeros(mask.size, np.uint8), mask.size
    differences, turns, heap = pointer(waiting.differences), pointer(waiting.turns), pointer(waiting.heap)
    heads, following = pointer(waiting.heads), pointer(waiting.following)
    n, turn, lowest = 0, 0, 0  # queues below the lowest are empty: their pixels are in the heap

    # First all seeds wait, before everybody else: to be taken out is to let their neighbours wait.
    for pixel in range(size):
        z, y, x = pixel // (height * width), pixel // width % height, pixel % width
        if labels[z, y, x] > 0:
            differences[pixel], turns[pixel] = -1.0, turn
            _push(heap, n, differences, turns, pixel)
            state[pixel] = _WAITING
            n, turn = n + 1, turn + 1
    while True:
        while n == 0 and lowest < STEPS:
            pixel = np.int64(heads[lowest])
            heads[lowest] = -1
            while pixel >= 0:
                _push(heap, n, differences, turns, pixel)
                n, pixel = n + 1, np.int64(following[pixel])
            lowest += 1
        if n == 0:
            return
        pixel = _pop(heap, n, differences, turns)
        n -= 1
        row = pixel // width
        z, y, x = row // height, row % height, pixel - row * width
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
                difference = _distance(image, v, u, t, sums, counts, region)
                differences[other], turns[other] = difference, turn
                state[other] = _WAITING
                turn += 1
                queue = difference * scale
                step = int(queue) if queue < STEPS else STEPS - 1  # a larger number might fit into no integer
                if n == 0:
                    lowest = min(lowest, step)
                if step < lowest:
                    _push(heap, n, differences, turns, other)
                    n += 1
                else:
                    following[other] = heads[step]
                    heads[step] = other
