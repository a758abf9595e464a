"""The state of tree-reweighted message passing on a grid: memory, passes, bound, labels."""

from __future__ import annotations

import math

import numpy as np

from classicseg.energies.grid import edge_shape
from classicseg.energies.grid_crf import GridCRF
from classicseg.kernels.messages.memory import write_unary, write_weights
from classicseg.kernels.messages.trws import BACKWARD, CERTIFY, DECODE, FORWARD, passes
from classicseg.machine.memory import aligned_zeros, check_memory
from classicseg.machine.parallel import new_sync, run
from classicseg.solvers.messages.costs import Scale, Table, sums_of_rows
from classicseg.solvers.messages.layout import Layout, live_directions

_BRIEF = 2**22  # numbers in memory; a pass over fewer takes a moment, and is no faster on several threads


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
        shape, offsets = live_directions(crf.shape, crf.directions)
        table, layout = Table.of(crf.compatibility, crf.n_labels), Layout(shape, offsets, crf.n_labels)
        threads = min(n_threads, layout.n_bands)
        n_planes, n_weights = layout.n_bands * layout.planes_of_band, layout.n_bands * layout.weights_of_band
        needed = n_planes + n_weights + 2 * (layout.all_seams + layout.all_sheets)
        check_memory(4.0 * needed + 12.0 * threads * layout.work_size(table.reach), "the messages of the grid")
        self._brief = needed <= _BRIEF
        self._threads = 1 if self._brief else threads
        self.labels = np.zeros(crf.shape, np.int32)
        self._layout, self._shape, self._model = layout, crf.shape, table.model(layout, threads)
        self._m = layout.messages(
            planes=aligned_zeros(n_planes, np.float32),
            weights=aligned_zeros(n_weights, np.float32),
            seams=aligned_zeros(layout.all_seams, np.float64),
            sheets=aligned_zeros(layout.all_sheets, np.float64),
            labels=self.labels.reshape(-1),
            order=layout.order,
        )
        weights = [crf.finite_weights[name] if name else np.zeros(1) for name in offsets]
        heaviest = max(float(w.max()) for w in weights)
        self._scale = Scale(table, heaviest, layout.n_chains, lambda: _finite_range(crf.flat_unary))
        write_unary(self._m, crf.flat_unary, self._scale.factor, self._scale.ceiling, self._scale.sums, layout.lanes)
        self._off = []
        for k, (name, flat) in enumerate(zip(offsets, weights, strict=True)):
            rounded, off = self._scale.weights(flat)
            write_weights(self._m, rounded, k, 0, shape[0] * shape[1], layout.lanes)
            of_edges = edge_shape(crf.shape, crf.directions[name]) if name else (0,)
            if off.size < (n_edges := math.prod(of_edges)):
                self._off.append(float(off[0]) * n_edges)
            elif name:
                self._off.append(math.fsum(sums_of_rows(off.reshape(of_edges)).tolist()))
        self._turn = 0
        self.bound = -np.inf
        self._whole = all(map(are_whole, (crf.unary, crf.cost, *(crf.finite_weights[name] for name in crf.weights))))
        self._run([FORWARD])

    def iterate(self, *, check: bool) -> None:
        """Run an iteration. If `check`, decode labels and find the bound."""
        if not check:
            self._run([BACKWARD, FORWARD])
            return
        self._run([CERTIFY, DECODE])
        bound = self._scale.bound(self._layout, self._m.bounds, self._off, self._shape, whole=self._whole)
        self.bound = max(self.bound, bound)

    def _run(self, plan: list[int]) -> None:
        """Run passes of these kinds."""
        arguments = (self._m, self._model, np.array(plan, np.int64), self._turn, self._layout.lanes)
        self._turn += len(plan)
        run(passes, self._threads, new_sync(len(plan) + 1), *arguments, brief=self._brief)


def _finite_range(unary: np.ndarray) -> tuple[float, float]:
    """The least and the largest finite cost."""
    low, high = float(unary.min()), float(unary.max())
    return low, high if np.isfinite(high) else float(unary[np.isfinite(unary)].max())


def are_whole(array: np.ndarray) -> bool:
    """Whether all costs or weights are whole numbers, small enough for float64 to hold energies exactly."""
    if array.dtype == np.int32:
        return True
    finite = array[np.isfinite(array)]
    return np.array_equal(finite, np.rint(finite)) and not (finite.size and np.abs(finite).max() > 2**31)
