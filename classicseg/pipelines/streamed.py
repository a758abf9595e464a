"""Refinement of images that are larger than memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, Unpack

import numpy as np

from classicseg import __version__, inputs
from classicseg.energies.compatibility import Potts
from classicseg.errors import InputError, InputTypeError
from classicseg.filters.streamed import StreamedBank, meet_all
from classicseg.io.files import check_target
from classicseg.io.windows import LabelArray, LabelFile, Labels, LabelStore, as_source
from classicseg.machine.threads import resolve_threads
from classicseg.pipelines import presets
from classicseg.pipelines.appearance import Appearance
from classicseg.pipelines.fit import fit_scores, pixels_by_point
from classicseg.pipelines.image import eight_bit_unit
from classicseg.pipelines.kept_state import KeptState
from classicseg.pipelines.passage import Passing, Ranges, Raster
from classicseg.pipelines.presets import Preset
from classicseg.pipelines.raster import Colors, Costs, Digest, Factors, Inside, Planes, Steps
from classicseg.pipelines.refinement import ChannelAxis
from classicseg.pipelines.sampled_passage import SampledPassing
from classicseg.solvers.dense.plan import Plan
from classicseg.solvers.dense.prospects import FEWEST
from classicseg.solvers.dense.sampled import is_sampled
from classicseg.solvers.dense.streamed import update_passing
from classicseg.solvers.dense.streamed_sample import label_by_sample
from classicseg.solvers.run import progress_bar

if TYPE_CHECKING:
    from classicseg.energies.dense_crf import Quality


class StreamOptions(TypedDict, total=False):
    """What :func:`refine_streamed` can be told beside what it reads; None is as if not given."""

    sigma: float | Sequence[float] | None
    weight: float | None
    bilateral_sigma: float | Sequence[float] | None
    color_sigma: float | Sequence[float] | None
    bilateral_weight: float | None
    max_iter: int | None
    quality: Quality | None
    spacing: float | Sequence[float] | None
    align_corners: bool | None
    dilution: float | None
    exact: bool | None
    temperature: float | None
    fill: int | None
    n_threads: int | None
    progress: bool | None
    state: str | os.PathLike[str] | None
    window: int | None


_REASONS = {
    "independent": "refine the masks one by one",
    "like": "it sees the whole image",
    "marginals": "they are never stored",
    "origin": "it sees the whole image",
}


class _Prepared(NamedTuple):
    """All that is known before the first update."""

    raster: Raster
    preset: Preset
    weights: list[float]  # of each kernel
    ranges: list[Ranges]
    digest: str


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
        The name of a ``.npy`` file, an array, or whatever has a shape, a dtype and ``image[window]``, a slice for each
        axis: arrays of Zarr and HDF5 (open ones), and readers of rasters.
    probabilities : array_like or path, (L, *spatial) or smaller
        As in :func:`refine`; read in the same way. Give exactly one of `probabilities`, `logits` and `unary`.
        Probabilities have to sum to 1 over the labels.
    logits, unary : array_like or path, (L, *spatial) or smaller, optional
        As in :func:`refine`. Smaller scores are stretched as they pass by.
    out : path or array, optional
        Where labels are written: a ``.npy`` file, in the narrowest whole numbers that hold them, or an array in which
        windows can be assigned. A file appears when all is done.
    preset : str or Preset
        Parameters; not ``"auto"``, which looks at all scores at once.
    mask : array_like or path, spatial shape, optional
        Pixels that take part.
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
    chosen = _checked(preset, options)
    n_threads = resolve_threads(chosen.get("n_threads"))
    _check_out(out)
    folder = _state_folder(chosen.get("state"), out)
    ready = _prepared(image, given, mask, preset, (label_axis, channel_axis), chosen, n_threads)
    shape, n_labels, fill = (
        ready.raster.steps.shape,
        ready.raster.costs.planes.count,
        chosen.get("fill", inputs.OUTSIDE),
    )
    values = [0, n_labels - 1, *([fill] if ready.raster.inside.planes is not None else [])]
    _check_room(out, shape, values)
    state = KeptState(folder, {"inputs": ready.digest, "parameters": _as_text(ready, chosen)})
    labels = np.empty(shape, np.int32) if out is None else out
    sink = _sink_of(labels, shape, values, folder)
    try:
        passing = Passing(ready.raster, ready.ranges, sink.write, fill)
        if chosen.get("exact", False) or not _sampled(ready, passing, n_threads):
            _run(ready, passing, state, n_threads, chosen.get("progress", False))
        sink.finish()
    except BaseException as failure:
        sink.discard()
        if isinstance(failure, OSError) and folder is not None and failure.errno is not None:
            text = f"{failure.strerror}; the updates that are done are kept in {folder}"
            raise OSError(failure.errno, text, failure.filename) from failure
        raise
    state.remove()
    return labels


def _sampled(ready: _Prepared, passing: Passing, n_threads: int) -> bool:
    """Write the labels that the updates of a sample lead to, if the image is large and they tell enough."""
    n_iter = ready.preset.max_iter
    if n_iter < FEWEST or not is_sampled(ready.raster.inside.n_points):
        return False
    done = label_by_sample(SampledPassing(passing), passing.spaces, _costs(ready), n_iter, n_threads)
    passing.alive = None
    return done


def _costs(ready: _Prepared) -> list[np.ndarray]:
    """The weighted compatibility of each kernel, (L, L)."""
    potts = Potts(1.0).matrix(ready.raster.costs.planes.count).astype(np.float32)
    return [np.float32(weight) * potts for weight in ready.weights]


def _run(ready: _Prepared, passing: Passing, state: KeptState, n_threads: int, progress: bool) -> None:
    """Build the lattices, run all updates, write labels; from where the state says on."""
    n_points, n_iter = ready.raster.inside.n_points, ready.preset.max_iter
    vertices, begin = state.vertices(), state.progress()
    bar = progress_bar("refine", 16 * (n_iter + 2 - (0 if begin is None else begin.done))) if progress else None
    tick = (lambda: None) if bar is None else bar.update
    try:
        if vertices is None:
            vertices = meet_all(passing.spaces, passing.features, n_points, n_threads, tick)
            state.keep_vertices(vertices)
        lattices = StreamedBank(passing.spaces, vertices, ["symmetric"] * len(vertices), n_points, n_threads)
        plan = Plan(lattices.bank, lattices.gains, _costs(ready), pair=True)
        passing.is_paired = plan.is_paired
        update_passing(passing, lattices, plan, n_iter, n_threads, begin=begin, after=state.keep, tick=tick)
    finally:
        if bar is not None:
            bar.close()


# --- before anything is computed ----------------------------------------------------------------------------------


def _checked(preset: str | Preset, options: StreamOptions) -> dict[str, Any]:
    """What is given of the options; refuses what is of :func:`refine` alone."""
    if isinstance(preset, str) and preset == presets.AUTO:
        raise InputError(
            "preset='auto' looks at all scores at once; name one, such as that which refinement(...) of a smaller copy "
            "of the image has chosen, as its strength says"
        )
    presets.find(preset)
    for name in options:
        if name in _REASONS:
            raise InputTypeError(f"refine_streamed has no parameter {name!r}: {_REASONS[name]}")
    presets.check_names(options, tuple(StreamOptions.__annotations__), "refine_streamed has no parameter")
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if given.get("quality", "fast") != "fast" or presets.find(preset).quality != "fast":
        raise InputError("quality must be 'fast' where an image passes by in windows")
    for name in given.keys() & {"align_corners", "exact", "progress"}:
        inputs.as_flag(given[name], name)
    if "max_iter" in given:
        given["max_iter"] = inputs.as_count(given["max_iter"], "max_iter", 0, 2**31 - 1)
    if "window" in given:
        given["window"] = inputs.as_count(given["window"], "window", 1)
    if "fill" in given:
        given["fill"] = inputs.as_int32(given["fill"], "fill")
    return given


def _prepared(
    image: Any,
    given: dict[str, Any],
    mask: Any,
    preset: str | Preset,
    axes: tuple[int, ChannelAxis],
    options: dict[str, Any],
    n_threads: int,
) -> _Prepared:
    """Look at everything once: whether it can work, what its range is, and how it is known again."""
    kinds = [kind for kind, value in given.items() if value is not None]
    if len(kinds) != 1:
        raise InputTypeError(
            f"exactly one of probabilities, logits and unary must be given, got {' and '.join(kinds) or 'none'}"
        )
    (kind,) = kinds
    scores, source = Planes(as_source(given[kind], kind), axes[0], kind), as_source(image, "image")
    if scores.count < 2:
        raise InputError(f"{kind} must have at least 2 labels along label_axis={axes[0]}, got {scores.count}")
    image_like, scores_like = (
        np.broadcast_to(np.uint8(0), shape) for shape in (source.shape, (scores.count, *scores.grid))
    )
    axis, spatial = fit_scores(image_like, scores_like, kind, axes[1])
    planes = Planes(source, axis, "image")
    steps = Steps(spatial, options.get("window") or planes.chunk(0))
    masked = None if mask is None else Planes(as_source(mask, "mask"), None, "mask")
    if masked is not None and masked.grid != spatial:
        raise InputError(f"mask must have shape {spatial}, got {masked.grid}")
    digest = Digest()
    inside = Inside.of(masked, steps, digest, n_threads)
    colors = Colors.of(planes, inside, steps, digest, n_threads)
    chosen = _in_units(presets.find(preset), options, colors, inside)
    stretched = scores.grid != spatial
    costs = Costs(scores, kind, _factors(options, chosen, spatial, scores.grid))
    if stretched:
        costs.look(digest, n_threads, None, Steps(scores.grid, scores.chunk(0)))
    else:
        costs.look(digest, n_threads, inside.planes, steps)
    kernels = [
        (weight, ranges)
        for weight, ranges in (
            (chosen.weight, Ranges(chosen.sigma)),
            (chosen.bilateral_weight, Ranges(chosen.bilateral_sigma, chosen.color_sigma)),
        )
        if weight != 0
    ]
    if not kernels:
        raise InputError("weight and bilateral_weight must not both be 0: no kernel is left")
    aligned = options.get("align_corners", False)
    raster = Raster(
        steps,
        inside,
        colors,
        costs,
        stretched,
        aligned,
        tuple(inputs.as_positive(chosen.spacing, "spacing", len(spatial))),
    )
    return _Prepared(raster, chosen, [weight for weight, _ in kernels], [ranges for _, ranges in kernels], str(digest))


def _in_units(named: Preset, options: dict[str, Any], colors: Colors, inside: Inside) -> Preset:
    """The preset in pixels and in the units of the whole image, with all changes."""
    n_axes = len(inside.box)
    spacing = tuple(inputs.as_positive(options.get("spacing", named.spacing), "spacing", n_axes))
    sides = [(side.stop - side.start) * step for side, step in zip(inside.box, spacing, strict=True)]
    few = np.zeros((colors.planes.count, *(1,) * n_axes))
    seen = Appearance(few, eight_bit_unit(colors.low, colors.high), spacing, float(np.prod(sides) ** (1 / n_axes)))
    chosen = seen.in_units(named, {name: value for name, value in options.items() if name in presets.OF_PRESETS})
    seen.kernels(chosen)  # raises what kernels do not take
    return chosen


def _factors(options: dict[str, Any], chosen: Preset, spatial: tuple[int, ...], grid: tuple[int, ...]) -> Factors:
    """Those of temperature and dilution."""
    temperature = inputs.as_weight(options.get("temperature", 1.0), "temperature", at_least=1e-3, below=1e3)
    diluted = spatial != grid and chosen.dilution != 0
    factor = pixels_by_point(spatial, grid) ** -chosen.dilution if diluted else 1.0
    return Factors(np.float32(temperature), np.float32(factor))


def _as_text(ready: _Prepared, options: dict[str, Any]) -> str:
    """All that labels depend on beside what is read."""
    raster = ready.raster
    what = raster.costs.kind, raster.costs.factors, raster.align_corners, raster.steps.shape
    return f"{ready.preset!r} {ready.weights} {what} classicseg {__version__}"


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
