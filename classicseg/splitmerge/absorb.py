"""Small regions of a label image join their neighbours."""

from __future__ import annotations

import numpy as np

from classicseg.kernels.regions import edges, merging
from classicseg.splitmerge.neighbours import offsets_to_neighbours
from classicseg.splitmerge.picture import Picture
from classicseg.splitmerge.regions import measured


def absorb_small(labels: np.ndarray, picture: Picture, min_area: int) -> None:
    """Let regions of fewer pixels join the neighbour of the nearest mean; (D, H, W) labels in place, 0 is no region."""
    n = int(labels.max())
    rows = measured(labels, n, picture).rows
    labels -= 1
    parent, no_log = np.arange(n, dtype=np.int32), np.empty((0, 2), np.int32)
    pixels = edges.Pixels(labels, picture.volume, offsets_to_neighbours(len(picture.shape), 1))
    regions = merging.Regions(parent, rows, picture.origin, no_log, np.zeros(1, np.int64))
    merging.absorb_small(pixels, float(min_area), regions)
    merging.number_regions(labels, parent, np.empty(n, np.int32))
