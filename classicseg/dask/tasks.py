"""What workers do: tasks on stripes of an image, which they read themselves.

A task depends on nothing but its arguments and on what it reads, so that it can be done anywhere, and again.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from classicseg.dask.sent import Sent, digest_of
from classicseg.filters.apart import Part, PartLattices
from classicseg.filters.streamed import Norms, StripeVertices, meet_stripe
from classicseg.kernels.dense.bank import RowLayout
from classicseg.solvers.dense.apart import label_stripe, splat_stripe
from classicseg.streaming.refine.passage import Passing


def sent_of(passing: Passing, borders: np.ndarray) -> Sent:
    """What tasks are given of a raster whose stripes have these `borders`."""
    content = passing.raster, passing.kernels, passing.fill, passing.blurs
    return Sent.of(content, [_probe(passing, int(start)) for start in borders[:-1]])


def _opened(sent: Sent, s: int, start: int, sink: Callable[[int, np.ndarray], None]) -> Passing:
    """The raster that passes by, for stripe `s`, which begins with the point `start`."""

    def passing(content: Any) -> Passing:
        raster, kernels, fill, blurs = content
        return Passing(raster, kernels, sink, fill, blurs)

    return passing(sent.opened(s, lambda content: _probe(passing(content), start)))


def _probe(passing: Passing, start: int) -> str:
    """A digest of all that is read in the first box of a stripe."""
    place = next(passing.places(start, start + 1))
    return digest_of([passing.raster.colors.planes.read(place.box), passing.reader_of_costs()(place)])


def meet(sent: Sent, stripes: range, borders: list[int]) -> list[StripeVertices]:
    """The vertices that the points of each of some `stripes` touch; `borders` are where these begin, and the end."""
    met = []
    for s, (start, stop) in zip(stripes, pairwise(borders), strict=True):
        passing = _opened(sent, s, start, _nowhere)
        met.append(meet_stripe(passing.spaces, passing.features(start, stop)))
    return met


def splat(
    sent: Sent, stripes: range, parts: list[Part], norms: Norms, layout: RowLayout, messages: list[np.ndarray | None]
) -> list[np.ndarray]:
    """What the points of each of some `stripes` splat after they have read their messages."""
    return [
        splat_stripe(*_ready(sent, s, part, norms, layout, _nowhere), own, layout)
        for s, part, own in zip(stripes, parts, messages, strict=True)
    ]


def label(
    dtype: Any, sent: Sent, s: int, parts: list[Part], which: int, norms: Norms, layout: RowLayout,
    messages: np.ndarray | None,
) -> list[tuple[int, np.ndarray]]:  # fmt: skip
    """The labels of the pixels of stripe `s`, whose part is ``parts[which]``: runs, each with its first pixel."""
    runs: list[tuple[int, np.ndarray]] = []

    def sink(start: int, labels: np.ndarray) -> None:
        runs.append((start, labels.astype(dtype)))

    label_stripe(*_ready(sent, s, parts[which], norms, layout, sink), messages, layout)
    return runs


def _ready(
    sent: Sent, s: int, part: Part, norms: Norms, layout: RowLayout, sink: Callable[[int, np.ndarray], None]
) -> tuple[Passing, PartLattices]:
    passing = _opened(sent, s, part.start, sink)
    passing.is_paired = len(layout.paired) > 0
    return passing, PartLattices(passing.spaces, part, norms)


def _nowhere(start: int, labels: np.ndarray) -> None:
    """No labels are wanted."""
