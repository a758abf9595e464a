"""Strokes as somebody might draw them, made from the truth: along the middle of object and background."""

from __future__ import annotations

import numpy as np


def drawn(truth: np.ndarray, *, n: tuple[int, int], length: float, width: float, seed: int) -> np.ndarray:
    """Strokes on background (0) and object (1), -1 elsewhere.

    Parameters
    ----------
    truth : ndarray, (H, W), bool
        Where the object is.
    n : tuple of int
        How many strokes there are on the background, and on the object.
    length : float
        Of a stroke on the object, as a share of the diagonal; on the background, half as long again.
    width : float
        In pixels.
    seed : int
    """
    rng, strokes = np.random.default_rng(seed), np.full(truth.shape, -1)
    steps = length * float(np.hypot(*truth.shape))
    strokes[_along_the_middle(~truth, rng, n[0], int(1.5 * steps), width)] = 0
    strokes[_along_the_middle(truth, rng, n[1], int(steps), width)] = 1
    return strokes


def _along_the_middle(where: np.ndarray, rng: np.random.Generator, n: int, steps: int, width: float) -> np.ndarray:
    """Walks of so many steps along the skeleton of a region, drawn with a pen of that width that stays inside."""
    from scipy.ndimage import distance_transform_edt
    from skimage.morphology import skeletonize

    depth = distance_transform_edt(np.pad(where, 1))[1:-1, 1:-1]
    middle = skeletonize(where) & (depth > min(width, 0.7 * depth.max()))
    if not middle.any():
        middle = depth >= depth.max() - 0.5
    points, walked = np.argwhere(middle), np.zeros(where.shape, bool)
    chances = depth[middle] / depth[middle].sum()
    around = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
    for _ in range(n):
        here = tuple(points[rng.choice(len(points), p=chances)].tolist())
        seen = {here}
        for _ in range(steps):
            walked[here] = True
            ways = [(here[0] + dy, here[1] + dx) for dy, dx in around]
            ways = [
                way
                for way in ways
                if 0 <= way[0] < where.shape[0] and 0 <= way[1] < where.shape[1] and middle[way] and way not in seen
            ]
            if not ways:
                break
            here = ways[int(rng.integers(len(ways)))]
            seen.add(here)
    inked: np.ndarray = (distance_transform_edt(~walked) <= width / 2) & (depth > 1.5)
    return inked
