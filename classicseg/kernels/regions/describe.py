"""Measures of the regions of a label image."""

from __future__ import annotations

from classicseg.kernels.regions.statistics import add_pixel, clear_row
from classicseg.machine.jit import kernel


@kernel
def measure_regions(labels, image, edges, rows, boxes, centers, perimeters):
    """Measure the regions 1 to n of a label image: statistics, bounding boxes, sums of positions, perimeters.

    Parameters
    ----------
    labels : (D, H, W) int32
        The region of each pixel; 0 is no region.
    image : (D, H, W, C)
    edges : (bins + 1,) float64
        As in :func:`~.statistics.add_pixel`.
    rows : (n, row size) float64
        Result, see :mod:`.statistics`.
    boxes : (n, 6) int32
        Result: the first pixel and the last + 1 along z, y, x.
    centers : (n, 3) float64
        Result: sums of the positions along z, y, x.
    perimeters : (n,) int64
        Result: sides of pixels that face another region or the outside.
    """
    for r in range(rows.shape[0]):
        clear_row(rows, r, image.shape[3])
        perimeters[r] = 0
        for axis in range(3):
            boxes[r, 2 * axis], boxes[r, 2 * axis + 1] = 2147483647, 0
            centers[r, axis] = 0.0
    flat = labels.shape[0] == 1
    for z in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            for x in range(labels.shape[2]):
                label = labels[z, y, x]
                if label == 0:
                    continue
                r = label - 1
                add_pixel(rows, r, image, z, y, x, edges)
                for axis in range(3):
                    at = z if axis == 0 else y if axis == 1 else x
                    boxes[r, 2 * axis] = min(boxes[r, 2 * axis], at)
                    boxes[r, 2 * axis + 1] = max(boxes[r, 2 * axis + 1], at + 1)
                    centers[r, axis] += at
                    if axis == 0 and flat:
                        continue
                    for step in (-1, 1):
                        v = z + step if axis == 0 else z
                        u = y + step if axis == 1 else y
                        t = x + step if axis == 2 else x
                        inside = 0 <= v < labels.shape[0] and 0 <= u < labels.shape[1] and 0 <= t < labels.shape[2]
                        if not inside or labels[v, u, t] != label:
                            perimeters[r] += 1


@kernel
def list_neighbours(labels, offsets, touching):
    """List the regions that touch each other, some of them more than once.

    Parameters
    ----------
    labels : (D, H, W) int32
        The region of each pixel; 0 is no region.
    offsets : (k, 3) int64
        Steps (z, y, x) from a pixel to its neighbours.
    touching : (m, 2) int32
        Result: the first m finds, the smaller label first.

    Returns
    -------
    int
        How many were found; may be more than m.
    """
    n = 0
    last_a, last_b = -1, -1
    for k in range(offsets.shape[0]):
        for z in range(labels.shape[0]):
            for y in range(labels.shape[1]):
                for x in range(labels.shape[2]):
                    v, u, t = z + offsets[k, 0], y + offsets[k, 1], x + offsets[k, 2]
                    if not (0 <= v < labels.shape[0] and 0 <= u < labels.shape[1] and 0 <= t < labels.shape[2]):
                        continue
                    a, b = labels[z, y, x], labels[v, u, t]
                    if a == b or a == 0 or b == 0:
                        continue
                    a, b = min(a, b), max(a, b)
                    if a == last_a and b == last_b:
                        continue
                    if n < touching.shape[0]:
                        touching[n, 0], touching[n, 1] = a, b
                    last_a, last_b = a, b
                    n += 1
    return n
