"""Exact minimisation of 2-label grid energies by one minimum cut."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.graph_crf import GraphCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError, InputTypeError
from classicseg.machine.memory import writable_alias
from classicseg.machine.threads import resolve_threads
from classicseg.solvers.cut.kept import KeptCut
from classicseg.solvers.cut.on_graphs import minimum_of_graph
from classicseg.solvers.run import Callback, Run
from classicseg.types import Result

Region = slice | tuple[slice, ...]


def graph_cut(energy: GridCRF | GraphCRF, run: Run) -> Result:
    """Exact minimum of an energy of 2 labels by a minimum cut [1]_.

    The maximum flow is pushed in waves [2]_ on images, and along shortest paths [3]_ on lines, volumes and graphs.

    Parameters
    ----------
    energy : GridCRF or GraphCRF
        Of 2 labels, with ``cost[0, 0] + cost[1, 1] <= cost[0, 1] + cost[1, 0]`` (submodular).
    run : Run

    Returns
    -------
    Result
        ``energy`` is the minimum, and ``lower_bound`` equals it, if all costs are whole numbers, or multiples of one
        power of two such as 1/1024, and sum up to less than 2**50 of them. Other costs are cut again and again, each
        time to finer steps, until the bound is within 1e-10 of the energy or rounding in float64 hides the rest; the
        bound counts that. ``converged`` if the gap is at most 1e-9 times the larger of 1 and the energy. Where several
        labellings are best, the one with the fewest pixels of label 1 is returned. If forbidden labels and infinite
        weights leave no finite energy, energy and bound are infinite, and the labels are those with the fewest
        forbidden pixels.

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
    return minimum_of_graph(energy, run) if isinstance(energy, GraphCRF) else KeptCut(energy).minimum(run)


