"""Move-making for many labels: each step solves a choice between two labels at every pixel by a minimum cut.

All moves are fusions of two labellings. An expansion of the label a fuses the current labelling with "a everywhere", a
swap of a and b fuses "a where it is a or b" with "b where it is a or b", and `fusion` takes any proposals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError
from classicseg.machine.threads import resolve_threads
from classicseg.solvers.cut.integers import as_integers
from classicseg.solvers.cut.network import Network
from classicseg.solvers.run import Callback, Watch
from classicseg.types import Result

_CYCLES = 100


def expansion(
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
    """Alpha-expansion: for one label after the other, every pixel may switch to it [1]_.

    Parameters
    ----------
    energy : GridCRF
        Any compatibility. If it is a metric, each move is the best one there is; otherwise pairs that no cut can
        express are made dearer, so that moves are weaker but still never raise the energy. Label costs are heeded
        [2]_: a move that would empty a label is tried as well.
    init : array_like of int, spatial shape, optional
        Labels to start from; by default the one label that is cheapest everywhere, which leads to lower energies than
        the noisy labels of least unary cost.
    max_iter : int, optional
        Largest number of cycles over all labels, 100 by default.
    tol : float, optional
        Stop when a cycle lowers the energy by less than this; 0 by default.
    callback : callable, optional
        Called as ``callback(state)`` after every cycle; returning True stops.
    rng
        Not used; labels are tried in their order.
    n_threads : int, optional
        Not used: a move is too short to share between threads.
    progress : bool
        Show a progress bar, if standard error is a terminal and tqdm is installed.

    Returns
    -------
    Result
        ``history`` has one row for each cycle; energies never rise. ``converged`` if no single expansion lowers the
        energy any more.

    Raises
    ------
    ValueError
        If `init` does not fit or an argument is out of its range.

    References
    ----------
    .. [1] Y. Boykov, O. Veksler, R. Zabih, "Fast approximate energy minimization via graph cuts", IEEE TPAMI 23(11),
       2001. doi:10.1109/34.969114
    .. [2] A. Delong, A. Osokin, H. Isack, Y. Boykov, "Fast approximate energy minimization with label costs", IJCV
       96(1), 2012. doi:10.1007/s11263-011-0437-z

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.array([[[0, 4, 0, 9, 9]], [[9, 5, 5, 5, 0]], [[5, 0, 5, 1, 1]]])
    >>> result = cs.minimize(cs.GridCRF(unary, cs.Potts(3)), "expansion")
    >>> result.labels.tolist(), result.energy
    ([[0, 0, 0, 2, 2]], 9.0)
    """
    moves = _Moves(energy, init, n_threads)
    watch = Watch("expansion", _cycles(max_iter), callback, progress)

    def cycle() -> bool:
        lowered = False
        for label in range(energy.n_labels):
            lowered |= moves.try_once(label, lambda label=label: moves.expand(label))  # type: ignore[misc]
        return lowered

    return _run(moves, watch, cycle, tol, "no expansion lowers the energy")


def swap(
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
    """Alpha-beta swap: for one pair of labels after the other, pixels of the two may exchange them [1]_.

    Parameters
    ----------
    energy : GridCRF
        Any compatibility; each move is the best one there is if equal labels cost no more than different ones.
    init, max_iter, tol, callback, rng, n_threads, progress
        As in :func:`expansion`; a cycle goes over all pairs of labels, those that are dearest together first.

    Returns
    -------
    Result
        As of :func:`expansion`.

    Raises
    ------
    ValueError
        If `init` does not fit or an argument is out of its range.

    References
    ----------
    .. [1] Y. Boykov, O. Veksler, R. Zabih, "Fast approximate energy minimization via graph cuts", IEEE TPAMI 23(11),
       2001. doi:10.1109/34.969114

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.array([[[0, 4, 0, 9, 9]], [[9, 5, 5, 5, 0]], [[5, 0, 5, 1, 1]]])
    >>> cs.minimize(cs.GridCRF(unary, cs.TruncatedQuadratic(3, truncation=2)), "swap").energy
    12.0
    """
    moves = _Moves(energy, init, n_threads)
    watch = Watch("swap", _cycles(max_iter), callback, progress)
    pairs = _farthest_first(energy.cost())

    def cycle() -> bool:
        lowered = False
        for pair in pairs:
            lowered |= moves.try_once(pair, lambda pair=pair: moves.swap(*pair))  # type: ignore[misc]
        return lowered

    return _run(moves, watch, cycle, tol, "no swap lowers the energy")


def fusion(
    energy: GridCRF,
    *,
    init: ArrayLike | None = None,
    max_iter: int | None = None,
    tol: float | None = None,
    callback: Callback | None = None,
    rng: Any = None,
    n_threads: int | None = None,
    progress: bool = False,
    proposals: Iterable[ArrayLike],
) -> Result:
    """Fusion moves: each pixel chooses between its label and that of a proposed labelling [1]_.

    Parameters
    ----------
    energy : GridCRF
        Any compatibility; see :func:`expansion` for pairs that no cut can express.
    init, callback, rng, n_threads, progress
        As in :func:`expansion`.
    max_iter : int, optional
        Largest number of cycles over all proposals, 100 by default.
    tol : float, optional
        Stop when a cycle lowers the energy by less than this; 0 by default.
    proposals : iterable of array_like of int, spatial shape
        Labellings from elsewhere: other solvers, other parameters, shifted or smoothed versions.

    Returns
    -------
    Result
        As of :func:`expansion`; the energy is at most that of `init`.

    Raises
    ------
    ValueError
        If a proposal or `init` does not fit.

    References
    ----------
    .. [1] V. Lempitsky, C. Rother, S. Roth, A. Blake, "Fusion moves for Markov random field optimization", IEEE TPAMI
       32(8), 2010. doi:10.1109/TPAMI.2009.143

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> crf = cs.GridCRF(np.random.default_rng(2).integers(0, 9, (3, 6, 6)), cs.Potts(4))
    >>> solutions = [cs.minimize(crf, method) for method in ("swap", "expansion")]
    >>> fused = cs.minimize(crf, "fusion", proposals=[solution.labels for solution in solutions])
    >>> fused.energy <= min(solution.energy for solution in solutions)
    True
    """
    checked = [inputs.as_labels(p, energy.shape, energy.n_labels, name="proposals") for p in proposals]
    if not checked:
        raise InputError("proposals must hold at least one labelling, got none")
    best = min(checked, key=energy.energy) if init is None else init
    moves = _Moves(energy, best, n_threads)
    watch = Watch("fusion", _cycles(max_iter), callback, progress)

    def cycle() -> bool:
        lowered = False
        for i, proposal in enumerate(checked):
            flat = proposal.reshape(-1)
            lowered |= moves.try_once(i, lambda flat=flat: moves.fuse(flat))  # type: ignore[misc]
        return lowered

    return _run(moves, watch, cycle, tol, "no fusion lowers the energy")


def _farthest_first(cost: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of labels, those of the dearest neighbours first.

    The order decides which minimum swaps end in. Coarse changes first: on stereo problems the energy ends 1 % (linear
    costs) and 50 % (quadratic costs) lower than with pairs in the order of the labels, in fewer cycles.
    """
    pairs = [(a, b) for a in range(len(cost)) for b in range(a + 1, len(cost))]
    return sorted(pairs, key=lambda pair: (-cost[pair] - cost[pair[::-1]], pair[0] - pair[1]))


