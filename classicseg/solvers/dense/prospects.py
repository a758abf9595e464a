"""Which labels can win anywhere, as far as the unary costs and the weights tell."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from classicseg.energies.compatibility import split_reward
from classicseg.energies.dense_crf import DenseCRF
from classicseg.energies.unary_grid import UnaryGrid
from classicseg.kernels.dense.bank import RowLayout
from classicseg.kernels.dense.prospects import RUN, survey
from classicseg.machine.memory import writable_alias
from classicseg.machine.parallel import new_sync, run

_HOPELESS = 0.3  # a label whose marginals stay below wins nowhere, whatever rounding and unequal row sums add
FAINT = 1e-3
"""Share of a pixel that may be left out without account."""
SAMPLE = 16
"""One run of points in so many tells which labels can be expected to win."""
_AT_ONCE = 2**20  # differences

NOTHING = np.empty(0, np.float32)
"""No costs of a rest."""
FEWEST = 3
"""Updates of which some can be saved."""
_BOUNDED = ("symmetric", "after")  # normalisations with row sums of about 1, so that weights bound messages


class Prospects(NamedTuple):
    """What to expect of labels before there are messages."""

    alive: np.ndarray  # (m,) int64: labels that can win somewhere
    rest: UnaryGrid | None  # cost of one label that stands for all others; None if they have next to nothing
    share: float  # the most that those others have of a point, where there is no `rest`


class Contest(NamedTuple):
    """A dense CRF without the labels that can win nowhere."""

    energy: DenseCRF
    alive: np.ndarray  # (L,) int64: the labels that are left
    grid: UnaryGrid  # their costs
    costs: list[np.ndarray]  # (L, L) float32, their weighted compatibility, of each kernel
    rest: UnaryGrid | None  # see :class:`Prospects`
    share: float
    reach: np.ndarray  # (n_kernels,) float64: the most by which messages of each can change the lead of a label

    def named(self, labels: np.ndarray) -> np.ndarray:
        """(n,) int32 labels of those that are left, as labels of the CRF, in the shape of the image."""
        some = self.alive.size < self.energy.n_labels
        return (self.alive.astype(np.int32)[labels] if some else labels).reshape(self.energy.shape)


def can_be_pruned(energy: DenseCRF, n_iter: int) -> bool:
    """Whether a :func:`contest` bounds what can change in an energy, and there is something to gain."""
    bounded = all(kernel.normalization in _BOUNDED for kernel in energy.kernels)
    return energy.quality != "exact" and bool(energy.kernels) and bounded and n_iter >= FEWEST


def contest(energy: DenseCRF, n_iter: int, n_threads: int) -> Contest:
    """The energy without the labels that can win nowhere in `n_iter` updates."""
    costs, grid = energy.costs(), energy.grid
    reach = np.array([(cost.max(axis=0) - cost.min(axis=0)).max() for cost in costs], np.float64)  # if row sums are 1
    alive, rest, share = prospects(grid, costs, n_iter, n_threads)
    if alive.size < energy.n_labels:
        grid = UnaryGrid(np.take(grid.values, alive, axis=0), energy.shape, energy.align_corners)
        costs = [cost[np.ix_(alive, alive)] for cost in costs]
    return Contest(energy, alive, grid, costs, rest, share, reach)


def prospects(grid: UnaryGrid, costs: Sequence[np.ndarray], n_iter: int, n_threads: int) -> Prospects:
    """Tell the labels that can win somewhere in `n_iter` updates from those that cannot.

    Parameters
    ----------
    grid : UnaryGrid
    costs : sequence of ndarray, (L, L), float32
        The weighted compatibility of each kernel. If any is more than one number for equal and one for different
        labels, all labels are taken to be able to win: messages about others may favour them.
    n_iter, n_threads : int

    Returns
    -------
    Prospects
    """
    n_labels = grid.n_labels
    everything = Prospects(np.arange(n_labels), None, 0.0)
    rewards = [split_reward(cost) for cost in costs]
    if any(matrix is not None for _, matrix, _ in rewards):
        return everything
    factors = np.stack([diagonal for diagonal, _, _ in rewards])
    values = writable_alias(grid.values.reshape(n_labels, -1))
    among = least_of_cells(grid.values) if grid.is_stretched else np.full(n_labels, np.inf)
    # All costs are read once: a sample of them tells which labels can be expected to be left out.
    step, alive, rest = SAMPLE, np.empty(0, np.int64), NOTHING
    while True:
        lost = np.setdiff1d(np.arange(n_labels), alive)
        gaps, share = _surveyed(values, step, lost, rest, n_threads)
        could = possible(np.minimum(gaps, among), factors, n_iter)
        if could.size == n_labels:
            return everything
        if step == 1 and could.size == alive.size:
            break
        step, alive, rest = 1, could, np.empty(values.shape[1], np.float32)
    if share <= FAINT:
        return Prospects(alive, None, share)
    values_of_rest = rest.reshape(1, *grid.values.shape[1:])
    return Prospects(alive, UnaryGrid(values_of_rest, grid.shape, grid.align_corners), 0.0)


def _surveyed(
    values: np.ndarray, step: int, lost: np.ndarray, rest: np.ndarray, n_threads: int
) -> tuple[np.ndarray, float]:
    """The gap of each label, and the largest share of the lost ones; `rest` is filled unless it is empty."""
    n_labels, n = values.shape
    n_runs = -(-n // RUN)
    gaps, share = np.full((n_runs, n_labels), np.inf, np.float32), np.zeros(n_runs, np.float32)
    run(survey, n_threads, new_sync(1), values.reshape(-1), step, lost, gaps, rest, share, brief=True)
    return gaps.min(axis=0).astype(np.float64), float(share.max())


def rest_of(costs: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, float]:
    """The cost of one label that stands for the `lost` ones of (L, m) costs, (m,), and the most it has of a point."""
    n_labels, m = costs.shape
    n_runs = -(-m // RUN)
    gaps, share, rest = np.empty((n_runs, n_labels), np.float32), np.zeros(n_runs, np.float32), np.empty(m, np.float32)
    if m > 0:
        flat = np.ascontiguousarray(costs).reshape(-1)
        run(survey, 1, new_sync(1), flat, 1, lost, gaps, rest, share, brief=True)
    return rest, float(share.max(initial=0))


def possible(gap: np.ndarray, factors: np.ndarray, n_iter: int) -> np.ndarray:
    """The labels that can win somewhere, (m,) int64, if to leave out the others saves any work; else all.

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