class GraphCut:
    """A minimum cut that can be solved again after unary costs changed, and keeps the flow that it found before.

    Parameters
    ----------
    energy : GridCRF
        As for the method ``"graph_cut"``.
    n_threads : int, optional
        Threads; results do not depend on it.

    Attributes
    ----------
    changed : tuple of slice or None
        After :meth:`solve`, the bounding box of the pixels whose label is another than after the solve before; None if
        no label is. The first solve changes all.

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
    >>> cut.set_unary([[[9]], [[0]]], region=np.s_[:, :1])  # only the first column
    >>> cut.solve().labels.tolist(), cut.changed
    ([[1, 1, 1, 1]], (slice(0, 1, None), slice(0, 1, None)))
    """

    def __init__(self, energy: GridCRF, *, n_threads: int | None = None) -> None:
        if not isinstance(energy, GridCRF):
            raise InputTypeError(f"energy must be a GridCRF, got {type(energy).__name__}")
        if reason := energy.reason_against_cut():
            raise InputError(f"graph_cut cannot minimise this energy: {reason}")
        self._threads = resolve_threads(n_threads)
        self._take(energy, energy.unary.copy())  # what the caller does to theirs must not matter
        self._cut: KeptCut | None = KeptCut(self._energy)
        self._known: np.ndarray | None = None  # holds the last labels
        self.changed: tuple[slice, ...] | None = None

    @property
    def energy(self) -> GridCRF:
        """The energy that the next :meth:`solve` minimises."""
        self._is_ours = False
        return self._energy

    def __repr__(self) -> str:
        return f"GraphCut({self._energy!r})"

    def __getstate__(self) -> dict[str, Any]:
        # The flow is soon found again.
        return {**vars(self), "_unary": None, "_is_ours": False, "_cut": None, "_known": None}

    def __deepcopy__(self, memo: dict[int, Any]) -> GraphCut:
        twin = object.__new__(type(self))
        vars(twin).update(vars(self), _energy=self.energy, _is_ours=False, _cut=copy.deepcopy(self._cut), _known=None)
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

    def _take(self, energy: GridCRF, unary: np.ndarray) -> None:
        """Let the energy be one of other costs, which nobody else holds."""
        self._energy, self._is_ours = _with_unary(energy, unary), True
        self._unary = writable_alias(self._energy.unary)

    def set_unary(self, unary: ArrayLike, region: Region | None = None, *, label_axis: int = 0) -> None:
        """Change the unary costs for the next :meth:`solve`: all of them, or those of a region.

        Parameters
        ----------
        unary : array_like, (2, *spatial), or with a region (2, *shape of the region)
        region : slice or tuple of slice, optional
            One for each spatial axis, as ``np.s_[10:18, 20:60]``. It takes the time of the region, not of the image,
            and so does the next :meth:`solve`, unless a large part of the image changes.
        label_axis : int

        Raises
        ------
        ValueError
            If the shape is not that of the energy or region, a value is NaN, or the region is no part of the grid.
        TypeError
            If the region is not made of slices.
        """
        old = self._energy
        box = None if region is None else inputs.as_region(region, old.shape)
        inside = old.mask if old.mask is None or box is None else old.mask[box]
        if inside is not None and not inside.any():
            return
        costs = inputs.as_costs(inputs.without_outside(unary, inside, label_axis, name="unary")[0], label_axis)
        shape = old.shape if box is None else tuple(side.stop - side.start for side in box)
        if costs.shape != (2, *shape):
            where = "" if box is None else " in this region"
            raise InputError(f"unary must have shape {(2, *shape)}{where}, got {costs.shape}")
        if box is None:
            self._set_all(costs.copy())
            return
        with np.errstate(over="ignore", invalid="ignore"):
            fitting = costs.astype(old.unary.dtype)
        if np.array_equal(fitting, costs) and not any(map(old.has_ties, old.directions)):
            self._set_within(box, fitting)
        else:  # costs need more digits than the others have, or say what infinite weights stand for
            changed = old.unary.astype(np.promote_types(old.unary.dtype, costs.dtype))
            changed[(slice(None), *box)] = costs
            self._set_all(changed)

    def _set_all(self, costs: np.ndarray) -> None:
        cut, self._cut = self._cut, None  # until it has all of the change: who is interrupted finds no half of it
        self._take(self._energy, costs)
        if cut is not None and cut.change(self._energy):
            self._cut = cut

    def _set_within(self, box: tuple[slice, ...], costs: np.ndarray) -> None:
        cut, self._cut = self._cut, None
        if not self._is_ours:
            self._take(self._energy, self._energy.unary.copy())
            if cut is not None:
                cut.use(self._energy)
        at = (slice(None), *box)
        before = self._unary[at].copy()
        self._unary[at] = costs
        if cut is not None and cut.change_within(box, before, costs):
            self._cut = cut

    def solve(self, *, out: np.ndarray | None = None, callback: Callback | None = None) -> Result:
        """Find the minimum.

        Parameters
        ----------
        out : ndarray, spatial shape, int32, optional
            Where to write the labels, which are those of the result then. If it was `out` the last time too, it must
            still hold those labels: only those that changed are written. To fill an array of all labels anew may take
            longer than the rest.
        callback : callable, optional
            Called once, with the result.

        Returns
        -------
        Result
            The labels are those of :func:`classicseg.minimize`, but for ties after a change of a region: where several
            labellings are best, it is one of them.

        Raises
        ------
        ValueError
            If `out` has another shape, or cannot be written to.
        TypeError
            If it is not an array of int32.
        """
        if out is not None:
            _check_out(out, self._energy.shape)
        run = Run("graph_cut", callback=callback, n_threads=self._threads, mask=self._energy.mask)
        cut = KeptCut(self._energy) if self._cut is None else self._cut
        knows = self._cut is not None and out is not None and out is self._known
        self._cut = self._known = None  # an interrupt leaves a flow that is none
        result = cut.minimum(run, out, knows=knows)
        cut.settle()
        if out is not None and self._energy.mask is not None:
            out[~self._energy.mask] = inputs.OUTSIDE
        self._cut, self._known = cut, out
        self.changed = None if cut.changed is None else cut.changed[3 - len(self._energy.shape) :]
        return result


def _check_out(out: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(out, np.ndarray) or out.dtype != np.int32:
        kind = f"an array of {out.dtype}" if isinstance(out, np.ndarray) else type(out).__name__
        raise InputTypeError(f"out must be an array of int32, got {kind}")
    if out.shape != shape or not out.flags.writeable:
        read_only = "" if out.flags.writeable else ", read-only"
        raise InputError(f"out must be an array of shape {shape} to write to, got shape {out.shape}{read_only}")


def _with_unary(energy: GridCRF, unary: np.ndarray) -> GridCRF:
    return GridCRF(unary, energy.compatibility, energy.weights, connectivity=energy.connectivity, mask=energy.mask)
