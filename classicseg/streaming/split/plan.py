"""What a streamed split-and-merge will take, told before it begins."""

from __future__ import annotations

import math
import os
import shutil
import time
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from classicseg.errors import BudgetError
from classicseg.io.files import as_path, check_target
from classicseg.io.sources import bytes_to_unpack, told_of_unpacking
from classicseg.machine.threads import map_tasks, resolve_threads
from classicseg.splitmerge.groups import segment_group
from classicseg.splitmerge.homogeneity import Homogeneity, HomogeneityLike
from classicseg.splitmerge.split_merge import DEFAULT_RANGE
from classicseg.streaming.split.passes import bytes_of_row
from classicseg.streaming.split.survey import SplitOptions, Survey, Window, checked, surveyed

_TRIED = 12  # groups
_OF_PIXEL = 300  # bytes that a thread needs for each pixel of its group, at most
_OF_BORDER = 64  # bytes of a region at a border, beside its statistics
_OF_SEAM = 56  # bytes of a pixel along a border, when pairs are sorted


@dataclass(frozen=True)
class SplitPlan:
    """What :func:`split_and_merge_streamed` will take.

    Attributes
    ----------
    homogeneity, merge_homogeneity : Homogeneity
    shape : tuple of int
        Spatial shape of the image.
    n_points : int
        Pixels that take part.
    n_regions : float
        An estimate, from some groups of tiles; rather too large, as what several of them share counts for each.
    memory : float
        Bytes beyond those of the process before, with a table.
    scratch : float
        Bytes on the disk for the state, while it runs. Where labels go to another file than a ``.npy`` one, as much as
        `labels` comes on top.
    unpacked : float
        Bytes in the folder for temporary files, while it runs, into which scans (NIfTI) are unpacked.
    labels : float
        Bytes of labels in a ``.npy`` file.
    table : float
        Bytes of the region table.
    seconds : float
        As some groups take them now, without a table.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> image = np.add.outer(np.arange(700), np.arange(600)).astype(np.uint16)
    >>> plan = cs.plan_split_and_merge(image, cs.Range(300))
    >>> plan.shape, plan.n_points, plan.labels
    ((700, 600), 420000, 1680128)
    """

    homogeneity: Homogeneity
    merge_homogeneity: Homogeneity
    shape: tuple[int, ...]
    n_points: int
    n_regions: float
    memory: float
    scratch: float
    unpacked: float
    labels: float
    table: float
    seconds: float

    def __str__(self) -> str:
        size = " x ".join(map(str, self.shape))
        memory, scratch, labels, table = (
            f"{nbytes / 2**20:.3g} MiB" for nbytes in (self.memory, self.scratch, self.labels, self.table)
        )
        return (
            f"{size} pixels, {self.n_points} inside, about {self.n_regions:.2g} regions under {self.homogeneity!r}: "
            f"{memory} of memory, {scratch} of scratch space{told_of_unpacking(self.unpacked)}, {labels} of labels, "
            f"{table} of a table, {self.seconds:.3g} s without it"
        )


def plan_split_and_merge(
    image: Any,
    homogeneity: HomogeneityLike = DEFAULT_RANGE,
    *,
    mask: Any = None,
    channel_axis: int | str | None = "auto",
    **options: Unpack[SplitOptions],
) -> SplitPlan:
    """Say what :func:`split_and_merge_streamed` will take: everything is looked at once, some groups are segmented.

    Parameters
    ----------
    image, homogeneity, mask, channel_axis, **options
        As in :func:`split_and_merge_streamed`.

    Returns
    -------
    SplitPlan

    Raises
    ------
    ValueError, TypeError
        As :func:`split_and_merge_streamed` does.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> cs.plan_split_and_merge(np.zeros((600, 600), np.uint8), 3).homogeneity
    Range(threshold=3.0)
    """
    chosen = checked(options)
    n_threads = resolve_threads(chosen.get("n_threads"))
    start = time.perf_counter()
    survey = surveyed(image, homogeneity, mask, channel_axis, chosen, n_threads)
    to_look = time.perf_counter() - start
    layout, n_channels = survey.layout, survey.image.count
    n_pixels, of_group = math.prod(layout.shape), math.prod(layout.side)
    tried = _tried(survey, n_threads)
    share = n_pixels / max(1, tried.n_pixels)
    n_regions, n_border = max(1.0, tried.n_regions * share), tried.n_border * share
    seam = sum(2 * (groups - 1) * n_pixels // side for groups, side in zip(layout.grid, layout.shape, strict=True))
    at_once = min(survey.window, layout.grid[-1]) * of_group
    bands = layout.grid[0 if layout.volume else 1]
    memory = (
        at_once * (n_channels * survey.image.dtype.itemsize + 5)
        + min(n_threads, layout.grid[-1]) * of_group * _OF_PIXEL
        + n_border * (2 * bytes_of_row(n_channels) + _OF_BORDER)
        + seam * _OF_SEAM
        + n_regions / bands * bytes_of_row(n_channels)
    )
    return SplitPlan(
        survey.plan.predicate,
        survey.plan.merge_predicate,
        layout.spatial,
        survey.n_points,
        n_regions,
        memory,
        scratch=n_border * (6 + bytes_of_row(n_channels) / 4) + math.prod(layout.tiles) * 8,
        unpacked=sum(map(bytes_to_unpack, (image, mask))),
        labels=4 * n_pixels + 128,
        table=n_regions * _bytes_of_line(survey),
        seconds=to_look + 2 * tried.seconds * share,
    )


def check_table(survey: Survey, path: str | os.PathLike[str], n_threads: int) -> None:
    """Raise BudgetError if a table would not fit on its disk."""
    if math.prod(survey.layout.grid) <= _TRIED:
        return
    tried, folder = _tried(survey, n_threads), check_target(as_path(path)).parent
    n_regions = tried.n_regions * math.prod(survey.layout.shape) / max(1, tried.n_pixels)
    needed, free = n_regions * _bytes_of_line(survey), shutil.disk_usage(folder).free
    if needed > free:
        raise BudgetError(
            f"the table of about {n_regions:.2g} regions would need {needed / 2**30:.3g} GiB, but "
            f"{free / 2**30:.3g} GiB are free in {folder}; leave table out, or make regions larger by min_size"
        )


@dataclass(frozen=True)
class _Tried:
    """What some groups took."""

    n_pixels: int
    n_regions: int
    n_border: int
    seconds: float


def _tried(survey: Survey, n_threads: int) -> _Tried:
    """Segment some groups from all over the image."""
    layout = survey.layout
    n_groups = math.prod(layout.grid)
    chosen = np.unique(np.linspace(0, n_groups - 1, min(n_groups, _TRIED)).astype(int))

    def segment(i: int) -> tuple[int, int, int]:
        place = tuple(int(k) for k in np.unravel_index(chosen[i], layout.grid))
        box = layout.box(place)
        picture = survey.read(Window(0, box, [place])).picture(box)
        group = segment_group(layout, survey.plan, picture, box)
        return group.labels.size, group.n, group.touched.size

    segment(0)  # kernels are loaded
    start = time.perf_counter()
    found = map_tasks(segment, len(chosen), n_threads)
    seconds = time.perf_counter() - start
    n_pixels, n_regions, n_border = np.sum(found, axis=0)
    return _Tried(int(n_pixels), int(n_regions), int(n_border), seconds)


def _bytes_of_line(survey: Survey) -> int:
    """About how long a line of the table is: a number takes up to 18 letters and a comma."""
    return 100 + 45 * survey.image.count
