"""The energies that the literature compares solvers on: stereo and denoising of the Middlebury benchmark.

Labels, data costs and weights are, to the integer, those of

    R. Szeliski et al., "A comparative study of energy minimization methods for Markov random fields with
    smoothness-based priors", IEEE TPAMI 30(6), 2008. doi:10.1109/TPAMI.2007.70844

Stereo costs are those of

    S. Birchfield, C. Tomasi, "A pixel dissimilarity measure that is insensitive to image sampling", IEEE TPAMI 20(4),
    1998. doi:10.1109/34.677269
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import classicseg as cs
from classicseg.bench.problem import Problem
from classicseg.bench.suites.pictures import existing, gray, rgb

ORIGIN = (
    "the Middlebury MRF benchmark, vision.middlebury.edu/MRF: its pairs as stereo/NAME-imL.png and -imR.png, "
    "its noisy pictures as denoise/NAME-input.png and -mask.png, in the folder mrf"
)
PUBLISHED: dict[str, dict[str, float]] = {
    "tsukuba": {"icm": 2412321, "bp-s": 427036, "bp-m": 406896, "swap": 372233, "expansion": 370825, "trws": 369279},
    "venus": {"icm": 12347398, "bp-s": 3358967, "bp-m": 3099664, "swap": 3141772, "expansion": 3125962, "trws": 3049359},  # noqa: E501
    "teddy": {"icm": 3132733, "bp-s": 1430084, "bp-m": 1393333, "swap": 1348261, "expansion": 1344017, "trws": 1351916},
    "penguin": {"icm": 20393445, "bp-s": 15548905, "bp-m": 15559471, "expansion": 16589242, "trws": 15349269},
    "house": {"icm": 41813618, "bp-s": 37676160, "bp-m": 37643748, "expansion": 46681475, "trws": 37581035},
}  # fmt: skip
"""What the authors' own library (MRF 2.2) reached on the same integers in 25 seconds, 40 where there are 256 labels."""

BOUNDS = {"tsukuba": 369217.6, "venus": 3047725.9, "teddy": 1336518.2, "penguin": 15343711.0, "house": 37580196.2}
"""The best lower bounds that the study's TRW-S found."""


def tsukuba(data: Path, *, cues: bool = True) -> cs.GridCRF:
    """16 disparities, truncated linear; an edge with little contrast weighs double. Optimum 369218."""
    left, right = _pair(data, "tsukuba")
    weights = gradient_cues(left, threshold=8, penalty=2) if cues else None
    return cs.GridCRF(stereo_costs(left, right, 16), cs.TruncatedLinear(20, truncation=2), weights)


def venus(data: Path) -> cs.GridCRF:
    """20 disparities, truncated quadratic, not a metric; squared colour differences of at most 16."""
    unary = stereo_costs(*_pair(data, "venus"), 20, limit=16, squared=True)
    return cs.GridCRF(unary, cs.TruncatedQuadratic(50, truncation=7))


def teddy(data: Path) -> cs.GridCRF:
    """60 disparities, Potts; an edge with little contrast weighs threefold; colour differences of at most 16."""
    left, right = _pair(data, "teddy")
    return cs.GridCRF(
        stereo_costs(left, right, 60, limit=16), cs.Potts(10), gradient_cues(left, threshold=10, penalty=3)
    )


def penguin(data: Path) -> cs.GridCRF:
    """Noise and a hole in 256 gray values, truncated quadratic."""
    return cs.GridCRF(_denoising_costs(data, "penguin"), cs.TruncatedQuadratic(25, truncation=200))


def house(data: Path) -> cs.GridCRF:
    """Noise and a hole in 256 gray values, quadratic without a limit: a convex energy."""
    return cs.GridCRF(_denoising_costs(data, "house"), cs.TruncatedQuadratic(5))


MIDDLEBURY: dict[str, Callable[[Path], cs.GridCRF]] = {
    "tsukuba": tsukuba,
    "venus": venus,
    "teddy": teddy,
    "penguin": penguin,
    "house": house,
}


