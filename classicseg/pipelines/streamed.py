"""Refinement of images that are larger than memory."""

from __future__ import annotations

import math
import os
from typing import Any, Unpack

import numpy as np

from classicseg import inputs
from classicseg.energies.compatibility import Potts
from classicseg.errors import InputError, InputTypeError
from classicseg.filters.streamed import StreamedBank, meet_all
from classicseg.io.windows import LabelFile, as_source
from classicseg.machine.threads import resolve_threads
from classicseg.pipelines import presets
from classicseg.pipelines.appearance import Appearance
from classicseg.pipelines.fit import fit_scores, pixels_by_point
from classicseg.pipelines.image import eight_bit_unit
from classicseg.pipelines.passage import Passing, Ranges, Raster
from classicseg.pipelines.presets import Changes, Preset
from classicseg.pipelines.raster import Colors, Costs, Digest, Inside, Planes, Steps
from classicseg.pipelines.refinement import ChannelAxis
from classicseg.solvers.dense.plan import Plan
from classicseg.solvers.dense.streamed import update_passing


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
    window: int | None = None,
    n_threads: int | None = None,
    **changes: Unpack[Changes],
) -> Any:
    """As refine."""
    given = {"probabilities": probabilities, "logits": logits, "unary": unary}
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        raise InputTypeError("exactly one")
    (kind,) = names
    presets.check_names(changes, presets.OF_PRESETS | {"align_corners", "temperature", "fill"}, "refine_streamed has no parameter")
    image_source, scores_source = as_source(image, "image"), as_source(given[kind], kind)
    n_threads = resolve_threads(n_threads)
    digest = Digest()
    scores = Planes(scores_source, label_axis, kind)
    stand_in = np.broadcast_to(np.zeros((), np.uint8), image_source.shape)
    axis, spatial = fit_scores(stand_in, np.broadcast_to(np.zeros((), np.uint8), (scores.count, *scores.grid)), kind, channel_axis)
    planes = Planes(image_source, axis, "image")
    steps = Steps(spatial, window)
    inside = Inside.of(None if mask is None else Planes(as_source(mask, "mask"), None, "mask"), steps, digest, n_threads)
    colors = Colors.of(planes, inside, steps, digest, n_threads)
    named = presets.find(preset)
    spacing = tuple(inputs.as_positive(changes.get("spacing", named.spacing), "spacing", len(spatial)))
    side = float(np.prod([(s.stop - s.start) * step for s, step in zip(inside.box, spacing, strict=True)]) ** (1 / len(spatial)))
    few = np.zeros((planes.count, *(1,) * len(spatial)))
    seen = Appearance(few, eight_bit_unit(colors.low, colors.high), spacing, side)
    chosen = seen.in_units(named, {k: v for k, v in changes.items() if k in presets.OF_PRESETS})
    stretched = scores.grid != spatial
    temperature = inputs.as_weight(changes.get("temperature", 1.0), "temperature", at_least=1e-3, below=1e3)
    factor = pixels_by_point(spatial, scores.grid) ** -chosen.dilution if stretched and chosen.dilution != 0 else 1.0

    def factors(costs: np.ndarray) -> np.ndarray:
        if temperature != 1:
            costs = costs / np.float32(temperature)
        return costs if factor == 1 else costs * np.float32(factor)

    costs = Costs(scores, kind, factors)
    costs.look(digest, n_threads, None if stretched else inside.planes, Steps(scores.grid) if stretched else steps)
    weighted = [(chosen.weight, Ranges(chosen.sigma)), (chosen.bilateral_weight, Ranges(chosen.bilateral_sigma, chosen.color_sigma))]
    kernels = [(weight, ranges) for weight, ranges in weighted if weight != 0]
    raster = Raster(steps, inside, colors, costs, stretched, changes.get("align_corners", False), spacing)
    fill = changes.get("fill", -1)
    labels = np.full(math.prod(spatial), fill, np.int32)

    def sink(start, values):
        labels[start : start + values.size] = values

    passing = Passing(raster, [ranges for _, ranges in kernels], sink, fill)
    vertices = meet_all(passing.spaces, passing.features, inside.n_points, n_threads)
    bank = StreamedBank(passing.spaces, vertices, ["symmetric"] * len(kernels), inside.n_points, n_threads)
    potts = Potts(1.0).matrix(scores.count).astype(np.float32)
    plan = Plan(bank.bank, bank.gains, [np.float32(weight) * potts for weight, _ in kernels], pair=True)
    passing.is_paired = plan.is_paired
    update_passing(passing, bank, plan, chosen.max_iter, n_threads)
    return labels.reshape(spatial)
