"""Pixels of a band that are cut while others around them are known: what bands and strips have in common.

Pixels that one cut has settled are a zone. A code says of each pixel its label and, by how many bands later than the
pixel came it was settled, its zone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

import numpy as np

from classicseg.energies.grid import Offset, edge_ends
from classicseg.errors import BudgetError
from classicseg.solvers.cut.integers import IntegerGrid
from classicseg.solvers.cut.network import Network

OPEN, OUTSIDE = 255, 254
"""Codes of pixels that are not settled yet, and of those that take no part."""

LATEST = 126
"""Pixels are settled fewer bands after that with which they came: a code is the label plus twice their number."""

ACTIVE, AWAY, LATER = -1, 2, 3  # beside 0 and 1, of pixels whose label is known
_PULL = np.array([0, 1, -1, 0, 0], np.int32)  # by which a neighbour makes label 1 dearer, from ACTIVE on
_AT_ONCE = 2**18  # pixels whose sums are made at once
_ALL = 2**31 - 1  # differences of unary costs are as large as may be already


class Rows(NamedTuple):
    """The costs of some rows that follow each other, in whole numbers."""

    unary: np.ndarray  # (2, n, ...) int32: 0, and what label 1 costs more than label 0
    weights: list[np.ndarray]  # int32, for each direction those of the edges between these rows
    inside: np.ndarray | None  # (n, ...) bool: which pixels take part; None if all do
    least: np.ndarray  # (n,) float64: sums of what the cheaper label of each pixel costs


class Costs(Protocol):
    """An energy of two labels whose costs can be read."""

    shape: tuple[int, ...]
    directions: Mapping[str, Offset]

    def rows(self, first: int, stop: int) -> Rows:
        """Those of the rows from `first` to `stop` - 1."""


class Codes(Protocol):
    """A byte for each pixel, that says what is known of it."""

    def read(self, first: int, stop: int) -> np.ndarray:
        """Codes of the rows from `first` to `stop` - 1."""

    def write(self, first: int, codes: np.ndarray) -> None:
        """Keep codes of the rows from `first` on."""


class Band(NamedTuple):
    """Rows that are cut together."""

    begin: int  # first row: of those that came earlier the first with an open pixel
    start: int  # first row that is new
    stop: int  # end of the rows


def rows_of(band: Band, length: int) -> tuple[int, int]:
    """The first row that the cut and the proof of a band looks at, and the end of these rows."""
    return max(band.begin - 1, 0), min(band.stop + 1, length)


def bytes_of_pixel(n_directions: int, n_threads: int) -> float:
    """Memory that each pixel of a band takes, for so many forward directions."""
    record, tiles, steps = 4 * (2 * n_directions + 4), (2 * n_directions + 4) / 8, 5 * n_threads
    return record + tiles + steps + 4 * n_directions + 8 + 8


def labels_of(codes: np.ndarray, fill: int) -> np.ndarray:
    """The labels, int32, of pixels that are all settled."""
    return np.where(codes == OUTSIDE, np.int32(fill), (codes & 1).astype(np.int32))


def late_of(bands: list[Band], first: int, stop: int, number: int, n_axes: int) -> np.ndarray:
    """For the pixels of each of these rows, how many bands before that `number` they came, (n, 1, ...) int64."""
    ends = np.maximum.accumulate([band.stop for band in bands])  # where a band has no new rows, it may end earlier
    came = np.searchsorted(ends, np.arange(first, stop), "right")
    return (number - came).reshape(-1, *(1,) * (n_axes - 1))


def known_of(codes: np.ndarray, bands: list[Band], first: int, number: int, later: int) -> np.ndarray:
    """What the zone of a band sees of rows from `first` on, int8; `later` are pixels that are settled after it."""
    late, due = codes >> 1, late_of(bands, first, first + len(codes), number, codes.ndim)
    known = (codes & 1).astype(np.int8)
    known[late >= due] = later
    known[late == due] = ACTIVE
    return known


def codes_of(labels: np.ndarray, settled: np.ndarray, known: np.ndarray, late: np.ndarray) -> np.ndarray:
    """Codes of pixels that were cut `late` bands after that with which they came, (n, 1, ...)."""
    if late.max() >= LATEST and ((known == ACTIVE) & (late >= LATEST)).any():
        raise BudgetError(
            f"pixels depend on what lies {LATEST} bands behind them; give a larger window, or more memory"
        )
    codes: np.ndarray = np.where(settled, labels + 2 * late.astype(np.uint8), np.uint8(OPEN))
    codes[known == AWAY] = OUTSIDE
    return codes


def alone(costs: Costs, first: int, stop: int) -> tuple[Rows, np.ndarray, list[int]]:
    """Some rows of which nothing else is known, and those beside them: costs, what is known, and which ends are not.

    Those ends, the first row (0) or the last (-1), are given label 0.
    """
    top, low = max(first - 1, 0), min(stop + 1, costs.shape[0])
    rows = costs.rows(top, low)
    known = np.full(rows.unary.shape[1:], ACTIVE, np.int8)
    ends = [0] * (top < first) + [-1] * (stop < low)
    for end in ends:
        known[end] = 0
    if rows.inside is not None:
        known[~rows.inside] = AWAY
    return rows, known, ends


def cut_twice(
    rows: Rows, directions: Mapping[str, Offset], known: np.ndarray, ends: list[int], n_threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Labels, uint8, of pixels that are active, and for which of them they do not depend on the rows at these `ends`.

    Those rows, the first (0) or the last (-1), are known to have label 0.
    """
    borders = [(1 if end == 0 else -2, _weights_to(rows, directions, known, end)) for end in ends]
    fold(rows, directions, known, None)
    network = network_of(rows, directions)
    network.solve(n_threads)
    labels = network.sides[0].reshape(known.shape)
    settled: np.ndarray = known == ACTIVE
    if borders:
        labels = labels.copy()
        excess = network.excess[0] if known.ndim == 2 else network.excess
        for row, weights in borders:
            excess[row] -= 2 * weights  # there is label 1 now
        network.solve(n_threads)
        settled &= labels == network.sides[0].reshape(known.shape)
    return labels, settled