def problems(data: Path | None) -> list[Problem]:
    """All of the suite, those whose pictures are not there among them."""
    found = []
    for name, make in MIDDLEBURY.items():
        stem, ends = ("denoise", ("input", "mask")) if name in ("penguin", "house") else ("stereo", ("imL", "imR"))
        files = tuple(f"mrf/{stem}/{name}-{end}.png" for end in ends)
        study = {f"MRF 2.2 {method}": energy for method, energy in PUBLISHED[name].items()}
        found.append(
            Problem(
                name=f"mrf/{name}", make=make, files=files, origin=ORIGIN, published=study,
                published_bound=BOUNDS[name], summary=(make.__doc__ or "").rstrip("."),
            )
        )  # fmt: skip
    no_cues = partial(tsukuba, cues=False)
    summary = "16 disparities, truncated linear; all edges weigh the same"
    found.append(Problem("mrf/tsukuba-no-cues", no_cues, found[0].files, ORIGIN, summary=summary))
    return found


def stereo_costs(
    left: np.ndarray, right: np.ndarray, n_labels: int, *, limit: int = 255, squared: bool = False
) -> np.ndarray:
    """Dissimilarity of Birchfield and Tomasi of pixels that lie d columns apart, summed over the channels.

    Parameters
    ----------
    left, right : ndarray, (H, W, C), int
    n_labels : int
        Disparities 0 to L - 1. A pixel whose partner lies outside costs what the worst match does.
    limit : int
        Largest difference in a channel: a sum is cut at `limit` times C, a sum of squares at the square of `limit`.
    squared : bool
        Squares of the dissimilarities instead of themselves.

    Returns
    -------
    ndarray, (L, H, W), int32
    """
    n_channels = left.shape[-1]
    worst = min(limit * limit, n_channels * 255 * 255) if squared else n_channels * limit
    costs = np.full((n_labels, *left.shape[:2]), worst, np.int32)
    left_low, left_high = _reach(left)
    right_low, right_high = _reach(right)
    for d in range(n_labels):
        here, there = np.s_[:, d:], np.s_[:, : left.shape[1] - d]
        to_right = _outside(left[here], right_low[there], right_high[there])
        to_left = _outside(right[there], left_low[here], left_high[here])
        difference = np.minimum(to_right, to_left)
        costs[d][here] = np.minimum((difference**2 if squared else difference).sum(axis=-1), worst)
    return costs


def gradient_cues(image: np.ndarray, threshold: int, penalty: int) -> dict[str, np.ndarray]:
    """Weights: `penalty` where the root mean square difference of the channels is below `threshold`, else 1."""
    cues = {}
    for name, axis in (("right", 1), ("down", 0)):
        squares = (np.diff(image, axis=axis) ** 2).sum(axis=-1)
        cues[name] = np.where(squares < threshold * threshold * image.shape[-1], penalty, 1)
    return cues


def _reach(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value between a pixel and half way to its neighbours in the row, halves rounded down."""
    to_left = (image + np.concatenate([image[:, :1], image[:, :-1]], axis=1)) // 2
    to_right = (image + np.concatenate([image[:, 1:], image[:, -1:]], axis=1)) // 2
    low = np.minimum(np.minimum(to_left, to_right), image)
    return low, np.maximum(np.maximum(to_left, to_right), image)


def _outside(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.maximum(0, np.maximum(value - high, low - value))


def _pair(data: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    left, right = (rgb(data / "mrf" / "stereo" / f"{name}-im{side}.png") for side in "LR")
    return left, right


def _denoising_costs(data: Path, name: str) -> np.ndarray:
    """Squared difference to the observed gray value, 0 in the hole."""
    observed, mask = (gray(existing(data / "mrf" / "denoise" / f"{name}-{kind}.png")) for kind in ("input", "mask"))
    costs: np.ndarray = (np.arange(256, dtype=np.int32)[:, None, None] - observed) ** 2 * (mask > 0)
    return costs
