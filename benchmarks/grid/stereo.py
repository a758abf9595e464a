"""How low next to gco-wrapper, on many energies of one pair of stereo photos?

    python benchmarks/grid/stereo.py

Absolute differences between the left photo of Tsukuba and the right one, shifted by 0 to 15 pixels, and Potts costs: of
gray values or of colours (mean of three), cut at 20 or not, with 4 weights. All expansions end in some labelling that
no expansion improves, and which one is an accident: so 16 energies, with one thread. "trws+expansion" is what
`minimize` does by default.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.folders import DATA
from benchmarks.shared.harness import arguments, needs
from benchmarks.shared.records import Row, save, this_run
from classicseg.bench.peers import gco

LABELS = 16
METHODS = ("expansion", "trws+expansion")


def pair(*, tiny: bool) -> tuple[np.ndarray, np.ndarray]:
    """The photos, (H, W, 3) int; if `tiny`, noise and the same noise shifted."""
    if tiny:
        right = np.random.default_rng(0).integers(0, 256, (24, 32, 3))
        return np.roll(right, 5, axis=1), right
    files = [DATA / "stereo_mrf" / f"tsukuba-im{side}.png" for side in "LR"]
    if not all(file.is_file() for file in files):
        print(f"nothing measured: {', '.join(map(str, files))} not there")
        sys.exit()
    left, right = (np.array(Image.open(file).convert("RGB"), int) for file in files)
    return left, right


def costs(left: np.ndarray, right: np.ndarray, limit: int | None) -> np.ndarray:
    """Mean absolute differences, (L, H, W); left of the border of the right photo stands its first column."""
    shifted = [
        np.concatenate([np.repeat(right[:, :1], d, 1), right[:, : right.shape[1] - d]], 1) for d in range(LABELS)
    ]
    differences = np.stack([np.abs(left - other).sum(axis=-1) // left.shape[-1] for other in shifted])
    return differences if limit is None else np.minimum(differences, limit)


def timed(call: Callable[[], np.ndarray], crf: cs.GridCRF) -> dict[str, float]:
    start = time.perf_counter()
    labels = call()
    return {"seconds": round(time.perf_counter() - start, 3), "energy": crf.energy(labels)}


def measure(photos: tuple[np.ndarray, np.ndarray], values: str, limit: int | None, weight: int) -> Row:
    left, right = photos if values == "colours" else (photo @ [299, 587, 114] // 1000 for photo in photos)
    if values == "gray":
        left, right = left[..., None], right[..., None]
    crf = cs.GridCRF(costs(left, right, limit), cs.Potts(weight))
    found = {"gco": timed(gco.on_grid(crf), crf)}
    for method in METHODS:
        found[method] = timed(lambda method=method: cs.minimize(crf, method, n_threads=1).labels, crf)
    theirs = found["gco"]["energy"]
    above = {method: round(100 * (found[method]["energy"] / theirs - 1), 4) for method in METHODS}
    return {"values": values, "limit": limit, "weight": weight, "solvers": found, "percent_above_gco": above}


def summary(rows: list[Row]) -> Row:
    above = {method: np.array([row["percent_above_gco"][method] for row in rows]) for method in METHODS}
    seconds = {name: [row["solvers"][name]["seconds"] for row in rows] for name in ("gco", *METHODS)}
    return {
        "part": "summary",
        "energies": len(rows),
        "at_or_below_gco": {method: int((share <= 0).sum()) for method, share in above.items()},
        "mean_percent_above_gco": {method: round(float(share.mean()), 4) for method, share in above.items()},
        "seconds": {name: round(float(np.median(all_of)), 2) for name, all_of in seconds.items()},
    }


def main() -> None:
    options = arguments(__doc__).parse_args()
    needs("gco")
    photos, run = pair(tiny=options.tiny), this_run(threads=1, libraries=["gco-wrapper"])
    measure(pair(tiny=True), "gray", None, 5)  # compiled before the clock runs
    rows = []
    for chosen in itertools.product(("gray", "colours"), (None, 20), (5,) if options.tiny else (5, 10, 20, 30)):
        rows.append(measure(photos, *chosen))
        print(rows[-1], flush=True)
    save("grid_stereo", [*rows, summary(rows)], run, options.output)


if __name__ == "__main__":
    main()
