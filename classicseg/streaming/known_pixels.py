"""Which pixels of an image that passes by hold anything."""

from __future__ import annotations

import numpy as np

from classicseg.streaming.raster import Box, Planes, of_mask


class KnownPixels:
    """A mask that passes by along with its image: pixels that hold something, and are inside of another mask.

    Parameters
    ----------
    image : Planes
    mask : Planes or None
    nodata : float
        Pixels that have this value in all channels hold nothing, nor do those that are NaN in any.

    Attributes
    ----------
    shape, dtype, chunks
        As sources have them.
    """

    def __init__(self, image: Planes, mask: Planes | None, nodata: float) -> None:
        self._image, self._mask, self._nodata = image, mask, nodata
        self.shape, self.dtype, chunk = image.grid, np.dtype(bool), image.chunk(0)
        self.chunks = None if chunk is None else (chunk, *image.grid[1:])

    def __getitem__(self, window: Box) -> np.ndarray:
        """Which pixels of a window take part, a slice for each axis."""
        values = self._image.read(window)
        known: np.ndarray = (values != self._nodata).any(axis=0)
        if values.dtype.kind == "f":
            known &= ~np.isnan(values).any(axis=0)
        return known if self._mask is None else known & of_mask(self._mask.read(window))
