"""The state of tree-reweighted message passing on a grid: memory, passes, bound, labels."""

from __future__ import annotations

import numpy as np

from classicseg.energies.compatibility import Diagonal, Potts, TruncatedLinear, TruncatedQuadratic
from classicseg.energies.grid import Offset
from classicseg.energies.grid_crf import GridCRF
from classicseg.kernels.messages.convolution import DIAGONAL, LINEAR, MATRIX, POTTS, QUADRATIC
from classicseg.kernels.messages.memory import (
    LINE,
    SHEET_MARGIN,
    Messages,
    Model,
    Numbers,
    work_size,
    write_unary,
    write_weights,
)
from classicseg.kernels.messages.trws import BACKWARD, CERTIFY, DECODE, FORWARD, passes
from classicseg.machine.memory import CACHE_LINE, aligned_zeros, check_memory
from classicseg.machine.parallel import new_sync, run
from classicseg.machine.simd import PIXELS

_BRIEF = 2**22  # numbers in memory; a pass over fewer takes a moment, and is no faster on several threads
_LARGEST = 2.0**60  # of costs, and one over it of small ones: sums must stay far from the ends of float32


class MessagePassing:
    """Messages of a grid energy without label costs.

    Attributes
    ----------
    labels : ndarray, spatial shape, int32
        Decoded by the last :meth:`iterate` that was asked to.
    bound : float
        The best lower bound that was found. No energy is below it, whatever was rounded.
    """

    def __init__(self, crf: GridCRF, n_threads: int) -> None:
        shape, offsets = live_directions(crf)
        kind, reach, unit, table = _as_table(crf)
        lanes = PIXELS if shape[1] > 1 or shape[0] > 1 else 1
        self._lanes = (0,) * lanes
        n_chains, n_labels = len(offsets), crf.n_labels
        skew = 2 if any(dx * dy for _, dy, dx in offsets.values()) else 1
        n_bands, n_vectors = -(-shape[1] // lanes), shape[2] + skew * (lanes - 1)
        bands = shape[0] * n_bands
        seam_numbers = np.cumsum([dz == 0 and dy > 0 for dz, dy, _ in offsets.values()]) - 1
        sheet_numbers = np.cumsum([dz for dz, _, _ in offsets.values()]) - 1
        n_seams, n_sheets = int(seam_numbers[-1]) + 1, int(sheet_numbers[-1]) + 1
        seam_start = skew * (lanes - 1) + 1
        seam_length = n_vectors + seam_start + 2
        threads = min(n_threads, bands)
        size = work_size(n_labels, reach, n_chains, skew, lanes)
        size = -(-size // CACHE_LINE) * CACHE_LINE  # as many numbers as bytes: no two threads write to one line
        n_cells = bands * n_vectors * lanes
        n_sheet_cells = 2 * n_sheets * n_bands * (n_vectors + 2 * SHEET_MARGIN) * n_labels * lanes
        n_seam_cells = shape[0] * (n_bands + 1) * n_seams * seam_length * n_labels
        needed = n_cells * ((1 + n_chains) * n_labels + 2 * n_chains) + 2 * (n_seam_cells + n_sheet_cells)
        check_memory(4.0 * needed + 12.0 * threads * size, "the messages of the grid")
        self._brief = needed <= _BRIEF
        self._threads = 1 if self._brief else threads
        self.labels = np.zeros(crf.shape, np.int32)
        self._m = Messages(
            planes=aligned_zeros(n_cells * (1 + n_chains) * n_labels, np.float32),
            weights=aligned_zeros(n_cells * 2 * n_chains, np.float32),
            seams=aligned_zeros(n_seam_cells, np.float64),
            sheets=aligned_zeros(n_sheet_cells, np.float64),
            steps=np.array(
                [
                    (dz, dy, dx, 1, sheet) if dz else (dz, dy, dx, dx + skew * dy, seam)
                    for (dz, dy, dx), seam, sheet in zip(offsets.values(), seam_numbers, sheet_numbers, strict=True)
                ],
                np.int64,
            ).reshape(-1),
            order=_order(shape[0], n_bands, skew),
            progress=np.zeros(bands * LINE, np.int64),
            bounds=np.zeros(2 * bands),
            labels=self.labels.reshape(-1),
            depth=shape[0],
            height=shape[1],
            width=shape[2],
            n_labels=n_labels,
            n_chains=n_chains,
            skew=skew,
            n_bands=n_bands,
            n_vectors=n_vectors,
            seam_length=seam_length,
            seam_start=seam_start,
            n_seams=n_seams,
            n_sheets=n_sheets,
        )
        single, double = (
            Numbers(table.astype(kind_), np.full(1, 1 / n_chains, kind_), aligned_zeros(threads * size, kind_))
            for kind_ in (np.float32, np.float64)
        )
        self._model = Model(kind, reach, single, double, size)
        self._write(crf, offsets, unit, float(np.abs(table).max()))
        self._turn = 0
        self.bound = -np.inf
        self._whole = _is_whole(crf)
        self._run([FORWARD])

    def iterate(self, *, check: bool) -> None:
        """Run an iteration. If `check`, decode labels and find the bound."""
        if not check:
            self._run([BACKWARD, FORWARD])
            return
        self._run([CERTIFY, DECODE])
        total, size = self._m.bounds.reshape(-1, 2).sum(axis=0).tolist()
        # A term is the sum of some dozen numbers; terms are summed lane by lane, then band by band.
        n_terms = self._m.planes.size / self._m.n_labels
        longest = self._m.n_vectors * self._m.n_chains + self._m.bounds.size + len(self._lanes)
        rounding = 2.0**-52 * (32 * n_terms * self._largest + (longest + 2) * (size + abs(self._constant)))
        bound = (total + self._constant - self._error - rounding) / self._scale
        self.bound = max(self.bound, float(np.ceil(bound)) if self._whole else bound)

    def _run(self, plan: list[int]) -> None:
        """Run passes of these kinds."""
        arguments = (self._m, self._model, np.array(plan, np.int64), self._turn, self._lanes)
        self._turn += len(plan)
        run(passes, self._threads, new_sync(len(plan) + 1), *arguments, brief=self._brief)

    def _write(self, crf: GridCRF, offsets: dict[str, Offset], unit: float, dearest: float) -> None:
        """Write costs and weights, scaled, and find what rounding them can change in an energy.

        `unit` is a factor of all weights, `dearest` the largest size of an entry of the table.
        """
        unary = crf.flat_unary
        weights = [crf.finite_weights[name] if name else np.zeros(1) for name in offsets]
        heaviest = max(float(w.max()) for w in weights) * unit * dearest
        n_chains = len(offsets)
        # A label that is dearer than the best one by more than all edges of a pixel can cost is in no best labelling:
        # cut off there, its cost loses nothing, and its rounding does not spoil the bound.
        ceiling = np.inf
        if heaviest > 0:
            spread = 4.0 * n_chains * heaviest
            self._scale = power_of_two(spread)
            ceiling = float(np.nextafter(np.float32(spread * self._scale), np.float32(np.inf)))
        else:
            low, high = _finite_range(unary)
            self._scale = power_of_two(high - low)
        self._constant, size, self._error, largest = write_unary(self._m, unary, self._scale, ceiling, self._lanes)
        self._error += 2.0**-52 * (crf.shape[-1] + crf.unary[0].size / crf.shape[-1] + 2) * size
        self._largest = largest + 2 * n_chains * heaviest * self._scale
        for k, flat in enumerate(weights):
            exact = flat * np.float64(unit * self._scale if heaviest > 0 else 0)
            rounded = exact.astype(np.float32)
            write_weights(self._m, rounded, k, self._lanes)
            off = np.abs(exact - rounded)
            self._error += dearest * float(off.sum() if off.size > 1 else off[0] * crf.n_points)


def power_of_two(largest: float) -> float:
    """A power of two to multiply costs by: 1, unless the largest is too far from 1 for float32."""
    if largest > _LARGEST or 0 < largest < 1 / _LARGEST:
        return float(2.0 ** -np.ceil(np.log2(largest)))
    return 1.0


def _order(depth: int, n_bands: int, skew: int) -> np.ndarray:
    """Numbers of the bands of all slices, each after those that it waits for.

    A band waits for the one before it in its slice, and for its like in the slice before; if edges slant, for the one
    behind that, too.
    """
    z, band = np.divmod(np.arange(depth * n_bands), n_bands)
    return np.argsort(skew * z + band, kind="stable")


def live_directions(crf: GridCRF) -> tuple[tuple[int, ...], dict[str, Offset]]:
    """The shape as a volume, axes of length 1 moved to the front, and the offsets in it of directions that have edges.

    A single pixel gets one direction, without a name and without edges.
    """
    kept = [axis for axis, length in enumerate(crf.shape) if length > 1]
    offsets = {}
    for name, offset in crf.directions.items():
        if crf.weights[name].size:
            offsets[name] = (0,) * (3 - len(kept)) + tuple(offset[axis] for axis in kept)
    shape = (1,) * (3 - len(kept)) + tuple(crf.shape[axis] for axis in kept)
    return shape, offsets or {"": (0, 0, 1)}


def _as_table(crf: GridCRF) -> tuple[int, int, float, np.ndarray]:
    """Kind and reach of the compatibility, a factor of all weights, and the table (see the module `convolution`)."""
    mu, n_labels = crf.compatibility, crf.n_labels
    if isinstance(mu, Potts) and mu.weight >= 0:
        return POTTS, 0, mu.weight, np.ones(1)
    if isinstance(mu, TruncatedLinear) and mu.weight >= 0:
        return LINEAR, 0, mu.weight, np.array([min(mu.truncation, n_labels - 1.0)])
    if isinstance(mu, TruncatedQuadratic) and mu.weight >= 0:
        limit = min(mu.truncation, (n_labels - 1.0) ** 2)
        reach = int(np.count_nonzero(np.arange(1, n_labels) ** 2 < limit))
        return QUADRATIC, reach + (limit == (n_labels - 1.0) ** 2), mu.weight, np.array([limit])
    scale = power_of_two(float(np.abs(crf.cost).max()))
    if isinstance(mu, Diagonal) and np.min(mu.values) >= 0:
        return DIAGONAL, 0, 1 / scale, np.ascontiguousarray(-np.diag(crf.cost) * scale)
    return MATRIX, 0, 1 / scale, crf.cost.reshape(-1) * scale


def _finite_range(unary: np.ndarray) -> tuple[float, float]:
    """The least and the largest finite cost."""
    low, high = float(unary.min()), float(unary.max())
    return low, high if np.isfinite(high) else float(unary[np.isfinite(unary)].max())


def _is_whole(crf: GridCRF) -> bool:
    """Whether all costs are whole numbers, small enough for float64 to hold energies exactly."""
    arrays = [crf.unary, crf.cost, *(crf.finite_weights[name] for name in crf.weights)]
    for array in arrays:
        if array.dtype != np.int32:
            finite = array[np.isfinite(array)]
            if not np.array_equal(finite, np.rint(finite)) or (finite.size and np.abs(finite).max() > 2**31):
                return False
    return True
