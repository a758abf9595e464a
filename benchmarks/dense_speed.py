"""How much faster than pydensecrf2, and with how much memory?

    python benchmarks/dense_speed.py [--rounds 9] [--cases 240x320-L2 ...]

Photos at their native resolution, from scikit-image. From (L, H, W) costs and a photo to labels and marginals, lattices
built included, at the parameters of pydensecrf's README and 10 updates. pydensecrf2 has one thread; classicseg is
measured with one and with two, both at its default quality, which gives the same answer, and at quality "high".
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from harness import machine, milliseconds, ratio, save, take_turns
from peers import README, with_classicseg, with_pydensecrf
from scipy.ndimage import gaussian_filter
from skimage import data

CASES = {
    "240x320-L2": (240, 320, 2),
    "240x320-L21": (240, 320, 21),
    "375x500-L21": (375, 500, 21),
    "1080p-L5": (1080, 1920, 5),
    "1080p-L21": (1080, 1920, 21),
}


def photo(height: int, width: int) -> np.ndarray:
    """A crop of one photo; of a mosaic of photos and their mirror images where one is too small."""
    coffee = data.coffee()
    if (height, width) <= coffee.shape[:2]:
        return np.ascontiguousarray(coffee[:height, 40 : 40 + width])
    rows = []
    for flip in (1, -1):
        tiles = [data.astronaut()[:, ::flip], data.rocket()[:, ::flip], coffee[:, ::flip], data.chelsea()[:, ::flip]]
        strip = np.zeros((540, 0, 3), np.uint8)
        for tile in tiles:
            fold = np.concatenate([tile, tile[::-1]])[:540]  # mirrored below, so that no border is sharp
            strip = np.concatenate([strip, fold], axis=1)
        rows.append(strip[:, :width])
    return np.ascontiguousarray(np.concatenate(rows)[:height])


def network(n_labels: int, height: int, width: int) -> np.ndarray:
    """Costs as of a network: smooth regions with some noise."""
    rng = np.random.default_rng(0)
    logits = np.empty((n_labels, height, width), np.float32)
    for logit in logits:
        smooth = gaussian_filter(rng.standard_normal((height, width)).astype(np.float32), 8)
        logit[:] = 2 * smooth / smooth.std() + 0.5 * rng.standard_normal((height, width))
    logits -= logits.max(axis=0)
    return np.minimum(np.log(np.exp(logits).sum(axis=0)) - logits, -np.log(np.float32(1e-5)))


def peak_memory(case: str, library: str) -> float:
    """Bytes per pixel beyond the inputs, at the peak; in a process of its own, kernels loaded before."""
    done = subprocess.run(
        [sys.executable, __file__, "--memory", library, "--cases", case], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def measure_memory(case: str, library: str) -> None:
    height, width, n_labels = CASES[case]
    unary, image = network(n_labels, height, width), photo(height, width)
    runs = {
        "pydensecrf2": lambda u, im: with_pydensecrf(u, im, README),
        "classicseg": lambda u, im: with_classicseg(u, im, README, n_threads=2),
        "classicseg high": lambda u, im: with_classicseg(u, im, README, n_threads=2, quality="high"),
    }
    runs[library](np.ascontiguousarray(unary[:, :40, :50]), np.ascontiguousarray(image[:40, :50]))
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    kept = runs[library](unary, image)
    print((_status("VmHWM") - before) / (height * width))
    del kept


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        measure_memory(options.cases[0], options.memory)
        return
    about, rows = machine(), []
    print(about)
    for case in options.cases:
        height, width, n_labels = CASES[case]
        unary, image = network(n_labels, height, width), photo(height, width)
        labels, q = with_classicseg(unary, image, README)
        their_labels, their_q = with_pydensecrf(unary, image, README)
        seconds = take_turns(
            {
                "pydensecrf2": lambda u=unary, im=image: with_pydensecrf(u, im, README),
                "1 thread": lambda u=unary, im=image: with_classicseg(u, im, README, n_threads=1),
                "2 threads": lambda u=unary, im=image: with_classicseg(u, im, README, n_threads=2),
                "high, 2 threads": lambda u=unary, im=image: with_classicseg(
                    u, im, README, n_threads=2, quality="high"
                ),
            },
            options.rounds,
            settle=True,
        )
        memory = {name: peak_memory(case, name) for name in ("pydensecrf2", "classicseg", "classicseg high")}
        row = {
            "case": case,
            "rounds": options.rounds,
            "ms": {name: milliseconds(s) for name, s in seconds.items()},
            "times_faster": {n: ratio(seconds["pydensecrf2"], s) for n, s in seconds.items() if n != "pydensecrf2"},
            "peak_bytes_per_pixel": {name: round(m) for name, m in memory.items()},
            "largest_difference_of_marginals": float(np.abs(q - their_q).max()),
            "equal_labels": float((labels == their_labels).mean()),
        }
        rows.append(row)
        print(row, flush=True)
    save("dense_speed", rows, about, key="case")


if __name__ == "__main__":
    main()
