"""How fast is split-and-merge, next to what else one would call in scikit-image, and how much memory does it take?

    python benchmarks/split_speed.py [--rounds 5] [--sizes 512 2048 8192]

Nanoseconds per pixel of gray 8-bit photos at their native resolution: a noisy one (motorcycle) and a smooth one
(retina), cut from the middle, and mirrored where they are too small. The peers, all of one thread, run up to 2048^2.
Otsu's threshold with connected components is no peer (it knows two classes), but a floor.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from dense_speed import _status
from harness import machine, ratio, save, take_turns
from skimage import color, data, filters, measure, segmentation

import classicseg as cs

SIZES = (512, 2048, 8192)
LARGEST_FOR_PEERS, LARGEST_FOR_SLOW_PEERS = 2048, 512
THRESHOLDS = (8, 24)


def photo(name: str, size: int) -> np.ndarray:
    rgb = data.stereo_motorcycle()[0] if name == "noisy" else data.retina()
    gray = (color.rgb2gray(rgb) * 255).round().astype(np.uint8)
    for axis in range(2):
        n = gray.shape[axis]
        if n >= size:
            gray = np.take(gray, np.arange((n - size) // 2, (n - size) // 2 + size), axis)
        else:
            gray = np.pad(gray, [(0, size - n) if a == axis else (0, 0) for a in range(2)], mode="symmetric")
    return np.ascontiguousarray(gray)


def peers(image: np.ndarray) -> dict:
    calls = {
        "watershed": lambda: segmentation.watershed(filters.sobel(image), markers=250),
        "slic": lambda: segmentation.slic(image, n_segments=250, compactness=0.1, channel_axis=None),
        "otsu + label": lambda: measure.label(image > filters.threshold_otsu(image), connectivity=1),
    }
    if image.shape[0] <= LARGEST_FOR_SLOW_PEERS:
        calls["felzenszwalb"] = lambda: segmentation.felzenszwalb(image)
    return calls if image.shape[0] <= LARGEST_FOR_PEERS else {}


def ours(image: np.ndarray) -> dict:
    return {
        f"T={threshold}, {n} thread{'s' * (n > 1)}": lambda t=threshold, n=n: cs.split_and_merge(image, t, n_threads=n)
        for threshold in THRESHOLDS
        for n in (1, 2)
    }


def peak_memory(name: str, size: int, threshold: int) -> float:
    """Bytes per pixel beyond the image at the peak, labels included; in a process of its own."""
    command = [sys.executable, __file__, "--memory", name, "--sizes", str(size), "--threshold", str(threshold)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure_memory(name: str, size: int, threshold: int) -> None:
    if name == "random":  # every pixel a region of its own: the worst there is
        image = np.random.default_rng(0).integers(0, 256, (size, size), np.uint8)
    else:
        image = photo(name, size)
    cs.split_and_merge(image[:70, :80].copy(), threshold, n_threads=2)
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    kept = cs.split_and_merge(image, threshold, n_threads=2)
    print((_status("VmHWM") - before) / image.size)
    del kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--threshold", type=int, default=24, help=argparse.SUPPRESS)
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        measure_memory(options.memory, options.sizes[0], options.threshold)
        return
    about, rows = machine(), []
    print(about)
    for size in options.sizes:
        for name in ("noisy", "smooth"):
            image = photo(name, size)
            mine, theirs = ours(image), peers(image)
            seconds = take_turns(mine | theirs, options.rounds)
            per_pixel = {
                call: {
                    "median": round(float(np.median(s)) / image.size * 1e9, 2),
                    "q1": round(float(np.quantile(s, 0.25)) / image.size * 1e9, 2),
                    "q3": round(float(np.quantile(s, 0.75)) / image.size * 1e9, 2),
                }
                for call, s in seconds.items()
            }
            row = {
                "case": f"{name} {size}^2",
                "ns_per_pixel": per_pixel,
                "regions": {f"T={t}": int(cs.split_and_merge(image, t).max()) for t in THRESHOLDS},
                "peak_bytes_per_pixel": {f"T={t}": round(peak_memory(name, size, t), 1) for t in THRESHOLDS},
            }
            regional = [peer for peer in theirs if peer != "otsu + label"]
            if regional:
                fastest = min(regional, key=lambda peer: per_pixel[peer]["median"])
                row["fastest_peer"] = fastest
                row["times_faster"] = {call: ratio(seconds[fastest], seconds[call]) for call in mine}
            rows.append(row)
            print(row, flush=True)
    worst = {f"T={t}": round(peak_memory("random", 2048, t), 1) for t in THRESHOLDS}
    rows.append({"case": "random 2048^2", "peak_bytes_per_pixel": worst})
    print(rows[-1])
    save("split_speed", rows, about)


if __name__ == "__main__":
    main()
