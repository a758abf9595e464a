"""From one frame of a film to the next: where its blocks came from, and what is still known of its pixels."""

from __future__ import annotations

import numpy as np

from classicseg.machine.jit import inline, kernel
from classicseg.machine.parallel import aborted, claim

BLOCK = 16
"""Rows and columns of a block of pixels that moves as one."""


@inline
def _difference(now, before, box, dy, dx, least):
    """Mean absolute difference of a block of `now` and of what lies (`dy`, `dx`) from it in `before`.

    Or a number above `least`: it gives up as soon as that is sure, and where less than half of the `box`, (top, bottom,
    left, right), has a counterpart. Of blocks of 16 rows every second one is looked at, of blocks of 8 all are.
    """
    height, width = now.shape
    top, bottom, left, right = box
    first, last = max(top, -dy), min(bottom, height - dy)
    start, stop = max(left, -dx), min(right, width - dx)
    if 2 * max(0, last - first) * max(0, stop - start) < (bottom - top) * (right - left):
        return np.float32(np.inf)
    step = max(1, (bottom - top) // 8)
    n = (last - first + step - 1) // step * (stop - start)
    total, limit = 0, least * n
    for y in range(first, last, step):
        for x in range(start, stop):
            total += abs(np.int32(now[y, x]) - np.int32(before[y + dy, x + dx]))
        if total > limit:
            break
    return np.float32(total / n)


@kernel
def match_blocks(sync, n_threads, now, before, size, reach, starts, penalty, motion):
    """Find for each block of an image where in the image before it most likely was.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with 1 task counter
    n_threads : int
    now, before : (H, W) uint8, both images
    size : int, rows and columns of a block
    reach : int, how far around the best of the `starts` is looked
    starts : (n_starts, 2, n_rows, n_columns) int32, displacements of each block to be tried, rows first
    penalty : float32, what a pixel of displacement costs, in mean absolute differences
    motion : (2, n_rows, n_columns) int32, filled with displacements: the block was at its place plus these
    """
    height, width = now.shape
    n_rows, n_columns = motion.shape[1:]
    while True:
        row = claim(sync, 0)
        if row >= n_rows or aborted(sync):
            break
        for column in range(n_columns):
            top, left = row * size, column * size
            box = (top, min(top + size, height), left, min(left + size, width))
            least, best_y, best_x = np.float32(np.inf), 0, 0
            for k in range(starts.shape[0]):
                dy, dx = starts[k, 0, row, column], starts[k, 1, row, column]
                if k > 0 and dy == best_y and dx == best_x:
                    continue
                cost = penalty * (abs(dy) + abs(dx)) + _difference(now, before, box, dy, dx, least)
                if cost < least:
                    least, best_y, best_x = cost, dy, dx
            mid_y, mid_x = best_y, best_x
            for dy in range(mid_y - reach, mid_y + reach + 1):
                for dx in range(mid_x - reach, mid_x + reach + 1):
                    cost = penalty * (abs(dy) + abs(dx))
                    if cost < least:
                        cost += _difference(now, before, box, dy, dx, least)
                        if cost < least:
                            least, best_y, best_x = cost, dy, dx
            motion[0, row, column], motion[1, row, column] = best_y, best_x


@kernel
def accumulate(sync, n_threads, unary, image, before, kept, count, motion, sharpness, most, out, new_count):
    """Average the costs of a frame with those of the frames before it, as far as these show the same.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with 1 task counter
    n_threads : int
    unary : (L, H, W) float32, costs of the frame
    image, before : (C, H, W), the frame and the one before
    kept : (L, H, W) float32, averages of the frame before
    count : (H, W) float32, how many frames these are of
    motion : (2, n_rows, n_columns) int32, where the blocks of the frame were
    sharpness : float32, one over the squared distance of colours, summed over channels, from which on nothing is taken
        over
    most : float32, frames that count at most, this one left out
    out : (L, H, W) float32, filled with averages
    new_count : (H, W) float32, filled with how many frames they are of
    """
    n_labels, height, width = unary.shape
    n_channels = image.shape[0]
    share = np.empty(BLOCK, np.float32)
    zero, one = np.float32(0.0), np.float32(1.0)
    while True:
        row = claim(sync, 0)
        if row >= motion.shape[1] or aborted(sync):
            break
        for column in range(motion.shape[2]):
            dy, dx = motion[0, row, column], motion[1, row, column]
            left = column * BLOCK
            n = min(BLOCK, width - left)
            for y in range(row * BLOCK, min((row + 1) * BLOCK, height)):
                source_y, shift = y + dy, left + dx
                first, stop = max(0, -shift), min(n, width - shift)  # what was in the picture
                if source_y < 0 or source_y >= height:
                    first, stop = 0, 0
                for i in range(n):
                    share[i] = zero
                    new_count[y, left + i] = one
                for c in range(n_channels):
                    for i in range(first, stop):
                        apart = np.float32(image[c, y, left + i]) - np.float32(before[c, source_y, shift + i])
                        share[i] += apart * apart
                for i in range(first, stop):
                    alike = max(zero, one - sharpness * share[i])
                    earlier = min(count[source_y, shift + i], most) * alike * alike
                    new_count[y, left + i] = one + earlier
                    share[i] = earlier / (one + earlier)
                for label in range(n_labels):
                    for i in range(n):
                        out[label, y, left + i] = unary[label, y, left + i]
                    for i in range(first, stop):
                        own = unary[label, y, left + i]
                        out[label, y, left + i] = own + share[i] * (kept[label, source_y, shift + i] - own)
