"""How fast are the layer of PyTorch and its backward pass on a CPU?

    python benchmarks/torch_cpu.py [--rounds 9] [--threads 1]

A photo of 500 x 375 pixels, 21 labels, parameters of pydensecrf's README, 5 updates. Each contender is timed with its
lattice built, in the loop alone, and, for the layer, forward and backward as in training. PyTorch, OpenMP, the
compiled kernels and pydensecrf2, which has one thread anyway, are held to the same number of threads.
"""

from __future__ import annotations

import argparse
import os
import sys

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(options.threads)  # read at import

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from dense_speed import network, photo
from harness import machine, milliseconds, ratio, save, take_turns
from peers import with_classicseg

import classicseg as cs
import classicseg.torch as ct

HEIGHT, WIDTH, N_LABELS, N_ITER = 375, 500, 21, 5
PARAMETERS = (3, 3, 80, 13, 10, N_ITER)
BACKENDS = ("numba", "torch")


def peer(unary: np.ndarray, image: np.ndarray) -> Any:
    """A pydensecrf2 CRF with its lattices built."""
    from pydensecrf import densecrf

    crf = densecrf.DenseCRF2D(WIDTH, HEIGHT, N_LABELS)
    crf.addPairwiseGaussian(sxy=3, compat=3)
    crf.addPairwiseBilateral(sxy=80, srgb=13, rgbim=image, compat=10)
    crf.setUnaryEnergy(np.ascontiguousarray(unary.reshape(N_LABELS, -1)))
    return crf


def contenders(unary: np.ndarray, image: np.ndarray) -> dict[str, Callable[[], Any]]:
    logits = torch.from_numpy(-unary)[None]
    picture = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].float()
    towards = torch.from_numpy(np.random.default_rng(1).standard_normal(logits.shape, np.float32))
    ready = peer(unary, image)
    calls: dict[str, Callable[[], Any]] = {
        "pydensecrf2": lambda: np.array(peer(unary, image).inference(N_ITER)),
        "pydensecrf2: loop": lambda: ready.inference(N_ITER),
        "NumPy API": lambda: with_classicseg(unary, image, PARAMETERS)[1],
    }
    for backend in BACKENDS:
        kernels = [ct.GaussianKernel(3, 3), ct.BilateralKernel(80, 13, 10)]
        crf = ct.DenseCRF(N_LABELS, kernels, n_iter=N_ITER, output="marginals", backend=backend)
        lattice = crf.lattice(picture)

        def forward(crf: ct.DenseCRF = crf, **given: Any) -> torch.Tensor:
            with torch.no_grad():
                return crf(logits, **given)

        def train(crf: ct.DenseCRF = crf, **given: Any) -> None:
            z = logits.clone().requires_grad_()
            (crf(z, **given) * towards).sum().backward()

        calls[backend] = lambda forward=forward: forward(image=picture)
        calls[f"{backend}: loop"] = lambda forward=forward, lattice=lattice: forward(lattice=lattice)
        calls[f"{backend}: training"] = lambda train=train: train(image=picture)
        calls[f"{backend}: training loop"] = lambda train=train, lattice=lattice: train(lattice=lattice)
    return calls


def main() -> None:
    torch.set_num_threads(options.threads)
    cs.set_num_threads(options.threads)
    about = machine() | {"torch": torch.__version__, "threads": options.threads}
    print(about)
    calls = contenders(network(N_LABELS, HEIGHT, WIDTH), photo(HEIGHT, WIDTH))
    want = calls["NumPy API"]()
    equal = {b: float((calls[b]()[0].numpy().argmax(0) == want.argmax(0)).mean()) for b in BACKENDS}
    far = {b: float(np.abs(calls[b]()[0].numpy() - want).max()) for b in BACKENDS}
    seconds = take_turns(calls, options.rounds, settle=True)
    rows = []
    for backend in BACKENDS:
        parts = ("", ": loop", ": training", ": training loop")
        total, loop, train, train_loop = (seconds[backend + part] for part in parts)
        rows.append(
            {
                "case": f"{backend}, {options.threads} thread" + "s" * (options.threads > 1),
                "rounds": options.rounds,
                "ms": {"total": milliseconds(total), "loop": milliseconds(loop), "training": milliseconds(train)}
                | {"training loop": milliseconds(train_loop)},
                "peer_ms": {
                    "pydensecrf2": milliseconds(seconds["pydensecrf2"]),
                    "pydensecrf2: loop": milliseconds(seconds["pydensecrf2: loop"]),
                    "NumPy API": milliseconds(seconds["NumPy API"]),
                },
                "of_pydensecrf2": ratio(total, seconds["pydensecrf2"]),
                "loop_of_pydensecrf2": ratio(loop, seconds["pydensecrf2: loop"]),
                "of_numpy": ratio(total, seconds["NumPy API"]),
                "training_of_total": ratio(train, total),
                "training_loop_of_loop": ratio(train_loop, loop),
                "equal_labels": equal[backend],
                "largest_difference_of_marginals": far[backend],
            }
        )
        print(rows[-1], flush=True)
    save("torch_cpu", rows, about, key="case")


if __name__ == "__main__":
    sys.exit(main())
