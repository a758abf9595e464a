"""How far from exact mean field are pydensecrf2, our default quality and quality "high"?

    python benchmarks/dense/accuracy.py [--datasets examples camvid ...]

On up to 20,000 pixels all pairs can be summed: the bilateral kernel is a matrix here, the smoothness kernel one small
matrix for each axis, and mean field is a few lines of NumPy that share nothing with the library's filters. The cases
are the example pictures of pydensecrf at half size and the middle of every image with scores of a classifier (see
datasets.py), each with three sets of parameters of the literature and 5 updates.

Figures: the share of pixels with another label than the exact answer has, and the mean absolute difference of the
marginals. They are compared by geometric means over all cases, so that every case counts alike; half a pixel is added
to numbers of wrong pixels, so that a perfect answer does not decide everything.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.datasets import DATASETS, Example, annotated, bundled, eight_bit
from benchmarks.shared.dense_peers import DEEPLAB, IRNET, README, Parameters, with_classicseg, with_pydensecrf
from benchmarks.shared.harness import arguments, needs
from benchmarks.shared.records import save, this_run
from classicseg.reference import mean_field

PARAMETERS = {"readme": README, "irnet": IRNET, "deeplab": DEEPLAB}
UPDATES = 5

Filter = Callable[[np.ndarray], np.ndarray]


def middle(example: Example) -> tuple[np.ndarray, np.ndarray]:
    """Costs and image of a window of some 12,000 pixels, in the middle of what is not background."""
    shape = example.truth.shape
    sides = (96, 128) if len(shape) == 2 else (23, 23, 23)
    if len(shape) == 2 and shape[0] > shape[1]:
        sides = sides[::-1]
    foreground = np.argwhere(example.truth > 0)
    centre = foreground.mean(axis=0) if len(foreground) else np.array(shape) / 2
    window = []
    for n, size, c in zip(shape, sides, centre, strict=True):
        start = int(np.clip(c - size / 2, 0, max(0, n - size)))
        window.append(slice(start, start + size))
    image = eight_bit(example.image)[tuple(window)]
    return np.ascontiguousarray(example.unary[(slice(None), *window)]), np.ascontiguousarray(image)


def halved(example: Example) -> tuple[np.ndarray, np.ndarray]:
    """Costs and image at half the size."""
    h, w = (n // 2 * 2 for n in example.image.shape[:2])
    blocks = example.image[:h, :w].reshape(h // 2, 2, w // 2, 2, -1)
    image = np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)
    return np.ascontiguousarray(example.unary[:, :h:2, :w:2]), image


def cases(names: list[str]) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Data set, name, costs, image."""
    if "bundled" in names:
        for example in bundled():
            yield "bundled", example.name, *halved(example)
    if "examples" in names:
        for example in annotated():
            yield "examples", example.name, *halved(example)
    for name in names:
        for example in DATASETS[name]() if name in DATASETS else ():
            yield name, example.name, *middle(example)


def symmetric(apply: Filter, n: int) -> Filter:
    """Divide by the square roots of the sums of the kernel."""
    scale = 1 / np.sqrt(apply(np.ones((1, n), np.float32)) + 1e-20)
    return lambda q: scale * apply(scale * q)


def gaussian(shape: tuple[int, ...], sigma: float) -> Filter:
    """Filter (L, n) values on a grid, all pairs, one axis after the other."""
    matrices = [np.exp(-0.5 * (np.subtract.outer(np.arange(n), np.arange(n)) / sigma) ** 2) for n in shape]

    def apply(q: np.ndarray) -> np.ndarray:
        grid = q.reshape(-1, *shape)
        for axis, matrix in enumerate(matrices, start=1):
            grid = np.moveaxis(np.tensordot(matrix, grid, (1, axis)), 0, axis)
        return grid.reshape(q.shape)

    return symmetric(apply, int(np.prod(shape)))


def bilateral(image: np.ndarray, shape: tuple[int, ...], sigma: float, color_sigma: float) -> Filter:
    """Filter (L, n) values with all pairs of a bilateral kernel, kept as one float32 matrix."""
    positions = np.indices(shape).reshape(len(shape), -1) / sigma
    colors = image.reshape(positions.shape[1], -1).T / color_sigma
    features = np.concatenate([positions, colors]).astype(np.float64)
    features -= features.mean(axis=1, keepdims=True)
    squares = (features**2).sum(axis=0)
    kernel = np.empty((squares.size, squares.size), np.float32)
    for start in range(0, squares.size, 64):  # few rows at a time, so that the cache holds them
        rows = slice(start, start + 64)
        exponent = features[:, rows].T @ features
        exponent -= squares[rows, None] / 2
        exponent -= squares / 2
        np.exp(exponent.astype(np.float32), out=kernel[rows])
    return symmetric(lambda q: q.astype(np.float32) @ kernel, squares.size)