def _cycles(max_iter: int | None) -> int:
    return _CYCLES if max_iter is None else inputs.as_count(max_iter, "max_iter", 0)


def _run(moves: _Moves, watch: Watch, cycle: Callable[[], bool], tol: float | None, settled: str) -> Result:
    """Repeat cycles until none of their moves lowers the energy."""
    enough = 0.0 if tol is None else inputs.as_weight(tol, "tol")
    if enough < 0:
        raise InputError(f"tol must be at least 0, got {tol!r}")
    while not watch.ended():
        before, energy = moves.labels().copy(), moves.energy()
        lowered = cycle()
        change = energy - moves.energy()
        if change < 0:  # by rounding: the energy in whole numbers fell
            moves.restart(before)
        watch.record(energy=moves.energy(), change=max(change, 0.0), labels=moves.labels)
        if not lowered or change < 0:
            watch.stop(f"{settled}, {moves.accuracy}", converged=True)
        elif change < enough and not watch.ended():
            watch.stop(f"the last cycle lowered the energy by {change:.3g}", converged=True)
    return watch.result(moves.labels(), energy=moves.energy())


def _cheapest(energy: GridCRF) -> np.ndarray:
    """The one label that is cheapest everywhere; where no label may be used everywhere, the cheapest of each pixel."""
    totals = energy.unary.reshape(energy.n_labels, -1).sum(axis=1, dtype=np.float64)
    if np.isinf(totals).all():
        return energy.unary.argmin(axis=0).astype(np.int32)
    return np.full(energy.shape, totals.argmin(), np.int32)


