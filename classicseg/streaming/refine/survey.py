"""What a streamed refinement is told, and what it sees when it looks at everything once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import numpy as np

from classicseg import __version__, inputs
from classicseg.energies.compatibility import Potts
from classicseg.energies.dense_crf import QUALITIES
from classicseg.errors import InputError, InputTypeError
from classicseg.io.raster import check_same_place, profile_of
from classicseg.io.windows import as_source, mask_of
from classicseg.pipelines import presets
from classicseg.pipelines.appearance import Appearance
from classicseg.pipelines.fit import fit_scores, pixels_by_point
from classicseg.pipelines.image import eight_bit_unit
from classicseg.pipelines.presets import Preset
from classicseg.pipelines.refinement import ChannelAxis
from classicseg.streaming.known_pixels import KnownPixels
from classicseg.streaming.raster import Colors, Digest, Inside, Planes, Steps
from classicseg.streaming.refine.costs import Costs, Factors
from classicseg.streaming.refine.passage import Passing, Ranges, Raster
from classicseg.streaming.refine.strength import StreamedStrength

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
    nodata: float | None
    n_threads: int | None
    progress: bool | None
    state: str | os.PathLike[str] | None
    window: int | None


_ANY = "firm"  # one of the presets that are chosen among: what does not go with it goes with none of them
_REASONS = {
    "independent": "refine the masks one by one",
    "like": "it sees the whole image",
    "marginals": "they are never stored",
    "origin": "it sees the whole image",
}


class Prepared(NamedTuple):
    """All that is known before the first update."""

    raster: Raster
    preset: Preset
    strength: str  # name of the preset that was given or chosen
    weights: list[float]  # of each kernel
    ranges: list[Ranges]
    digest: str  # of all that was read

    def costs(self) -> list[np.ndarray]:
        """The weighted compatibility of each kernel, (L, L)."""
        potts = Potts(1.0).matrix(self.raster.costs.planes.count).astype(np.float32)
        return [np.float32(weight) * potts for weight in self.weights]

    def values(self, fill: int) -> list[int]:
        """Labels between which all lie; the last of three is the `fill` of pixels that take no part."""
        return [0, self.raster.costs.planes.count - 1, *([fill] if self.raster.inside.planes is not None else [])]

    def passing(self, sink: Callable[[int, np.ndarray], None], fill: int) -> Passing:
        """The raster on its way; see :class:`Passing`."""
        passing = Passing(self.raster, self.ranges, sink, fill)
        if self.preset.quality == "high":
            passing = Passing(self.raster, self.ranges, sink, fill, passing.stencils())
        return passing

    def parameters(self) -> str:
        """All that labels depend on beside what is read."""
        raster = self.raster
        what = raster.costs.kind, raster.costs.factors, raster.align_corners, raster.steps.shape
        return f"{self.preset!r} {self.weights} {what} classicseg {__version__}"


def checked(preset: str | Preset, options: StreamOptions) -> dict[str, Any]:
    """What is given of the options; refuses what is of :func:`refine` alone."""
    presets.check(preset)
    for name in options:
        if name in _REASONS:
            raise InputTypeError(f"refine_streamed has no parameter {name!r}: {_REASONS[name]}")
    presets.check_names(options, tuple(StreamOptions.__annotations__), "refine_streamed has no parameter")
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    of_preset = "fast" if preset == presets.AUTO else presets.find(preset).quality
    if inputs.choice(given.get("quality", of_preset), "quality", QUALITIES) == "exact":
        raise InputError("quality must be 'fast' or 'high' where an image passes by in windows")
    for name in given.keys() & {"align_corners", "exact", "progress"}:
        inputs.as_flag(given[name], name)
    if "max_iter" in given:
        given["max_iter"] = inputs.as_count(given["max_iter"], "max_iter", 0, 2**31 - 1)
    if "window" in given:
        given["window"] = inputs.as_count(given["window"], "window", 1)
    if "nodata" in given:
        given["nodata"] = inputs.as_value(given["nodata"], "nodata")
    if "fill" in given:
        given["fill"] = inputs.as_int32(given["fill"], "fill")
    return given


def prepared(
    image: Any,
    given: dict[str, Any],
    mask: Any,
    preset: str | Preset,
    axes: tuple[int, ChannelAxis],
    options: dict[str, Any],
    n_threads: int,
) -> Prepared:
    """Look at everything once: whether it can work, what its range is, and how it is known again."""
    kinds = [kind for kind, value in given.items() if value is not None]
    if len(kinds) != 1:
        raise InputTypeError(
            f"exactly one of probabilities, logits and unary must be given, got {' and '.join(kinds) or 'none'}"
        )
    (kind,) = kinds
    of_scores, source = as_source(given[kind], kind), as_source(image, "image")
    check_same_place(profile_of(source), profile_of(of_scores), kind, "the image")
    scores, held = Planes(of_scores, axes[0], kind), mask_of(source, mask)
    check_same_place(profile_of(source), profile_of(held), "mask", "the image")
    if scores.count < 2:
        raise InputError(f"{kind} must have at least 2 labels along label_axis={axes[0]}, got {scores.count}")
    image_like, scores_like = (
        np.broadcast_to(np.uint8(0), shape) for shape in (source.shape, (scores.count, *scores.grid))
    )
    axis, spatial = fit_scores(image_like, scores_like, kind, axes[1])
    planes = Planes(source, axis, "image")
    steps = Steps(spatial, options.get("window") or planes.chunk(0))
    masked = None if held is None else Planes(held, None, "mask")
    if masked is not None and masked.grid != spatial:
        raise InputError(f"mask must have shape {spatial}, got {masked.grid}")
    if "nodata" in options and (planes.dtype.kind == "f" or not np.isnan(options["nodata"])):
        masked = Planes(KnownPixels(planes, masked, options["nodata"]), None, "mask")
    digest = Digest()
    inside = Inside.of(masked, steps, digest, n_threads)
    colors = Colors.of(planes, inside, steps, digest, n_threads)
    is_auto, aligned = preset == presets.AUTO, options.get("align_corners", False)
    _, chosen = _in_units(presets.find(_ANY if is_auto else preset), options, colors, inside)
    stretched, plain = scores.grid != spatial, _factors(options, None, spatial, scores.grid)
    costs = Costs(scores, kind, plain)
    if stretched:
        costs.look(digest, n_threads, None, Steps(scores.grid, scores.chunk(0)))
    else:
        costs.look(digest, n_threads, inside.planes, steps)
    name = preset if isinstance(preset, str) else presets.name_of(preset)
    if is_auto:
        seen, _ = _in_units(presets.find(_ANY), options, colors, inside)
        name = StreamedStrength(steps, inside, colors, costs, seen, aligned).choose(_changes(options), n_threads)
        _, chosen = _in_units(presets.find(name), options, colors, inside)
    costs.factors = _factors(options, chosen, spatial, scores.grid)
    kernels = [
        (weight, ranges)
        for weight, ranges in (
            (chosen.weight, Ranges(chosen.sigma)),
            (chosen.bilateral_weight, Ranges(chosen.bilateral_sigma, chosen.color_sigma)),
        )
        if weight != 0
    ]
    for weight, _ in kernels:
        if not abs(weight) <= inputs.LARGEST:
            raise InputError(f"weight and bilateral_weight must be at most {inputs.LARGEST:g} in size, got {weight:g}")
    if not kernels:
        raise InputError("weight and bilateral_weight must not both be 0: no kernel is left")
    spacing = tuple(inputs.as_positive(chosen.spacing, "spacing", len(spatial)))
    raster = Raster(steps, inside, colors, costs, stretched, aligned, spacing)
    weights, ranges = [weight for weight, _ in kernels], [ranges for _, ranges in kernels]
    return Prepared(raster, chosen, name, weights, ranges, str(digest))


def _changes(options: dict[str, Any]) -> dict[str, Any]:
    """The options that change a preset."""
    return {name: value for name, value in options.items() if name in presets.OF_PRESETS}


def _in_units(named: Preset, options: dict[str, Any], colors: Colors, inside: Inside) -> tuple[Appearance, Preset]:
    """The units of the whole image, and the preset in pixels and in them, with all changes."""
    n_axes = len(inside.box)
    spacing = tuple(inputs.as_positive(options.get("spacing", named.spacing), "spacing", n_axes))
    sides = [(side.stop - side.start) * step for side, step in zip(inside.box, spacing, strict=True)]
    few = np.zeros((colors.planes.count, *(1,) * n_axes))
    seen = Appearance(few, eight_bit_unit(colors.low, colors.high), spacing, float(np.prod(sides) ** (1 / n_axes)))
    chosen = seen.in_units(named, _changes(options))
    seen.kernels(chosen)  # raises what kernels do not take
    return seen, chosen


def _factors(
    options: dict[str, Any], chosen: Preset | None, spatial: tuple[int, ...], grid: tuple[int, ...]
) -> Factors:
    """Those of temperature and, of a preset, dilution."""
    temperature = inputs.as_weight(options.get("temperature", 1.0), "temperature", at_least=1e-3, below=1e3)
    factor = 1.0
    if chosen is not None and chosen.dilution != 0 and spatial != grid:
        factor = pixels_by_point(spatial, grid) ** -chosen.dilution
    return Factors(np.float32(temperature), np.float32(factor))
