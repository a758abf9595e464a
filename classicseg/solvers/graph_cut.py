"""Exact minimisation of 2-label grid energies by one minimum cut."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import _validate
from classicseg._jit import resolve_threads, writable_alias
from classicseg.energies.grid import directions
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError, InputTypeError
from classicseg.kernels.grid.network import change_excess
from classicseg.solvers._integers import IntegerGrid, as_integers, rounded_like
from classicseg.solvers._network import Network
from classicseg.solvers._watch import Callback, Watch
from classicseg.types import Result

_ZERO, _ONE = np.zeros(1, np.int32), np.ones(1, np.int32)


def graph_cut(
    energy: GridCRF,
    *,
    init: ArrayLike | None = None,
    max_iter: int | None = None,
    tol: float | None = None,
    callback: Callback | None = None,
    rng: Any = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> Result:
    """Exact minimum of an energy of 2 labels by a minimum cut [1]_, found by incremental breadth-first search [2]_.

    Parameters
    ----------
    energy : GridCRF
        Of 2 labels, with ``cost[0, 0] + cost[1, 1] <= cost[0, 1] + cost[1, 0]`` (submodular).
    init, max_iter, tol, rng
        Not used: there is nothing to start from, to stop early or to draw.
    callback : callable, optional
        Called once, with the result.
    n_threads : int, optional
        Threads; the result does not depend on it.
    progress : bool
        Not used.

    Returns
    -------
    Result
        ``energy`` is the minimum, and ``lower_bound`` equals it, if all costs are whole numbers; else the bound says
        how far rounding to 32 bits can be off. Where several labellings are best, the one with the fewest pixels of
        label 1 is returned.

    Raises
    ------
    ValueError
        If the compatibility is not submodular.

    References
    ----------
    .. [1] Y. Boykov, V. Kolmogorov, "An experimental comparison of min-cut/max-flow algorithms for energy minimization
       in vision", IEEE TPAMI 26(9), 2004. doi:10.1109/TPAMI.2004.60
    .. [2] A. Goldberg et al., "Maximum flows by incremental breadth-first search", ESA 2011.
       doi:10.1007/978-3-642-23719-5_39

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.array([[[0, 5, 0, 9]], [[3, 0, 3, 0]]])
    >>> result = cs.minimize(cs.GridCRF(unary, cs.Potts(3)), "graph_cut")
    >>> result.labels.tolist(), result.energy, result.gap
    ([[0, 0, 0, 1]], 8.0, 0.0)
    """
    return GraphCut(energy, n_threads=n_threads).solve(callback=callback)


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
    >>> unary = np.array([[[0, 5, 0, 9]], [[3, 0, 3, 0]]])
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
        if reason := reason_against(energy):
            raise InputError(f"graph_cut cannot minimise this energy: {reason}")
        self._threads = resolve_threads(n_threads)
        self._start = time.perf_counter()
        self._build(energy)

    @property
    def energy(self) -> GridCRF:
        """The energy that the next :meth:`solve` minimises."""
        return self._energy

    def _build(self, energy: GridCRF) -> None:
        self._energy = energy
        self._grid: IntegerGrid = as_integers(energy)
        self._network = Network(energy.shape, energy.connectivity)
        self._resumed = False
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
        costs = _validate.as_costs(unary, label_axis)
        if costs.shape != old.unary.shape:
            raise InputError(f"unary must have shape {old.unary.shape}, got {costs.shape}")
        changed = GridCRF(costs, old.compatibility, old.weights, connectivity=old.connectivity)
        rounded = rounded_like(self._grid, costs.reshape(2, -1))
        if rounded is None:  # the new costs need another scale
            self._build(changed)
            return
        net = self._network
        before, after = (writable_alias(costs.reshape(-1)) for costs in (self._grid.unary, rounded))
        change_excess(net.g, *net.frame, before, after, net.pairs)
        self._grid = IntegerGrid(
            rounded, self._grid.cost, self._grid.weights, self._grid.scale, self._grid.exact, self._grid.error
        )
        self._energy = changed

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
        watch = Watch("graph_cut", 1, callback, progress=False)
        self._network.solve(self._threads, resumed=self._resumed)
        self._resumed = True
        labels = np.empty(self._energy.shape, np.int32)
        self._network.read(labels.reshape(-1), _ZERO, _ONE)
        energy = self._energy.energy(labels)
        bound = energy - 2 * self._grid.error
        watch.record(energy=energy, lower_bound=bound, labels=lambda: labels)
        watch.stop(f"minimum found {self._grid.accuracy}", converged=True)
        return watch.result(labels, energy=energy, lower_bound=bound)


def reason_against(energy: GridCRF) -> str | None:
    """Why a minimum cut cannot minimise the energy, or None if it can."""
    if energy.n_labels != 2:
        return f"it serves 2 labels, got {energy.n_labels}"
    if energy.label_costs is not None:
        return "it knows no label costs"
    cost = energy.cost()
    together, apart = cost[0, 0] + cost[1, 1], cost[0, 1] + cost[1, 0]
    if together > apart:
        for name in directions(len(energy.shape), energy.connectivity):
            weights = energy.weights[name]
            if weights.size and weights.max() > 0:
                where = np.unravel_index(int(weights.argmax()), weights.shape)
                place = ", ".join(str(int(i)) for i in where)
                return (
                    f"the edge {name!r} at ({place}) is not submodular: cost[0, 0] + cost[1, 1] = {together:g} is more "
                    f"than cost[0, 1] + cost[1, 0] = {apart:g}"
                )
    return None
