"""Engines of mean field: how messages are computed, and what one update of all pixels is."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from classicseg.energies.dense_crf import DenseCRF
from classicseg.kernels.dense.mean_field import free_energy, infer, step
from classicseg.machine.parallel import new_sync, run
from classicseg.solvers.dense.plan import FusedPlan


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
    energy: DenseCRF, first: np.ndarray | None, n_iter: int, n_threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Marginals and labels after `n_iter` updates in one call; `first` are logits of the start, (L, *shape)."""
    plan = FusedPlan(energy, n_threads)
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
        self._plan, self._n_threads, self._shape = FusedPlan(energy, n_threads), n_threads, energy.unary.shape
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


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(0)
    shifted -= np.log(np.exp(shifted).sum(0))
    return shifted.astype(np.float32, copy=False)
