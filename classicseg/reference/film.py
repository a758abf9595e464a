"""Steadying a film: where blocks of a frame were in the frame before, and costs averaged along these ways."""

from __future__ import annotations

import numpy as np


def block_motion(
    now: np.ndarray, before: np.ndarray, size: int, candidates: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    """Displacement of each block by trying all candidates; the first of the best counts.

    Parameters
    ----------
    now, before : ndarray, (H, W)
        Gray values of two frames.
    size : int
        Rows and columns of a block.
    candidates : ndarray of int, (n, 2)
        Displacements, rows first.
    penalty : float
        What a pixel of displacement costs.

    Returns
    -------
    motion : ndarray of int, (2, n_rows, n_columns)
        A block was at its place plus these.
    cost : ndarray, (n_rows, n_columns)
        Mean absolute difference plus penalty.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference.film import block_motion
    >>> before = np.arange(20.0).reshape(1, 20) ** 2
    >>> now = np.roll(before, -2, axis=1)
    >>> block_motion(now, before, 8, np.array([[0, 0], [0, 1], [0, 2]]), 0.0)[0][1]
    array([[2, 2, 2]])
    """
    height, width = now.shape
    rows, columns = range(0, height, size), range(0, width, size)
    motion = np.zeros((2, len(rows), len(columns)), int)
    costs = np.full(motion.shape[1:], np.inf)
    for r, top in enumerate(rows):
        for c, left in enumerate(columns):
            bottom, right = min(top + size, height), min(left + size, width)
            for dy, dx in candidates:
                ys = range(max(top, -dy), min(bottom, height - dy))
                xs = range(max(left, -dx), min(right, width - dx))
                if 2 * len(ys) * len(xs) < (bottom - top) * (right - left):
                    continue  # most of it came into the picture
                some = ys[:: max(1, (bottom - top) // 8)]  # of blocks of 16 rows every second one is enough
                cost = np.mean(
                    [abs(float(now[y, x]) - float(before[y + dy, x + dx])) for y in some for x in xs]
                ) + penalty * (abs(dy) + abs(dx))
                if cost < costs[r, c]:
                    costs[r, c], motion[:, r, c] = cost, (dy, dx)
    return motion, costs


def averaged(
    unary: np.ndarray, image: np.ndarray, before: np.ndarray, kept: np.ndarray, count: np.ndarray,
    motion: np.ndarray, size: int, reach: float, most: float,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Costs of a frame averaged with those of earlier frames, as far as a pixel has the colour that it had.

    Parameters
    ----------
    unary : ndarray, (L, H, W)
        Costs of the frame.
    image, before : ndarray, (C, H, W)
        The frame and the one before.
    kept : ndarray, (L, H, W)
        Averages of the frame before.
    count : ndarray, (H, W)
        How many frames these are of.
    motion : ndarray of int, (2, n_rows, n_columns)
        Of blocks of `size` x `size` pixels.
    size : int
    reach : float
        Distance of colours, summed in squares over channels, from which on nothing is taken over.
    most : float
        Frames that count at most, this one left out.

    Returns
    -------
    average : ndarray, (L, H, W)
    new_count : ndarray, (H, W)

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.reference.film import averaged
    >>> still, costs = np.zeros((1, 1, 2)), np.array([[[4.0, 4.0]]])
    >>> other = np.array([[[0.0, 9.0]]])
    >>> averaged(costs, other, still, 0 * costs, np.ones((1, 2)), np.zeros((2, 1, 1), int), 16, 3.0, 8.0)
    (array([[[2., 4.]]]), array([[2., 1.]]))
    """
    average, new_count = np.array(unary, float), np.ones(count.shape)
    height, width = count.shape
    for y in range(height):
        for x in range(width):
            dy, dx = motion[:, y // size, x // size]
            if 0 <= y + dy < height and 0 <= x + dx < width:
                distance = np.sum((image[:, y, x].astype(float) - before[:, y + dy, x + dx]) ** 2)
                alike = max(0.0, 1 - distance / reach**2) ** 2
                earlier = min(count[y + dy, x + dx], most) * alike
                new_count[y, x] = 1 + earlier
                average[:, y, x] = (unary[:, y, x] + earlier * kept[:, y + dy, x + dx]) / (1 + earlier)
    return average, new_count
