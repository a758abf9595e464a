"""A small picture of the probabilities: their means over blocks of pixels, and how unsure they are inside."""

from __future__ import annotations

import numpy as np

from classicseg.kernels.dense.planes import add_block, softmax, write_labels
from classicseg.machine.jit import kernel
from classicseg.machine.parallel import aborted, claim
from classicseg.machine.simd import ACROSS, PIXELS, fill, load, multiply, pointer, store, subtract


@kernel
def block_sums(sync, n_threads, costs, inside, shape, block, sums, sizes, labels, unsure):
    """Sum ``softmax(-costs)`` over blocks of pixels, in one pass.

    Parameters
    ----------
    sync : (n,) int64, what the threads share, with 1 task counter
    n_threads : int
    costs : (n_labels * n,) float32, label after label
    inside : (n,) bool, which pixels take part
    shape : (3,) int64, of the picture; n is their product
    block : (3,) int64, sides of a block; those at the far borders of the picture may be smaller
    sums : (n_labels, n_blocks) float32, filled; blocks in C order
    sizes : (n_blocks,) float32, filled with numbers of pixels that take part
    labels : (n,) int32, filled with the label of least cost of every pixel, the first of equals; -1 outside
    unsure : (n_blocks of the first axis * those of the second) float64, filled with sums of ``1 - sum_l p_l**2``
    """
    n_labels = sums.shape[0]
    depth, height, width = shape[0], shape[1], shape[2]
    n = depth * height * width
    down, across = (height + block[1] - 1) // block[1], (width + block[2] - 1) // block[2]
    planes, padded = np.zeros(n_labels * PIXELS, np.float32), np.zeros(n_labels * PIXELS, np.float32)
    scratch, share = np.zeros(PIXELS, np.float32), np.zeros(PIXELS, np.float32)
    column, best = np.zeros(PIXELS, np.int64), np.zeros(PIXELS, np.int32)
    costs_at = pointer(costs)  # padded, used by its address only, would be freed at once
    one = fill(np.float32(1.0), ACROSS)
    while True:
        task = claim(sync, 0)
        if task >= unsure.size or aborted(sync):
            break
        for label in range(n_labels):
            for i in range(task * across, (task + 1) * across):
                sums[label, i] = 0.0
        for i in range(task * across, (task + 1) * across):
            sizes[i] = 0.0
        unsure[task] = 0.0
        z, y = task // down * block[0], task % down * block[1]
        for row in range(z, min(z + block[0], depth)):
            for line in range(y, min(y + block[1], height)):
                start = (row * height + line) * width
                for x in range(0, width, PIXELS):
                    count = min(PIXELS, width - x)
                    for i in range(n_labels * PIXELS):
                        planes[i] = 0.0
                    add_block(
                        planes, np.float32(-1.0), costs_at, n, start + x, n_labels, pointer(padded)
                    )  # keeps it alive
                    softmax(planes, n_labels)
                    rest = one
                    for label in range(n_labels):
                        p = load(planes, label * PIXELS, ACROSS)
                        rest = subtract(rest, multiply(p, p))
                    store(scratch, 0, rest)
                    for i in range(count):
                        share[i] = inside[start + x + i]
                        unsure[task] += share[i] * scratch[i]
                        column[i] = task * across + (x + i) // block[2]
                        sizes[column[i]] += share[i]
                    for label in range(n_labels):
                        for i in range(count):
                            sums[label, column[i]] += share[i] * planes[label * PIXELS + i]
                    write_labels(planes, PIXELS, 0, n_labels, best)
                    for i in range(count):
                        labels[start + x + i] = best[i] if inside[start + x + i] else -1
