"""What labels can hope for, from the unary costs alone: one pass over them."""

from __future__ import annotations

import numpy as np

from classicseg.kernels.dense.planes import read_block
from classicseg.machine.jit import kernel
from classicseg.machine.parallel import aborted, claim
from classicseg.machine.simd import ACROSS, PIXELS, add, exp, fill, item, load, minimum, store, subtract

RUN = 64 * PIXELS
"""Points of a task."""

_LARGEST = np.float32(1e30)  # of finite costs


@kernel
def survey(sync, n_threads, values, step, lost, gaps, rest, share):
    """How much more than the cheapest label each label costs at least, and what some labels have together.

    Parameters
    ----------
    sync : (m,) int64, what the threads share, with 1 task counter
    n_threads : int
    values : (n_labels * n,) float32 costs, label after label
    step : int, look at one run of points in so many
    lost : (m,) int64, the labels to be summed up
    gaps : (n_runs, n_labels) float32, filled for each run looked at: the smallest difference of each label's cost and
        the lowest one of a point
    rest : (n,) float32, filled with the cost of one label that stands for the lost ones, ``-log(sum(exp(-costs)))``; or
        empty
    share : (n_runs,) float32, filled, if there is a `rest`, with the most that this label has of a point, before any
        message, where the cheapest label is the only other one
    """
    n_labels = gaps.shape[1]
    n = values.size // n_labels
    planes, least = np.empty(n_labels * PIXELS, np.float32), np.empty(n_labels * PIXELS, np.float32)
    lowest, sums = np.empty(PIXELS, np.float32), np.empty(PIXELS, np.float32)
    while True:
        task = claim(sync, 0)
        start = task * step * RUN
        if start >= n or aborted(sync):
            break
        for i in range(n_labels * PIXELS):
            least[i] = np.float32(np.inf)
        most = np.float32(0.0)
        for at in range(start, min(start + RUN, n), PIXELS):
            read_block(values, n, at, n_labels, planes)
            low = fill(_LARGEST, ACROSS)
            for label in range(n_labels):
                low = minimum(low, load(planes, label * PIXELS, ACROSS))
            if at + PIXELS <= n:
                for label in range(n_labels):
                    gap = subtract(load(planes, label * PIXELS, ACROSS), low)
                    store(least, label * PIXELS, minimum(load(least, label * PIXELS, ACROSS), gap))
            else:
                store(lowest, 0, low)
                for label in range(n_labels):
                    for p in range(n - at):
                        i = label * PIXELS + p
                        least[i] = min(least[i], planes[i] - lowest[p])
            if rest.size > 0:
                total = fill(np.float32(0.0), ACROSS)
                for i in range(lost.size):
                    total = add(total, exp(subtract(low, load(planes, item(lost, i) * PIXELS, ACROSS))))
                store(lowest, 0, low)
                store(sums, 0, total)
                for p in range(min(PIXELS, n - at)):
                    rest[at + p] = lowest[p] - np.log(sums[p])
                    most = max(most, sums[p])
        for label in range(n_labels):
            gap = least[label * PIXELS]
            for p in range(1, PIXELS):
                gap = min(gap, least[label * PIXELS + p])
            gaps[task * step, label] = gap
        if rest.size > 0:
            share[task * step] = most / (most + np.float32(1.0))
