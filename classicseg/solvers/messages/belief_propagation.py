"""Loopy belief propagation: neighbours tell each other what their labels would cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from classicseg import inputs
from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError
from classicseg.kernels.messages.belief import beliefs, decode, send_by_colour, send_in_raster_order
from classicseg.kernels.messages.graph_residual import send_by_residual
from classicseg.kernels.sites.graph import Graph
from classicseg.kernels.sites.neighbours import Field
from classicseg.machine.memory import check_memory
from classicseg.solvers.run import Run
from classicseg.solvers.sites.layout import as_field, gibbs, label_major, n_rows, sweep
from classicseg.types import Result

_COLDEST = 1e-100  # temperature other than 0: what is divided by it stays finite
_ON_GRIDS = {"raster": send_in_raster_order, "colours": send_by_colour}
_ON_GRAPHS = {"raster": send_in_raster_order, "residual": send_by_residual}


def belief_propagation(
    energy: GridCRF | GraphCRF,
    run: Run,
    *,
    temperature: float = 0.0,
    damping: float = 0.0,
    schedule: str = "raster",
) -> Result:
    """Belief propagation: exact on chains and trees [1]_, a heuristic without guarantee where there are loops [2]_.

    Parameters
    ----------
    energy : GridCRF or GraphCRF
        Any compatibility or tables, no label costs.
    run : Run
        ``max_iter``: largest number of iterations, 50 by default; each sends two messages over every edge, one each
        way. ``tol``: stop when no entry of a message changes by more; by default a millionth of the dearest edge,
        or of what labels of a pixel differ by at most, if that is less.
        Raster order and residuals use one thread.
    temperature : float
        0 looks for the labelling of least energy (min-sum). From 1e-100 on, marginals of ``exp(-energy / temperature)``
        are sought (sum-product).
    damping : float
        In [0, 1): weight of the old message in the new one. Helps where messages oscillate.
    schedule : {"raster", "colours", "residual"}
        Order of the messages: forward from the first pixel to the last and back, which solves a chain in one
        iteration, or one colour of pixels after the other, as on a checkerboard [3]_, on all threads. On graphs:
        in the order of their numbers, or always the message that changes most [4]_. That takes longer, and converges
        on more graphs.

    Returns
    -------
    Result
        Sum-product: ``marginals``, and the most probable label of each pixel. Min-sum: the best labelling of all
        iterations; minus the logarithms of its ``marginals`` are the min-marginals, up to a constant for each pixel.
        ``history`` holds the energy of the labelling of each iteration and the largest change of a message.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    References
    ----------
    .. [1] J. Pearl, "Probabilistic reasoning in intelligent systems", Morgan Kaufmann, 1988.
    .. [2] R. Szeliski et al., "A comparative study of energy minimization methods for Markov random fields with
       smoothness-based priors", IEEE TPAMI 30(6), 2008. doi:10.1109/TPAMI.2007.70844
    .. [3] P. Felzenszwalb, D. Huttenlocher, "Efficient belief propagation for early vision", IJCV 70(1), 2006.
       doi:10.1007/s11263-006-7899-4
    .. [4] G. Elidan, I. McGraw, D. Koller, "Residual belief propagation: informed scheduling for asynchronous message
       passing", UAI 2006.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> chain = cs.GridCRF([[0, 4, 0, 9, 9], [9, 5, 5, 5, 0], [5, 0, 5, 1, 1]], cs.Potts(3))
    >>> result = cs.minimize(chain, "belief_propagation")
    >>> result.labels.tolist(), result.energy, result.n_iter
    ([0, 0, 0, 2, 2], 9.0, 2)
    """
    temperature = inputs.as_weight(temperature, "temperature", at_least=0)
    if 0 < temperature < _COLDEST:
        raise InputError(f"temperature must be 0 or at least {_COLDEST:g}, got {temperature:g}")
    damping = inputs.as_weight(damping, "damping", at_least=0, below=1)
    schedules = _ON_GRAPHS if isinstance(energy, GraphCRF) else _ON_GRIDS
    send = schedules[inputs.choice(schedule, "schedule", tuple(schedules))]
    messages = _Messages(energy, run.n_threads)
    limit = 1e-6 * messages.largest() if run.tol is None else run.tol
    labels = np.empty(energy.shape, np.int32)
    messages.read(labels, temperature)
    value = least = energy.energy(labels)
    best = labels.copy()
    while not run.ended:
        change = messages.send(send, temperature, damping)
        messages.read(labels, temperature)
        value = energy.energy(labels)
        if value < least:
            best, least = labels.copy(), value
        run.record(
            energy=value, change=change, labels=lambda: labels, marginals=lambda: messages.marginals(temperature)
        )
        if change <= limit:
            run.stop(f"messages changed by at most {change:.3g}", converged=True)
    if temperature == 0:
        labels, value = best, least
    return run.result(labels, energy=value, marginals=messages.marginals(temperature))


class _Messages:
    """The messages of a grid or a graph, both ways over each edge."""

    def __init__(self, energy: GridCRF | GraphCRF, n_threads: int) -> None:
        self._crf, self._threads = energy, n_threads
        self._field: Field | Graph = as_field(energy)
        check_memory(16 * self._field.weights.size * energy.n_labels, "the messages")
        shape = (*self._field.weights.shape, energy.n_labels)
        self._later, self._earlier = np.zeros(shape), np.zeros(shape)
        self._changes = np.zeros(n_rows(self._field))

    def largest(self) -> float:
        """The dearest edge, which no entry of a min-sum message exceeds, or the largest difference of unary costs."""
        unary = self._crf.unary.astype(np.float64)
        if isinstance(self._field, Graph):
            tables = self._field.tables.reshape(-1, self._crf.n_labels**2)
            edge = float(np.ptp(tables, axis=1).max(initial=0)) * float(np.abs(self._field.weights).max(initial=0))
        else:
            edge = float(np.ptp(self._field.by_first)) * float(self._field.weights.max(initial=0.0))
        spread = float((unary - unary.min(axis=0)).max(initial=0, where=np.isfinite(unary)))
        return min(edge, spread) if spread > 0 else edge

    def send(self, order: Any, temperature: float, damping: float) -> float:
        """One iteration; returns the largest change."""
        self._changes[:] = 0
        threads = 1 if order is send_in_raster_order else self._threads
        sweep(order, self._field, threads, self._later, self._earlier, temperature, damping, self._changes)
        return float(self._changes.max())

    def beliefs(self) -> np.ndarray:
        """Cost of each label at each pixel or node, (n, L), by all that it was told."""
        out = np.empty((self._crf.unary[0].size, self._crf.n_labels))
        sweep(beliefs, self._field, self._threads, self._later, self._earlier, out)
        return out

    def marginals(self, temperature: float) -> np.ndarray:
        """Beliefs as probabilities, (L, *spatial)."""
        return label_major(gibbs(self.beliefs(), temperature or 1.0), self._crf)

    def read(self, labels: np.ndarray, temperature: float) -> None:
        """Fill in the labelling that the messages speak for."""
        if temperature > 0:
            labels[...] = self.beliefs().argmin(axis=1).reshape(labels.shape)
        else:
            written = labels.reshape(-1)
            if isinstance(self._field, Graph):
                told = self._earlier.reshape(-1)
                sweep(decode, self._field, 1, self._field.unary, told, self._crf.n_labels, written, (0,))
            else:
                sweep(decode, self._field, 1, self._earlier, written)
