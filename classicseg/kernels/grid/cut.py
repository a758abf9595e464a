"""The two parts of a minimum cut that threads share: pushing beforehand, and searching for augmenting paths.

The grid is cut into strips along its first axis. While the edges between strips are hidden, each strip is a network of
its own; what its threads push is pushed for good. Afterwards one search goes over the whole grid. Which strips there
are changes the flow, but not the cut, which is the same for every maximum flow.

Liu, Sun, "Parallel graph-cuts by adaptive bottom-up merging", CVPR 2010, doi:10.1109/CVPR.2010.5539898.
"""

from __future__ import annotations

from classicseg._jit import kernel
from classicseg.kernels.grid.maxflow import EXTRA, max_flow
from classicseg.kernels.grid.prepush import ROWS, SKEW, prepush
from classicseg.kernels.simd import PIXELS
from classicseg.kernels.threads import claim

_SWEEPS = 4  # of a band in a round: by then its messages have come to rest


@kernel
def prepush_strips(sync, n_threads, g, first, row, sheet, shape, strips, steps, planes, n_rounds, words, pairs):  # type: ignore[no-untyped-def]
    """Push flow inside each strip of an image, or in each slice of a volume.

    `strips` holds the first row (or slice) of each, and their number; `planes` has room for each (see `prepush`).
    """
    depth, height, width = shape
    n_vectors = width + SKEW * (ROWS - 1)
    for_band = (3 * len(pairs) // 2 + 1) * n_vectors * PIXELS
    while True:
        strip = claim(sync, 0)
        if strip >= strips.size - 1:
            break
        begin, end = strips[strip], strips[strip + 1]
        if depth == 1:
            room = planes[(begin // ROWS + strip) * for_band :]  # every strip may end with a band that is not full
            start = first + begin * row
            prepush(sync, g, start, row, end - begin, width, steps, room, n_vectors, n_rounds, _SWEEPS, words, pairs)
        else:
            room = planes[strip * (height // ROWS + 1) * for_band :]
            for z in range(begin, end):
                start = first + z * sheet
                prepush(sync, g, start, row, height, width, steps, room, n_vectors, n_rounds, _SWEEPS, words, pairs)


@kernel
def search_strips(sync, n_threads, g, first, pitch, strips, steps, buckets, queues, pairs):  # type: ignore[no-untyped-def]
    """Push a maximum flow inside each strip; `pitch` is the distance of two steps along the first axis."""
    words = len(pairs) + EXTRA
    while True:
        strip = claim(sync, 0)
        if strip >= strips.size - 1:
            break
        begin, end = first + strips[strip] * pitch, first + strips[strip + 1] * pitch - 2 * words
        low, n = strips[strip] * (pitch // words), (strips[strip + 1] - strips[strip]) * (pitch // words)
        max_flow(sync, g, begin, end, steps, buckets[low : low + n], queues[2 * low : 2 * (low + n)], pairs)
