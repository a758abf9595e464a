"""Engines of mean field: how messages are computed, and what one update of all pixels is."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from classicseg.energies.dense_crf import DenseCRF
from classicseg.energies.softmax import log_softmax
from classicseg.filters.bank import LatticeBank
from classicseg.kernels.dense.mean_field import COUNTERS, free_energy, infer, step
from classicseg.machine.memory import writable_alias
from classicseg.machine.parallel import new_sync, run
from classicseg.solvers.dense.plan import Plan, is_brief


class Engine(Protocol):
    """Marginals of one energy, and how they are updated.

    Attributes
    ----------
    logs : ndarray, (L, n), float32
        Logarithms of the marginals.
    """

    logs: np.ndarray

    def start(self, logits: np.ndarray) -> None:
        """Set the marginals to ``softmax(logits)``; the logits are of L * n values."""

    def update(self, damping: float) -> float:
        """Update all marginals; their mean absolute change. `damping` is the weight of the old logarithms."""

    def free_energy(self) -> float:
        """Mean-field free energy of the marginals."""

    def marginals(self) -> np.ndarray:
        """The marginals, (L, *shape)."""


def engine_for(energy: DenseCRF, n_threads: int) -> Engine:
    """The fused engine where the energy has lattices, else the direct one."""
    if energy.quality != "exact" and energy.kernels:
        return _FusedEngine(energy, n_threads)
    return _DirectEngine(energy, n_threads)


def infer_fused(
    energy: DenseCRF, first: np.ndarray | None, n_iter: int, n_threads: int, marginals: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Marginals, empty unless wanted, and labels after `n_iter` updates in one call.

    `first` are the marginals to start from, (L, *shape).
    """
    lattices = energy.lattice_bank(n_threads)
    plan = Plan(lattices.bank, lattices.gains, energy.costs(), pair=True)
    grid = energy.grid.difference() if plan.is_paired else energy.grid
    shape = (energy.n_labels, *energy.shape)
    q, labels = np.empty(shape if marginals else 0, np.float32), np.empty(energy.shape, np.int32)
    start = np.empty(0, np.float32) if first is None else np.ascontiguousarray(first, np.float32).reshape(-1)
    pairwise, tape, work = plan.for_updates()
    run(
        infer, n_threads, new_sync(COUNTERS), grid.for_kernels, start, pairwise, n_iter, tape, work,
        q.reshape(-1), False, labels.reshape(-1), brief=is_brief(energy.n_labels * energy.n_points, n_iter),
    )  # fmt: skip
    return q, labels


class _FusedEngine:
    """Lattice messages, one fused pass over the pixels for each update."""

    def __init__(self, energy: DenseCRF, n_threads: int) -> None:
        lattices = energy.lattice_bank(n_threads)
        self._plan, self._n_threads = Plan(lattices.bank, lattices.gains, energy.costs()), n_threads
        self._shape = (energy.n_labels, *energy.shape)
        self._unary = writable_alias(energy.grid.full().reshape(-1))
        self._source, self._target = self._plan.new_rows(), self._plan.new_rows()
        self._constant = self._energy_of_levels(lattices)
        self.logs = np.empty((energy.n_labels, energy.n_points), np.float32)

    def start(self, logits: np.ndarray) -> None:
        self._step(False, np.ascontiguousarray(logits, np.float32), 0.0)

    def update(self, damping: float) -> float:
        return self._step(True, self.logs, damping) / self.logs.shape[1]

    def free_energy(self) -> float:
        energies = np.zeros(self._n_stripes)
        run(
            free_energy, self._n_threads, new_sync(1), self._unary, self.logs.reshape(-1), self._plan.pairwise,
            self._source, energies,
        )  # fmt: skip
        return float(energies.sum()) + self._constant

    def marginals(self) -> np.ndarray:
        return np.exp(self.logs).reshape(self._shape)

    def _step(self, update: bool, old: np.ndarray, damping: float) -> float:
        changes = np.zeros(self._n_stripes)
        run(
            step, self._n_threads, new_sync(5), update, self._unary, old.reshape(-1), self.logs.reshape(-1),
            np.float32(damping), self._plan.pairwise, self._source, self._target, changes,
        )  # fmt: skip
        self._source, self._target = self._target, self._source
        return float(changes.sum())

    @property
    def _n_stripes(self) -> int:
        return self._plan.pairwise.bank.stripe.size - 1

    def _energy_of_levels(self, lattices: LatticeBank) -> float:
        """What the levels of the costs add to every free energy."""
        ones, total = np.ones((1, lattices.n_points), np.float32), 0.0
        for k, level in enumerate(self._plan.levels):
            if level:
                total += level / 2 * float(lattices.filter(k, ones, self._n_threads).sum(dtype=np.float64))
        return total


class _DirectEngine:
    """Messages from the energy itself, updates in NumPy: exact filtering, and energies without kernels."""

    def __init__(self, energy: DenseCRF, n_threads: int) -> None:
        self._energy, self._n_threads, self._unary = energy, n_threads, energy.grid.full()
        self.logs = np.empty((energy.n_labels, energy.n_points), np.float32)

    def start(self, logits: np.ndarray) -> None:
        self.logs = log_softmax(logits.reshape(self.logs.shape))
        self._message = self._energy.pairwise_message(self.marginals(), n_threads=self._n_threads)

    def update(self, damping: float) -> float:
        old = np.exp(self.logs)
        moved = -(self._unary + self._message).reshape(self.logs.shape)
        self.start((1 - damping) * moved + damping * self.logs)
        return float(np.abs(np.exp(self.logs) - old).sum() / self._energy.n_points)

    def free_energy(self) -> float:
        per_label = self.logs.reshape(self._unary.shape) + self._unary + self._message / 2
        return float(np.sum(self.marginals() * per_label, dtype=np.float64))

    def marginals(self) -> np.ndarray:
        return np.exp(self.logs).reshape(self._unary.shape)
