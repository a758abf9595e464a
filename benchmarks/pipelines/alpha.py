"""How good are soft masks, and how long do they take?

    python benchmarks/pipelines/alpha.py [--pictures FOLDER]

Objects of hair, fur, wisps, blurred and sharp borders over photos, of known alpha (shared/mattes.py): errors of alpha
in the band where it is neither 0 nor 1, 8 pixels wider, for the mask as it is, the mask blurred, a guided filter of the
mask (He et al. 2013) and ``cutout(alpha=True)``; and, where pymatting is installed, closed-form matting (Levin et al.
2008) with a band around the mask as unknown. Masks are those of a cut with strokes from the truth, or the true alpha
above one half. Foreground: error of the colours where alpha is above 0.1, against colours as they are in the image.
Time: 12 megapixels, on 2 threads, after a first call; the cut and the soft mask apart.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter, uniform_filter

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.drawing import drawn
from benchmarks.shared.folders import DATA
from benchmarks.shared.harness import arguments
from benchmarks.shared.mattes import KINDS, Composite, composite
from benchmarks.shared.records import save, this_run
from classicseg import plot
from classicseg.pipelines.matting import matte_of
from classicseg.pipelines.prepared_image import prepare

AROUND = 8  # pixels by which the band that is scored is wider
SIDE = (240, 320)
LARGE = (3000, 4000)
MASKS = ("cut", "true")


def photos() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Backgrounds, and photos that objects are coloured like."""
    from skimage import data

    behind = [data.coffee(), data.rocket(), data.astronaut()]
    for file in sorted((DATA / "bsds500").glob("*.jpg"))[:7]:
        with Image.open(file) as photo:
            behind.append(np.asarray(photo.convert("RGB")))
    cat, person = data.chelsea(), data.astronaut()
    return behind, [cat[60:200, 120:330], person[30:110, 170:280], cat[150:290, 20:200], person[350:500, 100:300]]


