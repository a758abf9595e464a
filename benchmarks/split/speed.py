"""How fast is split-and-merge, next to what else one would call in scikit-image, and how much memory does it take?

    python benchmarks/split/speed.py [--rounds 5] [--sizes 512 2048 8192]

Nanoseconds per pixel of gray 8-bit photos at their native resolution: a noisy one (motorcycle) and a smooth one
(retina), cut from the middle, and mirrored where they are too small. The peers, all of one thread, run up to 2048^2.
Otsu's threshold with connected components is no peer (it knows two classes), but a floor.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from skimage import color, data, filters, measure, segmentation

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.harness import arguments, in_own_process, peak_memory, quartiles, ratio, take_turns
from benchmarks.shared.records import Row, save, this_run
from classicseg.bench.suites.fields import picture

SIZES = (512, 2048, 8192)
LARGEST_FOR_PEERS, LARGEST_FOR_SLOW_PEERS = 2048, 512
THRESHOLDS = (8, 24)


def photo(name: str, size: int) -> np.ndarray:
    """Gray, (size, size); "random" makes every pixel a region of its own: the worst there is."""
    if name == "random":
        return np.random.default_rng(0).integers(0, 256, (size, size), np.uint8)
    if name == "generated":
        return picture((size, size))[..., 0]
    rgb = data.stereo_motorcycle()[0] if name == "noisy" else data.retina()
    gray = (color.rgb2gray(rgb) * 255).round().astype(np.uint8)
    for axis in range(2):
        n = gray.shape[axis]
        if n >= size:
            gray = np.take(gray, np.arange((n - size) // 2, (n - size) // 2 + size), axis)
        else:
            gray = np.pad(gray, [(0, size - n) if a == axis else (0, 0) for a in range(2)], mode="symmetric")
    return np.ascontiguousarray(gray)


def peers(image: np.ndarray) -> dict[str, Any]:
    calls = {
        "watershed": lambda: segmentation.watershed(filters.sobel(image), markers=250),
        "slic": lambda: segmentation.slic(image, n_segments=250, compactness=0.1, channel_axis=None),
        "otsu + label": lambda: measure.label(image > filters.threshold_otsu(image), connectivity=1),
    }
    if image.shape[0] <= LARGEST_FOR_SLOW_PEERS:
        calls["felzenszwalb"] = lambda: segmentation.felzenszwalb(image)
    return calls if image.shape[0] <= LARGEST_FOR_PEERS else {}


def ours(image: np.ndarray) -> dict[str, Any]:
    return {
        f"T={threshold}, {n} thread{'s' * (n > 1)}": lambda t=threshold, n=n: cs.split_and_merge(image, t, n_threads=n)
        for threshold in THRESHOLDS
        for n in (1, 2)
    }


def bytes_per_pixel(name: str, size: int, threshold: int) -> float:
    """Beyond the image at the peak, labels included."""
    image = photo(name, size)
    cs.split_and_merge(image[:70, :80].copy(), threshold, n_threads=2)
    return peak_memory(lambda: cs.split_and_merge(image, threshold, n_threads=2)) / image.size


def peaks(name: str, size: int) -> dict[str, float]:
    """Bytes per pixel for each threshold, in processes of their own."""
    return {f"T={t}": round(in_own_process(__file__, "--memory", name, str(size), str(t)), 1) for t in THRESHOLDS}


def compare(name: str, size: int, rounds: int) -> Row:
    image = photo(name, size)
    mine, theirs = ours(image), peers(image)
    seconds = take_turns(mine | theirs, rounds)
    row: Row = {
        "case": f"{name} {size}^2",
        "ns_per_pixel": {call: quartiles([1e9 * t / image.size for t in s]) for call, s in seconds.items()},
        "regions": {f"T={t}": int(cs.split_and_merge(image, t).max()) for t in THRESHOLDS},
        "peak_bytes_per_pixel": peaks(name, size),
    }
    regional = [peer for peer in theirs if peer != "otsu + label"]
    if regional:
        fastest = min(regional, key=lambda peer: row["ns_per_pixel"][peer]["median"])
        row["fastest_peer"] = fastest
        row["times_faster"] = {call: ratio(seconds[fastest], seconds[call]) for call in mine}
    return row


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--memory", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        name, size, threshold = options.memory
        print(bytes_per_pixel(name, int(size), int(threshold)))
        return
    run, rows = this_run(threads="peers 1, ours as the columns say"), []
    cases = [(name, size) for size in options.sizes for name in ("noisy", "smooth")]
    for name, size in [("generated", 96)] if options.tiny else cases:
        rows.append(compare(name, size, 1 if options.tiny else options.rounds))
        print(rows[-1], flush=True)
    size = 96 if options.tiny else 2048
    rows.append({"case": f"random {size}^2", "peak_bytes_per_pixel": peaks("random", size)})
    print(rows[-1])
    save("split_speed", rows, run, options.output, key="case")


if __name__ == "__main__":
    main()
