"""How the messages of a grid lie in memory, be it the whole grid or some bands of it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from classicseg.energies.grid import Offset, edge_shape
from classicseg.kernels.messages.memory import LINE, SHEET_MARGIN, Messages, work_size
from classicseg.machine.memory import CACHE_LINE
from classicseg.machine.simd import PIXELS


class Layout:
    """Sizes of what :class:`Messages` holds.

    Parameters
    ----------
    shape : tuple of int
        Slices, rows and columns.
    offsets : mapping of str to offset
        Of the directions, in slices, rows and columns.
    n_labels : int

    Attributes
    ----------
    lanes : tuple
        A zero for each row of a band.
    n_bands : int
        Of all slices.
    bands_of_slice : int
    n_vectors : int
        Of a band.
    planes_of_band, weights_of_band, seams_of_band, sheets_of_slice : int
        How many numbers a band, or a slice, has.
    all_seams, all_sheets : int
        How many there are in all; of sheets there are two sets.
    order : ndarray, (n_bands,), int64
        Bands, each after those that it waits for.
    """

    def __init__(self, shape: tuple[int, ...], offsets: Mapping[str, Offset], n_labels: int) -> None:
        self.shape, self._offsets, self.n_labels, self.n_chains = shape, offsets, n_labels, len(offsets)
        n_lanes = PIXELS if shape[1] > 1 or shape[0] > 1 else 1
        self.lanes = (0,) * n_lanes
        self._skew = 2 if any(dx * dy for _, dy, dx in offsets.values()) else 1
        self.bands_of_slice, self.n_vectors = -(-shape[1] // n_lanes), shape[2] + self._skew * (n_lanes - 1)
        self.n_bands = shape[0] * self.bands_of_slice
        self._seams = np.cumsum([dz == 0 and dy > 0 for dz, dy, _ in offsets.values()])
        self._sheets = np.cumsum([dz for dz, _, _ in offsets.values()])
        self._seam_start = self._skew * (n_lanes - 1) + 1
        self._seam_length = self.n_vectors + self._seam_start + 2
        in_band = self.n_vectors * n_lanes
        self.planes_of_band, self.weights_of_band = (
            in_band * (1 + self.n_chains) * n_labels,
            in_band * 2 * self.n_chains,
        )
        self.seams_of_band = int(self._seams[-1]) * self._seam_length * n_labels
        in_sheet = self.bands_of_slice * (self.n_vectors + 2 * SHEET_MARGIN) * n_lanes * n_labels
        self.sheets_of_slice = int(self._sheets[-1]) * in_sheet
        self.all_seams = shape[0] * (self.bands_of_slice + 1) * self.seams_of_band
        self.all_sheets = 2 * self.sheets_of_slice
        z, band = np.divmod(np.arange(self.n_bands), self.bands_of_slice)
        # A band waits for the one before it in its slice, and for its like in the slice before; if edges slant, for the
        # one behind that, too.
        self.order = np.argsort(self._skew * z + band, kind="stable")

    def work_size(self, reach: int) -> int:
        """Numbers of work space of a thread; as many as bytes of cache lines: no two threads write to one."""
        size = work_size(self.n_labels, reach, self.n_chains, self._skew, len(self.lanes))
        return -(-size // CACHE_LINE) * CACHE_LINE

    def messages(
        self,
        planes: np.ndarray,
        weights: np.ndarray,
        seams: np.ndarray,
        sheets: np.ndarray,
        labels: np.ndarray,
        order: np.ndarray,
    ) -> Messages:
        """The messages in these arrays, which may be larger; passes go over the bands of `order`."""
        numbers = zip(self._offsets.values(), self._seams - 1, self._sheets - 1, strict=True)
        ways = [
            (dz, dy, dx, 1, sheet) if dz else (dz, dy, dx, dx + self._skew * dy, seam)
            for (dz, dy, dx), seam, sheet in numbers
        ]
        return Messages(
            planes=planes,
            weights=weights,
            seams=seams,
            sheets=sheets,
            steps=np.array(ways, np.int64).reshape(-1),
            order=order,
            progress=np.zeros(self.n_bands * LINE, np.int64),
            bounds=np.zeros(2 * self.n_bands),
            labels=labels,
            depth=self.shape[0],
            height=self.shape[1],
            width=self.shape[2],
            n_labels=self.n_labels,
            n_chains=self.n_chains,
            skew=self._skew,
            n_bands=self.bands_of_slice,
            n_vectors=self.n_vectors,
            seam_length=self._seam_length,
            seam_start=self._seam_start,
            n_seams=int(self._seams[-1]),
            n_sheets=int(self._sheets[-1]),
        )


def live_directions(
    shape: tuple[int, ...], directions: Mapping[str, Offset]
) -> tuple[tuple[int, ...], dict[str, Offset]]:
    """The shape as a volume, axes of length 1 moved to the front, and the offsets in it of directions that have edges.

    A single pixel gets one direction, without a name and without edges.
    """
    kept = [axis for axis, length in enumerate(shape) if length > 1]
    offsets = {
        name: (0,) * (3 - len(kept)) + tuple(offset[axis] for axis in kept)
        for name, offset in directions.items()
        if math.prod(edge_shape(shape, offset)) > 0
    }
    return (1,) * (3 - len(kept)) + tuple(shape[axis] for axis in kept), offsets or {"": (0, 0, 1)}