def composites(n: int, size: tuple[int, int]) -> Iterator[tuple[str, Composite]]:
    behind, textures = photos()
    for i in range(n):
        background = behind[i % len(behind)]
        if i % 2:  # out of focus
            background = gaussian_filter(background.astype(float), (3, 3, 0)).round().astype(np.uint8)
        kind = KINDS[i % len(KINDS)]
        yield f"{kind}-{i}", composite(background, textures[(3 * i + i // 5) % len(textures)], kind, size, seed=i)


def guided(image: np.ndarray, mask: np.ndarray, radius: int = 8, epsilon: float = 1e-4) -> np.ndarray:
    """The guided filter of He et al. with colours, from its paper."""

    def mean(values: np.ndarray) -> np.ndarray:
        return uniform_filter(values, 2 * radius + 1)

    guide = [image[..., c] / 255 for c in range(3)]
    means, of_mask = [mean(c) for c in guide], mean(mask)
    across = np.stack([mean(c * mask) - m * of_mask for c, m in zip(guide, means, strict=True)], -1)
    spread = np.empty((*mask.shape, 3, 3))
    for i in range(3):
        for j in range(3):
            spread[..., i, j] = mean(guide[i] * guide[j]) - means[i] * means[j] + epsilon * (i == j)
    a = np.linalg.solve(spread, across[..., None])[..., 0]
    b = of_mask - (a * np.stack(means, -1)).sum(-1)
    filtered: np.ndarray = sum(mean(a[..., c]) * guide[c] for c in range(3)) + mean(b)
    return filtered.clip(0, 1)


def closed_form(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    from pymatting import estimate_alpha_cf

    band = 0.03 * mask.size**0.5
    sure = [distance_transform_edt(part) > width for part, width in ((mask > 0.5, band), (mask < 0.5, 2 * band))]
    trimap = np.select(sure, [1.0, 0.0], 0.5)
    alpha: np.ndarray = estimate_alpha_cf(image / 255, trimap).clip(0, 1)
    return alpha


def ours(image: np.ndarray, mask: np.ndarray) -> cs.Matte:
    prepared = prepare(image, None, mask.astype(int), None, -1)
    return matte_of(prepared, mask > 0.5, np.full(mask.shape, -1, np.int32), cs.get_num_threads())


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mask": lambda image, mask: mask,
    "mask, blurred by 1": lambda image, mask: gaussian_filter(mask, 1),
    "guided filter": guided,
    "cutout(alpha=True)": lambda image, mask: ours(image, mask).alpha,
}
if importlib.util.find_spec("pymatting"):
    METHODS["closed form (pymatting)"] = closed_form


def errors(alpha: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Mean absolute error, and that of the length of gradients, in the band, both in percent."""
    band = binary_dilation((true > 0) & (true < 1), iterations=AROUND)
    steep = [gaussian_filter(x.astype(np.float64), 1.4, order=(1, 0)) for x in (alpha, true)]
    flat = [gaussian_filter(x.astype(np.float64), 1.4, order=(0, 1)) for x in (alpha, true)]
    lengths = [np.hypot(y, x) for y, x in zip(steep, flat, strict=True)]
    return 100 * float(np.abs(alpha - true)[band].mean()), 100 * float(np.abs(lengths[0] - lengths[1])[band].mean())


def quality(n: int, size: tuple[int, int], pictures: Path | None) -> Iterator[dict[str, Any]]:
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    colors: dict[str, list[tuple[float, float]]] = {}
    names = []
    for name, made in composites(n, size):
        names.append(name)
        strokes = drawn(made.alpha > 0.5, n=(6, 6), length=0.4, width=3.0, seed=3)
        masks = {"cut": cs.cutout(made.image, strokes).mask, "true": made.alpha > 0.5}
        for source in MASKS:
            mask = masks[source].astype(np.float32)
            for method, soften in METHODS.items():
                start = time.process_time()
                alpha = soften(made.image, mask)
                seconds = time.process_time() - start
                found.setdefault((source, method), []).append((*errors(alpha, made.alpha), seconds))
            matte = ours(made.image, mask)
            seen = (made.alpha > 0.1) & (made.alpha < 1) & (matte.alpha > 0)
            colors.setdefault(source, []).append(
                (
                    float(np.abs(matte.foreground - made.foreground)[seen].mean()),
                    float(np.abs(made.image - made.foreground)[seen].mean()),
                )
            )
            if pictures is not None:
                pictures.mkdir(parents=True, exist_ok=True)
                hard = np.where(mask[..., None] > 0, made.image, (0, 255, 0)).astype(np.uint8)
                views = [made.image, hard, matte.over((0, 255, 0)), matte.over((255, 0, 255))]
                Image.fromarray(plot.tile(views, columns=2)).save(pictures / f"{name}-{source}.png")
        print(name, {k: round(v[-1][0], 2) for k, v in found.items()}, flush=True)
    for (source, method), scores in found.items():
        mean, gradient, seconds = (np.array(x) for x in zip(*scores, strict=True))
        yield {
            "mask": source,
            "method": method,
            "images": len(names),
            "error_percent": round(float(mean.mean()), 2),
            "gradient_error_percent": round(float(gradient.mean()), 2),
            "median_cpu_ms": round(1000 * float(np.median(seconds)), 1),
            "errors": dict(zip(names, mean.round(2).tolist(), strict=True)),
        }
    for source, pairs in colors.items():
        after, before = np.mean(pairs, axis=0)
        levels = {"foreground_error_levels": round(float(after), 1), "image_error_levels": round(float(before), 1)}
        yield {"mask": source, "method": "colours", "images": len(names), **levels}


def speed(size: tuple[int, int], rounds: int) -> dict[str, Any]:
    made = next(composites(1, size))[1]
    strokes = drawn(made.alpha[::8, ::8] > 0.5, n=(3, 4), length=0.3, width=3.0, seed=3)
    strokes = np.kron(strokes, np.ones((8, 8), int))[: size[0], : size[1]]
    whole = np.full(size, -1)
    whole[: strokes.shape[0], : strokes.shape[1]] = strokes
    whole[(whole == 1) & (made.alpha < 1)] = -1
    cuts, softs = [], []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        cut = cs.cutout(made.image, whole)
        middle = time.perf_counter()
        assert cut.matte.alpha.shape == size
        cuts.append(middle - start)
        softs.append(time.perf_counter() - middle)
    row = {"size": list(size), "method": "speed", "cut_seconds": min(cuts[1:]), "matte_seconds": min(softs[1:])}
    print(row, flush=True)
    return row


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--pictures", type=Path, help="folder for a picture of every image and mask")
    parser.add_argument("--without-speed", action="store_true", help="quality only")
    options = parser.parse_args()
    cs.set_num_threads(2)
    run = this_run(threads=2, libraries=["pymatting"])
    n, size, large = (2, (60, 80), (120, 160)) if options.tiny else (10, SIDE, LARGE)
    rows = list(quality(n, size, options.pictures))
    for row in rows:
        print({key: value for key, value in row.items() if key != "errors"})
    if not options.without_speed:
        rows.append(speed(large, 1 if options.tiny else 2))
    save("pipelines_alpha", rows, run, options.output)


if __name__ == "__main__":
    main()
