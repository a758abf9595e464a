"""The layer of PyTorch on a GPU: is it right, and how fast is it?

    python benchmarks/bench_gpu.py [--device cuda] [--rounds 20]

Marginals and gradients are compared with those of the compiled kernels on the CPU, then building a lattice, 5 updates
and a training step are timed between synchronisations. Writes ``results/bench_gpu.json`` with the name of the card;
``--device cpu`` tries the script out and writes nothing.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from dense_speed import network, photo
from harness import machine, milliseconds, save, take_turns
from peers import README

import classicseg.torch as ct

CASES = {"375x500-L21": (375, 500, 21), "1080p-L19": (1080, 1920, 19)}
N_ITER = 5


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    options = parser.parse_args()
    device = torch.device(options.device)
    on_gpu = device.type == "cuda"
    about = machine()
    about["versions"]["torch"] = torch.__version__
    about["card"] = torch.cuda.get_device_name(device) if on_gpu else "none"
    print(about)
    rows = []
    for case in options.cases:
        height, width, n_labels = CASES[case]
        logits = torch.from_numpy(-network(n_labels, height, width))[None]
        image = torch.from_numpy(np.moveaxis(photo(height, width), -1, 0).copy())[None]
        reference = layer(n_labels, "numba")
        wanted = training_step(reference, logits, reference.lattice(image))
        z, picture, crf = logits.to(device), image.to(device), layer(n_labels, "torch").to(device)
        lattice = crf.lattice(picture)
        found = training_step(crf, z, lattice)

        def waited(work):
            def run() -> None:
                work()
                if on_gpu:
                    torch.cuda.synchronize(device)

            return run

        def updates(crf=crf, z=z, lattice=lattice) -> None:
            with torch.no_grad():
                crf(z, lattice=lattice)

        contenders = {
            "build": lambda crf=crf, picture=picture: crf.lattice(picture),
            "5 updates": updates,
            "forward and backward": lambda crf=crf, z=z, lattice=lattice: training_step(crf, z, lattice),
        }
        seconds = take_turns({name: waited(work) for name, work in contenders.items()}, options.rounds)
        differences = [float((a.cpu() - b).abs().max()) for a, b in zip(found, wanted, strict=True)]
        rows.append(
            {"case": case, "card": about["card"], "backend": "torch"}
            | {f"{name}, ms": milliseconds(s) for name, s in seconds.items()}
            | {"difference of marginals": differences[0], "difference of gradients": differences[1]}
        )
        print(rows[-1], flush=True)
    if on_gpu:
        save("bench_gpu", rows, about, key="case")


if __name__ == "__main__":
    main()
