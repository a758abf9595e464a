"""What the parts share: the device, the time that is left, rows that are saved one by one, and waiting for a card."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

import classicseg.torch as ct
from benchmarks.shared import harness
from benchmarks.shared.dense_peers import README
from benchmarks.shared.records import Row, document, this_run, write
from classicseg.torch import backends


class Session:
    """A part of the run on a GPU."""

    def __init__(self, part: str, doc: str | None) -> None:
        parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--tiny", action="store_true")
        parser.add_argument("--output", type=Path)
        parser.add_argument("--seconds", type=float, default=60)
        options = parser.parse_args()
        self.end = time.monotonic() + options.seconds
        self.part, self.output, self.tiny = part, options.output, options.tiny
        if not self.tiny and not torch.cuda.is_available():
            parser.error("there is no CUDA device here, or this PyTorch is for the CPU; --tiny tries the script out")
        self.device = torch.device("cpu" if self.tiny else "cuda")
        self.run = this_run(threads=len(os.sched_getaffinity(0)), libraries=["torch", "triton"])
        self.run["machine"]["card"] = "none" if self.tiny else torch.cuda.get_device_name()
        self.rows: list[Row] = []

    @property
    def on_gpu(self) -> bool:
        """Whether there is a card, and this is no trial."""
        return self.device.type == "cuda"

    @property
    def backends(self) -> list[str]:
        """What runs on the device."""
        return ["torch", "triton"] if self.on_gpu and backends.HAS_TRITON else ["torch"]

    def with_graphs(self, backend: str) -> str:
        """A backend whose updates are CUDA graphs, where there is a card."""
        return f"{backend}+graphs" if self.on_gpu else backend

    def record(self, **row: Any) -> None:
        """Print a row, and save all so far."""
        self.rows.append(row)
        print(row, flush=True)
        if self.output is not None:
            write(self.output / f"gpu_{self.part}.json", document([(self.run, row) for row in self.rows]))

    def attempt(self, what: str, function: Callable[..., Row], *given: Any) -> None:
        """Record what a function of the session finds, or the error that it ends with; nothing if the time is up."""
        start = time.monotonic()
        if start > self.end:
            return
        try:
            found = function(self, *given)
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        self.record(what=what, **found, seconds=round(time.monotonic() - start, 2))

    def wait(self) -> None:
        """Until the card has done all that it was given."""
        if self.on_gpu:
            torch.cuda.synchronize()

    def milliseconds(self, call: Callable[[], Any], rounds: int = 7) -> float:
        """Median of a call, from an idle card to an idle card; one round of slow calls."""

        def waited() -> None:
            call()
            self.wait()

        waited()
        start = time.perf_counter()
        waited()
        slow = time.perf_counter() - start > 0.5
        seconds = harness.take_turns({"it": waited}, 1 if self.tiny or slow else rounds)["it"]
        return harness.milliseconds(seconds, 3)


def layer(n_labels: int, backend: str, **options: Any) -> ct.DenseCRF:
    """A CRF with the parameters of pydensecrf's README and 5 updates."""
    sigma, weight, range_, color, bilateral, _ = README
    kernels = [ct.GaussianKernel(sigma, weight), ct.BilateralKernel(range_, color, bilateral)]
    return ct.DenseCRF(n_labels, kernels, n_iter=5, output="marginals", backend=backend, **options)


def captured(work: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    """The same work, launched as one CUDA graph."""
    work()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work()

    def replay() -> torch.Tensor:
        graph.replay()
        return result

    return replay


def largest_difference(some: Sequence[torch.Tensor], others: Sequence[torch.Tensor]) -> float:
    """Of all numbers, on the CPU."""
    pairs = zip(some, others, strict=True)
    return max(float((a.detach().cpu().float() - b.detach().cpu().float()).abs().max()) for a, b in pairs)
