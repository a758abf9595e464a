"""Refinement of images that are larger than memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from classicseg import inputs
from classicseg.errors import InputError, InputTypeError
from classicseg.io.files import check_target
from classicseg.io.windows import LabelArray, LabelFile, Labels, LabelStore
from classicseg.machine.threads import resolve_threads
from classicseg.pipelines import presets
from classicseg.pipelines.kept_state import KeptState
from classicseg.pipelines.passage import Passing
from classicseg.pipelines.presets import Preset
from classicseg.pipelines.refinement import ChannelAxis
from classicseg.pipelines.stream_run import StreamRun
from classicseg.pipelines.stream_survey import StreamOptions, checked, prepared


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
    pixels.

    Parameters
    ----------
    image : array_like or path, (H, W), (H, W, C), (D, H, W) or (D, H, W, C)
        The name of a ``.npy`` file, an array, or whatever has a shape, a dtype and ``image[window]``, a slice for each
        axis: arrays of Zarr and HDF5 (open ones), and readers of rasters.
    probabilities : array_like or path, (L, *spatial) or smaller
        As in :func:`refine`; read in the same way. Give exactly one of `probabilities`, `logits` and `unary`.
    logits, unary : array_like or path, (L, *spatial) or smaller, optional
        As in :func:`refine`. Smaller scores are stretched as they pass by.
    out : path or array, optional
        Where labels are written: a ``.npy`` file, in the narrowest whole numbers that hold them, or an array in which
        windows can be assigned. A file appears when all is done.
    preset : str or Preset
        Parameters. ``"auto"`` chooses as :func:`refine` does, and reads the scores once more.
    mask : array_like or path, spatial shape, optional
        Pixels that take part.
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
        If nothing can be written, or a disk is full. What was done so far is kept in `state`.

    Notes
    -----
    Everything is read ``max_iter + 3`` times: to look at it, to build the lattices, for each update, and for the
    labels; three times where a sample is updated. Scores are read once or twice more, to see which labels can win, and
    the image once more where pixels had settled. Where so many settle that what is left is little, the folder of the
    state holds up to 12 bytes for a pixel. Vertices that no two pixels share
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
    n_threads = resolve_threads(chosen.get("n_threads"))
    _check_out(out)
    folder = _state_folder(chosen.get("state"), out)
    ready = prepared(image, given, mask, preset, axes, chosen, n_threads)
    shape, n_labels, fill = (
        ready.raster.steps.shape,
        ready.raster.costs.planes.count,
        chosen.get("fill", inputs.OUTSIDE),
    )
    values = [0, n_labels - 1, *([fill] if ready.raster.inside.planes is not None else [])]
    _check_room(out, shape, values)
    state = KeptState(
        folder, {"inputs": ready.digest, "parameters": f"{ready.parameters()} {chosen.get('exact', False)}"}
    )
    labels = np.empty(shape, np.int32) if out is None else out
    sink = _sink_of(labels, shape, values, folder)
    try:
        passing = Passing(ready.raster, ready.ranges, sink.write, fill, accurate=ready.preset.quality == "high")
        exact, progress = (chosen.get(name, False) for name in ("exact", "progress"))
        StreamRun(ready, passing, state, n_threads, progress).label_all(exact=exact)
        sink.finish()
    except BaseException as failure:
        sink.discard()
        if isinstance(failure, OSError) and folder is not None and failure.errno is not None:
            text = f"{failure.strerror}; the updates that are done are kept in {folder}"
            raise OSError(failure.errno, text, failure.filename) from failure
        raise
    finally:
        state.close()
    state.remove()
    return labels, ready.strength


# --- where labels go ----------------------------------------------------------------------------------------------


def _state_folder(state: Any, out: Any) -> Path | None:
    """Where the state is kept, if it is."""
    if state is not None:
        return Path(state)
    return Path(f"{os.fspath(out)}.state") if isinstance(out, (str, os.PathLike)) else None


def _check_out(out: Any) -> None:
    """Raise unless labels can be written there."""
    if isinstance(out, (str, os.PathLike)):
        if Path(out).suffix != ".npy":
            raise InputError(f"out must be the name of a .npy file, or an array, got {out}")
        check_target(Path(out))
    elif out is not None and not all(hasattr(out, part) for part in ("shape", "dtype", "__setitem__")):
        raise InputTypeError(f"out must be the name of a .npy file, or an array, got {out!r:.80}")
    elif isinstance(out, np.ndarray) and not out.flags.writeable:
        raise InputError("out is read-only")


def _check_room(out: Any, shape: tuple[int, ...], values: list[int]) -> None:
    """Raise unless an array can hold labels of these values."""
    if out is None or isinstance(out, (str, os.PathLike)):
        return
    if tuple(out.shape) != shape:
        raise InputError(f"out must have shape {shape}, got {tuple(out.shape)}")
    for value in values:
        if np.array(value).astype(out.dtype) != value:
            raise InputError(f"out of dtype {out.dtype} cannot hold the label {value}")


def _sink_of(out: Any, shape: tuple[int, ...], values: list[int], folder: Path | None) -> Labels:
    """What takes the labels, all of which are of these `values` or between."""
    fill = values[-1] if len(values) > 2 else 0
    if isinstance(out, (str, os.PathLike)):
        return LabelFile(out, shape, np.result_type(*map(np.min_scalar_type, values)), fill)
    if isinstance(out, np.ndarray) and out.flags.c_contiguous:
        return LabelArray(out, fill)
    return LabelStore(out, folder, fill)
