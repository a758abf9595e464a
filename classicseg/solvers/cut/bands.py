"""Exact minimum cuts of grids that pass by in bands: rows of an image, or slices of a volume.

A band is all that is in memory at a time. It is cut twice: as if all pixels behind it had label 0, and as if they had
label 1. More of label 1 behind it never means less of it within, since energies are submodular: pixels that have the
same label both times have it whatever comes, and are settled. The others are open. They lie where the band ends, and go
into the next one. Nothing is approximated, and where several labellings are best, it is the one with the fewest pixels
of label 1.

That the cut is minimal can be told from the labels alone. Pixels that one band has settled are a zone. The edge between
pixels of two zones is replaced by a flow that fills it, from its end of the later zone to the other if the pixel that
was settled first has label 1, the other way round if it has label 0. Zones are then independent of each other, and
what their minimum cuts cost together is a bound: no labelling costs less. If labels cost as much, they are a minimum.

Kovtun, "Partial optimal labeling search for a NP-hard subclass of (max,+) problems", DAGM 2003,
doi:10.1007/978-3-540-45243-0_52; Shekhovtsov, Hlaváč, "A distributed mincut/maxflow algorithm combining path
augmentation and push-relabel", IJCV 104, 2013, doi:10.1007/s11263-012-0571-2 (reduction of regions).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

import numpy as np

from classicseg.energies.grid import Offset, edge_ends
from classicseg.errors import BudgetError, InputError
from classicseg.solvers.cut.integers import IntegerGrid
from classicseg.solvers.cut.network import Network

OPEN, OUTSIDE = 255, 254
"""Codes of pixels that are not settled yet, and of those that take no part."""

LATEST = 126
"""Pixels are settled fewer bands after that with which they came: a code is the label plus twice their number."""

_ACTIVE, _AWAY, _LATER = -1, 2, 3  # beside 0 and 1, of pixels whose label is known
_PULL = np.array([0, 1, -1, 0, 0], np.int32)  # by which a neighbour makes label 1 dearer, from _ACTIVE on
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


class Proof(NamedTuple):
    """What labels cost and what they must cost, in steps beyond the cheaper label of each pixel."""

    cut: int
    flow: int
    least: float  # what the cheaper labels cost


def bytes_of_pixel(n_directions: int, n_threads: int) -> float:
    """Memory that each pixel of a band takes, for so many forward directions."""
    record, tiles, steps = 4 * (2 * n_directions + 4), (2 * n_directions + 4) / 8, 5 * n_threads
    return record + tiles + steps + 4 * n_directions + 8 + 8


def cut_band(costs: Costs, codes: Codes, bands: list[Band], n_threads: int) -> tuple[int, int]:
    """Settle what can be settled with the last band; returns the first row with an open pixel, and how many there are.

    Parameters
    ----------
    costs : Costs
    codes : Codes
        Read and written.
    bands : list of Band
        All so far; the last is cut.
    n_threads : int
    """
    band, number, length = bands[-1], len(bands) - 1, costs.shape[0]
    top, low = max(band.begin - 1, 0), min(band.stop + 1, length)
    rows = costs.rows(top, low)
    known = np.full(rows.unary.shape[1:], _ACTIVE, np.int8)
    before = codes.read(top, band.start)
    known[: band.start - top] = _known(before, bands, top, number, _ACTIVE)
    is_last = low == band.stop
    if not is_last:
        known[-1] = 0
    if rows.inside is not None:
        known[~rows.inside] = _AWAY
    labels, settled = _cut_twice(rows, costs.directions, known, [] if is_last else [-1], n_threads)
    mine = slice(band.begin - top, band.stop - top)
    late = _late(bands, band.begin, band.stop, number, known.ndim)
    if late.max() >= LATEST and ((known[mine] == _ACTIVE) & (late >= LATEST)).any():
        raise BudgetError(
            f"pixels depend on what lies {LATEST} bands behind them; give a larger window, or more memory"
        )
    found = np.where(settled[mine], labels[mine] + 2 * late.astype(np.uint8), np.uint8(OPEN))
    found[known[mine] == _AWAY] = OUTSIDE
    old = slice(0, band.start - band.begin)
    np.copyto(found[old], before[band.begin - top :], where=known[mine][old] >= 0)
    codes.write(band.begin, found)
    left = np.flatnonzero((found == OPEN).reshape(len(found), -1).any(axis=1))
    first = band.begin + int(left[0]) if left.size else band.stop
    return first, int(np.count_nonzero(found == OPEN))


def prove_band(costs: Costs, codes: Codes, bands: list[Band], number: int, n_threads: int) -> Proof:
    """What a band adds to the cost of all labels, and to the bound.

    Raises
    ------
    ValueError
        If the labels are not those that its costs have led to.
    """
    band = bands[number]
    top, low = max(band.begin - 1, 0), min(band.stop + 1, costs.shape[0])
    rows, found = costs.rows(top, low), codes.read(top, low)
    labels, known = (found & 1).astype(np.int8), _known(found, bands, top, number, _LATER)
    if rows.inside is not None:
        known[~rows.inside] = _AWAY
    new = slice(band.start - top, band.stop - top)
    cut = _cost(rows, costs.directions, labels, new)
    flow = 0
    for part in _parts(known):
        more = rows.unary[1, part]
        flow -= int(np.minimum(more, 0).sum(dtype=np.int64, where=known[part] == _ACTIVE))
    _fold(rows, costs.directions, known, labels)
    network = _network(rows, costs.directions)
    more = rows.unary[1]
    flow += sum(int(np.minimum(more[part], 0).sum(dtype=np.int64)) for part in _parts(more))
    flow += sum(int(np.maximum(more[part], 0).sum(dtype=np.int64)) for part in _parts(more))
    network.solve(n_threads)
    flow -= sum(int(np.maximum(sheet, 0).sum(dtype=np.int64)) for sheet in _sheets(network.excess))
    is_mine = known == _ACTIVE
    if (network.sides[0].reshape(known.shape)[is_mine] != labels[is_mine]).any():
        raise InputError(f"costs of the rows {band.begin} to {band.stop - 1} have changed since they were cut")
    return Proof(cut, flow, float(sum(rows.least[new].tolist())))


class Trial(NamedTuple):
    """What a band in the middle of an image is like."""

    certain: float  # share of the pixels that all of their edges cannot outweigh
    n_open: int  # pixels that depend on what lies before or behind the band
    reach: int  # of its rows, how many from the end on hold such pixels, but for those in its first half


def try_band(costs: Costs, first: int, stop: int, n_threads: int) -> Trial:
    """Cut some rows of which nothing else is known."""
    top, low = max(first - 1, 0), min(stop + 1, costs.shape[0])
    rows = costs.rows(top, low)
    known = np.full(rows.unary.shape[1:], _ACTIVE, np.int8)
    ends = [0] * (top < first) + [-1] * (stop < low)
    for end in ends:
        known[end] = 0
    if rows.inside is not None:
        known[~rows.inside] = _AWAY
    mine = slice(first - top, stop - top)
    active = known[mine] == _ACTIVE
    certain = _certain(rows, costs.directions)[mine] & active
    _, settled = _cut_twice(rows, costs.directions, known, ends, n_threads)
    is_open = active & ~settled[mine]
    middle = (stop - first) // 2
    held = np.flatnonzero(is_open[middle:].reshape(stop - first - middle, -1).any(axis=1))
    reach = stop - first - middle - int(held[0]) if held.size else 0
    return Trial(int(certain.sum()) / max(1, int(active.sum())), int(is_open.sum()), reach)


def _certain(rows: Rows, directions: Mapping[str, Offset]) -> np.ndarray:
    """Which pixels all of their edges, to those of these rows, cannot outweigh."""
    edges = np.zeros(rows.unary.shape[1:], np.int32)
    for offset, weights in zip(directions.values(), rows.weights, strict=True):
        for end in edge_ends(offset):
            edges[end] += weights
    certain: np.ndarray = np.abs(rows.unary[1]) >= edges
    return certain


def labels_of(codes: np.ndarray, fill: int) -> np.ndarray:
    """The labels, int32, of pixels that are all settled."""
    return np.where(codes == OUTSIDE, np.int32(fill), (codes & 1).astype(np.int32))


def _late(bands: list[Band], first: int, stop: int, number: int, n_axes: int) -> np.ndarray:
    """For the pixels of each of these rows, how many bands before that `number` they came, (n, 1, ...) int64."""
    came = np.searchsorted([band.stop for band in bands], np.arange(first, stop), "right")
    return (number - came).reshape(-1, *(1,) * (n_axes - 1))


def _known(codes: np.ndarray, bands: list[Band], first: int, number: int, later: int) -> np.ndarray:
    """What the zone of a band sees of rows from `first` on, int8; `later` are pixels that are settled after it."""
    late, due = codes >> 1, _late(bands, first, first + len(codes), number, codes.ndim)
    known = (codes & 1).astype(np.int8)
    known[late >= due] = later
    known[late == due] = _ACTIVE
    return known


def _cut_twice(
    rows: Rows, directions: Mapping[str, Offset], known: np.ndarray, ends: list[int], n_threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Labels, uint8, of pixels that are active, and for which of them they do not depend on the rows at these `ends`.

    Those rows, the first (0) or the last (-1), are known to have label 0.
    """
    borders = [(1 if end == 0 else -2, _weights_to(rows, directions, known, end)) for end in ends]
    _fold(rows, directions, known, None)
    network = _network(rows, directions)
    network.solve(n_threads)
    labels = network.sides[0].reshape(known.shape)
    settled: np.ndarray = known == _ACTIVE
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
            border[here] += weights[end] * ((near[here] == _ACTIVE) & (known[end][there] == 0))
    return border


