"""Mean-field inference: all pixels of a dense CRF at once, and the entry for grid CRFs.

The marginals Q of independent pixels that are closest to the CRF, in the Kullback-Leibler sense, satisfy
``log Q = -unary - sum_k w_k mu_k K_k Q`` up to a constant for each pixel. Both solvers here iterate that equation at
all pixels at once; they differ in what they do when the iteration overshoots.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from classicseg import inputs
from classicseg.energies.dense_crf import DenseCRF
from classicseg.energies.grid_crf import GridCRF
from classicseg.errors import InputError
from classicseg.filters.bank import parts_of, zero_rows
from classicseg.kernels.dense.mean_field import free_energy, infer, step
from classicseg.machine.memory import writable_alias
from classicseg.machine.parallel import new_sync, run
from classicseg.machine.simd import lanes_for
from classicseg.machine.threads import resolve_threads
from classicseg.solvers.run import Callback, Watch
from classicseg.solvers.sites.mean_field import run_on_grid
from classicseg.types import Result

_MAX_BACKTRACKS = 12
_SWEEPS_OF_GRIDS = 100
_SLACK = 1e-6  # relative rounding error of a free energy in float32


def mean_field(
    energy: DenseCRF | GridCRF,
    *,
    init: ArrayLike | None = None,
    max_iter: int | None = None,
    tol: float | None = None,
    callback: Callback | None = None,
    rng: Any = None,
    n_threads: int | None = None,
    progress: bool = False,
    damping: float = 0.0,
    track: bool = False,
) -> Result:
    """Mean field: of a dense CRF with parallel updates [1]_, of a grid CRF with updates in turn [2]_.

    On a grid neighbours never change at the same time, so each update is the best one there is and the free energy
    never rises.

    Parameters
    ----------
    energy : DenseCRF or GridCRF
        A grid with any compatibility, but no label costs.
    init : array_like, (L, *spatial), optional
        Marginals to start from; ``softmax(-unary)`` if None.
    max_iter : int, optional
        Number of updates of all pixels, by default 10 of a dense CRF, at most 100 of a grid; 0 gives the start.
    tol : float, optional
        Stop when the mean absolute change of the marginals falls below it. By default a dense CRF runs all iterations
        and the limit of a grid is 1e-4.
    callback : callable, optional
        Called as ``callback(state)`` after every update; returning True stops.
    rng
        Not used; the method is deterministic.
    n_threads : int, optional
        Threads; the result does not depend on it.
    progress : bool
        Show a progress bar, if standard error is a terminal and tqdm is installed.
    damping : float
        In [0, 1): weight of the old log-marginals in the new ones. Repulsive compatibilities of dense CRFs oscillate
        without; grids need none.
    track : bool
        Record free energy and change of every iteration in ``history``. `tol`, `callback`, `progress` and `damping`
        do so as well; without any of them all iterations run in one fused call, about twice as fast. Grids always
        record.

    Returns
    -------
    Result
        With labels, marginals and energy; history rows hold the mean-field free energy.

    Raises
    ------
    ValueError
        If an argument is out of its range or does not fit the energy.

    References
    ----------
    .. [1] P. Krähenbühl, V. Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials",
       NeurIPS 2011. :arxiv:`1210.5644`
    .. [2] M. Wainwright, M. Jordan, "Graphical models, exponential families, and variational inference", Foundations
       and Trends in Machine Learning 1, 2008, section 5. doi:10.1561/2200000001

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> unary = np.stack([np.zeros((8, 8)), np.full((8, 8), 0.1)])
    >>> unary[:, 4, 4] = 0.5, 0.0
    >>> result = cs.minimize(cs.DenseCRF(unary, cs.GaussianKernel(2.0, 3.0)), "mean_field")
    >>> int(result.labels.sum())
    0
    """
    usual = _SWEEPS_OF_GRIDS if isinstance(energy, GridCRF) else 10
    n_iter = usual if max_iter is None else inputs.as_count(max_iter, "max_iter", 0)
    watch = Watch("mean_field", n_iter, callback, progress)
    limit = None if tol is None else inputs.as_positive(tol, "tol", 1)[0]
    threads = resolve_threads(n_threads)
    damping = _checked_damping(damping)
    if isinstance(energy, GridCRF):
        start = None if init is None else inputs.as_marginals(init, energy.unary.shape, name="init")
        return run_on_grid(energy, watch, start, 1e-4 if limit is None else limit, threads, damping)
    first = None if init is None else _log_marginals(init, energy)
    tracked = track or tol is not None or callback is not None or progress or damping > 0
    if energy.quality != "exact" and energy.kernels and not tracked:
        marginals, labels = _infer(energy, first, n_iter, threads)
        watch.stop(f"ran {n_iter} iterations", converged=False)
        return watch.result(labels, marginals=marginals, energy=lambda: energy.energy(labels), n_iter=n_iter)

    engine = _engine(energy, threads)
    engine.start(-energy.unary if first is None else first)
    while not watch.ended():
        change = engine.update(damping)
        _record(watch, engine, engine.free_energy(), change, limit)
    return _result(watch, energy, engine.marginals())


def mean_field_convergent(
    energy: DenseCRF,
    *,
    init: ArrayLike | None = None,
    max_iter: int | None = None,
    tol: float | None = None,
    callback: Callback | None = None,
    rng: Any = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> Result:
    """Mean field whose free energy never rises, whatever the compatibilities.

    An update is a proximal step: it minimises the linearised free energy plus a multiple of the Kullback-Leibler
    divergence from the old marginals [1]_, which damps the log-marginals. The multiple starts at 0 (the plain parallel
    update), doubles while a step would raise the free energy, and shrinks again after steps that did not.

    Parameters
    ----------
    energy : DenseCRF
    init, callback, rng, n_threads, progress
        As in :func:`mean_field`.
    max_iter : int, optional
        Number of accepted updates, 50 by default.
    tol : float, optional
        Stop when the mean absolute change of the marginals falls below it, 1e-4 by default.

    Returns
    -------
    Result
        ``history`` holds the free energies, which never rise; ``converged`` tells whether `tol` was reached.

    Raises
    ------
    ValueError
        If an argument is out of its range or does not fit the energy.

    References
    ----------
    .. [1] P. Baqué, T. Bagautdinov, F. Fleuret, P. Fua, "Principled parallel mean-field inference for discrete random
       fields", CVPR 2016. :arxiv:`1511.06103`

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> repulsive = cs.DenseCRF(np.random.default_rng(5).random((2, 8, 8)), cs.GaussianKernel(2.0, -6.0))
    >>> energies = [row.energy for row in cs.minimize(repulsive, "mean_field_convergent").history]
    >>> all(later <= earlier + 1e-3 for earlier, later in zip(energies, energies[1:]))
    True
    """
    n_iter = 50 if max_iter is None else inputs.as_count(max_iter, "max_iter", 0)
    watch = Watch("mean_field_convergent", n_iter, callback, progress)
    limit = 1e-4 if tol is None else inputs.as_positive(tol, "tol", 1)[0]
    first = None if init is None else _log_marginals(init, energy)
    engine = _engine(energy, resolve_threads(n_threads))
    engine.start(-energy.unary if first is None else first)
    best, strength = engine.free_energy(), 0.0
    while not watch.ended():
        before = engine.logs.copy()
        for _ in range(_MAX_BACKTRACKS):
            change = engine.update(strength / (1 + strength))
            value = engine.free_energy()
            if value <= best + _SLACK * abs(best):
                break
            engine.start(before)
            strength = max(0.5, 2 * strength)
        else:
            watch.stop("no step lowers the free energy any further", converged=True)
            break
        best, strength = min(best, value), 0.0 if strength < 0.1 else strength / 1.5
        _record(watch, engine, best, change, limit)
    return _result(watch, energy, engine.marginals())


# --- engines: how messages are computed ---------------------------------------------------------------------------


class _Engine(Protocol):
    logs: np.ndarray  # log-marginals, (L, n) float32

    def start(self, logits: np.ndarray) -> None: ...
    def update(self, damping: float) -> float: ...
    def free_energy(self) -> float: ...
    def marginals(self) -> np.ndarray: ...


def _engine(energy: DenseCRF, n_threads: int) -> _Engine:
    if energy.quality != "exact" and energy.kernels:
        return _FusedEngine(energy, n_threads)
    return _DirectEngine(energy, n_threads)


class _FusedPlan:
    """The arguments of the fused kernels that depend on the energy only."""

    def __init__(self, energy: DenseCRF, n_threads: int) -> None:
        lattices = energy.lattice_bank(n_threads)
        self.bank = lattices.bank
        self.n, self.n_labels = energy.n_points, energy.n_labels
        self.lanes, self.n_panels = lanes_for(self.n_labels)
        width = len(self.lanes)
        self.pairs = (0,) * int(self.bank.column[-1])
        self.parts = parts_of(self.lanes)
        rewards = [split_reward(cost) for cost in energy.costs()]
        self.scale = np.zeros((len(rewards), self.n_panels * width), np.float32)
        for k, (diagonal, _, _) in enumerate(rewards):
            self.scale[k, : self.n_labels] = diagonal * lattices.gains[k]
        self.matrix: np.ndarray | None = None  # kernels compile nothing for it then
        if any(matrix is not None for _, matrix, _ in rewards):
            identity = np.eye(self.n_labels, dtype=np.float32)
            self.matrix = np.stack([identity if matrix is None else matrix for _, matrix, _ in rewards])
        self._levels = [level for _, _, level in rewards]
        self._lattices = lattices
        self.rows = [zero_rows(self.bank, self.n_panels, width) for _ in range(2)]
        self.unary = writable_alias(energy.unary.reshape(-1))

    def constant(self, n_threads: int) -> float:
        """What the levels of the costs (see `split_reward`) add to free energies."""
        ones, total = np.ones((1, self.n), np.float32), 0.0
        for k, level in enumerate(self._levels):
            if level:
                total += level / 2 * float(self._lattices.filter(k, ones, n_threads).sum(dtype=np.float64))
        return total


def split_reward(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, float]:
    """Write a cost matrix as ``level - reward``: (diagonal of the reward, full reward or None if diagonal, level).

    Costs that are equal off the diagonal (Potts above all) need no matrix product: the level cancels in the softmax.
    """
    n = cost.shape[0]
    off = cost[~np.eye(n, dtype=bool)]
    if off.size == 0 or np.all(off == off[0]):
        level = float(off[0]) if off.size else 0.0
        return (level - np.diag(cost)).astype(np.float32), None, level
    return np.ones(n, np.float32), np.ascontiguousarray(-cost.T), 0.0


def _infer(energy: DenseCRF, first: np.ndarray | None, n_iter: int, n_threads: int) -> tuple[np.ndarray, np.ndarray]:
    plan = _FusedPlan(energy, n_threads)
    marginals = np.empty(energy.unary.shape, np.float32)
    labels = np.empty(energy.shape, np.int32)
    start = np.empty(0, np.float32) if first is None else (-first).reshape(-1)
    run(
        infer, n_threads, new_sync(5 * (n_iter + 1)), plan.unary, start, plan.n, plan.n_labels, plan.bank, plan.scale,
        plan.matrix, n_iter, *plan.rows, marginals.reshape(-1), labels.reshape(-1), plan.n_panels, plan.pairs,
        plan.lanes, plan.parts,
    )  # fmt: skip
    return marginals, labels


class _FusedEngine:
    """Lattice messages, one fused pass over the pixels for each update."""

    def __init__(self, energy: DenseCRF, n_threads: int) -> None:
        self._plan, self._n_threads, self._shape = _FusedPlan(energy, n_threads), n_threads, energy.unary.shape
        self._constant = self._plan.constant(n_threads)
        self.logs = np.empty((energy.n_labels, energy.n_points), np.float32)

    def start(self, logits: np.ndarray) -> None:
        self._step(False, np.ascontiguousarray(logits, np.float32), 0.0)

    def update(self, damping: float) -> float:
        return self._step(True, self.logs, damping) / self._plan.n

    def _step(self, update: bool, old: np.ndarray, damping: float) -> float:
        plan = self._plan
        changes = np.zeros(plan.bank.stripe.size - 1)
        plan.rows.reverse()
        run(
            step, self._n_threads, new_sync(5), update, plan.unary, old.reshape(-1), self.logs.reshape(-1),
            np.float32(damping), plan.n, plan.n_labels, plan.bank, plan.scale, plan.matrix, plan.rows[1], plan.rows[0],
            changes, plan.n_panels, plan.pairs, plan.lanes, plan.parts,
        )  # fmt: skip
        return float(changes.sum())

    def free_energy(self) -> float:
        plan = self._plan
        energies = np.zeros(plan.bank.stripe.size - 1)
        run(
            free_energy, self._n_threads, new_sync(1), plan.unary, self.logs.reshape(-1), plan.n, plan.n_labels,
            plan.bank, plan.rows[0], energies, plan.n_panels, plan.pairs, plan.lanes,
        )  # fmt: skip
        return float(energies.sum()) + self._constant

    def marginals(self) -> np.ndarray:
        return np.exp(self.logs).reshape(self._shape)


class _DirectEngine:
    """Messages from the energy itself, updates in NumPy: exact filtering, and energies without kernels."""

    def __init__(self, energy: DenseCRF, n_threads: int) -> None:
        self._energy, self._n_threads = energy, n_threads
        self.logs = np.empty((energy.n_labels, energy.n_points), np.float32)

    def start(self, logits: np.ndarray) -> None:
        self.logs = _log_softmax(logits.reshape(self.logs.shape))
        self._message = self._energy.pairwise_message(self.marginals(), n_threads=self._n_threads)

    def update(self, damping: float) -> float:
        old = np.exp(self.logs)
        moved = -(self._energy.unary + self._message).reshape(self.logs.shape)
        self.start((1 - damping) * moved + damping * self.logs)
        return float(np.abs(np.exp(self.logs) - old).sum() / self._energy.n_points)

    def free_energy(self) -> float:
        per_label = self.logs.reshape(self._message.shape) + self._energy.unary + self._message / 2
        return float(np.sum(self.marginals() * per_label, dtype=np.float64))

    def marginals(self) -> np.ndarray:
        return np.exp(self.logs).reshape(self._energy.unary.shape)


# --- bookkeeping --------------------------------------------------------------------------------------------------


def _record(watch: Watch, engine: _Engine, energy: float, change: float, limit: float | None) -> None:
    watch.record(energy=energy, change=change, marginals=engine.marginals)
    if limit is not None and change <= limit and not watch.ended():
        watch.stop(f"the marginals changed by {change:.3g} on average", converged=True)


def _result(watch: Watch, energy: DenseCRF, marginals: np.ndarray) -> Result:
    labels = marginals.argmax(0).astype(np.int32)
    return watch.result(labels, marginals=marginals, energy=lambda: energy.energy(labels))


def _checked_damping(damping: float) -> float:
    value = inputs.as_weight(damping, "damping")
    if not 0 <= value < 1:
        raise InputError(f"damping must be at least 0 and below 1, got {damping!r}")
    return value


def _log_marginals(init: ArrayLike, energy: DenseCRF) -> np.ndarray:
    q = inputs.as_marginals(init, energy.unary.shape, name="init")
    return np.log(np.maximum(q, np.float32(1e-30)))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(0)
    shifted -= np.log(np.exp(shifted).sum(0))
    return shifted.astype(np.float32, copy=False)
