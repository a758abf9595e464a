"""Split-and-merge of images that are larger than memory by the workers of a cluster."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Unpack

import numpy as np

from classicseg.dask.labelled import axis_of, check_on_image, is_labelled, like
from classicseg.dask.sent import Sent, digest_of
from classicseg.dask.sources import check_writable, readable
from classicseg.dask.workers import Workers, connected, kept_in
from classicseg.splitmerge.homogeneity import HomogeneityLike
from classicseg.splitmerge.split_merge import DEFAULT_RANGE
from classicseg.streaming.label_sink import state_folder
from classicseg.streaming.split.passes import Each
from classicseg.streaming.split.streamed import each_here, split_in_windows
from classicseg.streaming.split.survey import AT_ONCE, SplitOptions, Survey, checked

_OF_TASK = 2**22  # pixels: a second of work or so, whose labels take 16 MiB
_PROBES = 16  # lines of pixels by which workers see whether they read the same


class SplitClusterOptions(SplitOptions, total=False):
    """What :func:`split_and_merge` can be told beside what it reads; None is as if not given."""

    cluster: Any


def split_and_merge(
    image: Any,
    homogeneity: HomogeneityLike = DEFAULT_RANGE,
    *,
    out: Any = None,
    table: str | os.PathLike[str] | None = None,
    mask: Any = None,
    channel_axis: int | str | None = "auto",
    **options: Unpack[SplitClusterOptions],
) -> Any:
    """Split and merge an image that is larger than memory, with workers that each read the part that they work on.

    The labels are those of :func:`classicseg.split_and_merge`, to the byte, for any number of workers, whichever of
    them does what, and however many of them die. There are no seams.

    Parameters
    ----------
    image, mask
        As in :func:`classicseg.split_and_merge_streamed`; also arrays of Dask and xarray. Workers read by themselves,
        so names have to be of files that all of them see. Arrays in memory are sent to workers if they are small.
    homogeneity, table
        As in :func:`classicseg.split_and_merge_streamed`.
    out : path or array, optional
        Where labels are written, as in :func:`classicseg.split_and_merge_streamed`. The calling process writes them,
        an array of Zarr in whole shards.
    channel_axis
        As in :func:`classicseg.split_and_merge`, or the name of a dimension.
    **options
        As in :func:`classicseg.split_and_merge_streamed`. `window` is also what one task is, by default about 4 million
        pixels; `n_threads` are those of the calling process. And `cluster`, as in :func:`refine`.

    Returns
    -------
    ndarray, spatial shape, int32, DataArray, or `out`
        Labels; with the coordinates of `image` if that is of xarray.

    Raises
    ------
    ValueError, TypeError, OSError, BudgetError
        As :func:`classicseg.split_and_merge_streamed` does; if no scheduler answers, if workers read something else
        than this process does, or have another version of classicseg.
    WorkerError
        If the same task was ended by the death of four workers, or there have been no workers for a minute. What is
        known after the first half of the work is kept in `state`.

    Notes
    -----
    Windows of whole groups of tiles are segmented by whoever is free. Of each the calling process gets the regions at
    borders, merges them between groups, as in memory, and numbers them; then windows are segmented once more, and their
    labels come back. It also looks at everything once before workers begin, and has the state, which is the same as
    without workers.

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> import classicseg.dask as cd, dask.array as da
    >>> image = np.add.outer(np.arange(700), np.arange(600)).astype(np.uint16)
    >>> labels = cd.split_and_merge(da.from_array(image, chunks=200), cs.Range(300))
    >>> np.array_equal(labels, cs.split_and_merge(image, cs.Range(300)))
    True
    """
    cluster = options.pop("cluster", None)
    check_writable(out)
    chosen = checked(options)
    check_on_image(image, mask, "mask", None)
    axis = axis_of(image, channel_axis, "channel_axis")
    masked = None if mask is None else readable(mask, "mask")
    seen: list[int | None] = []
    with (
        connected(cluster) as client,
        kept_in(state_folder(chosen.get("state"), out), "what is known so far is"),
    ):

        def each_of(survey: Survey, n_threads: int) -> Each:
            seen.append(survey.image.axis)
            return each_here(survey, n_threads) if client is None else _each_of(Workers(client), survey)

        at_once = AT_ONCE if client is None else _OF_TASK
        labels = split_in_windows(
            readable(image, "image"), homogeneity, out, table, masked, axis, chosen, each_of, at_once
        )
    return like(image, seen[0], labels) if out is None and is_labelled(image) else labels


def _each_of(workers: Workers, survey: Survey) -> Each:
    """Have windows segmented by workers."""
    n_probes = min(_PROBES, math.prod(survey.layout.grid))
    sent = workers.keep(Sent.of(survey, [_probe(survey, k, n_probes) for k in range(n_probes)]))

    def each(task: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        return workers.in_order(_on_survey, ((sent, i, task, given) for i, given in enumerate(arguments)))

    return each


def _on_survey(sent: Sent, i: int, task: Callable[..., Any], given: tuple[Any, ...]) -> Any:
    """What a worker does with a window."""
    n_probes = len(sent.probes)
    survey = sent.opened(i % n_probes, lambda survey: _probe(survey, i % n_probes, n_probes))
    return task(survey, *given, 1)


def _probe(survey: Survey, k: int, n_probes: int) -> str:
    """A digest of a line of pixels, number `k` of some from all over the image."""
    grid = survey.layout.grid
    place = np.unravel_index(k * math.prod(grid) // n_probes, grid)
    box = survey.layout.box(tuple(map(int, place)))
    line = tuple(slice(side.start, side.start + 1) for side in box[:-1])
    where = (*line, box[-1]) if survey.layout.volume else (*line[1:], box[-1])
    return digest_of([planes.read(where) for planes in (survey.image, survey.mask) if planes is not None])
