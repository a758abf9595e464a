"""How steady are films that are refined by `Refiner`, against `refine` frame by frame, how right, and how fast?

    python benchmarks/pipelines/film.py

A film is a window that is panned over a photo, a piece of the photo that moves across it the other way round, noise of
its own in the colours of each frame (2 of 255) and in its logits (a deviation of 1.5; in patches of 8 x 8 pixels, as
of a network at an eighth of the resolution, or in each pixel). Flicker: share of the pixels of the scene whose label
changes from one frame to the next although their truth does not. "On the spot" it is that of the pixels of the
picture, where the pattern of the photo moves by as well. Speed: frames of 480 x 640 pixels with 2 labels, each new.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.datasets import DATASETS, Example, bundled
from benchmarks.shared.harness import arguments, take_turns
from benchmarks.shared.records import save, this_run
from classicseg.io import VOID
from classicseg.metrics import confusion_matrix, scores_of

STEPS = ((0, 0), (1, 3), (-2, 5))
NOISES = ("patches", "pixels")
THREADS = 2


@dataclass(frozen=True)
class Film:
    name: str
    images: list[np.ndarray]
    logits: list[np.ndarray]
    truths: list[np.ndarray]
    step: tuple[int, int]


def photos(per_set: int) -> Iterator[Example]:
    """Some of each data set of photos, and the photo that comes with the library."""
    s = cs.sample()
    p = np.maximum(s.probabilities.astype(np.float32), 1e-3)
    yield Example("coffee", s.image, -np.log(p), s.truth)
    for name in ("camvid", "horses", "msrc"):
        for example in itertools.islice(DATASETS[name](), per_set):
            yield Example(f"{name} {example.name}", example.image, example.unary, example.truth)


def film_of(photo: Example, step: tuple[int, int], noise: str, n_frames: int, size: tuple[int, int]) -> Film:
    rng, (dy, dx) = np.random.default_rng(0), step
    height, width = photo.truth.shape
    h, w = (min(n, whole - n_frames * abs(d)) for n, whole, d in zip(size, (height, width), step, strict=True))
    y0, x0 = (n_frames * max(0, -d) for d in step)
    side = min(50, h // 3)
    y, x = np.mgrid[:side, :side] - side / 2
    oval = (y / 0.48) ** 2 + (x / 0.4) ** 2 < side**2
    middle = np.s_[height // 2 : height // 2 + side, width // 2 - side // 2 : width // 2 - side // 2 + side]
    film = Film(f"{photo.name}, {step[0]}/{step[1]}, {noise}", [], [], [], step)
    for t in range(n_frames):
        window = np.s_[y0 + dy * t : y0 + dy * t + h, x0 + dx * t : x0 + dx * t + w]
        image, truth = photo.image[window].astype(np.float32), photo.truth[window].copy()
        logits = -photo.unary[(slice(None), *window)]
        left = w - side - 1 - 4 * t
        if left >= 0:  # the piece crosses the picture from right to left, mirrored
            at = np.s_[h // 3 : h // 3 + side, left : left + side]
            image[at][oval] = photo.image[middle][:, ::-1][oval]
            truth[at][oval] = photo.truth[middle][:, ::-1][oval]
            logits[(slice(None), *at)][:, oval] = -photo.unary[(slice(None), *middle)][:, :, ::-1][:, oval]
        film.images.append(np.clip(np.rint(image + rng.normal(0, 2, image.shape)), 0, 255).astype(np.uint8))
        patch = 8 if noise == "patches" else 1
        drawn = rng.normal(0, 1.5, (len(logits), -(-h // patch), -(-w // patch)))
        drawn = drawn.repeat(patch, 1).repeat(patch, 2)[:, :h, :w]
        film.logits.append((logits + drawn).astype(np.float32))
        film.truths.append(truth)
    return film


def one_by_one(film: Film) -> list[np.ndarray]:
    return [cs.refine(image, logits=z, n_threads=THREADS) for image, z in zip(film.images, film.logits, strict=True)]


def as_a_film(film: Film) -> list[np.ndarray]:
    refiner = cs.Refiner(n_threads=THREADS)
    return [refiner(image, logits=z) for image, z in zip(film.images, film.logits, strict=True)]


METHODS: dict[str, Callable[[Film], list[np.ndarray]]] = {
    "network alone": lambda film: [z.argmax(0) for z in film.logits],
    "refine": one_by_one,
    "Refiner": as_a_film,
}


def flicker(labels: list[np.ndarray], truths: list[np.ndarray], step: tuple[int, int]) -> float:
    """In percent, of what is where a step away was before."""
    h, w = truths[0].shape
    now = tuple(slice(max(0, -d), n - max(0, d)) for d, n in zip(step, (h, w), strict=True))
    before = tuple(slice(max(0, d), n + min(0, d)) for d, n in zip(step, (h, w), strict=True))
    n_changed = n_seen = 0
    for i in range(1, len(labels)):
        same = (truths[i][now] == truths[i - 1][before]) & (truths[i][now] != VOID)
        n_changed += int((labels[i][now] != labels[i - 1][before])[same].sum())
        n_seen += int(same.sum())
    return 100 * n_changed / n_seen


def judge(film: Film) -> list[dict[str, Any]]:
    rows = []
    for name, method in METHODS.items():
        labels = method(film)
        pairs = zip(film.truths, labels, strict=True)
        n = len(film.logits[0])
        confusion = sum(confusion_matrix(found, truth, n, ignore_label=VOID) for truth, found in pairs)
        rows.append(
            {
                "film": film.name,
                "method": name,
                "flicker_percent": round(flicker(labels, film.truths, film.step), 3),
                "flicker_on_the_spot_percent": round(flicker(labels, film.truths, (0, 0)), 3),
                "mean_iou_percent": round(100 * scores_of(confusion).mean_iou, 2),
            }
        )
        print(rows[-1], flush=True)
    return rows


def speed(size: tuple[int, int], rounds: int) -> list[dict[str, Any]]:
    """Frames a second, one of which is new in every round."""
    s = cs.sample()
    reach = [np.linspace(0, n - 1, m).astype(int) for n, m in zip(s.image.shape, (size[0], size[1] + 64), strict=False)]
    image, p = s.image[np.ix_(*reach)], s.probabilities[:, reach[0][:, None], reach[1]].astype(np.float32)
    cup = np.log(np.maximum(np.stack([1 - p[1], p[1]]), 1e-3))
    turns, refiner = itertools.count(), cs.Refiner(n_threads=THREADS)
    frames = [(np.ascontiguousarray(image[:, k : k + size[1]]), cup[:, :, k : k + size[1]]) for k in range(0, 64, 4)]

    def frame() -> tuple[np.ndarray, np.ndarray]:
        k = next(turns) % (2 * len(frames) - 2)
        return frames[min(k, 2 * len(frames) - 2 - k)]  # there and back again

    def next_one() -> None:
        seen, logits = frame()
        refiner(seen, logits=logits)

    def alone() -> None:
        seen, logits = frame()
        cs.refine(seen, logits=logits, n_threads=THREADS)

    start = time.process_time()
    seconds = take_turns({"refine": alone, "Refiner": next_one}, rounds)
    print("CPU seconds of a frame of either kind", round((time.process_time() - start) / (2 * rounds + 2), 4))
    rows = []
    for name, spent in seconds.items():
        fps = round(1 / float(np.median(spent)), 1)
        rows.append({"film": f"{size[0]} x {size[1]}, 2 labels", "method": name, "frames_per_second": fps})
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--per-set", type=int, default=3, help="photos of each data set (default: %(default)s)")
    options = parser.parse_args()
    run = this_run(threads=THREADS)
    chosen = list(itertools.islice(bundled(), 1)) if options.tiny else list(photos(options.per_set))
    steps, n_frames, size = (STEPS[1:2], 3, (72, 60)) if options.tiny else (STEPS, 10, (240, 320))
    films = itertools.product(chosen, steps, NOISES[: 1 if options.tiny else 2])
    rows = [row for photo, step, noise in films for row in judge(film_of(photo, step, noise, n_frames, size))]
    rows += speed((96, 128), 2) if options.tiny else speed((480, 640), 40)
    save("pipelines_film", rows, run, options.output)


if __name__ == "__main__":
    main()
