"""What a streamed split-and-merge is told, and what it sees when it looks at everything once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypedDict

import numpy as np

from classicseg import __version__, inputs
from classicseg.errors import InputError
from classicseg.io.raster import check_same_place, profile_of
from classicseg.io.windows import Source, as_source
from classicseg.pipelines import presets
from classicseg.splitmerge.groups import Layout
from classicseg.splitmerge.homogeneity import AND, OR, RANGE, Homogeneity, HomogeneityLike
from classicseg.splitmerge.picture import Picture, as_picture, axes_of, places_of_some, refuse_masked
from classicseg.splitmerge.plan import Plan, plan_of, warn_of_spread
from classicseg.streaming.raster import Box, Digest, Inside, Planes, Steps, of_mask, pass_through

AT_ONCE = 2**24
"""Pixels of a window."""


class SplitOptions(TypedDict, total=False):
    """What :func:`split_and_merge_streamed` can be told beside what it reads; None is as if not given."""

    min_size: int | None
    max_depth: int | None
    connectivity: int | None
    merge: str | None
    merge_homogeneity: HomogeneityLike | None
    window: int | None
    n_threads: int | None
    progress: bool | None
    state: str | os.PathLike[str] | None


_RULES = ("min_size", "max_depth", "connectivity", "merge", "merge_homogeneity")
_REASONS = {
    "min_area": "which neighbour a small region joins is decided for the whole image at once; min_size keeps blocks "
    "from being small",
}


class Window(NamedTuple):
    """A piece that is read at once, whole groups that follow each other along the last axis."""

    band: int  # which of the bands that are numbered one after the other
    box: Box  # pixels (z, y, x)
    places: list[tuple[int, ...]]  # of the groups in the grid of groups


@dataclass(frozen=True, eq=False)
class Survey:
    """All that is known before the first group is segmented.

    Attributes
    ----------
    source : Source
        The image as it was given.
    image : Planes
    mask : Planes or None
        None if all pixels take part.
    layout : Layout
    plan : Plan
        Its picture has no pixels but those of the sample.
    n_points : int
        Pixels that take part.
    digest : str
        Of all that was read.
    window : int
        Groups that are read at once, at most.
    """

    source: Source
    image: Planes
    mask: Planes | None
    layout: Layout
    plan: Plan
    n_points: int
    digest: str
    window: int

    def parameters(self) -> str:
        """All that labels depend on beside what is read."""
        plan = self.plan
        what = plan.top_level, plan.stop_level, plan.connectivity, plan.merge, self.layout.shape
        return f"{plan.predicate!r} {plan.merge_predicate!r} {what} classicseg {__version__}"

    def windows(self) -> Iterator[Window]:
        """All of them, band by band."""
        grid = self.layout.grid
        for z, y in np.ndindex(*grid[:2]):
            for first in range(0, grid[2], self.window):
                last = min(first + self.window, grid[2])
                places: list[tuple[int, ...]] = [(z, y, x) for x in range(first, last)]
                ends = self.layout.box(places[0]), self.layout.box(places[-1])
                box = (*ends[0][:2], slice(ends[0][2].start, ends[1][2].stop))
                yield Window(z if self.layout.volume else y, box, places)

    def read(self, window: Window) -> Pixels:
        """The pixels of a window."""
        box = window.box if self.layout.volume else window.box[1:]
        values = self.image.read(box)
        inside = None if self.mask is None else of_mask(self.mask.read(box))
        return Pixels(self, window.box, values, inside)


@dataclass(frozen=True, eq=False)
class Pixels:
    """The pixels of a window.

    Attributes
    ----------
    survey : Survey
    box : tuple of slice
        Where the window lies, (z, y, x).
    values : ndarray, (C, *window)
    inside : ndarray, (*window), bool, or None
    """

    survey: Survey
    box: Box
    values: np.ndarray
    inside: np.ndarray | None

    def picture(self, box: Box) -> Picture | None:
        """Those in a box (z, y, x) of the image as kernels take them; None if none takes part."""
        local = tuple(slice(b.start - own.start, b.stop - own.start) for b, own in zip(box, self.box, strict=True))
        if not self.survey.layout.volume:
            local = local[1:]
        inside = None if self.inside is None else self.inside[local]
        found = picture_of(self.values[(slice(None), *local)], inside)
        return None if found is None else replace(found, sample=self.survey.plan.picture.sample)


def picture_of(values: np.ndarray, inside: np.ndarray | None) -> Picture | None:
    """A window (C, *window) as kernels take it; None if no pixel takes part."""
    if inside is not None and not inside.any():
        return None
    return as_picture(values, None if inside is None or inside.all() else inside, 0)


def checked(options: SplitOptions) -> dict[str, Any]:
    """What is given of the options."""
    for name in options:
        if name in _REASONS:
            raise InputError(f"split_and_merge_streamed has no parameter {name!r}: {_REASONS[name]}")
    presets.check_names(options, tuple(SplitOptions.__annotations__), "split_and_merge_streamed has no parameter")
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None or name == "merge"}
    if "progress" in given:
        inputs.as_flag(given["progress"], "progress")
    if "window" in given:
        given["window"] = inputs.as_count(given["window"], "window", 1)
    return given


def surveyed(
    image: Any,
    homogeneity: HomogeneityLike,
    mask: Any,
    channel_axis: Any,
    options: dict[str, Any],
    n_threads: int,
    at_once: int = AT_ONCE,
) -> Survey:
    """Look at everything once: whether it can work, where its values lie, and how it is known again."""
    refuse_masked(image)
    source = as_source(image, "image")
    axis, spatial = axes_of(tuple(int(n) for n in source.shape), channel_axis)
    planes, layout = Planes(source, axis, "image"), Layout(spatial)
    few = as_picture(np.zeros((1, 1), planes.dtype), None, None)
    blank = np.zeros((1, 1, 1, planes.count), few.values.dtype)
    rules = {name: options[name] for name in _RULES if name in options}
    plan = plan_of(Picture(blank, None, spatial), homogeneity, **rules)
    _check_local(plan)
    mask = getattr(source, "inside", None) if mask is None else as_source(mask, "mask")
    check_same_place(profile_of(source), profile_of(mask), "mask", "the image")
    masked = None if mask is None else Planes(mask, None, "mask")
    if masked is not None and masked.grid != spatial:
        raise InputError(f"mask must have shape {spatial}, got {masked.grid}")
    digest, steps = Digest(), Steps(spatial, planes.chunk(0))
    inside = Inside.of(masked, steps, digest, n_threads)
    sample, ends = _looked_at(planes, steps, inside, digest, n_threads)
    plan = replace(plan, picture=replace(plan.picture, sample=sample))
    warn_of_spread(plan, *ends, stacklevel=4)
    side = layout.side[-1]
    window = -(-options["window"] // side) if "window" in options else max(1, at_once // int(np.prod(layout.side)))
    return Survey(source, planes, inside.planes, layout, plan, inside.n_points, str(digest), window)


def _check_local(plan: Plan) -> None:
    """Raise unless no group of tiles has to be known when another one is segmented."""
    if plan.merge == "best_first":
        raise InputError(
            "merge must be 'fast' or None where an image passes by in windows: 'best_first' has one queue for all of it"
        )
    for name, predicate in (("homogeneity", plan.predicate), ("merge_homogeneity", plan.merge_predicate)):
        if not _is_range(predicate):
            raise InputError(
                f"{name} must be Range, or several of them combined, where an image passes by in windows, "
                f"got {predicate!r}: under others what failed once may hold later, so all pairs are tried again"
            )


def _is_range(predicate: Homogeneity) -> bool:
    """Whether it looks at nothing but the smallest and the largest values."""
    return {code for code, *_ in predicate.program()} <= {RANGE, AND, OR}


def _looked_at(
    planes: Planes, steps: Steps, inside: Inside, digest: Digest, n_threads: int
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """A sample (n, C) from all over the image as that of :class:`Picture`, and the ends of each channel."""
    wanted = places_of_some(inside.n_points)
    samples: list[tuple[int, np.ndarray]] = []
    found: list[tuple[np.ndarray, np.ndarray]] = []
    read_mask = None if inside.planes is None else inside.planes.read

    def look(step: int, box: Box, values: np.ndarray) -> None:
        try:
            picture = picture_of(values, None if read_mask is None else of_mask(read_mask(box)))
        except InputError as failure:
            where = ", ".join(f"{side.start}:{side.stop}" for side in box)
            raise InputError(f"{failure} (counted in the window at ({where}))") from failure
        if picture is None:
            return
        pixels, first = picture.pixels, int(inside.first[step])
        own = wanted[np.searchsorted(wanted, first) : np.searchsorted(wanted, first + len(pixels))]
        samples.append((step, pixels[own - first]))
        found.append((pixels.min(axis=0), pixels.max(axis=0)))

    pass_through(planes, steps, digest, n_threads, look)
    sample = np.concatenate([values for _, values in sorted(samples, key=lambda entry: entry[0])])
    low, high = zip(*found, strict=True)
    return sample, (np.min(low, axis=0), np.max(high, axis=0))