def _fold(rows: Rows, directions: Mapping[str, Offset], known: np.ndarray, own: np.ndarray | None) -> None:
    """Replace edges to pixels that are not active by unary costs of those that are.

    Pixels of later zones pull their neighbours away from their `own` labels.
    """
    more = rows.unary[1]
    is_known = (known != _ACTIVE).reshape(len(known), -1).any(axis=1)
    for run in _runs(is_known, max(1, _AT_ONCE // known[0].size)):
        for offset, weights in zip(directions.values(), rows.weights, strict=True):
            ends = edge_ends(offset)
            states = [known[run][end] for end in ends]
            part = weights[run.start : run.stop - offset[0]]
            for me, other in ((0, 1), (1, 0)):
                pull = _PULL[states[other] + 1]
                if own is not None:
                    pull = np.where(states[other] == _LATER, 2 * own[run][ends[me]] - 1, pull)
                more[run][ends[me]] += np.where(states[me] == _ACTIVE, pull, 0) * part
            part *= (states[0] == _ACTIVE) & (states[1] == _ACTIVE)
        more[run][known[run] != _ACTIVE] = 0


def _runs(marked: np.ndarray, most: int) -> Iterator[slice]:
    """Rows that are marked, and one before and behind them; `most` at once, and one more that the next has as well."""
    near = marked.copy()
    near[1:] |= marked[:-1]
    near[:-1] |= marked[1:]
    borders = np.flatnonzero(np.diff(np.concatenate([[False], near, [False]]))).reshape(-1, 2)
    for first, stop in borders.tolist():
        for at in range(first, stop, most):
            yield slice(at, min(at + most + 1, stop))


def _network(rows: Rows, directions: Mapping[str, Offset]) -> Network:
    """The network of rows that were folded."""
    network = Network(rows.unary.shape[1:], directions)
    apart = np.array([[0, 1], [1, 0]], np.int32)
    grid = IntegerGrid(rows.unary, apart, rows.weights, 0, _ALL, 1.0, np.inf, True, False)
    network.fill(grid, np.zeros(1, np.int32), np.ones(1, np.int32))
    return network


def _cost(rows: Rows, directions: Mapping[str, Offset], labels: np.ndarray, new: slice) -> int:
    """What labels cost in the new rows, and at edges whose later end is there."""
    total = 0
    for part in _parts(labels, new):
        more = rows.unary[1, part]
        dear = np.where(more > 0, labels[part] == 1, labels[part] == 0)
        if rows.inside is not None:
            dear &= rows.inside[part]
        total += int(np.abs(more).sum(dtype=np.int64, where=dear))
        for offset, weights in zip(directions.values(), rows.weights, strict=True):
            first, second = edge_ends(offset)
            around = slice(max(part.start - offset[0], 0), part.stop)
            apart = labels[around][first] != labels[around][second]
            if rows.inside is not None:
                apart &= rows.inside[around][first] & rows.inside[around][second]
            edges = weights[around.start : around.stop - offset[0]]
            total += int(edges.sum(dtype=np.int64, where=apart))
    return total


def _parts(rows: np.ndarray, within: slice | None = None) -> Iterator[slice]:
    """A few rows at a time."""
    first, stop = (0, len(rows)) if within is None else (within.start, within.stop)
    step = max(1, _AT_ONCE // max(1, rows[:1].size))
    return (slice(at, min(at + step, stop)) for at in range(first, stop, step))


def _sheets(excess: np.ndarray) -> Iterator[np.ndarray]:
    """The parts of (depth, height, width)."""
    for sheet in excess:
        yield from (sheet[part] for part in _parts(sheet))
