"""How far the surfaces of labels are apart."""

from __future__ import annotations

import numpy as np

from classicseg.machine.memory import check_memory

_PERCENTILE = 95  # the farthest of thousands of distances is that of a single stray voxel
_VOXEL = 24.0  # bytes of work space: where the nearest voxel is, and what SciPy makes of its input


def surface_distances(
    given: np.ndarray, true: np.ndarray, n_labels: int, spacing: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Of each label (L,), the 95th percentile, the larger of both ways, and the mean of the distances of its surfaces.

    Voxels of -1 have no label, nor has what lies beyond the arrays. NaN where neither has a label, infinite where one
    has it.
    """
    from scipy.ndimage import find_objects

    far, mean = np.full((2, n_labels), np.nan)
    boxes = (find_objects(labels + 1, max_label=n_labels) for labels in (given, true))
    for label, pair in enumerate(zip(*boxes, strict=True)):
        found = [box for box in pair if box is not None]
        if len(found) == 1:
            far[label] = mean[label] = np.inf
        elif found:
            box = tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(*found, strict=True))
            ways = _both_ways(given[box] == label, true[box] == label, spacing)
            far[label] = max(np.percentile(way, _PERCENTILE) for way in ways)
            mean[label] = np.concatenate(ways).mean()
    return far, mean


def _both_ways(given: np.ndarray, true: np.ndarray, spacing: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """From each voxel of the surface of one object to the nearest of the other's, and the way back."""
    check_memory(_VOXEL * given.size, f"the distances of surfaces in a box of {given.shape} voxels")
    surfaces = _surface(given), _surface(true)
    return _distances(*surfaces, spacing), _distances(*surfaces[::-1], spacing)


def _surface(inside: np.ndarray) -> np.ndarray:
    """Voxels of an object with a face that does not touch it."""
    from scipy.ndimage import binary_erosion

    surface: np.ndarray = inside & ~binary_erosion(inside)
    return surface


def _distances(starts: np.ndarray, ends: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """From each start to the nearest end."""
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(~ends, sampling=spacing, return_distances=False, return_indices=True)
    squares = np.zeros(int(starts.sum()))
    for here, there, step in zip(np.nonzero(starts), nearest, spacing, strict=True):
        squares += (step * (here - there[starts])) ** 2
    return np.sqrt(squares)
