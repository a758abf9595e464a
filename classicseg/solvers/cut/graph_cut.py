"""Exact minimisation of 2-label grid energies by one minimum cut."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError, InputTypeError
from classicseg.machine.threads import resolve_threads
from classicseg.solvers.cut.integers import IntegerGrid, as_integers, with_unary
from classicseg.solvers.cut.network import Network
from classicseg.solvers.run import Callback, Run
from classicseg.types import Result

_ZERO, _ONE = np.zeros(1, np.int32), np.ones(1, np.int32)


def graph_cut(energy: GridCRF, run: Run) -> Result:
    """Exact minimum of an energy of 2 labels by a minimum cut [1]_.

    The maximum flow is pushed in waves [2]_ on images, and along shortest paths [3]_ on lines and volumes.

    Parameters
    ----------
    energy : GridCRF
        Of 2 labels, with ``cost[0, 0] + cost[1, 1] <= cost[0, 1] + cost[1, 0]`` (submodular).
    run : Run

    Returns
    -------
    Result
        ``energy`` is the minimum, and ``lower_bound`` equals it, if all costs are whole numbers; else the bound says
        how far rounding to 32 bits can be off. Where several labellings are best, the one with the fewest pixels of
        label 1 is returned.

    References
    ----------
    .. [1] Y. Boykov, V. Kolmogorov, "An experimental comparison of min-cut/max-flow algorithms for energy minimization
       in vision", IEEE TPAMI 26(9), 2004. doi:10.1109/TPAMI.2004.60
    .. [2] A. V. Goldberg, R. E. Tarjan, "A new approach to the maximum-flow problem", Journal of the ACM 35(4), 1988.
       doi:10.1145/48014.61051
    .. [3] A. Goldberg et al., "Maximum flows by incremental breadth-first search", ESA 2011.
       doi:10.1007/978-3-642-23719-5_39

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.array([[[0, 4, 0, 9]], [[3, 0, 5, 0]]])
    >>> result = cs.minimize(cs.GridCRF(unary, cs.Potts(3)), "graph_cut")
    >>> result.labels.tolist(), result.energy, result.gap
    ([[0, 0, 0, 1]], 7.0, 0.0)
    """
    grid = as_integers(energy)
    network = Network(energy.shape, energy.directions)
    network.fill(grid, _ZERO, _ONE)
    network.solve(run.n_threads)
    return _result(energy, run, grid, network)


class GraphCut:
    """A minimum cut that can be solved again after unary costs changed, and keeps the flow that it found before.

    Parameters
    ----------
    energy : GridCRF
        As for the method ``"graph_cut"``.
    n_threads : int, optional
        Threads; results do not depend on it.

    Raises
    ------
    ValueError
        If the energy has not 2 labels, has label costs, or is not submodular.
    TypeError
        If it is not a GridCRF.

    References
    ----------
    .. [1] P. Kohli, P. Torr, "Dynamic graph cuts for efficient inference in Markov random fields", IEEE TPAMI 29(12),
       2007. doi:10.1109/TPAMI.2007.1128

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.array([[[0, 4, 0, 9]], [[3, 0, 5, 0]]])
    >>> cut = cs.GraphCut(cs.GridCRF(unary, cs.Potts(3)))
    >>> cut.solve().labels.tolist()
    [[0, 0, 0, 1]]
    >>> unary[0, 0, 1] = np.iinfo(np.int16).max  # a user says: this pixel is 1
    >>> cut.set_unary(unary)
    >>> cut.solve().labels.tolist()
    [[0, 1, 1, 1]]
    """

    def __init__(self, energy: GridCRF, *, n_threads: int | None = None) -> None:
        if not isinstance(energy, GridCRF):
            raise InputTypeError(f"energy must be a GridCRF, got {type(energy).__name__}")
        if reason := energy.reason_against_cut():
            raise InputError(f"graph_cut cannot minimise this energy: {reason}")
        self._threads = resolve_threads(n_threads)
        self._build(energy)

    @property
    def energy(self) -> GridCRF:
        """The energy that the next :meth:`solve` minimises."""
        return self._energy

    def _build(self, energy: GridCRF) -> None:
        self._energy = _with_unary(energy, energy.unary.copy())  # what the caller does to theirs must not matter
        self._grid = as_integers(self._energy)
        self._network = Network(energy.shape, energy.directions)
        self._network.fill(self._grid, _ZERO, _ONE)

    def set_unary(self, unary: ArrayLike, *, label_axis: int = 0) -> None:
        """Change the unary costs for the next :meth:`solve`.

        Parameters
        ----------
        unary : array_like, (2, *spatial)
        label_axis : int

        Raises
        ------
        ValueError
            If the shape is not that of the energy, or a value is NaN.
        """
        old = self._energy
        costs = inputs.as_costs(unary, label_axis)
        if costs.shape != old.unary.shape:
            raise InputError(f"unary must have shape {old.unary.shape}, got {costs.shape}")
        grid = with_unary(self._grid, costs.reshape(2, -1).copy())
        if grid is None:
            self._build(_with_unary(old, costs))
            return
        self._network.change_unary(self._grid.unary, grid.unary)
        self._grid, self._energy = grid, _with_unary(old, costs.copy())

    def solve(self, *, callback: Callback | None = None) -> Result:
        """Find the minimum.

        Parameters
        ----------
        callback : callable, optional
            Called once, with the result.

        Returns
        -------
        Result
        """
        run = Run("graph_cut", callback=callback, n_threads=self._threads)
        self._network.solve(run.n_threads)
        return _result(self._energy, run, self._grid, self._network)


def _with_unary(energy: GridCRF, unary: np.ndarray) -> GridCRF:
    return GridCRF(unary, energy.compatibility, energy.weights, connectivity=energy.connectivity)


def _result(energy: GridCRF, run: Run, grid: IntegerGrid, network: Network) -> Result:
    labels = np.empty(energy.shape, np.int32)
    network.read(labels.reshape(-1), _ZERO, _ONE)
    value = energy.energy(labels)
    bound = value - 2 * grid.error
    run.record(energy=value, lower_bound=bound, labels=lambda: labels)
    run.stop(f"minimum found {grid.accuracy}", converged=True)
    return run.result(labels, energy=value, lower_bound=bound)
