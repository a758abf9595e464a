"""Grid energies that the literature compares solvers on, and energies of photos and volumes to time them with.

    python benchmarks/shared/grid_problems.py    # what there is

The problems of the Middlebury benchmark are those of

    R. Szeliski et al., "A comparative study of energy minimization methods for Markov random fields with
    smoothness-based priors", IEEE TPAMI 30(6), 2008. doi:10.1109/TPAMI.2007.70844

to the integer: labels, data costs, weights. Stereo costs are those of

    S. Birchfield, C. Tomasi, "A pixel dissimilarity measure that is insensitive to image sampling", IEEE TPAMI 20(4),
    1998. doi:10.1109/34.677269

Images are looked for in ``folders.DATA``; a problem whose images are not there raises FileNotFoundError. All costs and
weights are integers, so that energies of different programs can be compared to the last digit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image
from scipy.ndimage import gaussian_filter

import classicseg as cs
from benchmarks.shared.fields import costs, picture
from benchmarks.shared.folders import DATA

MRF = DATA / "mrf"

# --- the Middlebury benchmark -------------------------------------------------------------------------------------


def tsukuba(*, cues: bool = True) -> cs.GridCRF:
    """16 disparities, truncated linear; an edge with little contrast weighs double. Optimum 369218."""
    left = _rgb(MRF / "stereo" / "tsukuba-imL.png")
    unary = stereo_costs(left, _rgb(MRF / "stereo" / "tsukuba-imR.png"), 16)
    weights = gradient_cues(left, threshold=8, penalty=2) if cues else None
    return cs.GridCRF(unary, cs.TruncatedLinear(20, truncation=2), weights)


def venus() -> cs.GridCRF:
    """20 disparities, truncated quadratic, not a metric; squared colour differences of at most 16."""
    left = _rgb(MRF / "stereo" / "venus-imL.png")
    unary = stereo_costs(left, _rgb(MRF / "stereo" / "venus-imR.png"), 20, limit=16, squared=True)
    return cs.GridCRF(unary, cs.TruncatedQuadratic(50, truncation=7))


def teddy() -> cs.GridCRF:
    """60 disparities, Potts; an edge with little contrast weighs threefold; colour differences of at most 16."""
    left = _rgb(MRF / "stereo" / "teddy-imL.png")
    unary = stereo_costs(left, _rgb(MRF / "stereo" / "teddy-imR.png"), 60, limit=16)
    return cs.GridCRF(unary, cs.Potts(10), gradient_cues(left, threshold=10, penalty=3))


def penguin() -> cs.GridCRF:
    """Noise and a hole in 256 gray values, truncated quadratic."""
    return cs.GridCRF(_denoising_costs("penguin"), cs.TruncatedQuadratic(25, truncation=200))


def house() -> cs.GridCRF:
    """Noise and a hole in 256 gray values, quadratic without a limit: a convex energy."""
    return cs.GridCRF(_denoising_costs("house"), cs.TruncatedQuadratic(5))


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


def _denoising_costs(name: str) -> np.ndarray:
    """Squared difference to the observed gray value, 0 in the hole."""
    observed = np.asarray(Image.open(_existing(MRF / "denoise" / f"{name}-input.png")), np.int32)
    known = np.asarray(Image.open(_existing(MRF / "denoise" / f"{name}-mask.png"))) > 0
    return (np.arange(256, dtype=np.int32)[:, None, None] - observed) ** 2 * known


MIDDLEBURY: dict[str, Callable[[], cs.GridCRF]] = {
    "tsukuba": tsukuba,
    "venus": venus,
    "teddy": teddy,
    "penguin": penguin,
    "house": house,
}

# --- two labels ---------------------------------------------------------------------------------------------------

GAMMA = {"flower": 50.0, "sheep": 50.0, "retina": 5.0, "motorcycle": 10.0}
"""Photos of the binary problems, two of the GrabCut set and two of scikit-image, and the weight of their edges."""


def binary(
    photo: str, size: int | None = None, connectivity: int = 4, *, gamma: float | None = None, scale: int = 100
) -> cs.GridCRF:
    """Object and background of a photo by colour histograms, edges of weight gamma that follow the contrast [2]_.

    Parameters
    ----------
    photo : str
        One of the GrabCut set, ``"retina"`` (vessels, thin as hair) or ``"motorcycle"`` (texture everywhere).
    size : int, optional
        Resampled to (size, size); native resolution if None.
    connectivity : {4, 8}
    gamma : float, optional
        Weight of edges without contrast; by default that of GAMMA. 2 is easy, 10 usual, 50 hard for solvers.
    scale : int
        Costs and weights are multiplied by this and rounded.

    References
    ----------
    .. [2] C. Rother, V. Kolmogorov, A. Blake, "GrabCut: interactive foreground extraction using iterated graph cuts",
       SIGGRAPH 2004. doi:10.1145/1015706.1015720
    """
    image, inside = _photo(photo)
    if size is not None:
        image = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))
        inside = np.asarray(Image.fromarray(inside).resize((size, size), Image.Resampling.NEAREST))
    unary = _integers(-np.log(np.stack([_frequency(image, ~inside), _frequency(image, inside)])) * scale)
    contrast = cs.contrast_weights(image, connectivity=connectivity)
    weight = scale * (GAMMA.get(photo, 50.0) if gamma is None else gamma)
    return cs.GridCRF(unary, cs.Potts(), {name: _integers(weight * w) for name, w in contrast.items()})


def _photo(name: str) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) uint8, and where the object is, roughly."""
    if name == "retina":
        from skimage import data

        green = data.retina()[..., 1].astype(np.float32)
        even = gaussian_filter(green, 20)
        field = even > 50  # not the black frame
        dark = np.where(field, gaussian_filter(green, 1) - even, 0)
        flat = np.clip(128 + 4 * dark, 0, 255).astype(np.uint8)
        return np.repeat(flat[..., None], 3, axis=2), dark < -6
    if name == "motorcycle":
        from skimage import data

        image = data.stereo_motorcycle()[0]
        inside = np.zeros(image.shape[:2], bool)
        inside[image.shape[0] // 4 : -image.shape[0] // 4, image.shape[1] // 4 : -image.shape[1] // 4] = True
        return image, inside
    image = _rgb(MRF / "grabcut" / "imgs" / f"{name}.jpg").astype(np.uint8)
    x0, y0, x1, y1 = map(int, _existing(MRF / "grabcut" / "bboxes" / f"{name}.txt").read_text(encoding="ascii").split())
    inside = np.zeros(image.shape[:2], bool)
    inside[y0:y1, x0:x1] = True
    return image, inside


def _frequency(image: np.ndarray, where: np.ndarray, bins: int = 16) -> np.ndarray:
    """How often the colour of each pixel is in a part of the image, by a smoothed histogram."""
    index = image.astype(np.intp) * bins // 256
    flat = np.ravel_multi_index(tuple(np.moveaxis(index, -1, 0)), (bins,) * 3)
    counts = np.bincount(flat[where], minlength=bins**3).astype(np.float64).reshape((bins,) * 3)
    smooth = gaussian_filter(counts, 1.0).reshape(-1)
    share = (smooth + 0.01) / (smooth + 0.01).sum()
    return share[flat]


# --- many labels --------------------------------------------------------------------------------------------------


def potts(n_labels: int, size: int | None = 256, *, contrast: bool = False, noise: float = 20.0) -> cs.GridCRF:
    """A noisy photo in `n_labels` of its own colours, Potts; with `contrast`, weights that follow the photo."""
    from skimage import data

    photo = Image.fromarray(data.astronaut() if size is None or size <= 512 else data.stereo_motorcycle()[0])
    image = photo if size is None else photo.resize((size, size), Image.Resampling.BICUBIC)
    few = image.quantize(n_labels, method=Image.Quantize.MEDIANCUT)
    colors = np.asarray(few.getpalette()[: 3 * n_labels], np.float64).reshape(-1, 3)
    rng = np.random.default_rng(n_labels)
    seen = np.asarray(image, np.float64) + noise * rng.standard_normal((image.height, image.width, 3))
    unary = _integers([np.minimum(np.square(seen - color).sum(axis=-1) / (2 * noise), 2000) for color in colors])
    if not contrast:
        return cs.GridCRF(unary, cs.Potts(60))
    weights = cs.contrast_weights(np.asarray(image), connectivity=4)
    return cs.GridCRF(unary, cs.Potts(), {name: _integers(100 * w) for name, w in weights.items()})


# --- volumes ------------------------------------------------------------------------------------------------------


def organ(size: int = 64, connectivity: int = 6, *, weight: float = 0.5, scale: int = 100) -> cs.GridCRF:
    """A lobed organ with a hollow in noise; 2 labels, equal weights divided by the length of the edge."""
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij", sparse=True)
    radius = 0.62 + 0.12 * np.cos(4 * np.arctan2(y, x)) * np.cos(3 * z)
    distance = np.sqrt(x * x + 1.3 * y * y + 0.8 * z * z)
    body = (distance < radius) & (distance > 0.25)
    rng = np.random.default_rng(size)
    seen = body + 0.6 * rng.standard_normal(body.shape)
    unary = _integers(scale * np.stack([seen**2, (seen - 1) ** 2]) / (2 * 0.6**2))
    equal = cs.contrast_weights(np.zeros(body.shape), connectivity=connectivity, channel_axis=None)
    return cs.GridCRF(unary, cs.Potts(), {name: _integers(scale * weight * w) for name, w in equal.items()})


def mr_volume(connectivity: int = 6, *, weight: float = 5.0, scale: int = 100) -> cs.GridCRF:
    """An MR volume of 120 x 150 x 100 voxels, histograms inside and outside of a network's answer, contrast weights."""
    import nibabel

    image, answer = (
        np.asarray(nibabel.load(_existing(MRF / "volumes" / f"2013_12_1_{kind}.nii.gz")).dataobj)
        for kind in ("img", "init")
    )
    level = np.minimum(image.astype(np.intp) // 8, 63)
    costs = []
    for where in (answer == 0, answer > 0):
        share = gaussian_filter(np.bincount(level[where], minlength=64) + 0.5, 1.0)
        costs.append(-np.log(share / share.sum())[level])
    contrast = cs.contrast_weights(image, connectivity=connectivity, channel_axis=None)
    weights = {name: _integers(scale * weight * w) for name, w in contrast.items()}
    return cs.GridCRF(_integers(scale * np.stack(costs)), cs.Potts(), weights)


def linear(n_labels: int = 16, size: int = 512) -> cs.GridCRF:
    """Noise in truncated linear costs."""
    unary = np.random.default_rng(0).integers(0, 100, (n_labels, size, size))
    return cs.GridCRF(unary, cs.TruncatedLinear(10, truncation=3))


def of_fields(shape: tuple[int, ...], n_labels: int, connectivity: int) -> cs.GridCRF:
    """Smooth regions in noise and edges that follow a picture, all generated."""
    contrast = cs.contrast_weights(picture(shape), connectivity=connectivity)
    weights = {name: _integers(40 * w) for name, w in contrast.items()}
    return cs.GridCRF(_integers(60 * costs(n_labels, shape)), cs.Potts(), weights)


# --- all by name --------------------------------------------------------------------------------------------------

PROBLEMS: dict[str, Callable[[], cs.GridCRF]] = {
    **MIDDLEBURY,
    "tsukuba-no-cues": partial(tsukuba, cues=False),
    **{
        f"{photo}-{size or 'native'}-{connectivity}": partial(binary, photo, size, connectivity)
        for photo in GAMMA
        for size in (256, 512, 1024, 2048, None)
        for connectivity in (4, 8)
    },
    **{
        f"potts{n}-{size}{'-contrast' if contrast else ''}": partial(potts, n, size, contrast=contrast)
        for n in (5, 21)
        for size in (256, 512, 1024)
        for contrast in (False, True)
    },
    **{f"organ-{n}-{c}": partial(organ, n, c) for n in (64, 96, 128) for c in (6, 26)},
    **{f"mr-{c}": partial(mr_volume, c) for c in (6, 26)},
    "linear16-512": linear,
    "tiny-cut-4": partial(of_fields, (40, 50), 2, 4),
    "tiny-cut-8": partial(of_fields, (40, 50), 2, 8),
    "tiny-cut-26": partial(of_fields, (9, 12, 14), 2, 26),
    "tiny-potts": partial(of_fields, (40, 50), 5, 4),
}


def _integers(values: ArrayLike) -> np.ndarray:
    return np.rint(values).astype(np.int32)


def _rgb(path: Path) -> np.ndarray:
    with Image.open(_existing(path)) as picture:
        return np.asarray(picture.convert("RGB")).astype(np.int32)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; see folders.py on where data are looked for")
    return path


if __name__ == "__main__":
    for name, make in PROBLEMS.items():
        try:
            print(f"{name:28}{make()}")
        except FileNotFoundError as missing:
            print(f"{name:28}{missing}")
