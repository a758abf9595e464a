"""Updates as CUDA graphs: what Python launches a hundred times for each call is recorded once and replayed.

A graph works in fixed memory, on arrays of fixed sizes. So each has arrays of its own, into which a call copies what it
is given, logits and lattice and rewards, and out of which it copies the results. Nothing of the caller is kept:
parameters may move and change, and every image may have its own lattice. The sizes of a lattice depend on the image;
they are rounded up, see :func:`classicseg.torch.backends._sorting.room`, so that those of many images are alike.

What is given for the first time with some sizes is computed as without graphs, which also compiles what is missing. The
second time it is recorded, and replayed from then on. Where that fails, or there are :data:`MOST` graphs already, the
sizes are computed as without graphs for good, and a line in the log says so.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import groupby
from typing import Protocol

import torch
from torch import Tensor

from classicseg.torch import tensors
from classicseg.torch.backends import Backend, Updates

MOST = 16
"""Graphs that are kept; each holds a copy of a lattice, and its results."""

_log = logging.getLogger("classicseg")
_Function = Callable[[Sequence[Tensor]], list[Tensor]]
_Place = tuple[torch.device, int]


class Recorder(Protocol):
    """Records the work of a function on tensors that stay where they are."""

    def __call__(self, place: _Place, work: Callable[[], list[Tensor]]) -> tuple[Callable[[], None], list[Tensor]]:
        """What does the work again, and its results, which that overwrites."""


class OnCuda:
    """The recorder of graphs on CUDA devices."""

    def __init__(self) -> None:
        self._pools: dict[_Place, tuple[int, int]] = {}  # graphs of one stream never run at once and share memory

    def __call__(self, place: _Place, work: Callable[[], list[Tensor]]) -> tuple[Callable[[], None], list[Tensor]]:
        """See :class:`Recorder`."""
        device, _ = place
        pool = self._pools.setdefault(place, torch.cuda.graph_pool_handle())
        current, apart = torch.cuda.current_stream(device), torch.cuda.Stream(device)
        apart.wait_stream(current)
        with torch.cuda.stream(apart):
            work()  # libraries prepare themselves for each stream, which cannot be recorded
        current.wait_stream(apart)
        graph = torch.cuda.CUDAGraph()
        # Other threads may pin memory for a loader meanwhile, which is an error by default.
        with torch.cuda.graph(graph, pool=pool, stream=apart, capture_error_mode="thread_local"):
            results = work()
        return graph.replay, results


class Graphs:
    """Functions of tensors that are recorded for each set of sizes.

    Parameters
    ----------
    record : Recorder
    """

    def __init__(self, record: Recorder) -> None:
        self._record = record
        self._graphs: dict[Hashable, _Graph | None] = {}  # None: cannot be recorded
        self._seen: set[Hashable] = set()
        self._lock = threading.Lock()

    def run(self, name: Hashable, function: _Function, given: Sequence[Tensor]) -> list[Tensor]:
        """``function(given)``; for each `name` and sizes the function is the same."""
        if tensors.is_capturing(given[0]):
            return function(given)
        place = _place_of(given[0])
        key = name, place, tuple((x.shape, x.dtype) for x in given)
        with self._lock, torch.inference_mode(False), torch.no_grad():  # memory of a graph serves training, too
            if key not in self._graphs and key in self._seen:
                self._graphs[key] = self._recorded(place, function, given)
            self._seen.add(key)
            graph = self._graphs.get(key)
            if graph is not None:
                return graph(given)
        return function(given)

    def _recorded(self, place: _Place, function: _Function, given: Sequence[Tensor]) -> _Graph | None:
        if sum(graph is not None for graph in self._graphs.values()) >= MOST:
            _log.warning("%d CUDA graphs are kept already; updates of further sizes are launched one by one", MOST)
            return None
        try:
            return _Graph(self._record, place, function, given)
        except RuntimeError as error:
            why = str(error).partition("\n")[0]
            _log.warning("updates of these sizes are launched one by one, as no CUDA graph could be made: %s", why)
            return None


class _Graph:
    """What was recorded, and the memory in which it works."""

    def __init__(self, record: Recorder, place: _Place, function: _Function, given: Sequence[Tensor]) -> None:
        self._given = [torch.empty_like(x, memory_format=torch.contiguous_format) for x in given]
        self._copy(given)
        self._replay, self._results = record(place, lambda: function(self._given))

    def __call__(self, given: Sequence[Tensor]) -> list[Tensor]:
        self._copy(given)
        self._replay()
        return [x.clone() for x in self._results]

    def _copy(self, given: Sequence[Tensor]) -> None:
        both = [pair for pair in zip(self._given, given, strict=True) if pair[0].numel()]  # some only have shapes
        pairs = sorted(both, key=lambda pair: str(pair[0].dtype))
        for _, alike in groupby(pairs, key=lambda pair: pair[0].dtype):  # one launch for all of a type
            kept, new = zip(*alike, strict=True)
            torch._foreach_copy_(kept, new)


def _place_of(tensor: Tensor) -> _Place:
    """Device and stream."""
    return tensor.device, torch.cuda.current_stream(tensor.device).cuda_stream if tensor.is_cuda else 0


class Roomy(Backend, Protocol):
    """A backend whose lattices may have room to spare."""

    def build(self, features: Sequence[Tensor], normalizations: Sequence[str], *, roomy: bool = False) -> list[Tensor]:
        """See :class:`Backend`; if `roomy`, sizes that depend on the image are rounded up."""


class WithGraphs:
    """A backend whose updates, forward and backward, are CUDA graphs; see :class:`Backend`."""

    def __init__(self, backend: Roomy, record: Recorder) -> None:
        self._backend, self._graphs = backend, Graphs(record)
        self.empty_lattice, self.tape_size, self.filter = backend.empty_lattice, backend.tape_size, backend.filter

    def build(self, features: Sequence[Tensor], normalizations: Sequence[str]) -> list[Tensor]:
        """See :class:`Backend`."""
        return self._backend.build(features, normalizations, roomy=True)

    def mean_field(
        self, logits: Tensor, rewards: Tensor, lattice: Sequence[Tensor], updates: Updates, record: bool
    ) -> tuple[Tensor, Tensor]:
        """See :class:`Backend`."""

        def work(given: Sequence[Tensor]) -> list[Tensor]:
            return list(self._backend.mean_field(given[0], given[1], given[2:], updates, record))

        out, tape = self._graphs.run(("forward", updates, record), work, [logits, rewards, *lattice])
        return out, tape

    def mean_field_backward(
        self,
        grad: Tensor,
        out: Tensor,
        logits: Tensor,
        rewards: Tensor,
        features: Sequence[Tensor],
        lattice: Sequence[Tensor],
        normalizations: Sequence[str],
        tape: Tensor,
        updates: Updates,
    ) -> list[Tensor]:
        """See :class:`Backend`."""
        norms, parts = tuple(normalizations), ([grad, out, logits, rewards, tape], features, lattice)

        def work(given: Sequence[Tensor]) -> list[Tensor]:
            (g, o, z, r, t), f, own = _split(given, map(len, parts))
            return self._backend.mean_field_backward(g, o, z, r, f, own, norms, t, updates)

        name = "backward", updates, norms, len(features)
        return self._graphs.run(name, work, [x for part in parts for x in part])


def _split(given: Sequence[Tensor], lengths: Iterable[int]) -> list[Sequence[Tensor]]:
    found, first = [], 0
    for n in lengths:
        found.append(given[first : first + n])
        first += n
    return found