def least_of_cells(values: np.ndarray) -> np.ndarray:
    """How much more than the cheapest label each label costs at least, inside the cells of a (L, *grid), (L,).

    Where the same label is the cheapest at all corners of a cell it is so inside as well, and differences are least at
    a corner. In other cells a label may come close to the cheapest one although it does so at no corner: as far as each
    of those that are cheapest at a corner allows, and so does any mixture of them, of which the mean is taken.
    """
    shape = values.shape[1:]
    index = np.arange(np.prod(shape)).reshape(shape)
    shifts = itertools.product(*[(slice(None, -1), slice(1, None)) if n > 1 else (slice(None),) for n in shape])
    corners = np.stack([index[shift].reshape(-1) for shift in shifts], axis=1)
    flat = values.reshape(len(values), -1)
    cheapest = flat.argmin(axis=0)
    corners = corners[(cheapest[corners] != cheapest[corners[:, :1]]).any(axis=1)]
    least = np.full(len(values), np.inf)
    step = max(1, _AT_ONCE // (len(values) * corners.shape[1]))
    for start in range(0, len(corners), step):
        some = corners[start : start + step]
        costs, gap = flat[:, some], np.full((len(values), len(some)), -np.inf)
        for corner in some.T:
            rival = flat[cheapest[corner][:, np.newaxis], some]
            with np.errstate(invalid="ignore"):  # a rival that is as infinite tells nothing
                gap = np.fmax(gap, (costs - rival).min(axis=-1))
        mixed = np.mean([flat[cheapest[corner][:, np.newaxis], some] for corner in some.T], axis=0)
        with np.errstate(invalid="ignore"):
            gap = np.fmax(gap, (costs - mixed).min(axis=-1))
        least = np.minimum(least, gap.min(axis=1))
    return least
