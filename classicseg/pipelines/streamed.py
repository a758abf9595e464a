"""Refinement of images that are larger than memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Unpack

import numpy as np

from classicseg import inputs
from classicseg.filters.building import stripes_of
from classicseg.filters.streamed import StreamedBank, Vertices, meet_all
from classicseg.io.windows import as_source
from classicseg.machine.threads import resolve_threads
from classicseg.pipelines.kept_state import KeptState
from classicseg.pipelines.label_sink import check_out, check_room, sink_of, state_folder
from classicseg.pipelines.passage import Passing
from classicseg.pipelines.presets import Preset
from classicseg.pipelines.refinement import ChannelAxis
from classicseg.pipelines.sampled_passage import SampledPassing
from classicseg.pipelines.stream_survey import Prepared, StreamOptions, checked, prepared
from classicseg.solvers.dense.plan import Plan
from classicseg.solvers.dense.prospects import FEWEST
from classicseg.solvers.dense.sampled import is_sampled
from classicseg.solvers.dense.streamed import Progress, update_passing
from classicseg.solvers.dense.streamed_sample import label_by_sample
from classicseg.solvers.run import progress_bar


def refine_streamed(
    image: Any,
    probabilities: Any = None,
    *,
    logits: Any = None,
    unary: Any = None,
    out: Any = None,
    preset: str | Preset = "default",
    mask: Any = None,
    label_axis: int = 0,
    channel_axis: ChannelAxis = "infer",
    **options: Unpack[StreamOptions],
) -> Any:
    """Refine an image that is larger than memory: it passes by in windows, once for every update.

    The labels are those of ``refine(..., exact=True)`` or, where that updates a sample, of :func:`refine`: to the bit,
    for every size of windows. There are neither tiles nor seams. What stays in memory depends on how many vertices the
    lattices have, not on the number of pixels.

    Parameters
    ----------
    image : array_like or path, (H, W), (H, W, C), (D, H, W) or (D, H, W, C)
        The name of a file (``.npy``, ``.zarr``, GeoTIFF, a TIFF stack, or NIfTI, which takes scratch space in the
        system's temporary folder), an array, or whatever has a shape, a dtype and ``image[window]``, a slice for each
        axis: arrays of Zarr and HDF5 (open ones), and readers of rasters.
    probabilities : array_like or path, (L, *spatial) or smaller
        As in :func:`refine`; read in the same way. Give exactly one of `probabilities`, `logits` and `unary`.
        Probabilities have to sum to 1 over the labels.
    logits, unary : array_like or path, (L, *spatial) or smaller, optional
        As in :func:`refine`. Smaller scores are stretched as they pass by.
    out : path or array, optional
        Where labels are written: a file (``.npy``, ``.tif``, ``.nii``, ``.nii.gz``, ``.zarr``), in the narrowest whole
        numbers that hold them, or an array in which windows can be assigned. A file appears when all is done; it lies
        where an `image` of its format does, and is written in whole tiles or shards.
    preset : str or Preset
        Parameters; not ``"auto"``, which looks at all scores at once.
    mask : array_like or path, spatial shape, optional
        Pixels that take part; by default those of a GeoTIFF that hold data by its alpha, its mask or its value for no
        data.
    label_axis, channel_axis
        As in :func:`refine`.
    **options
        Changes of the preset, as in :func:`refine`: `sigma`, `weight`, `bilateral_sigma`, `color_sigma`,
        `bilateral_weight`, `max_iter`, `spacing`, `align_corners`, `dilution`, `temperature`, `fill`,
        `n_threads`; and:

        exact : bool
            Do all of the work, as ``refine(..., exact=True)`` does. By default of more than 1.8 million pixels a sample
            is updated, as by :func:`refine`, if that changes the labels of at most 1 pixel in 1000; if it would change
            more, or pixels are fewer, all of the work is done.

        state : path
            Folder for what is known after each update, by default ``out`` with ``.state`` behind its name if that is a
            file. A run that was ended, in whatever way, goes on from there when it is called again in the same way, and
            removes the folder at its end. Where a sample is updated there is nothing to keep.
        window : int
            How many rows (or slices) are read at once, by default those of a chunk where `image` has chunks.
        progress : bool
            Show a progress bar, if standard error is a terminal and tqdm is installed.

    Returns
    -------
    ndarray, spatial shape, int32, or `out`
        Labels.

    Raises
    ------
    ValueError
        As :func:`refine` does; if a file is truncated, or `state` is of other inputs or parameters.
    TypeError
        As :func:`refine` does.
    OSError
        If nothing can be written, or a disk is full. What was done so far is kept in `state`.

    Notes
    -----
    Everything is read ``max_iter + 3`` times: to look at it, to build the lattices, for each update, and for the
    labels; three times, and the scores once or twice more, where a sample is updated. Vertices that no two pixels share
    take more memory than pixels do, so this is for kernels that reach far, as those of the presets default,
    conservative, gentle and firm do, whose ranges are a share of the image.

    References
    ----------
    .. [1] P. Krähenbühl, V. Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials",
       NeurIPS 2011. :arxiv:`1210.5644`

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> s = cs.sample("nuclei")
    >>> labels = cs.refine_streamed(s.image, s.probabilities, window=16)
    >>> expected = cs.refine(s.image, s.probabilities, preset="default", exact=True)
    >>> np.array_equal(labels, expected)
    True
    """
    given = {"probabilities": probabilities, "logits": logits, "unary": unary}
    return streamed(image, given, mask, out, preset, (label_axis, channel_axis), checked(preset, options), _refine)


class Job(NamedTuple):
    """A streamed run that has looked at everything, and where its labels go."""

    ready: Prepared
    state: KeptState
    options: dict[str, Any]
    n_threads: int
    write: Callable[[int, np.ndarray], None]  # takes labels of the pixels from some one on
    fill: int  # the label of pixels that take no part

    @contextlib.contextmanager
    def bar(self, begin: Progress | None, vertices: list[Vertices] | None) -> Iterator[Callable[[], None]]:
        """A progress bar of what is left, if it is wanted: to be called whenever a stripe has passed by."""
        n_passes = self.ready.preset.max_iter + 1 - (0 if begin is None else begin.done) + (vertices is None)
        n_stripes = stripes_of(self.ready.raster.inside.n_points)
        bar = progress_bar("refine", n_stripes * n_passes) if self.options.get("progress", False) else None
        try:
            yield (lambda: None) if bar is None else bar.update
        finally:
            if bar is not None:
                bar.close()


def streamed(
    image: Any,
    given: dict[str, Any],
    mask: Any,
    out: Any,
    preset: str | Preset,
    axes: tuple[int, ChannelAxis],
    options: dict[str, Any],
    work: Callable[[Job], None],
) -> Any:
    """Look at everything, let `work` write the labels, and leave either all of them or what is known so far."""
    n_threads = resolve_threads(options.get("n_threads"))
    check_out(out)
    folder = state_folder(options.get("state"), out)
    source = as_source(image, "image")
    ready = prepared(source, given, mask, preset, axes, options, n_threads)
    shape, fill = ready.raster.steps.shape, options.get("fill", inputs.OUTSIDE)
    values = ready.values(fill)
    check_room(out, shape, values)
    state = KeptState(
        folder, {"inputs": ready.digest, "parameters": f"{ready.parameters()} {options.get('exact', False)}"}
    )
    labels = np.empty(shape, np.int32) if out is None else out
    sink = sink_of(labels, shape, values, folder, source)
    try:
        work(Job(ready, state, options, n_threads, sink.write, fill))
        sink.finish()
    except BaseException as failure:
        sink.discard()
        if isinstance(failure, OSError) and folder is not None and failure.errno is not None:
            text = f"{failure.strerror}; the updates that are done are kept in {folder}"
            raise OSError(failure.errno, text, failure.filename) from failure
        raise
    state.remove()
    return labels


def _refine(job: Job) -> None:
    """Update a sample if that is wanted and tells enough, else everything."""
    passing = Passing(job.ready.raster, job.ready.ranges, job.write, job.fill)
    everything = job.options.get("exact", False) or job.state.is_begun
    if everything or not _sampled(job.ready, passing, job.n_threads):
        refine_everything(job, passing)


def _sampled(ready: Prepared, passing: Passing, n_threads: int) -> bool:
    """Write the labels that the updates of a sample lead to, if the image is large and they tell enough."""
    n_iter = ready.preset.max_iter
    if n_iter < FEWEST or not is_sampled(ready.raster.inside.n_points):
        return False
    done = label_by_sample(SampledPassing(passing), passing.spaces, ready.costs(), n_iter, n_threads)
    passing.alive = None
    return done


def refine_everything(job: Job, passing: Passing) -> None:
    """Build the lattices, run all updates, write labels; from where the state says on."""
    ready, state, n_threads = job.ready, job.state, job.n_threads
    n_points, n_iter = ready.raster.inside.n_points, ready.preset.max_iter
    vertices, begin = state.vertices(), state.progress()
    with job.bar(begin, vertices) as tick:
        if vertices is None:
            vertices = meet_all(passing.spaces, passing.features, n_points, n_threads, tick)
            state.keep_vertices(vertices)
        lattices = StreamedBank(passing.spaces, vertices, ["symmetric"] * len(vertices), n_points, n_threads)
        plan = Plan(lattices.bank, lattices.gains, ready.costs(), pair=True)
        passing.is_paired = plan.is_paired
        update_passing(passing, lattices, plan, n_iter, n_threads, begin=begin, after=state.keep, tick=tick)
