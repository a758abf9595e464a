"""What a streamed minimum cut is told, and what it sees when it looks at everything once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

from classicseg import __version__, inputs
from classicseg.energies.edge_weights import connectivity_of
from classicseg.energies.grid import Offset, directions, edge_length, edge_shape
from classicseg.errors import BudgetError, InputError, InputTypeError
from classicseg.io.windows import as_source
from classicseg.machine.threads import resolve_threads
from classicseg.pipelines.image import find_channel_axis
from classicseg.pipelines.refinement import ChannelAxis
from classicseg.solvers.cut.zones import bytes_of_pixel
from classicseg.streaming.cut.costs import CutCosts, ScaledCosts, look_at_unary
from classicseg.streaming.cut.edges import ContrastEdges, Edges, EqualEdges, GivenEdges
from classicseg.streaming.raster import Digest, Inside, Planes, Steps

_MEMORY = 2.0**30  # bytes of a band


def in_gib(nbytes: float) -> str:
    """A number of bytes as people read it."""
    return f"{nbytes / 2**30:.3g} GiB"


class CutOptions(TypedDict, total=False):
    """What :func:`minimum_cut_streamed` can be told beside what it reads; None is as if not given."""

    spacing: float | Sequence[float] | None
    label_axis: int | None
    channel_axis: ChannelAxis
    fill: int | None
    memory: float | None
    window: int | None
    state: str | os.PathLike[str] | None
    n_threads: int | None
    progress: bool | None


class IteratedOptions(CutOptions, total=False):
    """What runs of several iterations can be told beside what they read; None is as if not given."""

    max_iter: int | None
    tol: float | None


class GridProblem:
    """An energy of a grid, looked at once.

    Attributes
    ----------
    costs : object
        What :meth:`_costs` makes of it.
    inside : Inside
    like : Source
        Whose place in the world labels have: the image, or the costs if there is none.
    axis : int or None
        That of labels or channels in it.
    window : int or None
        How many rows a band begins with at most.
    memory_allowed : float
        Bytes of a band.
    parameters : str
        All that the labels depend on besides.
    """

    costs: Any

    def __init__(
        self,
        unary: Any,
        weights: Any,
        image: Any,
        beta: Any,
        connectivity: int | None,
        mask: Any,
        options: dict[str, Any],
    ) -> None:
        costs, self._image = as_source(unary, "unary"), None if image is None else as_source(image, "image")
        self.like = costs if self._image is None else self._image
        planes = Planes(costs, options.get("label_axis", 0), "unary")
        self.axis = planes.axis
        if reason := self._reason_against(planes.count):
            raise InputError(f"unary must have {reason}, got {planes.count} along label_axis={planes.axis}")
        shape = planes.grid
        if len(shape) not in (2, 3) or 0 in shape:
            raise InputError(f"unary must be of an image (2, H, W) or a volume (2, D, H, W), got grid {shape}")
        if isinstance(weights, Mapping):
            largest = connectivity_of(weights, len(shape))
            connectivity = largest if connectivity is None else connectivity
        offsets = directions(len(shape), connectivity)
        mask = getattr(self.like, "inside", None) if mask is None else mask
        masked = None if mask is None else Planes(as_source(mask, "mask"), None, "mask")
        if masked is not None and masked.grid != shape:
            raise InputError(f"mask must have shape {shape}, got {masked.grid}")
        self.n_threads, self.memory_allowed = resolve_threads(options.get("n_threads")), options.get("memory", _MEMORY)
        self.window: int | None = options.get("window")
        steps, digest = Steps(shape, planes.chunk(0)), Digest()
        self.inside = Inside.of(masked, steps, digest, self.n_threads)
        look_at_unary(planes, steps, self.inside, digest, self.n_threads)
        edges = self._edges(weights, beta, offsets, shape, digest, options)
        self.costs = self._costs(planes, offsets, edges)
        self._digest = digest
        given = None if isinstance(weights, Mapping) else weights
        how = list(offsets), options.get("spacing"), given, beta, image is None
        self.parameters = f"{shape} {how} classicseg {__version__}"

    @staticmethod
    def _reason_against(n_labels: int) -> str | None:
        """How many labels there should be, if so many are none that work."""
        return None if n_labels > 1 else "at least 2 labels"

    def _costs(self, planes: Planes, offsets: dict[str, Offset], edges: Edges) -> Any:
        """The costs as they are worked with."""
        raise NotImplementedError

    def _edges(
        self,
        weights: Any,
        beta: Any,
        offsets: dict[str, Offset],
        shape: tuple[int, ...],
        digest: Digest,
        options: dict[str, Any],
    ) -> Edges:
        if isinstance(weights, Mapping):
            if self._image is not None or beta is not None or options.get("spacing") is not None:
                raise InputError("image, beta and spacing go with a single number as weights; a mapping says it all")
            return self._given(weights, offsets, shape, digest)
        weight = inputs.as_weight(weights, "weights", at_least=0)
        if weight > inputs.DEAREST:
            raise InputError(f"weights must be at most {inputs.DEAREST:g}, got {weight:g}")
        lengths = _lengths(offsets, shape, options)
        if self._image is None:
            if beta is not None:
                raise InputError("beta goes with an image")
            lengths = lengths if options.get("spacing") is not None else dict.fromkeys(lengths, 1.0)
            return EqualEdges(shape, {offset: weight / length for offset, length in lengths.items()})
        rate = None if beta is None else inputs.as_weight(beta, "beta", at_least=0)
        axis = options.get("channel_axis", "infer")
        if isinstance(axis, str):
            axis = find_channel_axis(np.broadcast_to(np.uint8(0), self._image.shape), shape, "unary")
        colors = Planes(self._image, axis, "image")
        self.axis = colors.axis
        if colors.grid != shape:
            raise InputError(f"image must have the spatial shape {shape} of unary, got {colors.grid}")
        steps = Steps(shape, colors.chunk(0))
        return ContrastEdges.of(colors, steps, self.inside, lengths, weight, rate, digest, self.n_threads)

    def _given(
        self, weights: Mapping[str, Any], offsets: dict[str, Offset], shape: tuple[int, ...], digest: Digest
    ) -> GivenEdges:
        planes = {}
        for name, offset in offsets.items():
            if name not in weights:
                raise InputError(f"weights must have the directions {', '.join(offsets)}, got {', '.join(weights)}")
            planes[offset] = Planes(as_source(weights[name], f"weights[{name!r}]"), None, f"weights[{name!r}]")
            if planes[offset].grid != edge_shape(shape, offset):
                expected = edge_shape(shape, offset)
                raise InputError(f"weights[{name!r}] must have shape {expected}, got {planes[offset].grid}")
        edges = GivenEdges(planes, self.inside)
        edges.look(digest, self.n_threads)
        return edges

    @property
    def digest(self) -> str:
        """That of all that was read."""
        return str(self._digest)


class CutProblem(GridProblem):
    """What is to be cut.

    Attributes
    ----------
    costs : ScaledCosts
        Of the only cut.
    """

    costs: ScaledCosts
    remedy = "more memory, or less weight to the edges"
    """What to give where too many pixels depend on what lies far behind them."""

    @staticmethod
    def _reason_against(n_labels: int) -> str | None:
        return None if n_labels == 2 else "2 labels (expansion_streamed takes more)"

    def _costs(self, planes: Planes, offsets: dict[str, Offset], edges: Edges) -> ScaledCosts:
        return CutCosts(planes, offsets, edges, self.inside, self.n_threads)

    @property
    def bytes_of_row(self) -> float:
        """Memory that a row of a band takes."""
        size = max(1, int(np.prod(self.costs.shape[1:])))
        return size * bytes_of_pixel(len(self.costs.directions), self.n_threads)

    @property
    def most_rows(self) -> int:
        """How many rows a band may have."""
        most = int(self.memory_allowed / self.bytes_of_row) - 2
        if most < 1:
            raise BudgetError(
                f"a band of one row would take {in_gib(3 * self.bytes_of_row)}, more than "
                f"memory={self.memory_allowed:.4g} bytes allows; give more memory"
            )
        return most


def checked(
    options: Mapping[str, Any], kind: type = CutOptions, name_of: str = "minimum_cut_streamed"
) -> dict[str, Any]:
    """What is given of the options of a `kind`, those of the function `name_of`."""
    for name in options:
        if name not in kind.__annotations__:
            known = ", ".join(kind.__annotations__)
            raise InputTypeError(f"{name_of} has no parameter {name!r}; its options are {known}")
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if "channel_axis" in options:
        given["channel_axis"] = options["channel_axis"]  # None is a value of it
    if "progress" in given:
        inputs.as_flag(given["progress"], "progress")
    if "memory" in given:
        given["memory"] = inputs.as_positive_number(given["memory"], "memory")
    if "window" in given:
        given["window"] = inputs.as_count(given["window"], "window", 1)
    if "fill" in given:
        given["fill"] = inputs.as_int32(given["fill"], "fill")
    if "max_iter" in given:
        given["max_iter"] = inputs.as_count(given["max_iter"], "max_iter", 0)
    if "tol" in given:
        given["tol"] = inputs.as_weight(given["tol"], "tol", at_least=0)
    return given


def _lengths(offsets: dict[str, Offset], shape: tuple[int, ...], options: dict[str, Any]) -> dict[Offset, float]:
    """How long the edges of each direction are."""
    spacing = inputs.as_scale(options.get("spacing", 1.0), "spacing", len(shape))
    return {offset: edge_length(offset, spacing) for offset in offsets.values()}
