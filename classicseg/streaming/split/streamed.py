"""Split-and-merge of images that are larger than memory."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from classicseg.io.tables import TableFile
from classicseg.io.windows import Labels, label_file
from classicseg.machine.threads import resolve_threads
from classicseg.solvers.run import progress_bar
from classicseg.splitmerge.homogeneity import HomogeneityLike
from classicseg.splitmerge.regions import Measures
from classicseg.splitmerge.seams import Numbers
from classicseg.splitmerge.split_merge import DEFAULT_RANGE
from classicseg.streaming.label_sink import check_out, check_room, sink_of, state_folder
from classicseg.streaming.split.passes import Each, Shared, meet_borders, write_all
from classicseg.streaming.split.plan import check_table
from classicseg.streaming.split.survey import AT_ONCE, SplitOptions, Survey, checked, surveyed
from classicseg.streaming.state_folder import StateFolder

_REGIONS = "regions.npz"


def split_and_merge_streamed(
    image: Any,
    homogeneity: HomogeneityLike = DEFAULT_RANGE,
    *,
    out: Any = None,
    table: str | os.PathLike[str] | None = None,
    mask: Any = None,
    channel_axis: int | str | None = "auto",
    **options: Unpack[SplitOptions],
) -> Any:
    """Split and merge an image that is larger than memory: it passes by in windows, three times.

    The labels are those of :func:`split_and_merge`, to the byte, for every size of windows: there are no seams. Nothing
    but the regions along the borders of groups of tiles, squares of 512 pixels, stays in memory.

    Parameters
    ----------
    image : array_like or path, (H, W), (D, H, W), (H, W, C) or (D, H, W, C)
        The name of a file (.npy, GeoTIFF, TIFF stacks, .zarr, .nii.gz), an array, or whatever has a shape, a dtype and
        ``image[window]``, a slice for each axis: arrays of Zarr and HDF5 (open ones), and readers of rasters.
    homogeneity : Range or float
        What may be one region: :class:`Range`, or several of them with ``&`` and ``|``; a number stands for
        ``Range(number)``.
    out : path or array, optional
        Where labels are written: a file of int32 (.npy, .tif, .nii, .zarr), or an array in which windows can be
        assigned. A file appears when all is done.
    table : path, optional
        A ``.csv`` file, or ``.parquet`` (extra ``parquet``), for the region table, with the columns of
        :func:`describe_regions` but for neighbours, and the same numbers where those of the image are whole; else
        rounded otherwise.
    mask : array_like or path, spatial shape, optional
        Pixels to segment; by default those that a GeoTIFF says hold data.
    channel_axis
        As in :func:`split_and_merge`.
    **options
        `min_size`, `max_depth`, `connectivity`, `merge` ("fast" or None), `merge_homogeneity` and `n_threads` as in
        :func:`split_and_merge`; and:

        window : int
            How many pixels along the last axis are read at once, rounded up to groups of 512 (of volumes: 128); by
            default as many as make about 16 million pixels. Along the other axes it is one group.
        progress : bool
            Show a progress bar, if standard error is a terminal and tqdm is installed.
        state : path
            Folder for what is known after the first half of the work, by default ``out`` with ``.state`` behind its
            name if that is a file. A run that was ended, in whatever way, goes on from there when it is called again in
            the same way, and removes the folder at its end.

    Returns
    -------
    ndarray, spatial shape, int32, or `out`
        Labels.

    Raises
    ------
    ValueError
        As :func:`split_and_merge`; for predicates other than Range and for `merge="best_first"`, which look at the
        whole image; if a file is truncated, if `state` is of other inputs or parameters, or if the image changes while
        it is read.
    TypeError
        As :func:`split_and_merge`.
    OSError
        If nothing can be written, or a disk is full.
    BudgetError
        If a table of so many regions has no room, in memory or on the disk.

    Warns
    -----
    UserWarning
        As :func:`split_and_merge`.

    Notes
    -----
    In the order "fast" pairs of regions are tried tile by tile, then within groups of 8 x 8 tiles, then between groups.
    So every group is segmented by itself, twice: the first time only its regions at borders are kept; these are merged
    between groups, as in memory; the second time all regions have numbers.

    References
    ----------
    .. [1] S. L. Horowitz, T. Pavlidis, "Picture segmentation by a tree traversal algorithm", Journal of the ACM 23(2),
       1976, 368-388. doi:10.1145/321941.321956

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> image = np.add.outer(np.arange(700), np.arange(600)).astype(np.uint16)
    >>> labels = cs.split_and_merge_streamed(image, cs.Range(300), window=512)
    >>> np.array_equal(labels, cs.split_and_merge(image, cs.Range(300)))
    True
    """
    return split_in_windows(image, homogeneity, out, table, mask, channel_axis, checked(options), each_here)


def each_here(survey: Survey, n_threads: int) -> Each:
    """Have windows segmented by threads of this process, one after the other."""
    return lambda task, arguments: (task(survey, *given, n_threads) for given in arguments)


def split_in_windows(
    image: Any,
    homogeneity: HomogeneityLike,
    out: Any,
    table: str | os.PathLike[str] | None,
    mask: Any,
    channel_axis: int | str | None,
    options: dict[str, Any],
    each_of: Callable[[Survey, int], Each],
    at_once: int = AT_ONCE,
) -> Any:
    """Look at everything, have windows segmented by ``each_of(survey, n_threads)``, write all or keep what is known.

    Where nobody says how large windows are, they have about `at_once` pixels.
    """
    n_threads = resolve_threads(options.get("n_threads"))
    check_out(out)
    folder = state_folder(options.get("state"), out)
    survey = surveyed(image, homogeneity, mask, channel_axis, options, n_threads, at_once)
    shape = survey.layout.spatial
    check_room(out, shape, [0])
    if table is not None:
        check_table(survey, table, n_threads)
    state = StateFolder(folder, {"inputs": survey.digest, "parameters": survey.parameters()})
    labels = np.empty(shape, np.int32) if out is None else out
    with contextlib.closing(state):
        rows = None if table is None else TableFile(table)
        sink: Labels | None = None
        try:
            sink = _sink_of(labels, survey, folder)
            _run(survey, state, sink, rows, labels, each_of(survey, n_threads), options.get("progress", False))
            if rows is not None:
                rows.finish()
            sink.finish()
        except BaseException as failure:
            for target in (sink, rows):
                if target is not None:
                    target.discard()
            if isinstance(failure, OSError) and folder is not None and failure.errno is not None:
                text = f"{failure.strerror}; what is known so far is kept in {folder}"
                raise OSError(failure.errno, text, failure.filename) from failure
            raise
        state.remove()
    return labels


def _run(
    survey: Survey,
    state: StateFolder,
    sink: Labels,
    rows: TableFile | None,
    out: Any,
    each: Each,
    progress: bool,
) -> None:
    """Both passes, or the second one if the state knows of the first."""
    known = _known(state, rows is not None)
    n_passes = 2 if known is None else 1
    bar = progress_bar("split", math.prod(survey.layout.grid) * n_passes) if progress else None
    tick = (lambda n: None) if bar is None else bar.update
    try:
        if known is None:
            known = meet_borders(survey, rows is not None, each, tick)
            _keep(state, *known, with_table=rows is not None)
        check_room(out, survey.layout.spatial, [known[0].n_regions])
        write_all(survey, *known, sink, rows, each, tick)
    finally:
        if bar is not None:
            bar.close()


def _known(state: StateFolder, with_table: bool) -> tuple[Numbers, Shared] | None:
    """What an earlier run has kept, if it is enough."""
    arrays = state.arrays(_REGIONS)
    if arrays is None or (with_table and not arrays["with_table"]):
        return None
    numbers = Numbers(int(arrays["n_regions"]), *(arrays[name] for name in Numbers._fields[1:]))
    return numbers, Shared(arrays["numbers"], Measures(*(arrays[name] for name in Measures._fields)))


def _keep(state: StateFolder, numbers: Numbers, shared: Shared, *, with_table: bool) -> None:
    """Save what the first pass has found."""
    arrays = {**numbers._asdict(), "numbers": shared.numbers, **shared.measures._asdict()}
    state.save(_REGIONS, {**arrays, "with_table": np.bool_(with_table)})


def _sink_of(out: Any, survey: Survey, folder: Path | None) -> Labels:
    """What takes the labels."""
    shape = survey.layout.spatial
    if isinstance(out, (str, os.PathLike)):  # int32 as in memory, be there ever so few of them
        return label_file(out, shape, np.int32, 0, like=survey.source, nodata=None if survey.mask is None else 0)
    return sink_of(out, shape, [0], folder, survey.source)
