"""The two passes of a streamed split-and-merge: the first one meets the borders of groups, the second one labels.

What is done with a window depends on nothing but its arguments, so that any process can do it, and again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from classicseg.errors import InputError
from classicseg.io.tables import TableFile
from classicseg.io.windows import Labels
from classicseg.kernels.regions.range_tile import GROUP
from classicseg.machine.memory import check_memory
from classicseg.machine.threads import map_tasks
from classicseg.splitmerge.groups import Border, Group, segment_group
from classicseg.splitmerge.picture import Picture
from classicseg.splitmerge.regions import Measures, columns_of, measured
from classicseg.splitmerge.seams import Borders, Numbers, Share
from classicseg.streaming.split.survey import Pixels, Survey, Window

_LARGEST = 2**31 - 1  # number that int32 holds


class Shared(NamedTuple):
    """Regions that lie in several groups, for the table."""

    numbers: np.ndarray
    """(n,) int32, rising."""
    measures: Measures


def bytes_of_row(n_channels: int) -> int:
    """Bytes of what is measured of a region."""
    return 8 * (1 + 5 * n_channels) + 6 * 4 + 3 * 8 + 8


class Labelled(NamedTuple):
    """A window whose regions have their numbers."""

    labels: np.ndarray
    """(z, y, x) int32, of the box of the window."""
    rows: list[tuple[np.ndarray, Measures]]
    """Of regions that lie in one group only: numbers, and what is measured of them. Empty without a table."""


Each = Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], Iterator[Any]]
"""``each(task, arguments)`` gives ``task(survey, *given, n_threads)`` of all arguments, in order, whoever does it."""


def meet_window(survey: Survey, window: Window, with_table: bool, n_threads: int) -> list[tuple[Border, Measures]]:
    """Segment the groups of a window: what their neighbours need to know, with a table what is measured of that."""

    def meet(pixels: Pixels, place: tuple[int, ...]) -> tuple[Border, Measures]:
        box = survey.layout.box(place)
        picture = pixels.picture(box)
        group = segment_group(survey.layout, survey.plan, picture, box)
        border, measures = Border.of(survey.layout, box, group), _nothing(survey.image.count)
        if with_table and picture is not None:
            measures = _rows_of(_measured(group, picture, box), group.touched - 1)
        return border, measures

    return _over_groups(survey, window, meet, n_threads)


def label_window(survey: Survey, window: Window, shares: list[Share], with_table: bool, n_threads: int) -> Labelled:
    """Segment the groups of a window once more, now that all regions have numbers."""
    labels = np.empty([b.stop - b.start for b in window.box], np.int32)

    def label(pixels: Pixels, place: tuple[int, ...]) -> tuple[np.ndarray, Measures]:
        box, share = survey.layout.box(place), shares[window.places.index(place)]
        picture = pixels.picture(box)
        group = segment_group(survey.layout, survey.plan, picture, box)
        if group.touched.size != share.final.size:
            raise InputError("image, or mask, has changed since it was read first")
        new = share.numbers(group)
        local = tuple(slice(b.start - own.start, b.stop - own.start) for b, own in zip(box, pixels.box, strict=True))
        labels[local] = new[group.labels]
        if not with_table or picture is None:
            return np.empty(0, np.int32), _nothing(survey.image.count)
        own = np.ones(group.n, bool)
        own[group.touched - 1] = ~share.shared
        return new[1:][own], _rows_of(_measured(group, picture, box), own)

    rows = _over_groups(survey, window, label, n_threads)
    return Labelled(labels, rows if with_table else [])


def meet_borders(survey: Survey, with_table: bool, each: Each, tick: Callable[[int], None]) -> tuple[Numbers, Shared]:
    """Segment all groups, and number their regions; with a table, measure those that lie in several groups."""
    borders = Borders(survey.layout, survey.plan)
    n_channels = survey.image.count
    found: list[Measures] = [_nothing(n_channels)] * math.prod(survey.layout.grid)
    windows = list(survey.windows())
    for window, groups in zip(windows, each(meet_window, ((w, with_table) for w in windows)), strict=True):
        for place, (border, measures) in zip(window.places, groups, strict=True):
            index = _index(survey, place)
            borders.add(index, survey.layout.box(place), border)
            found[index] = measures
        tick(len(groups))
    numbers = borders.numbers()
    if numbers.n_regions > _LARGEST:
        raise InputError(f"there are {numbers.n_regions} regions, more than {_LARGEST}, which labels can number")
    if not with_table:
        return numbers, Shared(np.empty(0, np.int32), _nothing(n_channels))
    common = borders.same_sides(numbers)
    for index, met in enumerate(found):  # one by one: they are the largest thing in memory
        own = slice(numbers.starts[index], numbers.starts[index + 1])
        measures = met._replace(perimeters=met.perimeters - common[own])
        found[index] = _rows_of(measures, numbers.shared[own])
    every = Measures(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
    found.clear()
    return numbers, _joined(every, numbers.final[numbers.shared])


def write_all(
    survey: Survey,
    numbers: Numbers,
    shared: Shared,
    sink: Labels,
    table: TableFile | None,
    each: Each,
    tick: Callable[[int], None],
) -> None:
    """Segment all groups once more, and write their labels, and the table band by band."""
    layout, rows, band = survey.layout, None, -1
    windows = list(survey.windows())

    def shares(window: Window) -> list[Share]:
        return [numbers.share(_index(survey, place), layout.tiles_of(layout.box(place))) for place in window.places]

    given = ((window, shares(window), table is not None) for window in windows)
    found = each(label_window, given)
    for window in windows:
        labelled = next(found)
        if table is not None and window.band != band:
            if rows is not None:
                rows.write(table, len(layout.spatial))
            band = window.band
            rows = _Rows.of(survey, numbers, shared, band)
        _write(sink, labelled.labels, window.box, layout.shape)
        if rows is not None:
            for names, measures in labelled.rows:
                rows.put(names, measures)
        del labelled  # before the next one comes
        tick(len(window.places))
    if table is not None and rows is not None:
        rows.write(table, len(layout.spatial))


class _Rows:
    """What is measured of the regions that begin in a band."""

    def __init__(self, first: int, measures: Measures) -> None:
        self.first, self.measures = first, measures

    @classmethod
    def of(cls, survey: Survey, numbers: Numbers, shared: Shared, band: int) -> _Rows:
        """Room for them; of those that lie in several groups all is known."""
        tiles, of_band = survey.layout.tiles, 0 if survey.layout.volume else 1
        ends = np.minimum(np.array([band, band + 1]) * GROUP, tiles[of_band]) * math.prod(tiles[of_band + 1 :])
        first, last = np.append(numbers.base, numbers.n_regions)[ends]
        n, n_channels = int(last - first), survey.image.count
        check_memory(n * 2.5 * bytes_of_row(n_channels), f"the table of {n} regions of a band", "leave table out")
        rows = cls(int(first) + 1, _room(n, n_channels))
        own = slice(*np.searchsorted(shared.numbers, (first + 1, last + 1)))
        rows.put(shared.numbers[own], _rows_of(shared.measures, own))
        return rows

    def put(self, numbers: np.ndarray, measures: Measures) -> None:
        """What is measured of the regions of some numbers."""
        for target, values in zip(self.measures, measures, strict=True):
            target[numbers - self.first] = values

    def write(self, table: TableFile, axes: int) -> None:
        """Write their rows of the table."""
        n = len(self.measures.perimeters)
        step = 2**16
        for start in range(0, n, step):
            part = slice(start, min(start + step, n))
            names = np.arange(self.first + part.start, self.first + part.stop, dtype=np.int32)
            table.write(columns_of(names, _rows_of(self.measures, part), axes))


def _over_groups(
    survey: Survey, window: Window, segment: Callable[[Pixels, tuple[int, ...]], Any], n_threads: int
) -> list[Any]:
    """``segment(pixels, place)`` for all groups of a window."""
    pixels = survey.read(window)
    return map_tasks(lambda i: segment(pixels, window.places[i]), len(window.places), n_threads)


def _index(survey: Survey, place: tuple[int, ...]) -> int:
    """The number of a group."""
    return int(np.ravel_multi_index(place, survey.layout.grid))


def _measured(group: Group, picture: Picture, box: tuple[slice, ...]) -> Measures:
    """What is measured of all regions of a group, where the group lies in the image."""
    found = measured(group.labels, group.n, picture)
    origin = [b.start for b in box]
    found.boxes[:] += np.repeat(origin, 2).astype(np.int32)
    found.centers[:] += found.rows[:, :1] * origin
    return found


def _joined(every: Measures, final: np.ndarray) -> Shared:
    """The measures of regions that lie in several groups, of those of their parts, which have the numbers `final`."""
    order = np.argsort(final, kind="stable")
    every, final = _rows_of(every, order), final[order]
    names, starts, which = np.unique(final, return_index=True, return_inverse=True)
    if names.size == 0:
        return Shared(names, every)
    n_channels = every.rows.shape[1] // 5
    area = every.rows[:, :1]
    reference, sums, squares, low, high = (every.rows[:, 1 + k * n_channels :][:, :n_channels] for k in range(5))
    gap = reference - reference[starts][which]
    rows = np.concatenate(
        [
            np.add.reduceat(area, starts),
            reference[starts],
            np.add.reduceat(sums + area * gap, starts),
            np.add.reduceat(squares + gap * (2.0 * sums + area * gap), starts),
            np.minimum.reduceat(low, starts),
            np.maximum.reduceat(high, starts),
        ],
        axis=1,
    )
    boxes = np.minimum.reduceat(every.boxes, starts)
    boxes[:, 1::2] = np.maximum.reduceat(every.boxes[:, 1::2], starts)
    centers, perimeters = np.add.reduceat(every.centers, starts), np.add.reduceat(every.perimeters, starts)
    return Shared(names, Measures(rows, boxes, centers, perimeters))


def _rows_of(measures: Measures, which: Any) -> Measures:
    """The measures of some regions."""
    return Measures(*(part[which] for part in measures))


def _room(n: int, n_channels: int) -> Measures:
    """Room for the measures of `n` regions."""
    return Measures(
        np.empty((n, 1 + 5 * n_channels)), np.empty((n, 6), np.int32), np.empty((n, 3)), np.empty(n, np.int64)
    )


def _nothing(n_channels: int) -> Measures:
    return _room(0, n_channels)


def _write(sink: Labels, labels: np.ndarray, box: tuple[slice, ...], shape: tuple[int, ...]) -> None:
    """Write the labels of a box, in as few pieces as lie together."""
    whole = len(shape)
    while whole > 0 and labels.shape[whole - 1] == shape[whole - 1]:
        whole -= 1
    axis = max(0, whole - 1)
    inner = math.prod(shape[axis + 1 :])
    for index in np.ndindex(*labels.shape[:axis]):
        first = [b.start + i for b, i in zip(box[: axis + 1], (*index, 0), strict=True)]
        start = int(np.ravel_multi_index(first, shape[: axis + 1])) * inner
        sink.write(start, labels[index].reshape(-1))