class _Moves:
    """A labelling, and the moves that change it if they lower its energy."""

    def __init__(self, energy: GridCRF, init: ArrayLike | None, n_threads: int | None) -> None:
        self._crf = energy
        resolve_threads(n_threads)  # checks it; a move is too short to share
        start = (
            _cheapest(energy)
            if init is None
            else inputs.as_labels(init, energy.shape, energy.n_labels, name="init").copy()
        )
        self._grid = as_integers(energy)
        self._network = Network(energy.shape, energy.connectivity)
        self._version = 0
        self._tried: dict[Any, int] = {}
        self.accuracy = self._grid.accuracy
        self.restart(start)

    def restart(self, labels: np.ndarray) -> None:
        """Go on from another labelling."""
        self._labels = labels.reshape(-1)
        self._energy: float | None = None

    def labels(self) -> np.ndarray:
        """The labelling, in the spatial shape."""
        return self._labels.reshape(self._crf.shape)

    def energy(self) -> float:
        """Energy of the labelling."""
        if self._energy is None:
            self._energy = self._crf.energy(self.labels())
        return self._energy

    def try_once(self, name: Any, move: Callable[[], bool]) -> bool:
        """Make a move, unless nothing has changed since it was last tried; returns whether it lowered the energy."""
        if self._tried.get(name) == self._version:
            return False
        lowered = move()
        self._tried[name] = self._version
        return lowered

    def expand(self, label: int) -> bool:
        """Let every pixel switch to `label`."""
        lowered = self.fuse(np.full(1, label, np.int32))
        costs = self._crf.label_costs
        if costs is not None:
            for other in np.flatnonzero(np.bincount(self._labels, minlength=costs.size)).tolist():
                if other != label and costs[other] > 0:
                    lowered |= self._replace(other, label)
        return lowered

    def swap(self, a: int, b: int) -> bool:
        """Let pixels of the labels a and b exchange them."""
        either = (self._labels == a) | (self._labels == b)
        if not either.any():
            return False
        zero, one = (np.where(either, np.int32(label), self._labels) for label in (a, b))
        return self._choose(zero, one, test=True)

    def fuse(self, one: np.ndarray) -> bool:
        """Let every pixel switch to its label of `one`, (n,) or (1,).

        A cut chooses 1 only where that lowers the energy: if it chooses any, no test is needed.
        """
        return self._choose(self._labels, one, test=self._crf.label_costs is not None)

    def _replace(self, gone: int, label: int) -> bool:
        """Let every pixel switch to `label`, and make those of the label `gone` do so."""
        zero = np.where(self._labels == gone, np.int32(label), self._labels)
        return self._choose(zero, np.full(1, label, np.int32), test=True)

    def _choose(self, zero: np.ndarray, one: np.ndarray, *, test: bool) -> bool:
        """Make the best choice between two labellings; if `test`, keep it only if it lowers the energy."""
        chosen = self._labels.copy()
        self._network.fill(self._grid, zero, one)
        self._network.solve(1)
        if self._network.read(chosen, zero, one) == 0:
            return False
        if test:
            energy = self._crf.energy(chosen.reshape(self._crf.shape))
            if energy >= self.energy():
                return False
        self._labels, self._energy = chosen, energy if test else None
        self._version += 1
        return True
