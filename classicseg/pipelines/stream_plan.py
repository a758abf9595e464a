"""What a streamed refinement will take, told before it begins."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from classicseg.filters.building import Space, stripes_of
from classicseg.filters.streamed import BYTES_OF_VERTEX, StreamedBank, meet_all, meet_stripe
from classicseg.io.sources import bytes_to_unpack, told_of_unpacking
from classicseg.kernels.dense.bank import RowLayout
from classicseg.machine.simd import PIXELS
from classicseg.machine.threads import resolve_threads
from classicseg.pipelines import presets
from classicseg.pipelines.kept_state import BYTES_OF_POINT
from classicseg.pipelines.passage import Passing
from classicseg.pipelines.presets import Preset
from classicseg.pipelines.refinement import ChannelAxis
from classicseg.pipelines.stream_survey import Prepared, StreamOptions, checked, prepared
from classicseg.solvers.dense.plan import Plan
from classicseg.solvers.dense.prospects import FEWEST
from classicseg.solvers.dense.streamed import Window, update_passing

_PIECES = 16  # of the image that are tried
_POINTS = 2**14  # of a piece
_PART = 4  # of a piece is looked at by itself, to see how vertices grow in number


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
    unpacked: float
    seconds: float

    def __str__(self) -> str:
        chosen, size = self.preset, " x ".join(map(str, self.shape))
        memory, scratch = (f"{nbytes / 2**20:.3g} MiB" for nbytes in (self.memory, self.scratch))
        return (
            f"{size} pixels, {self.n_points} inside, {self.n_labels} labels; about {self.n_vertices:.2g} vertices: "
            f"{memory} of memory, {scratch} of scratch space{told_of_unpacking(self.unpacked)}, {self.seconds:.3g} s "
            f"for {chosen.max_iter} updates\n"
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
    tried = [_tried(ready, n, n_threads) for n in (_PIECES // 4, _PIECES, _PIECES)]  # kernels are loaded by the first
    stripes = stripes_of(n_points)
    of_stripe = n_points / stripes
    spread = [_grown(*pair, of_stripe) for pair in zip(tried[0].met, tried[-1].met, strict=True)]
    in_a_row = [_grown(few, many, of_stripe) for few, many in zip(*tried[-1].each, strict=True)]
    rows = stripes * sum(map(min, spread, in_a_row))
    layout = RowLayout.of(n_labels)
    row = 4 * layout.n_panels * len(layout.lanes)
    prunes = n_iter >= FEWEST and not chosen.get("exact", False)
    at_once = min(n_points, max(2**16, raster.steps.size * (raster.steps.window or 1)))
    of_point = 40 * len(tried[0].met) + 4 * (8 * n_labels + 4 * raster.colors.planes.count)
    memory = BYTES_OF_VERTEX * rows + (2 + prunes) * row * rows + n_threads * at_once * of_point
    memory += prunes * 2 * n_points / PIXELS  # which blocks are active, and near
    seconds = to_look + tried[-1].seconds / tried[-1].n * n_points * (n_iter + 2)
    scratch = (12 + (1 + prunes) * row) * rows + prunes * n_points * BYTES_OF_POINT
    unpacked = sum(map(bytes_to_unpack, (image, *given.values(), mask)))
    return StreamPlan(
        ready.preset, ready.strength, raster.steps.shape, n_points, n_labels, rows, memory, scratch, unpacked, seconds
    )


@dataclass(frozen=True)
class _Tried:
    """What pieces of an image took."""

    n: int  # points
    met: list[tuple[int, float]]  # points and vertices, for each lattice
    each: tuple[
        list[tuple[int, float]], list[tuple[int, float]]
    ]  # the same of a piece, on average, and before of a part of it
    seconds: float  # of a pass


class _Pieces:
    """Some of the points of a passing image, as if they were all."""

    def __init__(self, passing: Passing, n: int, n_points: int) -> None:
        size = max(PIXELS, min(_POINTS, n_points // n) // PIXELS * PIXELS)
        last = max(0, n_points - size)
        self._starts = sorted({int(start) for start in np.linspace(0, last, n)})
        self._passing, self.size = passing, min(size, n_points)
        self.n = len(self._starts) * self.size

    def met_by_each(self, spaces: Sequence[Space], n: int) -> list[tuple[int, float]]:
        """How many vertices the first `n` points of each piece meet, on average, in each lattice, with `n`."""
        met = [meet_stripe(spaces, self._passing.features(start, start + max(1, n))) for start in self._starts]
        return [
            (max(1, n), float(np.mean([keys.size for keys, _ in of_pieces]))) for of_pieces in zip(*met, strict=True)
        ]

    def features(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """See :class:`Passing`."""
        for piece in self._within(start, stop):
            yield from self._passing.features(*piece)

    def windows(self, start: int, stop: int) -> Iterator[Window]:
        """See :class:`Passing`."""
        for piece in self._within(start, stop):
            yield from self._passing.windows(*piece)

    def write(self, window: Window, labels: np.ndarray) -> None:
        """Nobody wants them."""

    def _within(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        for i, first in enumerate(self._starts):
            low, high = max(start, i * self.size), min(stop, (i + 1) * self.size)
            if low < high:
                yield first + low - i * self.size, first + high - i * self.size


def _tried(ready: Prepared, n: int, n_threads: int) -> _Tried:
    """Build lattices of `n` pieces of the image, and update them once."""
    passing = ready.passing(lambda start, labels: None, 0)
    pieces = _Pieces(passing, n, ready.raster.inside.n_points)
    vertices = meet_all(passing.spaces, pieces.features, pieces.n, n_threads)
    lattices = StreamedBank(passing.spaces, vertices, ["symmetric"] * len(vertices), pieces.n, n_threads)
    plan = Plan(lattices.bank, lattices.gains, ready.costs(), pair=True)
    passing.is_paired = plan.is_paired
    start = time.perf_counter()
    update_passing(pieces, lattices, plan, 1, n_threads)
    seconds = (time.perf_counter() - start) / 2
    each = pieces.met_by_each(passing.spaces, pieces.size // _PART), pieces.met_by_each(passing.spaces, pieces.size)
    return _Tried(pieces.n, [(pieces.n, float(k)) for k in lattices.bank.vertex[:, 1]], each, seconds)


def _grown(few: tuple[int, float], many: tuple[int, float], n: float) -> float:
    """Vertices of `n` points, as they grow from few to many."""
    power = math.log(many[1] / few[1]) / math.log(many[0] / few[0]) if many[0] > few[0] else 1.0
    return many[1] * max(1.0, n / many[0]) ** min(1.0, max(0.0, power))
