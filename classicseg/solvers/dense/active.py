"""Mean field where it matters: labels that cannot win are left out, and points that cannot change are left alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from classicseg.energies.dense_crf import DenseCRF
from classicseg.energies.unary_grid import UnaryGrid
from classicseg.kernels.dense.active import COUNTERS, Activity, infer_active
from classicseg.kernels.dense.bank import Bank
from classicseg.machine.parallel import new_sync, run
from classicseg.solvers.dense.plan import Plan
from classicseg.solvers.dense.prospects import prospects

_SURE = 0.2  # shares of what all messages together could turn: leads of pixels that will probably settle soon,
_FIRST = 0.6  # leads with which they do so at once, and
_SETTLED = 0.5  # leads with which they do so later, when more is known of their neighbours
_FEWEST = 3  # updates of which some can be saved
_BOUNDED = ("symmetric", "after")  # normalisations with row sums of about 1, so that weights bound messages


class Pruned(NamedTuple):
    """What came out of a pruned run."""

    marginals: np.ndarray | None
    labels: np.ndarray
    may_differ: float | None  # share of points whose labels may be others in the plain loop; None: nothing was pruned


def can_be_pruned(energy: DenseCRF, n_iter: int) -> bool:
    """Whether :func:`infer_pruned` takes the energy, and has something to gain."""
    bounded = all(kernel.normalization in _BOUNDED for kernel in energy.kernels)
    return energy.quality != "exact" and bool(energy.kernels) and bounded and n_iter >= _FEWEST


def infer_pruned(energy: DenseCRF, n_iter: int, n_threads: int, *, marginals: bool) -> Pruned:
    """Labels after `n_iter` updates, and marginals if they are wanted.

    Labels that cannot win are left out; blocks of points that cannot change are splatted once and left alone.
    """
    costs, grid = energy.costs(), energy.grid
    reach = _reach(costs)
    alive, rest, share = prospects(grid, costs, n_iter, n_threads)
    if alive.size == 1:
        return _only(energy, int(alive[0]), marginals)
    all_alive = alive.size == energy.n_labels
    if not all_alive:
        grid = UnaryGrid(np.take(energy.unary, alive, axis=0), energy.shape, energy.align_corners)
        costs = [cost[np.ix_(alive, alive)] for cost in costs]
    lattices = energy.lattice_bank(n_threads)
    plan = Plan(lattices.bank, lattices.gains, costs, pair=rest.size == 0)
    if plan.is_paired:
        grid = grid.difference()
    labels = np.empty(energy.n_points, np.int32)
    q = np.empty(alive.size * energy.n_points if marginals else 0, np.float32)
    activity = _all_active(lattices.bank, energy.n_points)
    limits = np.array([_SURE * reach, _FIRST * reach, _SETTLED * reach, share * reach], np.float32)
    run(
        infer_active, n_threads, new_sync(COUNTERS), grid.for_kernels, rest, plan.pairwise, n_iter, limits,
        plan.new_rows(3), activity, q, labels,
    )  # fmt: skip
    pruned = not all_alive or int(activity.n_active.sum()) < activity.block.size
    return Pruned(
        _all_labels(energy, alive, q) if marginals else None,
        (labels if all_alive else alive.astype(np.int32)[labels]).reshape(energy.shape),
        float(activity.n_doubtful.sum() / energy.n_points) if pruned else None,
    )


def _reach(costs: Sequence[np.ndarray]) -> float:
    """The most by which messages can change the lead of one label over another, if row sums are 1."""
    return float(sum((cost.max(axis=0) - cost.min(axis=0)).max() for cost in costs))


def _all_active(bank: Bank, n: int) -> Activity:
    """Every block is active."""
    blocks = np.arange(bank.stripe[-1], dtype=np.int32)
    n_stripes = bank.stripe.size - 1
    counts = [np.zeros(n_stripes, np.int64) for _ in range(3)]
    return Activity(blocks, np.diff(bank.stripe), np.empty(n, np.float32), *counts)


def _only(energy: DenseCRF, label: int, marginals: bool) -> Pruned:
    """The answer where one label can win: it does, everywhere."""
    q = None
    if marginals:
        q = np.zeros((energy.n_labels, *energy.shape), np.float32)
        q[label] = 1.0
    return Pruned(q, np.full(energy.shape, label, np.int32), 0.0)


def _all_labels(energy: DenseCRF, alive: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Marginals of all labels: those of the alive ones sum to 1, those that were left out are 0."""
    if alive.size == energy.n_labels:
        return q.reshape((energy.n_labels, *energy.shape))
    marginals = np.zeros((energy.n_labels, *energy.shape), np.float32)
    some = q.reshape(alive.size, *energy.shape)
    marginals[alive] = some / some.sum(axis=0)
    return marginals
