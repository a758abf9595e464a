"""Mean field where it matters: labels that cannot win are left out, and points that cannot change are left alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from classicseg.energies.compatibility import split_reward
from classicseg.energies.dense_crf import DenseCRF
from classicseg.kernels.dense.active import COUNTERS, Activity, infer_active
from classicseg.kernels.dense.bank import Bank, RowLayout
from classicseg.kernels.dense.prospects import RUN, survey
from classicseg.machine.memory import writable_alias
from classicseg.machine.parallel import new_sync, run
from classicseg.solvers.dense.plan import Plan

_SURE = 0.2  # shares of what all messages together could turn: leads of pixels that will probably settle soon,
_FIRST = 0.6  # leads with which they do so at once, and
_SETTLED = 0.4  # leads with which they do so later, when more is known of their neighbours
_HOPELESS = 0.3  # a label whose marginals stay below wins nowhere, whatever rounding and unequal row sums add
_FAINT = 1e-3  # share of a pixel that may be left out without account
_SAMPLE = 16  # one run of points in so many tells which labels can be expected to win
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
    costs = energy.costs()
    reach = _reach(costs)
    values = writable_alias(energy.unary.reshape(-1))
    alive, rest, share = _prospects(values, energy, costs, n_iter, n_threads)
    if alive.size == 1:
        return _only(energy, int(alive[0]), marginals)
    if share <= _FAINT:
        rest = np.empty(0, np.float32)
    if alive.size < energy.n_labels:
        values = np.take(energy.unary, alive, axis=0).reshape(-1)
        costs = [cost[np.ix_(alive, alive)] for cost in costs]
    lattices = energy.lattice_bank(n_threads)
    plan = Plan(lattices.bank, lattices.gains, costs)
    labels = np.empty(energy.n_points, np.int32)
    q = np.empty(values.size if marginals else 0, np.float32)
    activity = _all_active(lattices.bank, energy.n_points)
    slack = 0.0 if rest.size else reach * share
    limits = np.array([_SURE * reach, _FIRST * reach, _SETTLED * reach, slack], np.float32)
    run(
        infer_active, n_threads, new_sync(COUNTERS), values, rest, plan.pairwise, n_iter, limits, plan.new_rows(3),
        activity, q, labels,
    )  # fmt: skip
    pruned = alive.size < energy.n_labels or int(activity.n_active.sum()) < activity.block.size
    if alive.size < energy.n_labels:
        labels = alive.astype(np.int32)[labels]
    return Pruned(
        _all_labels(energy, alive, q) if marginals else None,
        labels.reshape(energy.shape),
        float(activity.n_doubtful.sum() / energy.n_points) if pruned else None,
    )


def _reach(costs: Sequence[np.ndarray]) -> float:
    """The most by which messages can change the lead of one label over another, if row sums are 1."""
    return float(sum((cost.max(axis=0) - cost.min(axis=0)).max() for cost in costs))


def _prospects(
    values: np.ndarray, energy: DenseCRF, costs: Sequence[np.ndarray], n_iter: int, n_threads: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """The labels that can win somewhere, (m,) int64.

    Returned with them: the cost of one label that stands for all others, (n,) float32, or empty if there are no others;
    and the most that it has of a point.

    All costs are read once: a few tell which labels can be expected to be left out.
    """
    n_runs, n_labels = -(-energy.n_points // RUN), energy.n_labels
    nothing = np.empty(0, np.float32)
    rewards = [split_reward(cost) for cost in costs]
    if any(matrix is not None for _, matrix, _ in rewards):
        return np.arange(n_labels), nothing, 0.0
    factors = np.stack([diagonal for diagonal, _, _ in rewards])
    gaps, share = np.full((n_runs, n_labels), np.inf, np.float32), np.zeros(n_runs, np.float32)
    step, alive = _SAMPLE, np.empty(0, np.int64)
    rest = nothing
    while True:
        lost = np.setdiff1d(np.arange(n_labels), alive)
        run(survey, n_threads, new_sync(1), values, step, lost, gaps, rest, share, brief=True)
        could = _possible(gaps.min(axis=0).astype(np.float64), factors, n_iter)
        if could.size == alive.size or could.size == n_labels:
            return could, rest if lost.size and could.size < n_labels else nothing, float(share.max())
        step, alive, rest = 1, could, np.empty(energy.n_points, np.float32)


def _possible(gap: np.ndarray, factors: np.ndarray, n_iter: int) -> np.ndarray:
    """The labels that can win somewhere, (m,) int64, if that saves any work; else all.

    Where a label costs at least `gap` more than the cheapest, and no point has more than q of it, the messages of the
    next update leave it at most ``sigmoid(gain * q + loss - gap)``: it gains from its own marginals alone, and others
    lose by theirs where a weight is negative. That is iterated.
    """
    n_labels = gap.size
    gain, loss = factors.clip(0).sum(axis=0), (-factors).clip(0).sum(axis=0).max()
    q = 1 / (1 + np.exp(np.minimum(gap, 700)))
    for _ in range(n_iter):
        q = 1 / (1 + np.exp(np.minimum(gap - gain * q - loss, 700)))
    alive = np.flatnonzero(q > _HOPELESS)
    fewer, all_ = RowLayout.of(max(2, alive.size)), RowLayout.of(n_labels)
    saved = fewer.n_panels * len(fewer.lanes) < all_.n_panels * len(all_.lanes)
    return alive if alive.size == 1 or saved else np.arange(n_labels)


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
        q = np.zeros(energy.unary.shape, np.float32)
        q[label] = 1.0
    return Pruned(q, np.full(energy.shape, label, np.int32), 0.0)


def _all_labels(energy: DenseCRF, alive: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Marginals of all labels: those of the alive ones sum to 1, those that were left out are 0."""
    if alive.size == energy.n_labels:
        return q.reshape(energy.unary.shape)
    marginals = np.zeros(energy.unary.shape, np.float32)
    some = q.reshape(alive.size, *energy.shape)
    marginals[alive] = some / some.sum(axis=0)
    return marginals
