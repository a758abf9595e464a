"""How much memory do dense CRFs take, next to pydensecrf2, and how much is asked for beforehand?

    python benchmarks/dense/memory.py [--cases noise-480x640-L2 ...]

Peak bytes for each pixel beyond costs and image, in processes of their own, kernels loaded before; and what the
estimate says that decides whether there is enough. The parameters are those of pydensecrf's README, with 10 updates.
Both libraries have one thread. How many vertices a lattice has depends on the image: there is a photo, a flat image, a
scan of a printed page, noise, where hardly two pixels are alike, and one of 100 bands, where none are.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.dense_peers import README, with_classicseg, with_pydensecrf
from benchmarks.shared.dense_problems import network, photo
from benchmarks.shared.harness import arguments, in_own_process, needs, peak_memory
from benchmarks.shared.records import Row, save, this_run
from classicseg.filters.building import choose_blur
from classicseg.filters.counting import count_vertices
from classicseg.filters.features import Features
from classicseg.filters.memory import peak_bytes
from classicseg.machine.memory import give_back

SIZES = {"photo": (400, 500), "flat": (480, 640), "scan": (480, 640), "noise": (480, 640), "bands": (60, 80)}
CASES = {f"{kind}-{h}x{w}-L{n}": (kind, h, w, n) for kind, (h, w) in SIZES.items() for n in (2, 21)}
TINY = {"noise-48x64-L2": ("noise", 48, 64, 2)}


def image(kind: str, height: int, width: int) -> np.ndarray:
    """(height, width, channels)."""
    rng = np.random.default_rng(0)
    if kind == "photo":
        return photo(height, width)
    if kind == "flat":
        return np.full((height, width, 3), 120, np.uint8)
    if kind == "noise":
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == "scan":
        page = rng.integers(246, 253, (height, width, 3)).astype(np.uint8)
        for y in range(10, height - 10, 16):
            for x in range(8, width - 8, 6):  # the stems of letters
                page[y : y + 9, x : x + int(rng.integers(0, 5))] = rng.integers(20, 60)
        return page
    mixed = photo(height, width) @ rng.random((3, 100)) / 1.5
    return (mixed + rng.normal(0, 6, mixed.shape)).astype(np.float32)


def estimate(unary: np.ndarray, pixels: np.ndarray) -> float:
    """What is thought to be needed before anything is asked for, in bytes."""
    kernels = [cs.GaussianKernel(*README[:2]), cs.BilateralKernel(pixels, *README[2:5])]
    columns = [kernel.columns(unary.shape[1:]) for kernel in kernels]
    blurs = [choose_blur(own, accurate=False) for own in columns]
    counts = [count_vertices(Features(own, blur), blur) for own, blur in zip(columns, blurs, strict=True)]
    return peak_bytes(unary[0].size, counts, len(unary), 1)


def bytes_per_pixel(case: str, who: str) -> float:
    kind, height, width, n_labels = (CASES | TINY)[case]
    unary, pixels = network(n_labels, height, width), image(kind, height, width)
    if who == "estimate":
        return round(estimate(unary, pixels) / unary[0].size, 1)
    warnings.simplefilter("ignore", UserWarning)  # bands hardly connect pixels, which is why they are here

    def solve() -> object:
        if who == "pydensecrf2":
            return with_pydensecrf(unary, pixels, README)
        return with_classicseg(unary, pixels, README, n_threads=1)

    solve()
    give_back()
    return round(peak_memory(solve) / unary[0].size, 1)


def measure(case: str) -> Row:
    names = ("estimate", "classicseg", "pydensecrf2")
    estimated, peak, theirs = (in_own_process(__file__, "--of", case, name) for name in names)
    return {
        "case": case,
        "bytes_per_pixel": {"estimate": estimated, "classicseg": peak, "pydensecrf2": theirs},
        "estimate_of_peak": round(estimated / peak, 2),
        "peak_of_pydensecrf2": round(peak / theirs, 2),
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--cases", nargs="+", choices=CASES | TINY, default=list(CASES))
    parser.add_argument("--of", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    needs("pydensecrf")
    if options.of:
        print(bytes_per_pixel(*options.of))
        return
    run = this_run(threads="1", libraries=["pydensecrf2"])
    rows = []
    for case in TINY if options.tiny else options.cases:
        rows.append(measure(case))
        print(rows[-1], flush=True)
    save("dense_memory", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()
