"""Refinement of images that are larger than memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Unpack

import numpy as np

from classicseg import inputs
from classicseg.io.windows import as_source
from classicseg.machine.threads import resolve_threads
from classicseg.pipelines import presets
from classicseg.pipelines.presets import Preset
from classicseg.pipelines.refinement import ChannelAxis
from classicseg.streaming.label_sink import check_out, check_room, labels_written, state_folder
from classicseg.streaming.refine.kept_state import KeptState
from classicseg.streaming.refine.run import Job, StreamRun
from classicseg.streaming.refine.survey import StreamOptions, checked, prepared


def refine_streamed(
    image: Any,
    probabilities: Any = None,
    *,
    logits: Any = None,
    unary: Any = None,
    out: Any = None,
    preset: str | Preset = presets.AUTO,
    mask: Any = None,
    label_axis: int = 0,
    channel_axis: ChannelAxis = "infer",
    **options: Unpack[StreamOptions],
) -> Any:
    """Refine an image that is larger than memory: it passes by in windows, once for every update.

    The labels are those of :func:`refine` with the same arguments, to the bit, for every size of windows. There are
    neither tiles nor seams. What stays in memory depends on how many vertices the lattices have, not on the number of
    pixels; of lattices that do not fit, on how many vertices some rows of the image touch.

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
        Parameters. ``"auto"`` chooses as :func:`refine` does, and reads the scores once more.
    mask : array_like or path, spatial shape, optional
        Pixels that take part; by default those of a GeoTIFF that hold data by its alpha, its mask or its value for no
        data.
    label_axis, channel_axis
        As in :func:`refine`.
    **options
        Changes of the preset, as in :func:`refine`: `sigma`, `weight`, `bilateral_sigma`, `color_sigma`,
        `bilateral_weight`, `max_iter`, `quality` ("fast" or "high"), `spacing`, `align_corners`, `dilution`,
        `temperature`, `fill`, `n_threads`; and:

        exact : bool
            Do all of the work, as ``refine(..., exact=True)`` does. By default, as in :func:`refine`, a sample of more
            than 1.8 million pixels is updated, or else only what can still change; where either would change the labels
            of more than 1 pixel in 1000, all of the work is done.

        nodata : float
            Pixels that have this value in all channels take no part, nor do those that are NaN in any.
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
        If nothing can be written, or a disk is full; beforehand, if it has not the scratch space that vertices need.
        What was done so far is kept in `state`.

    Notes
    -----
    Everything is read ``max_iter + 3`` times: to look at it, to build the lattices, for each update, and for the
    labels; three times where a sample is updated. Scores are read once or twice more, to see which labels can win, and
    the image once more where pixels had settled; the folder of the state then holds up to 12 bytes for a pixel.
    Kernels that reach far, as those of the presets default, conservative, gentle and firm do, have few vertices. Where
    vertices do not fit into memory they lie in scratch files, some hundred bytes for each, in the folder of the state
    or else where temporary files are, and only those near the pixels that pass by are in memory: where kernels reach
    far and colours are noisy, those that a 16th of the image touches.

    References
    ----------
    .. [1] P. Krähenbühl, V. Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials",
       NeurIPS 2011. :arxiv:`1210.5644`

    Examples
    --------
    >>> import numpy as np, classicseg as cs
    >>> s = cs.sample("nuclei")
    >>> labels = cs.refine_streamed(s.image, s.probabilities, window=16)
    >>> np.array_equal(labels, cs.refine(s.image, s.probabilities))
    True
    """
    given = {"probabilities": probabilities, "logits": logits, "unary": unary}
    return run_streamed(image, given, mask, out, preset, (label_axis, channel_axis), options)[0]


def run_streamed(
    image: Any,
    given: dict[str, Any],
    mask: Any,
    out: Any,
    preset: str | Preset,
    axes: tuple[int, ChannelAxis],
    options: StreamOptions,
) -> tuple[Any, str]:
    """See :func:`refine_streamed`; the name of the preset that was given or chosen is returned as well.

    One of the scores is `given`; `axes` are those of the labels and of the channels.
    """
    chosen = checked(preset, options)
    exact = chosen.get("exact", False)
    return streamed(image, given, mask, out, preset, axes, chosen, lambda job: StreamRun(job).label_all(exact=exact))


def streamed(
    image: Any,
    given: dict[str, Any],
    mask: Any,
    out: Any,
    preset: str | Preset,
    axes: tuple[int, ChannelAxis],
    options: dict[str, Any],
    work: Callable[[Job], None],
) -> tuple[Any, str]:
    """Look at everything, let `work` write the labels, and leave either all of them or what is known so far.

    The labels and the name of the preset are returned.
    """
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
    with contextlib.closing(state):
        with labels_written(labels, shape, values, folder, source, "the updates that are done are") as sink:
            work(Job(ready, state, options, n_threads, sink.write, fill))
        state.remove()
    return labels, ready.strength
