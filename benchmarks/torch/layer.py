"""How fast are the layer of PyTorch and its backward pass on a CPU?

    python benchmarks/torch/layer.py [--rounds 9] [--threads 1]

A photo of 500 x 375 pixels, 21 labels, parameters of pydensecrf's README, 5 updates. Each contender is timed with its
lattice built, in the loop alone, and, for the layer, forward and backward as in training. PyTorch, OpenMP, the
compiled kernels and pydensecrf2, which has one thread anyway, are held to the same number of threads.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

from benchmarks.shared.dense_peers import with_classicseg
from benchmarks.shared.dense_problems import CASES, TINY, network, photo
from benchmarks.shared.harness import arguments, milliseconds, needs, ratio, take_turns
from benchmarks.shared.records import Row, save, this_run

needs("torch", "pydensecrf")

import numpy as np
import torch

import classicseg as cs
import classicseg.torch as ct

N_ITER = 5
PARAMETERS = (3, 3, 80, 13, 10, N_ITER)
BACKENDS = ("numba", "torch")


def peer(unary: np.ndarray, image: np.ndarray) -> Any:
    """A pydensecrf2 CRF with its lattices built."""
    from pydensecrf import densecrf

    n_labels, height, width = unary.shape
    crf = densecrf.DenseCRF2D(width, height, n_labels)
    crf.addPairwiseGaussian(sxy=3, compat=3)
    crf.addPairwiseBilateral(sxy=80, srgb=13, rgbim=image, compat=10)
    crf.setUnaryEnergy(np.ascontiguousarray(unary.reshape(n_labels, -1)))
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
        crf = ct.DenseCRF(len(unary), kernels, n_iter=N_ITER, output="marginals", backend=backend)
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


def measure(unary: np.ndarray, image: np.ndarray, rounds: int, threads: int) -> list[Row]:
    calls = contenders(unary, image)
    want = calls["NumPy API"]()
    found = {backend: calls[backend]()[0].numpy() for backend in BACKENDS}
    seconds = take_turns(calls, rounds, settle=True)
    rows = []
    for backend, marginals in found.items():
        parts = ("", ": loop", ": training", ": training loop")
        total, loop, train, train_loop = (seconds[backend + part] for part in parts)
        rows.append(
            {
                "case": f"{backend}, {threads} thread" + "s" * (threads > 1),
                "rounds": rounds,
                "ms": {"total": milliseconds(total), "loop": milliseconds(loop), "training": milliseconds(train)}
                | {"training loop": milliseconds(train_loop)},
                "peer_ms": {
                    name: milliseconds(seconds[name]) for name in ("pydensecrf2", "pydensecrf2: loop", "NumPy API")
                },
                "of_pydensecrf2": ratio(total, seconds["pydensecrf2"]),
                "loop_of_pydensecrf2": ratio(loop, seconds["pydensecrf2: loop"]),
                "of_numpy": ratio(total, seconds["NumPy API"]),
                "training_of_total": ratio(train, total),
                "training_loop_of_loop": ratio(train_loop, loop),
                "equal_labels": float((marginals.argmax(0) == want.argmax(0)).mean()),
                "largest_difference_of_marginals": float(np.abs(marginals - want).max()),
            }
        )
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cs.set_num_threads(options.threads)
    run = this_run(threads=options.threads, libraries=["torch", "pydensecrf2"])
    height, width, n_labels = TINY["48x64-L2"] if options.tiny else CASES["375x500-L21"]
    rounds = 1 if options.tiny else options.rounds
    rows = measure(network(n_labels, height, width), photo(height, width), rounds, options.threads)
    save("torch_layer", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()
