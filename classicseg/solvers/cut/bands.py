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
from typing import NamedTuple

import numpy as np

from classicseg.energies.grid import Offset, edge_ends
from classicseg.errors import InputError
from classicseg.solvers.cut.zones import (
    ACTIVE,
    AWAY,
    LATER,
    OPEN,
    Band,
    Codes,
    Costs,
    Rows,
    alone,
    codes_of,
    cut_twice,
    fold,
    known_of,
    late_of,
    network_of,
    parts_of,
    rows_of,
)


class Proof(NamedTuple):
    """What labels cost and what they must cost, in steps beyond the cheaper label of each pixel."""

    cut: int
    flow: int
    least: float  # what the cheaper labels cost


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
    top, low = rows_of(band, length)
    rows = costs.rows(top, low)
    known = np.full(rows.unary.shape[1:], ACTIVE, np.int8)
    before = codes.read(top, band.start)
    known[: band.start - top] = known_of(before, bands, top, number, ACTIVE)
    is_last = low == band.stop
    if not is_last:
        known[-1] = 0
    if rows.inside is not None:
        known[~rows.inside] = AWAY
    labels, settled = cut_twice(rows, costs.directions, known, [] if is_last else [-1], n_threads)
    mine = slice(band.begin - top, band.stop - top)
    late = late_of(bands, band.begin, band.stop, number, known.ndim)
    found = codes_of(labels[mine], settled[mine], known[mine], late)
    old = slice(0, band.start - band.begin)
    np.copyto(found[old], before[band.begin - top :], where=known[mine][old] >= 0)
    codes.write(band.begin, found)
    left = np.flatnonzero((found == OPEN).reshape(len(found), -1).any(axis=1))
    first = band.begin + int(left[0]) if left.size else band.stop
    return first, int(np.count_nonzero(found == OPEN))


def prove_band(costs: Costs, codes: np.ndarray, bands: list[Band], number: int, n_threads: int) -> Proof:
    """What a band adds to the cost of all labels, and to the bound; `codes` are those of :func:`rows_of`.

    Raises
    ------
    ValueError
        If the labels are not those that its costs have led to.
    """
    band = bands[number]
    top, low = rows_of(band, costs.shape[0])
    rows, labels = costs.rows(top, low), (codes & 1).astype(np.int8)
    known = known_of(codes, bands, top, number, LATER)
    if rows.inside is not None:
        known[~rows.inside] = AWAY
    new = slice(band.start - top, band.stop - top)
    cut = _cost(rows, costs.directions, labels, new)
    flow = 0
    for part in parts_of(known):
        more = rows.unary[1, part]
        flow -= int(np.minimum(more, 0).sum(dtype=np.int64, where=known[part] == ACTIVE))
    fold(rows, costs.directions, known, labels)
    network = network_of(rows, costs.directions)
    more = rows.unary[1]
    flow += sum(int(np.minimum(more[part], 0).sum(dtype=np.int64)) for part in parts_of(more))
    flow += sum(int(np.maximum(more[part], 0).sum(dtype=np.int64)) for part in parts_of(more))
    network.solve(n_threads)
    flow -= sum(int(np.maximum(sheet, 0).sum(dtype=np.int64)) for sheet in _sheets(network.excess))
    is_mine = known == ACTIVE
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
    rows, known, ends = alone(costs, first, stop)
    mine = slice(1 if 0 in ends else 0, -1 if -1 in ends else None)
    active = known[mine] == ACTIVE
    certain = _certain(rows, costs.directions)[mine] & active
    _, settled = cut_twice(rows, costs.directions, known, ends, n_threads)
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


def _cost(rows: Rows, directions: Mapping[str, Offset], labels: np.ndarray, new: slice) -> int:
    """What labels cost in the new rows, and at edges whose later end is there."""
    total = 0
    for part in parts_of(labels, new):
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


def _sheets(excess: np.ndarray) -> Iterator[np.ndarray]:
    """The parts of (depth, height, width)."""
    for sheet in excess:
        yield from (sheet[part] for part in parts_of(sheet))
