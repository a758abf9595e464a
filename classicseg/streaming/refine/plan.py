"""What a streamed refinement will take, told before it begins."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Unpack

from classicseg.io.sources import bytes_to_unpack, told_of_unpacking
from classicseg.machine.simd import PIXELS
from classicseg.machine.threads import resolve_threads
from classicseg.pipelines import presets
from classicseg.pipelines.presets import Preset
from classicseg.pipelines.refinement import ChannelAxis
from classicseg.solvers.dense.prospects import FEWEST
from classicseg.streaming.refine.kept_state import BYTES_OF_POINT
from classicseg.streaming.refine.needs import needs_of
from classicseg.streaming.refine.pieces import expected_vertices, seconds_of_pass
from classicseg.streaming.refine.survey import StreamOptions, checked, prepared


@dataclass(frozen=True)
class StreamPlan:
    """What :func:`refine_streamed` will take if it does all of the work.

    Attributes
    ----------
    preset : Preset
        Parameters, in pixels and in the units of the image.
    strength : str
        Name of the preset that was given or chosen, "own" if it has none.
    shape : tuple of int
        Spatial shape of the image.
    n_points : int
        Pixels that take part.
    n_labels : int
    n_vertices : float
        Of all lattices, those that several stripes touch counted for each: an estimate, rather too large than too
        small, and mostly right within a factor of 1.5.
    memory : float
        Bytes beyond those of the process before: up to three times what it will be, and hardly ever less.
    scratch : float
        Bytes on the disk for the state, while it runs, at most; labels are not counted.
    in_bands : bool
        Whether vertices lie in scratch files, of which only those near the pixels that pass by are in memory: they do
        not fit into what is free now.
    unpacked : float
        Bytes in the folder for temporary files, while it runs, into which scans (NIfTI) are unpacked.
    seconds : float
        For all passes, as pieces of the image take them now.

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample("nuclei")
    >>> plan = cs.plan_streamed(s.image, s.probabilities)
    >>> plan.shape, plan.n_labels, plan.preset.max_iter
    ((256, 256), 2, 10)
    """

    preset: Preset
    strength: str
    shape: tuple[int, ...]
    n_points: int
    n_labels: int
    n_vertices: float
    memory: float
    scratch: float
    in_bands: bool
    unpacked: float
    seconds: float

    def __str__(self) -> str:
        chosen, size = self.preset, " x ".join(map(str, self.shape))
        memory, scratch = (f"{nbytes / 2**20:.3g} MiB" for nbytes in (self.memory, self.scratch))
        return (
            f"{size} pixels, {self.n_points} inside, {self.n_labels} labels; about {self.n_vertices:.2g} vertices: "
            f"{memory} of memory, {scratch} of scratch space{' in bands' if self.in_bands else ''}"
            f"{told_of_unpacking(self.unpacked)}, {self.seconds:.3g} s for {chosen.max_iter} updates\n"
            f"preset {self.strength}: sigma={chosen.sigma}, weight={chosen.weight}, "
            f"bilateral_sigma={chosen.bilateral_sigma}, color_sigma={chosen.color_sigma}, "
            f"bilateral_weight={chosen.bilateral_weight}"
        )


def plan_streamed(
    image: Any,
    probabilities: Any = None,
    *,
    logits: Any = None,
    unary: Any = None,
    preset: str | Preset = presets.AUTO,
    mask: Any = None,
    label_axis: int = 0,
    channel_axis: ChannelAxis = "infer",
    **options: Unpack[StreamOptions],
) -> StreamPlan:
    """Say what :func:`refine_streamed` will take: everything is looked at once, and pieces of the image are tried.

    Parameters
    ----------
    image, probabilities, logits, unary, preset, mask, label_axis, channel_axis, **options
        As in :func:`refine_streamed`.

    Returns
    -------
    StreamPlan

    Raises
    ------
    ValueError, TypeError
        As :func:`refine_streamed` does.

    Examples
    --------
    >>> import classicseg as cs
    >>> s = cs.sample("nuclei")
    >>> cs.plan_streamed(s.image, s.probabilities, preset="firm").preset.bilateral_weight
    4.0
    """
    chosen = checked(preset, options)
    n_threads = resolve_threads(chosen.get("n_threads"))
    start = time.perf_counter()
    given = {"probabilities": probabilities, "logits": logits, "unary": unary}
    ready = prepared(image, given, mask, preset, (label_axis, channel_axis), chosen, n_threads)
    to_look = time.perf_counter() - start
    raster, n_iter = ready.raster, ready.preset.max_iter
    n_points, n_labels = raster.inside.n_points, raster.costs.planes.count
    vertices, seconds = expected_vertices(ready, n_threads), seconds_of_pass(ready, n_threads)
    prunes = n_iter >= FEWEST and not chosen.get("exact", False)
    needs = needs_of(ready, vertices, n_threads, prunes=prunes)
    at_once = min(n_points, max(2**16, raster.steps.size * (raster.steps.window or 1)))
    of_point = 40 * len(vertices) + 4 * (8 * n_labels + 4 * raster.colors.planes.count)
    memory = needs.memory + n_threads * at_once * of_point
    memory += prunes * 2 * n_points / PIXELS  # which blocks are active, and near
    unpacked = sum(map(bytes_to_unpack, (image, *given.values(), mask)))
    return StreamPlan(
        ready.preset, ready.strength, raster.steps.shape, n_points, n_labels, sum(vertices), memory,
        needs.scratch + prunes * n_points * BYTES_OF_POINT, needs.in_bands, unpacked, to_look + seconds * (n_iter + 2),
    )  # fmt: skip