def exact(unary: np.ndarray, image: np.ndarray, p: Parameters) -> np.ndarray:
    """Marginals of mean field over all pairs, (L, *spatial)."""
    n_labels, *spatial = unary.shape
    shape = tuple(spatial)
    rewards = np.eye(n_labels)  # Potts up to a constant, which cancels
    terms = [
        (gaussian(shape, p[0]), -p[1] * rewards),
        (bilateral(image, shape, p[2], p[3]), -p[4] * rewards),
    ]
    return mean_field.mean_field(unary.reshape(n_labels, -1), terms, p[5]).reshape(unary.shape)


CONTENDERS: dict[str, Callable[[np.ndarray, np.ndarray, Parameters], np.ndarray]] = {
    "pydensecrf2": lambda unary, image, p: with_pydensecrf(unary, image, p)[1],
    "fast": lambda unary, image, p: with_classicseg(unary, image, p)[1],
    "high": lambda unary, image, p: with_classicseg(unary, image, p, quality="high")[1],
}


def measure(unary: np.ndarray, image: np.ndarray, p: Parameters) -> dict[str, dict[str, float]]:
    """Wrong pixels and mean difference of marginals of all contenders, and of the classifier alone."""
    truth = exact(unary, image, p)
    labels = truth.argmax(axis=0)
    answers = {name: call(unary, image, p) for name, call in CONTENDERS.items()}
    answers["unary only"] = mean_field.gibbs(unary.reshape(len(unary), -1)).reshape(unary.shape)
    return {
        name: {
            "wrong_pixels": int((q.argmax(axis=0) != labels).sum()),
            "wrong_percent": round(100 * float((q.argmax(axis=0) != labels).mean()), 4),
            "mean_difference": float(f"{np.abs(q - truth).mean():.3g}"),
        }
        for name, q in answers.items()
    }


def summary(rows: list[dict[str, object]]) -> dict[str, dict[str, float]]:
    """Geometric means over the cases, and what share of pydensecrf2's they are."""
    found: dict[str, dict[str, float]] = {}
    for name in ("pydensecrf2", "fast", "high", "unary only"):
        wrong = np.array([(r[name]["wrong_pixels"] + 0.5) / r["pixels"] for r in rows])  # type: ignore[index]
        moved = np.array([max(r[name]["mean_difference"], 1e-9) for r in rows])  # type: ignore[index]
        found[name] = {
            "wrong_percent": 100 * float(np.exp(np.log(wrong).mean())),
            "mean_difference": float(np.exp(np.log(moved).mean())),
        }
    peer = found["pydensecrf2"]
    for figures in found.values():
        for key in ("wrong_percent", "mean_difference"):
            figures[f"{key}_vs_pydensecrf2"] = round(figures[key] / peer[key], 3)
            figures[key] = float(f"{figures[key]:.3g}")
    return found


def main() -> None:
    parser = arguments(__doc__)
    names = ["examples", *DATASETS]
    parser.add_argument("--datasets", nargs="+", choices=names, default=names)
    options = parser.parse_args()
    needs("pydensecrf")
    datasets = ["bundled"] if options.tiny else options.datasets
    run, rows = this_run(threads=cs.get_num_threads(), libraries=["pydensecrf2"]), []
    for dataset, name, unary, image in cases(datasets):
        for family, p in PARAMETERS.items():
            figures = measure(unary, image, (*p[:5], UPDATES))
            about_case = {"dataset": dataset, "image": name, "parameters": family, "labels": len(unary)}
            rows.append(about_case | {"pixels": int(unary[0].size)} | figures)
            print(
                dataset,
                name,
                family,
                {n: (f["wrong_percent"], f["mean_difference"]) for n, f in figures.items()},
                flush=True,
            )
    if not rows:
        print("no data here, nothing measured")
        return
    groups = {"all": rows} | {d: [r for r in rows if r["dataset"] == d] for d in datasets}
    summaries = {group: summary(members) for group, members in groups.items() if members}
    print(summaries["all"])
    save("dense_accuracy", rows, run, options.output, about={"updates": UPDATES, "geometric_means": summaries})


if __name__ == "__main__":
    main()