def _weights_to(rows: Rows, directions: Mapping[str, Offset], known: np.ndarray, end: int) -> np.ndarray:
    """What each active pixel of the row beside the first (0) or the last (-1) has of weights to that one."""
    near = known[1 if end == 0 else -2]
    border = np.zeros(known.shape[1:], np.int32)
    for (step, *beside), weights in zip(directions.values(), rows.weights, strict=True):
        if step == 1:
            first, second = edge_ends(tuple(beside))
            here, there = (second, first) if end == 0 else (first, second)
            border[here] += weights[end] * ((near[here] == ACTIVE) & (known[end][there] == 0))
    return border


def fold(rows: Rows, directions: Mapping[str, Offset], known: np.ndarray, own: np.ndarray | None) -> None:
    """Replace edges to pixels that are not active by unary costs of those that are.

    Pixels of later zones pull their neighbours away from their `own` labels.
    """
    more = rows.unary[1]
    is_known = (known != ACTIVE).reshape(len(known), -1).any(axis=1)
    for run in _runs(is_known, max(1, _AT_ONCE // known[0].size)):
        for offset, weights in zip(directions.values(), rows.weights, strict=True):
            ends = edge_ends(offset)
            states = [known[run][end] for end in ends]
            part = weights[run.start : run.stop - offset[0]]
            for me, other in ((0, 1), (1, 0)):
                pull = _PULL[states[other] + 1]
                if own is not None:
                    pull = np.where(states[other] == LATER, 2 * own[run][ends[me]] - 1, pull)
                more[run][ends[me]] += np.where(states[me] == ACTIVE, pull, 0) * part
            part *= (states[0] == ACTIVE) & (states[1] == ACTIVE)
        more[run][known[run] != ACTIVE] = 0


def _runs(marked: np.ndarray, most: int) -> Iterator[slice]:
    """Rows that are marked, and one before and behind them; `most` at once, and one more that the next has as well."""
    near = marked.copy()
    near[1:] |= marked[:-1]
    near[:-1] |= marked[1:]
    borders = np.flatnonzero(np.diff(np.concatenate([[False], near, [False]]))).reshape(-1, 2)
    for first, stop in borders.tolist():
        for at in range(first, stop, most):
            yield slice(at, min(at + most + 1, stop))


def network_of(rows: Rows, directions: Mapping[str, Offset]) -> Network:
    """The network of rows that were folded."""
    network = Network(rows.unary.shape[1:], directions)
    apart = np.array([[0, 1], [1, 0]], np.int32)
    grid = IntegerGrid(rows.unary, apart, rows.weights, 0, _ALL, 1.0, np.inf, True, False)
    network.fill(grid, np.zeros(1, np.int32), np.ones(1, np.int32))
    return network


def parts_of(rows: np.ndarray, within: slice | None = None) -> Iterator[slice]:
    """A few rows at a time."""
    first, stop = (0, len(rows)) if within is None else (within.start, within.stop)
    step = max(1, _AT_ONCE // max(1, rows[:1].size))
    return (slice(at, min(at + step, stop)) for at in range(first, stop, step))
