"""Labels of an image that passes by, from the updates of a sample of its points: those of the same run in memory.

All points pass by once or twice: all that is known of the sample, and all that is known of everything, for the labels
after the last update; before, their costs do, once or twice, to see which labels can win. See
:mod:`classicseg.solvers.dense.sampled`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from classicseg.energies.compatibility import split_reward
from classicseg.filters.bank import LatticeBank
from classicseg.filters.building import Space
from classicseg.filters.elsewhere import AT_ONCE
from classicseg.kernels.dense.elsewhere import label_points
from classicseg.machine.threads import map_tasks
from classicseg.solvers.dense.active import MOST_DIFFER
from classicseg.solvers.dense.prospects import FAINT, possible
from classicseg.solvers.dense.sampled import Drawn, messages_of, sample, solve
from classicseg.solvers.dense.streamed import Window

_RANGES = 16  # of points, for threads to share


class SampledPassage(Protocol):
    """An image that passes by, of which a sample can be drawn."""

    shape: tuple[int, ...]  # of the grid that samples are drawn from; of masked images, (number of points,)
    inner: int  # points of a step along its first axis
    n_labels: int

    def gaps(self, n_threads: int) -> tuple[np.ndarray, np.ndarray]:
        """By how much each label costs at least more than the cheapest one: at some points, and at all."""

    def share(self, lost: np.ndarray, n_threads: int) -> float:
        """The most that the `lost` labels have of a point together, where the cheapest label is the only other one."""

    def draw(
        self, points: np.ndarray, alive: np.ndarray, lost: np.ndarray, n_threads: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Features of some points, (sum of d, m), costs of labels that are alive, (L, m), and of the rest if any."""

    def choose(self, alive: np.ndarray) -> None:
        """From now on only the costs of these labels are given."""

    def parts(self, start: int, stop: int, unit: int) -> Iterator[Window]:
        """The points `start` to `stop` - 1 in windows of up to `unit` points."""

    def write(self, window: Window, labels: np.ndarray) -> None:
        """Take (n,) int32 labels of the points of a window, counted among the chosen ones."""


class StreamedStakes(NamedTuple):
    """See :class:`classicseg.solvers.dense.active.Stakes`."""

    alive: np.ndarray
    costs: list[np.ndarray]
    share: float
    reach: np.ndarray
    lost: np.ndarray  # labels that one label stands for; none if they have next to nothing


def label_by_sample(
    passage: SampledPassage, spaces: Sequence[Space], stakes: StreamedStakes, n_iter: int, n_threads: int
) -> bool:
    """Write the labels that a sample leads to; False if a sample does not tell enough.

    Parameters
    ----------
    passage : SampledPassage
    spaces : sequence of Space
        The lattice of each kernel; kernels are normalised symmetrically.
    stakes : StreamedStakes
        With more than one label alive.
    n_iter, n_threads : int
    """
    n_points = int(np.prod(passage.shape))

    def draw(n: int) -> Drawn:
        points, half = sample(passage.shape, n)
        features, unary, rest = passage.draw(points, stakes.alive, stakes.lost, n_threads)
        return Drawn(half, unary, rest, lambda some: _lattices(spaces, features[:, some], stakes.alive.size, n_threads))

    solved = solve(stakes, draw, n_points, n_iter, n_threads)
    if solved is None:
        return False
    pairwise, rows = messages_of(stakes, solved, n_threads)
    elsewhere, reach = solved.lattices.elsewhere, stakes.reach.astype(np.float32)
    assert elsewhere is not None
    passage.choose(stakes.alive)
    unit = passage.inner * max(1, AT_ONCE // passage.inner)
    borders = np.linspace(0, -(-n_points // unit), _RANGES + 1).astype(int) * unit

    def label(i: int) -> int:
        n_lost = 0
        for window in passage.parts(int(borders[i]), min(int(borders[i + 1]), n_points), unit):
            labels = np.empty(window.n, np.int32)
            n_lost += label_points(
                window.features, 0, window.n, elsewhere.finder, pairwise.bank.n_rows, window.unary, rows, reach,
                pairwise.bank.corner_start, pairwise.layout, labels,
            )  # fmt: skip
            passage.write(window, labels)
        return n_lost

    n_lost = sum(map_tasks(label, _RANGES, n_threads))
    return solved.differ + n_lost / n_points <= MOST_DIFFER


def stakes_of(passage: SampledPassage, costs: list[np.ndarray], n_iter: int, n_threads: int) -> StreamedStakes:
    """Which labels can win: see :func:`classicseg.solvers.dense.prospects.prospects`.

    Parameters
    ----------
    passage : SampledPassage
    costs : list of ndarray, (L, L), float32
        The weighted compatibility of each kernel, each one number for equal and one for different labels.
    n_iter, n_threads : int
    """
    reach = np.array([(cost.max(axis=0) - cost.min(axis=0)).max() for cost in costs], np.float64)
    factors = np.stack([split_reward(cost)[0] for cost in costs])
    everything = np.arange(passage.n_labels)
    alive, lost, share = everything, everything[:0], 0.0
    some, all_ = passage.gaps(n_threads)
    if possible(some, factors, n_iter).size < passage.n_labels:
        alive = possible(all_, factors, n_iter)
    if alive.size < passage.n_labels:
        lost = np.setdiff1d(everything, alive)
        share = passage.share(lost, n_threads)
        lost, share = (lost[:0], share) if share <= FAINT else (lost, 0.0)
    return StreamedStakes(alive, [cost[np.ix_(alive, alive)] for cost in costs], share, reach, lost)


def _lattices(spaces: Sequence[Space], features: np.ndarray, n_channels: int, n_threads: int) -> LatticeBank:
    """The lattices of some points, of which the features are known, (sum of d, m)."""
    ends = np.cumsum([space.features.d for space in spaces])
    rows = np.split(np.ascontiguousarray(features), ends[:-1])
    return LatticeBank(
        [space.features.columns for space in spaces], ["symmetric"] * len(spaces), n_threads=n_threads,
        blurs=[space.blur for space in spaces], n_channels=n_channels, pick=lambda k, whole: whole.computed(rows[k]),
    )  # fmt: skip
