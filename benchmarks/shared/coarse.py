"""Scores as networks give them that answer at a fraction of the resolution.

A *cell* is a data set at one fraction 1/f: logits are averaged over blocks of f x f pixels (what is left over at far
borders is cut off) and enlarged bilinearly to the size of the image again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import ndimage

from benchmarks.shared.datasets import DATASETS, Example

FRACTIONS = {
    "camvid": (1, 4, 8, 16),
    "msrc": (1, 4, 8, 16),
    "horses": (1, 4, 8, 16),
    "drive": (1, 4),
    "brats": (1, 4),
    "hippocampus": (1, 4),
}
LEAST = 1e-7  # probability, as float32 softmax outputs have it


def cells() -> Iterator[tuple[str, int, list[Example]]]:
    """Name, f and enlarged examples of every cell whose data are there."""
    for name, make in DATASETS.items():
        examples = list(make())
        for f in FRACTIONS[name] if examples else ():
            yield name, f, [enlarged(example, f) for example in examples]


def enlarged(example: Example, f: int) -> Example:
    """The example with its scores at 1/f of the resolution, enlarged again."""
    logits = -example.unary if f == 1 else enlarge(shrink(-example.unary, f), example.truth.shape)
    p = np.exp(logits - logits.max(axis=0))
    p /= p.sum(axis=0)
    return replace(example, unary=-np.log(np.maximum(p, np.float32(LEAST))))


def shrink(logits: np.ndarray, f: int) -> np.ndarray:
    """Means over blocks of f pixels along each axis."""
    for axis in range(1, logits.ndim):
        n = logits.shape[axis] // f
        rest = logits.shape[axis + 1 :]
        logits = logits.take(range(n * f), axis).reshape(*logits.shape[:axis], n, f, *rest).mean(axis + 1)
    return logits


def enlarge(logits: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Interpolate linearly between the middles of blocks."""
    factors = np.divide(shape, logits.shape[1:])
    return np.stack([ndimage.zoom(x, factors, order=1, grid_mode=True, mode="nearest") for x in logits])
