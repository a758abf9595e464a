"""Mean field where it matters: labels that cannot win are left out, and points that cannot change are left alone."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from classicseg.energies.unary_grid import UnaryGrid
from classicseg.filters.bank import LatticeBank
from classicseg.kernels.dense.active import COUNTERS, Activity, infer_active
from classicseg.kernels.dense.bank import Bank
from classicseg.machine.parallel import new_sync, run
from classicseg.solvers.dense.plan import Plan, is_brief
from classicseg.solvers.dense.prospects import NOTHING, Contest

_SURE = 0.2  # shares of what all messages together could turn: leads of pixels that will probably settle soon,
_FIRST = 0.6  # leads with which they do so at once, and
_SETTLED = 0.5  # leads with which they do so later, when more is known of their neighbours
MOST_DIFFER = 1e-3
"""Share of pixels whose labels a pruned run may change."""


class Pruned(NamedTuple):
    """What came out of a pruned run."""

    marginals: np.ndarray | None
    labels: np.ndarray
    may_differ: float | None  # share of points whose labels may be others in the plain loop; None: nothing was pruned


class Updated(NamedTuple):
    """Points after some updates; labels are those that are alive, counted from 0."""

    marginals: np.ndarray  # (L * n,) float32, or empty
    labels: np.ndarray  # (n,) int32
    doubtful: float  # share of points whose labels may be others, had no block settled
    settled: bool  # whether any has


def infer_pruned(contest: Contest, n_iter: int, n_threads: int, *, marginals: bool) -> Pruned:
    """Labels after `n_iter` updates, and marginals if they are wanted.

    Labels that cannot win are left out; blocks of points that cannot change are splatted once and left alone.
    """
    energy, alive = contest.energy, contest.alive
    if alive.size == 1:
        return _only(contest, marginals)
    lattices = energy.lattice_bank(n_threads)
    rest = NOTHING if contest.rest is None else contest.rest.read(0, energy.n_points).reshape(-1)
    found = update(contest, lattices, contest.grid, rest, n_iter, n_threads, True, marginals)
    all_alive = alive.size == energy.n_labels
    return Pruned(
        _all_labels(contest, found.marginals) if marginals else None,
        contest.named(found.labels),
        None if all_alive and not found.settled else found.doubtful,
    )


class Stakes(Protocol):
    """What is at stake in a contest of labels: the part of a :class:`Contest` that does not grow with the points."""

    @property
    def alive(self) -> np.ndarray:
        """See :class:`Contest`."""

    @property
    def costs(self) -> list[np.ndarray]:
        """See :class:`Contest`."""

    @property
    def share(self) -> float:
        """See :class:`Contest`."""

    @property
    def reach(self) -> np.ndarray:
        """See :class:`Contest`."""


def update(
    contest: Stakes,
    lattices: LatticeBank,
    grid: UnaryGrid,
    rest: np.ndarray,
    n_iter: int,
    n_threads: int,
    settle: bool,
    marginals: bool,
) -> Updated:
    """Run `n_iter` updates of the points that the `lattices` are of.

    Parameters
    ----------
    contest : Stakes
    lattices : LatticeBank
    grid : UnaryGrid
        Costs of the labels that are alive, at these points.
    rest : ndarray, (n,), float32
        Cost of one label that stands for the others; or empty.
    n_iter, n_threads : int
    settle : bool
        Whether blocks may settle.
    marginals : bool
        Whether they are wanted.
    """
    n, plan = grid.n_points, Plan(lattices.bank, lattices.gains, contest.costs, pair=rest.size == 0)
    labels = np.empty(n, np.int32)
    q = np.empty(contest.alive.size * n if marginals else 0, np.float32)
    activity = _all_active(lattices.bank, n)
    unary = (grid.difference() if plan.is_paired else grid).for_kernels
    run(
        infer_active, n_threads, new_sync(COUNTERS), unary, rest, plan.pairwise, n_iter, limits_of(contest, settle),
        plan.new_rows(3), activity, q, labels, brief=is_brief(contest.alive.size * n, n_iter),
    )  # fmt: skip
    settled = int(activity.n_active.sum()) < activity.block.size
    return Updated(q, labels, float(activity.n_doubtful.sum() / n), settled)


def limits_of(stakes: Stakes, settle: bool) -> np.ndarray:
    """The limits of :func:`infer_active`, (4,) float32; without `settle` none is reached."""
    reach = float(stakes.reach.sum())
    leads = [_SURE * reach, _FIRST * reach, _SETTLED * reach] if settle else [np.inf] * 3
    return np.array([*leads, stakes.share * reach], np.float32)


def _all_active(bank: Bank, n: int) -> Activity:
    """Every block is active."""
    blocks = np.arange(bank.stripe[-1], dtype=np.int32)
    n_stripes = bank.stripe.size - 1
    counts = [np.zeros(n_stripes, np.int64) for _ in range(3)]
    return Activity(blocks, np.diff(bank.stripe), np.empty(n, np.float32), *counts)


def _only(contest: Contest, marginals: bool) -> Pruned:
    """The answer where one label can win: it does, everywhere."""
    energy, q = contest.energy, None
    label = int(contest.alive[0])
    if marginals:
        q = np.zeros((energy.n_labels, *energy.shape), np.float32)
        q[label] = 1.0
    return Pruned(q, np.full(energy.shape, label, np.int32), 0.0)


def _all_labels(contest: Contest, q: np.ndarray) -> np.ndarray:
    """Marginals of all labels: those of the alive ones sum to 1, those that were left out are 0."""
    energy, alive = contest.energy, contest.alive
    if alive.size == energy.n_labels:
        return q.reshape((energy.n_labels, *energy.shape))
    marginals = np.zeros((energy.n_labels, *energy.shape), np.float32)
    some = q.reshape(alive.size, *energy.shape)
    marginals[alive] = some / some.sum(axis=0)
    return marginals
