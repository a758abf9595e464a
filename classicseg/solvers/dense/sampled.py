"""Mean field of a sample of the points, which says what all of them would.

The kernels of a large image are wide, and a point's messages are sums over thousands of others. So the updates are
made for half a million points or a million, spread evenly and at random, and all points are looked at once, for their
labels after the last update. How far these may be from labels of the whole loop a smaller sample tells: the answer from
half of the sample is as far from that of all of it as that is from the answer of all points, be it by chance, which
falls with the root of their number, or as a pixel counts for more among fewer, which falls with their number itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from classicseg.energies.dense_crf import lattices_of
from classicseg.energies.unary_grid import UnaryGrid
from classicseg.filters.bank import LatticeBank
from classicseg.kernels.dense.bank import Pairwise
from classicseg.kernels.dense.elsewhere import COUNTERS, label_points, messages
from classicseg.machine.parallel import new_sync, run
from classicseg.machine.threads import map_tasks
from classicseg.solvers.dense.active import MOST_DIFFER, Pruned, Stakes, update
from classicseg.solvers.dense.plan import Plan
from classicseg.solvers.dense.prospects import NOTHING, Contest

_SAMPLES = (2**19, 2**20)  # points; the second is tried where the first is nearly enough
_FEWEST = 3.5  # points for each of the sample: from so many on it saves more than it costs
_NEARLY = 2.5  # times what may differ; with twice the points that is about halved
_CROWDED = 8  # points of the sample for each vertex, at least, or sums over neighbours are not known well
_CAUTION = 2.0  # the difference between two samples is itself a matter of chance
_SEED = 20111212  # the same sample for the same shape


class Solved(NamedTuple):
    """A sample after all updates but the last one."""

    lattices: LatticeBank
    marginals: np.ndarray  # (L * m,) float32
    differ: float  # share of points whose labels may be others with all points in place of the sample


class Drawn(NamedTuple):
    """A sample of the points."""

    half: np.ndarray  # (m,) bool: which of them are of half the sample
    unary: np.ndarray  # (L, m) float32, costs of the labels that are alive
    rest: np.ndarray  # (m,) float32, cost of one label that stands for the others, or empty
    lattices: Callable[[np.ndarray], LatticeBank]  # of those of which (m,) bool is True


def infer_sampled(contest: Contest, n_iter: int, n_threads: int, *, marginals: bool) -> Pruned | None:
    """Labels after `n_iter` updates of a sample.

    None if marginals are wanted, which depend more on the sample than labels do, if points are too few for a sample to
    save much, if it is too small for the vertices that it touches, or if too many labels depend on it.
    """
    energy = contest.energy

    def draw(n: int) -> Drawn:
        points, half = sample(energy.shape, n)
        rest = NOTHING if contest.rest is None else contest.rest.at(points).reshape(-1)

        def lattices(some: np.ndarray) -> LatticeBank:
            return lattices_of(energy, points[some], contest.alive.size, n_threads)

        return Drawn(half, contest.grid.at(points), rest, lattices)

    if marginals:
        return None
    solved = solve(contest, draw, energy.n_points, n_iter, n_threads)
    if solved is None:
        return None
    labels, n_lost = _labels_of_all(contest, solved, n_threads)
    return Pruned(None, contest.named(labels), solved.differ + n_lost / energy.n_points)


def is_sampled(n_points: int) -> bool:
    """Whether a sample of so many points saves much."""
    return n_points >= _FEWEST * _SAMPLES[0]


def solve(stakes: Stakes, draw: Callable[[int], Drawn], n_points: int, n_iter: int, n_threads: int) -> Solved | None:
    """Update samples until one is large enough; ``draw(n)`` gives one of about `n` points. None if none is."""
    if stakes.alive.size == 1:
        return None
    for n in _SAMPLES:
        solved = _updated(stakes, draw(n), n_iter - 1, n_threads) if n_points >= _FEWEST * n else None
        if solved is None or solved.differ > _NEARLY * MOST_DIFFER:
            return None
        if solved.differ <= MOST_DIFFER:
            return solved
    return None


def _updated(stakes: Stakes, drawn: Drawn, n_iter: int, n_threads: int) -> Solved | None:
    """Update a sample, and half of it; None if its points hardly share vertices."""
    half, unary, rest = drawn.half, drawn.unary, drawn.rest
    lattices = drawn.lattices(np.ones(half.size, bool))
    if _CROWDED * lattices.bank.vertex[:, 1].max() > half.size:
        return None
    whole = update(stakes, lattices, _grid(unary), rest, n_iter, n_threads, False, True)
    of_half = update(
        stakes, drawn.lattices(half), _grid(unary[:, half]), rest[half] if rest.size > 0 else rest, n_iter, n_threads,
        False, False,
    )  # fmt: skip
    differ = float((whole.labels[half] != of_half.labels).mean())
    return Solved(lattices, whole.marginals, whole.doubtful + _CAUTION * differ)


def sample(shape: tuple[int, ...], n: int) -> tuple[np.ndarray, np.ndarray]:
    """About `n` points of a grid, (m,) int64 counted in C order, and which of them are a sample of half as many.

    The grid is cut into equal cells, about as long as wide; each gives a point at random, all equally likely, so that
    no pattern of the image is met again and again at the same place. Every other cell, as on a chessboard, is of the
    half.
    """
    side = (np.prod(shape) / n) ** (1 / len(shape))
    counts = [max(1, round(length / side)) for length in shape]
    rng, index, parity = np.random.default_rng(_SEED), np.zeros(counts, np.int64), np.zeros(counts, np.int64)
    for axis, (length, count) in enumerate(zip(shape, counts, strict=True)):
        cell = np.arange(count).reshape([-1 if a == axis else 1 for a in range(len(shape))])
        place = ((cell + rng.random(counts)) * (length / count)).astype(np.int64)
        index = index * length + np.minimum(place, length - 1)
        parity += cell
    return index.reshape(-1), parity.reshape(-1) % 2 == 0


def _grid(costs: np.ndarray) -> UnaryGrid:
    """(L, m) costs as those of a line of points."""
    return UnaryGrid(np.ascontiguousarray(costs), costs.shape[1:], align_corners=False)


def messages_of(stakes: Stakes, solved: Solved, n_threads: int) -> tuple[Pairwise, np.ndarray]:
    """The pairwise term of a sample, and the messages of its marginals, a row array."""
    plan = Plan(solved.lattices.bank, solved.lattices.gains, stakes.costs)
    rows, other = plan.new_rows(), plan.new_rows()
    run(messages, n_threads, new_sync(COUNTERS), solved.marginals, plan.pairwise, rows, other)
    return plan.pairwise, rows


def _labels_of_all(contest: Contest, solved: Solved, n_threads: int) -> tuple[np.ndarray, int]:
    """The labels that messages of the sample's marginals give all points, and how many of these have lost too much."""
    pairwise, rows = messages_of(contest, solved, n_threads)
    elsewhere = solved.lattices.elsewhere
    assert elsewhere is not None
    labels, reach = np.empty(elsewhere.n_points, np.int32), contest.reach.astype(np.float32)
    parts, unary = elsewhere.parts(), contest.grid.for_kernels

    def label(i: int) -> int:
        start, stop = parts[i]
        return label_points(
            elsewhere.block(start, stop), start, stop, elsewhere.finder, pairwise.bank.n_rows, unary, rows, reach,
            pairwise.bank.corner_start, pairwise.layout, labels,
        )  # fmt: skip

    return labels, sum(map_tasks(label, len(parts), n_threads))
