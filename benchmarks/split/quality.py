"""How close to human segmentations do classical methods come? Split-and-merge next to its peers, on BSDS500.

    python benchmarks/split/quality.py [--images 12] [--picture quality.png]

For every image each method gets the parameters that did best, by the mean of the three scores, on all *other* images.
Scores: F-measure of boundaries, covering, adjusted Rand index (see scores.py). "random threshold" is the
floor: connected parts of a gray image cut at a random level.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, label

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.folders import DATA
from benchmarks.shared.harness import arguments
from benchmarks.shared.records import Row, save, this_run
from benchmarks.split.scores import all_scores
from classicseg import io, plot

Parameters = dict[str, Any]
Example = tuple[str, np.ndarray, list[np.ndarray]]
"""Name, image, and what people drew."""


def smooth(image: np.ndarray, sigma: float) -> np.ndarray:
    return gaussian_filter(image.astype(np.float32), (sigma, sigma, 0)) if sigma > 0 else image


def split_range(image: np.ndarray, threshold: float, sigma: float, min_area: int) -> np.ndarray:
    return cs.split_and_merge(smooth(image, sigma), cs.Range(threshold), min_area=min_area, channel_axis=-1)


def split_fine(image: np.ndarray, threshold: float, sigma: float, min_area: int) -> np.ndarray:
    """Strict when it splits, so that borders follow pixels; loose when it merges, best pairs first."""
    return cs.split_and_merge(
        smooth(image, sigma), cs.Range(20), merge_homogeneity=cs.StdDev(threshold), merge="best_first",
        min_area=min_area, channel_axis=-1,
    )  # fmt: skip


def split_ratio(image: np.ndarray, threshold: float, sigma: float, min_area: int) -> np.ndarray:
    return cs.split_and_merge(
        smooth(image, sigma), cs.Range(20), merge_homogeneity=cs.VarianceRatio(threshold, noise=6.0),
        merge="best_first", min_area=min_area, channel_axis=-1,
    )  # fmt: skip


def srm(image: np.ndarray, complexity: float, sigma: float, min_area: int) -> np.ndarray:
    return cs.statistical_region_merging(smooth(image, sigma), complexity, value_range=255, min_area=min_area)


def felzenszwalb(image: np.ndarray, scale: float, min_size: int) -> np.ndarray:
    return cs.segment(image, "felzenszwalb", scale=scale, min_size=min_size)


def slic_merge(image: np.ndarray, threshold: float, n_segments: int) -> np.ndarray:
    return parts(cs.segment(image, "slic_merge", threshold=threshold, n_segments=n_segments))


def watershed(image: np.ndarray, markers: int, sigma: float) -> np.ndarray:
    return cs.segment(image, "watershed", markers=markers, sigma=sigma)


def random_threshold(image: np.ndarray, draw: int) -> np.ndarray:
    gray = image.mean(axis=-1)
    level = np.random.default_rng([draw, int(gray.sum())]).uniform(gray.min(), gray.max())
    return parts(gray > level)


def parts(classes: np.ndarray) -> np.ndarray:
    """Connected regions of the same class."""
    labels, n = np.zeros(classes.shape, np.int32), 0
    for value in np.unique(classes):
        found, count = label(classes == value)
        labels[found > 0] = found[found > 0] + n
        n += count
    return labels


METHODS: dict[str, tuple[Callable[..., np.ndarray], dict[str, list[Any]]]] = {
    "split_and_merge, Range": (
        split_range, {"threshold": [60, 80, 100, 130], "sigma": [0, 1.5], "min_area": [150, 500, 1200]}
    ),
    "split_and_merge, Range to split, StdDev to merge": (
        split_fine, {"threshold": [18, 24, 30, 38, 46], "sigma": [1.5], "min_area": [150, 500]}
    ),
    "split_and_merge, Range to split, VarianceRatio to merge": (
        split_ratio, {"threshold": [100, 300, 1000, 3000], "sigma": [1.5], "min_area": [150, 500]}
    ),
    "statistical_region_merging": (
        srm, {"complexity": [8, 16, 32, 64], "sigma": [0, 1.5], "min_area": [150, 500, 1200]}
    ),
    "felzenszwalb": (felzenszwalb, {"scale": [100, 300, 600, 1000, 2000], "min_size": [150, 500, 1200]}),
    "slic_merge": (slic_merge, {"threshold": [10, 20, 30, 45], "n_segments": [100, 400]}),
    "watershed": (watershed, {"markers": [10, 20, 40, 80, 160], "sigma": [1.5, 3.0]}),
    "random threshold": (random_threshold, {"draw": [0, 1, 2, 3, 4]}),
}  # fmt: skip


def choices(grid: dict[str, list[Any]]) -> Iterator[Parameters]:
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def images(limit: int) -> list[Example]:
    found = []
    for file in sorted((DATA / "bsds500").glob("*.jpg"))[:limit]:
        humans = list(np.load(file.with_name(f"{file.stem}_human.npz"))["segs"])
        found.append((file.stem, np.array(Image.open(file)), humans))
    return found


def bundled() -> list[Example]:
    """The samples of the library, every fifth pixel of them, with their truth for what somebody drew."""
    samples = {name: cs.sample(name) for name in ("coffee", "nuclei")}
    return [(name, s.image[::5, ::5].copy(), [s.truth[::5, ::5]] * 2) for name, s in samples.items()]


def held_out(scores: np.ndarray) -> list[int]:
    """For every image the number of the parameters that did best on the others; scores : (parameters, images)."""
    others = scores.sum(axis=1, keepdims=True) - scores
    return others.argmax(axis=0).tolist()


SCORES = ("boundary_f", "covering", "adjusted_rand")


def measure(method: str, examples: list[Example], tried: list[Parameters]) -> tuple[Row, list[np.ndarray]]:
    """Scores with held-out parameters, and labels of all images with them."""
    function = METHODS[method][0]
    table = np.zeros((len(tried), len(examples), len(SCORES) + 1))
    for p, parameters in enumerate(tried):
        for i, (_, image, humans) in enumerate(examples):
            labels = function(image, **parameters)
            table[p, i] = [*all_scores(labels, humans).values(), len(np.unique(labels))]
    if method == "random threshold":  # nothing to choose: the mean over the draws
        held, best = table.mean(axis=0), []
    else:
        best = held_out(table[..., :-1].mean(axis=-1))
        held = table[best, np.arange(len(examples))]
    row = {
        "method": method,
        **{name: round(float(held[:, k].mean()), 3) for k, name in enumerate(SCORES)},
        "mean": round(float(held[:, :-1].mean()), 3),
        "regions": round(float(np.median(held[:, -1]))),
        "parameters_used": [tried[b] for b in sorted(set(best))],
        "per_image": {e[0]: [round(float(v), 3) for v in held[i, :-1]] for i, e in enumerate(examples)},
    }
    return row, [function(image, **tried[b]) for b, (_, image, _) in zip(best, examples, strict=False)]


def between_people(examples: list[Example]) -> Row:
    """The scores of each drawing against the others of its image."""
    found = [
        all_scores(human, humans[:i] + humans[i + 1 :]) for _, _, humans in examples for i, human in enumerate(humans)
    ]
    means = {name: round(float(np.mean([scores[name] for scores in found])), 3) for name in SCORES}
    return {"method": "one human against the others"} | means


def picture(examples: list[Example], columns: list[list[np.ndarray]]) -> np.ndarray:
    """Each image, what one person drew, and each method, in a row."""
    cells = []
    for i, (_, image, humans) in enumerate(examples):
        for labels in (np.zeros(image.shape[:2], int), humans[0], *(column[i] for column in columns)):
            shown = plot.overlay(image, labels, alpha=0.0 if labels.max() == 0 else 0.45)
            cells.append(np.asarray(Image.fromarray(shown).resize((321, 321))))
    return plot.tile(cells, columns=2 + len(columns))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--picture", type=Path, help="also write a picture: each image under each method")
    options = parser.parse_args()
    examples = bundled() if options.tiny else images(options.images)
    if not examples:
        print("no BSDS500 images: set CLASSICSEG_DATA")
        return
    run, rows, shown = this_run(threads=cs.get_num_threads()), [], []
    for method, (_, grid) in METHODS.items():
        start, tried = time.perf_counter(), list(choices(grid))
        row, labels = measure(method, examples, tried[:2] if options.tiny else tried)
        rows.append(row)
        print({k: v for k, v in row.items() if k != "per_image"}, f"{time.perf_counter() - start:.0f} s", flush=True)
        if labels:
            shown.append(labels)
    rows.append(between_people(examples))
    print(rows[-1])
    save("split_quality", rows, run, options.output)
    if options.picture:
        io.write_image(options.picture, picture(examples, shown))


if __name__ == "__main__":
    main()
