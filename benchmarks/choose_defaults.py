"""Which parameters should `refine` have where nobody says otherwise?

    python benchmarks/choose_defaults.py

Every candidate refines the outputs of real classifiers (see datasets.py) and is scored against the truth. The images
of each data set are dealt into two halves, one to each in turn. Parameters are *chosen* by the first half alone and
*reported* on the second, and on two data sets of volumes that take no part in the choice. Then the halves change
roles, which shows how much a choice hangs on a handful of images.

Two families compete: "contrast", where both kernels have one range, a share of the mean side of the image, and the
smoothness kernel has no or a negative weight; and "classic", the positive weights and ranges in pixels of the
literature. Two aims make two presets:

- default: the highest gain in mean IoU, averaged over the data sets, of those that cost none more than HARM points;
- conservative: the highest gain of the data set that gains least.

Mean IoU is that of all images of a data set together. Last, the default is tried on images of half and of double the
size, its range once as a share of the image and once in pixels.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, replace

import numpy as np
from datasets import DATASETS, VOID, Example
from harness import machine, save
from skimage.transform import resize

import classicseg as cs

CHOOSE_ON = ("camvid", "msrc", "horses", "drive")
NEVER_CHOOSE_ON = ("brats", "hippocampus")
HARM = 0.5
"""Points of mean IoU that the default may cost a data set."""

Confusions = dict[str, list[np.ndarray]]
"""One matrix for each image of each data set."""


@dataclass(frozen=True)
class Candidate:
    """Parameters of `refine`, as in `Preset`."""

    sigma: float
    weight: float
    bilateral_sigma: float
    color_sigma: float
    bilateral_weight: float
    relative: bool

    def __call__(self, example: Example) -> np.ndarray:
        unit = mean_side(example) if self.relative else 1.0
        return cs.refine(
            example.image,
            unary=example.unary,
            sigma=unit * self.sigma,
            weight=self.weight,
            bilateral_sigma=unit * self.bilateral_sigma,
            color_sigma=self.color_sigma,
            bilateral_weight=self.bilateral_weight,
            max_iter=10,
        )


def mean_side(example: Example) -> float:
    return float(np.sqrt(example.truth.size))


def candidates() -> list[Candidate]:
    contrast = [
        Candidate(share, ratio * weight, share, color, weight, True)
        for share, color, weight, ratio in itertools.product(
            (0.1, 0.2, 0.3, 0.5), (6, 8, 10, 13), (1, 2, 4), (0, -0.5, -0.75, -0.85, -1)
        )
    ]
    appearance = [(50, 5), (67, 3), (67, 5), (80, 13), (30, 5)]
    classic = [
        Candidate(sigma, weight, *ranges, strength, False)
        for (sigma, weight), ranges, strength in itertools.product(
            [(1, 0), (1, 1), (1, 3), (3, 1), (3, 3)], appearance, (2, 4, 10)
        )
    ]
    return contrast + classic


def confusion(labels: np.ndarray, example: Example) -> np.ndarray:
    return cs.confusion_matrix(labels, example.truth, len(example.unary), ignore_label=VOID)


def confusions(examples: dict[str, list[Example]], call: Callable[[Example], np.ndarray]) -> Confusions:
    return {name: [confusion(call(e), e) for e in members] for name, members in examples.items()}


def mean_iou(found: Confusions, half: int | None = None) -> dict[str, float]:
    """Of each data set, in percent; of every second image from `half` on, or of all."""
    chosen = slice(None) if half is None else slice(half, None, 2)
    return {name: 100 * cs.scores_of(np.sum(ms[chosen], axis=0)).mean_iou for name, ms in found.items()}


def gains(found: Confusions, before: Confusions, half: int | None = None) -> dict[str, float]:
    start = mean_iou(before, half)
    return {name: round(score - start[name], 2) for name, score in mean_iou(found, half).items()}


def choose(tried: dict[Candidate, Confusions], before: Confusions, half: int) -> dict[str, Candidate]:
    """The candidate of each aim on one half of the images; of equals the first."""

    def average(found: Confusions) -> float:
        points = list(gains(found, before, half).values())
        return float(np.mean(points)) if min(points) > -HARM else -np.inf

    def least(found: Confusions) -> float:
        return min(gains(found, before, half).values())

    aims = {"default": average, "conservative": least}
    return {aim: max(tried, key=lambda c, value=value: value(tried[c])) for aim, value in aims.items()}


def shipped(name: str) -> Candidate:
    """A preset of the library as a candidate."""
    preset = cs.PRESETS[name]
    return Candidate(*(getattr(preset, field) for field in Candidate.__dataclass_fields__))


def resized(example: Example, factor: float) -> Example:
    """The same scene with more or fewer pixels; costs interpolated, as those of a network would be."""
    shape = tuple(round(factor * n) for n in example.truth.shape)
    image = resize(example.image, shape, order=1, anti_aliasing=factor < 1, preserve_range=True)
    unary = np.stack([resize(u, shape, order=1, anti_aliasing=factor < 1) for u in example.unary])
    truth = resize(example.truth, shape, order=0, anti_aliasing=False, preserve_range=True)
    return Example(
        example.name, np.rint(image).astype(np.uint8), unary.astype(np.float32), truth.astype(example.truth.dtype)
    )


def sizes(examples: dict[str, list[Example]]) -> list[dict[str, object]]:
    """Gain of the default with its range in shares of the image and in pixels, at three sizes of the images."""
    default = shipped("default")
    typical = float(np.mean([mean_side(e) for members in examples.values() for e in members]))
    ranges = {"sigma": default.sigma * typical, "bilateral_sigma": default.bilateral_sigma * typical}
    ways = {"share of the image": default, "pixels": replace(default, relative=False, **ranges)}
    rows = []
    for factor in (0.5, 1.0, 2.0):
        scaled = {name: [resized(e, factor) for e in members] for name, members in examples.items()}
        before = confusions(scaled, lambda e: e.unary.argmin(axis=0))
        found = {way: gains(confusions(scaled, call), before) for way, call in ways.items()}
        rows.append({"table": "sizes", "size": factor} | found)
        print(rows[-1], flush=True)
    return rows


def report(name: str, c: Candidate, chosen_by: str, reported_on: str, points: dict[str, float]) -> dict[str, object]:
    parameters = dict(zip(Candidate.__dataclass_fields__, astuple(c), strict=True))
    row = {"table": "presets", "preset": name, "chosen_by": chosen_by, "reported_on": reported_on}
    row |= {"gain": points, "parameters": parameters}
    print(row, flush=True)
    return row


def load(names: Iterable[str]) -> dict[str, list[Example]]:
    return {name: members for name in names if (members := list(DATASETS[name]()))}


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    about = machine() | {"largest_harm": HARM}
    examples = load(CHOOSE_ON)
    if not examples:
        print("no data here, nothing chosen")
        return
    before = confusions(examples, lambda e: e.unary.argmin(axis=0))
    everyone = dict.fromkeys([*candidates(), *(shipped(name) for name in cs.PRESETS)])
    tried = {c: confusions(examples, c) for c in everyone}
    about |= {"candidates": len(tried), "images": {name: len(members) for name, members in examples.items()}}
    print(about, flush=True)

    halves, rows = ("first half", "second half"), []
    for half, name in enumerate(halves):
        for aim, c in choose(tried, before, half).items():
            rows.append(report(aim, c, name, name, gains(tried[c], before, half)))
            rows.append(report(aim, c, name, halves[1 - half], gains(tried[c], before, 1 - half)))
            if half == 0 and c != shipped(aim):
                print(f"the preset {aim!r} of the library is another: {shipped(aim)}")
    for name in cs.PRESETS:
        c = shipped(name)
        source = "first half" if name in ("default", "conservative") else "literature"
        rows.append(report(name, c, source, halves[1], gains(tried[c], before, 1)))
        rows.append(report(name, c, source, "all images", gains(tried[c], before)))
    volumes = load(NEVER_CHOOSE_ON)
    start = confusions(volumes, lambda e: e.unary.argmin(axis=0))
    for name in cs.PRESETS if volumes else ():
        found = confusions(volumes, lambda e, name=name: cs.refine(e.image, unary=e.unary, preset=name))
        rows.append(report(name, shipped(name), "never seen", "volumes", gains(found, start)))
    best = sorted(tried, key=lambda c: -float(np.mean(list(gains(tried[c], before, 0).values()))))
    rows += [report("best average", c, "first half", halves[1], gains(tried[c], before, 1)) for c in best[:5]]
    rows += sizes(examples)
    save("choose_defaults", rows, about)


if __name__ == "__main__":
    main()
