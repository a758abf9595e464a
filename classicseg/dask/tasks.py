"""What workers do: tasks on one stripe of an image, which they read themselves.

A task depends on nothing but its arguments and on what it reads, so that it can be done anywhere, and again.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from classicseg import __version__
from classicseg.errors import InputError
from classicseg.filters.apart import Part, PartLattices
from classicseg.filters.streamed import Norms, StripeVertices, meet_stripe
from classicseg.kernels.dense.bank import RowLayout
from classicseg.machine.memory import keep_freed
from classicseg.pipelines.passage import Passing
from classicseg.solvers.dense.apart import label_stripe, splat_stripe

_LARGEST = 2**26  # bytes of what is sent to every worker: of more it is better that they read it themselves
_seen: set[str] = set()  # digests of what this process has found to read the same as the process that sent it


class Sent(NamedTuple):
    """What workers read."""

    version: str
    content: bytes  # pickled, so that arrays in it are copied once, and not for every look at what holds them
    probes: list[str]  # digests of a line of pixels of each stripe, as the sender reads them

    @classmethod
    def of(cls, passing: Passing, borders: np.ndarray) -> Sent:
        """What tasks are given of a raster whose stripes have these `borders`."""
        try:
            content = pickle.dumps((passing.raster, passing.kernels, passing.fill))
        except Exception as failure:  # whatever others' sources raise
            raise InputError(
                f"workers cannot be sent what they are to read ({failure}); give names of .npy files or of Zarr stores "
                "that all of them see, or arrays of Dask that read such"
            ) from failure
        if len(content) > _LARGEST:
            raise InputError(
                f"image, scores and mask would be sent to every worker in {len(content) / 2**20:.0f} MiB; save large "
                "arrays where all workers see them, and give the names of .npy files or Zarr stores"
            )
        return cls(__version__, content, [_probe(passing, int(start)) for start in borders[:-1]])

    def opened(self, s: int, start: int, sink: Callable[[int, np.ndarray], None]) -> Passing:
        """The raster that passes by, for stripe `s`, which begins with the point `start`."""
        if self.version != __version__:
            raise InputError(f"workers have classicseg {__version__}, and the run was begun by {self.version}")
        raster, kernels, fill = pickle.loads(self.content)
        passing = Passing(raster, kernels, sink, fill)
        own = hashlib.blake2b(self.content, digest_size=16).hexdigest()
        if own not in _seen:
            # Zarr gives its fill value for chunks that it does not find, so that a store on another machine is empty.
            if _probe(passing, start) != self.probes[s]:
                raise InputError(
                    "workers read something else than this process does: they have to see the same files, under the "
                    "same names"
                )
            keep_freed()
            _seen.add(own)
        return passing


def _probe(passing: Passing, start: int) -> str:
    """A digest of all that is read in the first box of a stripe."""
    raster, digest = passing.raster, hashlib.blake2b(digest_size=16)
    place = next(passing.places(start, start + 1))
    for values in (raster.colors.planes.read(place.box), passing.reader_of_costs()(place)):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def meet(sent: Sent, s: int, start: int, stop: int) -> StripeVertices:
    """The vertices that the points `start` to `stop` - 1 touch."""
    passing = sent.opened(s, start, _nowhere)
    return meet_stripe(passing.spaces, passing.features(start, stop))


def splat(sent: Sent, s: int, part: Part, norms: Norms, layout: RowLayout, messages: np.ndarray | None) -> np.ndarray:
    """What the points of a stripe splat after they have read their messages."""
    return splat_stripe(*_ready(sent, s, part, norms, layout, _nowhere), messages, layout)


def label(
    dtype: Any, sent: Sent, s: int, part: Part, norms: Norms, layout: RowLayout, messages: np.ndarray | None
) -> list[tuple[int, np.ndarray]]:
    """The labels of the pixels of a stripe, run by run, each with its first pixel."""
    runs: list[tuple[int, np.ndarray]] = []

    def sink(start: int, labels: np.ndarray) -> None:
        runs.append((start, labels.astype(dtype)))

    label_stripe(*_ready(sent, s, part, norms, layout, sink), messages, layout)
    return runs


def _ready(
    sent: Sent, s: int, part: Part, norms: Norms, layout: RowLayout, sink: Callable[[int, np.ndarray], None]
) -> tuple[Passing, PartLattices]:
    passing = sent.opened(s, part.start, sink)
    passing.is_paired = len(layout.paired) > 0
    return passing, PartLattices(passing.spaces, part, norms)


def _nowhere(start: int, labels: np.ndarray) -> None:
    """No labels are wanted."""
