"""Exact minimisation of 2-label grid energies by one minimum cut."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError, InputTypeError
from classicseg.machine.threads import resolve_threads
from classicseg.solvers.cut.integers import as_integers, with_unary
from classicseg.solvers.cut.network import Network
from classicseg.solvers.cut.remainders import ENOUGH, GAP, RealCut, excess_of, rounding_of_energy, write_choice
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
        ``energy`` is the minimum, and ``lower_bound`` equals it, if all costs are whole numbers that sum up to less
        than 2**50. Real costs are cut again and again, each time to finer steps, until the bound is within 1e-10 of the
        energy or rounding in float64 hides the rest; the bound counts that. ``converged`` if the gap is at most 1e-9
        times the larger of 1 and the energy. Where several labellings are best, the one with the fewest pixels of
        label 1 is returned. If forbidden labels and infinite weights leave no finite energy, energy and bound are
        infinite, and the labels are those with the fewest forbidden pixels.

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
    return _Cut(energy).minimum(run)


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

    def __getstate__(self) -> dict[str, Any]:
        return {"_energy": self._energy, "_threads": self._threads, "_cut": None}  # the flow is soon found again

    def __deepcopy__(self, memo: dict[int, Any]) -> GraphCut:
        twin = object.__new__(type(self))
        vars(twin).update(_energy=self._energy, _threads=self._threads, _cut=copy.deepcopy(self._cut))
        return twin

    def copy(self) -> GraphCut:
        """The same cut with a flow of its own, to try changes on; also what the module :mod:`copy` makes.

        A pickle holds the energy only, and the first :meth:`solve` of what is read from it begins anew.

        Returns
        -------
        GraphCut

        Examples
        --------
        >>> import numpy as np, classicseg as cs
        >>> cut = cs.GraphCut(cs.GridCRF(np.array([[[0, 4, 0, 9]], [[3, 0, 5, 0]]]), cs.Potts(3)))
        >>> trial = cut.copy()
        >>> trial.set_unary(np.array([[[0, 0, 0, 0]], [[9, 9, 9, 9]]]))
        >>> trial.solve().energy, cut.solve().energy
        (0.0, 7.0)
        """
        return self.__deepcopy__({})

    __copy__ = copy

    def _build(self, energy: GridCRF) -> None:
        self._energy = _with_unary(energy, energy.unary.copy())  # what the caller does to theirs must not matter
        self._cut: _Cut | None = _Cut(self._energy)

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
        costs = inputs.as_costs(inputs.without_outside(unary, old.mask, label_axis, name="unary")[0], label_axis)
        if costs.shape != old.unary.shape:
            raise InputError(f"unary must have shape {old.unary.shape}, got {costs.shape}")
        cut, self._energy = self._cut, _with_unary(old, costs.copy())
        self._cut = None  # until it has all of the change: who is interrupted finds no half of it
        if cut is not None and cut.change(self._energy):
            self._cut = cut

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
        run = Run("graph_cut", callback=callback, n_threads=self._threads, mask=self._energy.mask)
        cut = _Cut(self._energy) if self._cut is None else self._cut
        self._cut = None  # an interrupt leaves a flow that is none
        result = cut.minimum(run)
        self._cut = cut
        return result


class _Cut:
    """The network of an energy: in whole numbers if that is exact, else of what is left of real capacities."""

    def __init__(self, energy: GridCRF) -> None:
        self._energy = energy
        self._grid = as_integers(energy)
        self._network = Network(energy.shape, energy.directions)
        self._real: RealCut | None = None
        if self._grid is not None:
            self._network.fill(self._grid, _ZERO, _ONE)
        else:
            self._real = RealCut(self._network)
            write_choice(self._real, energy, _ZERO, _ONE)

    def change(self, energy: GridCRF) -> bool:
        """Take an energy of other unary costs, and keep the flow; returns whether that was possible."""
        if self._real is not None:
            # Numbers that stand for infinite weights may have changed.
            if any(map(energy.has_ties, energy.directions)) or not self._real.change(excess_of(energy, _ZERO, _ONE)):
                return False
        else:
            assert self._grid is not None
            grid = with_unary(self._grid, energy.flat_unary.reshape(2, -1))
            if grid is None:
                return False
            self._network.change_unary(self._grid, grid)
            self._grid = grid
        self._energy = energy
        return True

    def minimum(self, run: Run) -> Result:
        """Find the minimum, and record it."""
        energy, real = self._energy, self._real
        if real is None:
            self._network.solve(run.n_threads)
        else:
            real.solve(run.n_threads, lambda: ENOUGH * _size(energy.energy(self._labels())))
        labels = self._labels()
        value = energy.energy(labels)
        exact = real is None or np.isinf(value)  # where nothing is finite, rounds go on until nothing is left
        loss = 0.0 if exact or real is None else real.loss + real.error + rounding_of_energy(energy, labels)
        how = "in exact whole numbers" if loss == 0 else f"within {loss:.3g}"
        run.record(energy=value, lower_bound=value - loss, labels=lambda: labels)
        run.stop(f"minimum found {how}", converged=loss <= GAP * max(1.0, abs(value)))
        return run.result(labels, energy=value, lower_bound=value - loss)

    def _labels(self) -> np.ndarray:
        return self._network.sides[0].astype(np.int32).reshape(self._energy.shape)


def _size(value: float) -> float:
    return abs(value) if np.isfinite(value) else 0.0


def _with_unary(energy: GridCRF, unary: np.ndarray) -> GridCRF:
    return GridCRF(unary, energy.compatibility, energy.weights, connectivity=energy.connectivity, mask=energy.mask)
