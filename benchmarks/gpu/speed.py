"""The layer of PyTorch on a GPU: is it right, and how fast is it?

    python benchmarks/bench_gpu.py [--backends torch triton] [--rounds 20] [--cases 375x500-L21 ...]

Marginals and gradients are compared with those of the compiled kernels on the CPU, then building a lattice, 5 updates,
the same captured into a CUDA graph, and a training step are timed between synchronisations. The floor is the time in
which the card, at the speed at which it copies, moves what 5 updates cannot do without: marginals out and in, logits
in, and the indices and weights of points twice. Writes ``results/bench_gpu.json`` with the name of the card.

``--device cpu`` tries the script out and writes nothing, with ``TRITON_INTERPRET=1`` also for triton:

    TRITON_INTERPRET=1 python benchmarks/bench_gpu.py --device cpu --rounds 1 --cases 24x32-L3
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from dense_speed import network, photo
from harness import machine, milliseconds, save, take_turns
from peers import README

import classicseg.torch as ct

CASES = {"24x32-L3": (24, 32, 3), "375x500-L21": (375, 500, 21), "1080p-L19": (1080, 1920, 19)}
N_ITER = 5
FAR = 1e-3  # from the CPU: rounding differs, and is amplified by 5 updates


def layer(n_labels: int, backend: str) -> ct.DenseCRF:
    sigma, weight, range_, color, bilateral, _ = README
    kernels = [ct.GaussianKernel(sigma, weight), ct.BilateralKernel(range_, color, bilateral)]
    return ct.DenseCRF(n_labels, kernels, n_iter=N_ITER, output="marginals", backend=backend)


def training_step(crf: ct.DenseCRF, logits: torch.Tensor, lattice: ct.Lattice) -> tuple[torch.Tensor, torch.Tensor]:
    """Marginals, and the gradient of those of label 0."""
    z = logits.clone().requires_grad_()
    marginals = crf(z, lattice=lattice)
    marginals[:, 0].sum().backward()
    return marginals.detach(), z.grad


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


def copied_per_second(device: torch.device) -> float:
    """Bytes that the card reads and writes in a second of copying."""
    source = torch.zeros(2**28, device=device)
    target = torch.empty_like(source)
    seconds = []
    for _ in range(10):
        torch.cuda.synchronize(device)
        start = time.perf_counter()
        target.copy_(source)
        torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return 2 * source.nbytes / sorted(seconds)[5]


def floor(crf: ct.DenseCRF, z: torch.Tensor, bytes_per_second: float) -> float:
    """Seconds of 5 updates."""
    n_pairs = sum(features.shape[1] + 1 for features in crf.features(z[:, :1].repeat(1, 3, 1, 1), z))
    n_points = z[:, 0].numel()
    return N_ITER * (3 * z.nbytes + 2 * n_points * n_pairs * 8) / bytes_per_second


def measure(case: str, backends: list[str], device: torch.device, rounds: int) -> list[dict[str, Any]]:
    height, width, n_labels = CASES[case]
    logits = torch.from_numpy(-network(n_labels, height, width))[None]
    image = torch.from_numpy(np.moveaxis(photo(height, width), -1, 0).copy())[None]
    reference = layer(n_labels, "numba")
    wanted = training_step(reference, logits, reference.lattice(image))
    z, picture = logits.to(device), image.to(device)
    on_gpu = device.type == "cuda"
    bandwidth = copied_per_second(device) if on_gpu else None
    rows, contenders = [], {}
    for backend in backends:
        crf = layer(n_labels, backend).to(device)
        lattice = crf.lattice(picture)
        found = training_step(crf, z, lattice)

        def updates(crf=crf, lattice=lattice) -> torch.Tensor:
            with torch.no_grad():
                return crf(z, lattice=lattice)

        work = {
            "build": lambda crf=crf: crf.lattice(picture),
            "5 updates": updates,
            "forward and backward": lambda crf=crf, lattice=lattice: training_step(crf, z, lattice),
        }
        differences = [float((a.cpu() - b).abs().max()) for a, b in zip(found, wanted, strict=True)]
        row = {"case": f"{case} {backend}"}
        if on_gpu:
            work["5 updates, captured"] = captured(updates)
            differences[0] = max(differences[0], float((work["5 updates, captured"]().cpu() - wanted[0]).abs().max()))
            row["floor of 5 updates, ms"] = milliseconds([floor(crf, z, bandwidth)], 3)
        row |= dict(zip(("difference of marginals", "difference of gradients"), differences, strict=True))
        if max(differences) > FAR:
            raise SystemExit(f"wrong: {row}")
        rows.append(row)
        contenders |= {(backend, name): call for name, call in work.items()}

    def waited(call: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            call()
            if on_gpu:
                torch.cuda.synchronize(device)

        return run

    seconds = take_turns({name: waited(call) for name, call in contenders.items()}, rounds)
    for row, backend in zip(rows, backends, strict=True):
        row |= {f"{name}, ms": milliseconds(s, 3) for (whose, name), s in seconds.items() if whose == backend}
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--backends", nargs="+", choices=["torch", "triton"], default=["torch", "triton"])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["375x500-L21", "1080p-L19"])
    options = parser.parse_args()
    device = torch.device(options.device)
    on_gpu = device.type == "cuda"
    if on_gpu and not torch.cuda.is_available():
        parser.error("there is no CUDA device here, or this PyTorch is for the CPU; --device cpu tries the script out")
    about = machine()
    about["versions"]["torch"] = torch.__version__
    about["card"] = torch.cuda.get_device_name(device) if on_gpu else "none"
    print(about)
    rows = []
    for case in options.cases:
        for row in measure(case, options.backends, device, options.rounds):
            rows.append({"card": about["card"]} | row)
            print(rows[-1], flush=True)
    if on_gpu:
        save("bench_gpu", rows, about, key="case")


if __name__ == "__main__":
    main()
