"""Which parameters should `refine` have where nobody says otherwise?

    python benchmarks/pipelines/choose_defaults.py

Every candidate refines the outputs of real classifiers (see datasets.py) and is scored against the truth. Parameters
are *chosen* on all images and *reported* on images that had no part in the choice: each image in turn is left out, the
parameters are chosen anew by the others, and refine the one left out. Two data sets of volumes take no part at all.

Two families compete: "contrast", where both kernels have one range, a share of the mean side of the image, and the
smoothness kernel has no or a negative weight; and "classic", the positive weights and ranges in pixels of the
literature. Two aims make two presets:

- default: the highest gain in mean IoU, averaged over the data sets, of those that cost none more than HARM points;
- conservative: the highest gain of the data set that gains least.

Mean IoU is that of all images of a data set together. Last, the default is tried on images of half and of double the
size, its range once as a share of the image and once in pixels.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from skimage.transform import resize

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout that is measured

import classicseg as cs
from benchmarks.shared.datasets import DATASETS, VOID, Example, bundled
from benchmarks.shared.harness import arguments
from benchmarks.shared.records import save, this_run

CHOOSE_ON = ("camvid", "msrc", "horses", "drive")
NEVER_CHOOSE_ON = ("brats", "hippocampus")
HARM = 0.2
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


def mean_iou(found: Confusions) -> dict[str, float]:
    """Of each data set, in percent."""
    return {name: 100 * cs.scores_of(np.sum(ms, axis=0)).mean_iou for name, ms in found.items()}


def gains(found: Confusions, before: Confusions) -> dict[str, float]:
    start = mean_iou(before)
    return {name: score - start[name] for name, score in mean_iou(found).items()}


def default_aim(points: dict[str, float]) -> float:
    return float(np.mean(list(points.values()))) if min(points.values()) > -HARM else -np.inf


def conservative_aim(points: dict[str, float]) -> float:
    return min(points.values())


AIMS = {"default": default_aim, "conservative": conservative_aim}


def choose(tried: dict[Candidate, Confusions], before: Confusions) -> dict[str, Candidate]:
    """The best candidate for each aim."""
    points = {c: gains(found, before) for c, found in tried.items()}
    return {name: max(tried, key=lambda c, aim=aim: aim(points[c])) for name, aim in AIMS.items()}


def without(found: Confusions, dataset: str, i: int) -> Confusions:
    left = [m for j, m in enumerate(found[dataset]) if j != i]
    return {name: left if name == dataset else ms for name, ms in found.items() if name != dataset or left}


def left_out(tried: dict[Candidate, Confusions], before: Confusions) -> tuple[dict[str, Confusions], dict[str, int]]:
    """What the aims do to each image when chosen without it, and how many different choices that were."""
    found: dict[str, Confusions] = {aim: {name: [] for name in before} for aim in AIMS}
    choices: dict[str, set[Candidate]] = {aim: set() for aim in AIMS}
    for dataset, matrices in before.items():
        for i in range(len(matrices)):
            others = {c: without(ms, dataset, i) for c, ms in tried.items()}
            for aim, c in choose(others, without(before, dataset, i)).items():
                found[aim][dataset].append(tried[c][dataset][i])
                choices[aim].add(c)
    return found, {aim: len(made) for aim, made in choices.items()}


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
        found = {way: rounded(gains(confusions(scaled, call), before)) for way, call in ways.items()}
        rows.append({"table": "sizes", "size": factor} | found)
        print(rows[-1], flush=True)
    return rows


def rounded(points: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in points.items()}


def report(name: str, chosen_on: str, points: dict[str, float], c: Candidate | None = None) -> dict[str, object]:
    row = {"table": "presets", "preset": name, "chosen_on": chosen_on, "gain": rounded(points)}
    if c is not None:
        row["parameters"] = asdict(c)
    print(row, flush=True)
    return row


def load(names: Iterable[str]) -> dict[str, list[Example]]:
    return {name: members for name in names if (members := list(DATASETS[name]()))}


def main() -> None:
    options = arguments(__doc__).parse_args()
    run, about = this_run(threads=cs.get_num_threads()), {"largest_harm": HARM}
    examples = {e.name: [e] for e in bundled()} if options.tiny else load(CHOOSE_ON)
    if not examples:
        print("no data here, nothing chosen")
        return
    before = confusions(examples, lambda e: e.unary.argmin(axis=0))
    everyone = dict.fromkeys([*candidates()[:: 100 if options.tiny else 1], *(shipped(name) for name in cs.PRESETS)])
    tried = {c: confusions(examples, c) for c in everyone}
    about |= {"candidates": len(tried), "images": {name: len(members) for name, members in examples.items()}}
    print(about, flush=True)

    rows = []
    for aim, c in choose(tried, before).items():
        rows.append(report(aim, "all images, these too", gains(tried[c], before), c))
        if c != shipped(aim):
            print(f"the preset {aim!r} of the library is another: {shipped(aim)}")
    found, about["different_choices"] = left_out(tried, before)
    rows += [report(aim, "all images but the one scored", gains(found[aim], before)) for aim in AIMS]
    literature = [name for name in cs.PRESETS if name not in AIMS]
    rows += [report(n, "literature", gains(tried[shipped(n)], before), shipped(n)) for n in literature]
    volumes = {} if options.tiny else load(NEVER_CHOOSE_ON)
    start = confusions(volumes, lambda e: e.unary.argmin(axis=0))
    for name in cs.PRESETS if volumes else ():
        refined = confusions(volumes, lambda e, name=name: cs.refine(e.image, unary=e.unary, preset=name))
        rows.append(report(name, "no volumes", gains(refined, start), shipped(name)))
    rows += sizes(examples)
    save("pipelines_choose_defaults", rows, run, options.output, about=about)


if __name__ == "__main__":
    main()
